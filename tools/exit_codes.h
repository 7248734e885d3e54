/*
 * Exit codes of the `headrace` command. They are part of its interface: docs/cli.md.
 */
#ifndef HEADRACE_EXIT_CODES_H
#define HEADRACE_EXIT_CODES_H

enum {
    EXIT_DONE = 0,
    EXIT_FAILED = 1,
    EXIT_USAGE = 2,
    EXIT_DAMAGED = 3,      /* stored data are damaged: HR_ERR_CORRUPT */
    EXIT_DIFFERENT = 4,    /* compare: the two are not equal */
    EXIT_INTERRUPTED = 130 /* 128 + SIGINT, as shells report it */
};

#endif
