/*
 * A source helper as seen by the library: a child process at the other end of a socket pair. What
 * it sends is untrusted.
 *
 * Invariants:
 * 1. A helper that died, hung, or broke the protocol is killed and reaped before the error is
 *    returned, and every later call returns the same error.
 * 2. Only our own child is waited for or signalled; the program's SIGCHLD and SIGPIPE handling is
 *    neither relied on nor changed.
 * 3. No descriptor of ours survives an exec of the program.
 * Threads: one at a time. Fork: a helper made before fork() answers HR_ERR_FORKED in the child,
 * where closing it leaves the process alone.
 */
#ifndef HEADRACE_HELPER_PROCESS_H
#define HEADRACE_HELPER_PROCESS_H

#include "helper_protocol.h"

#include <sys/types.h>

struct hr__helper_limits {
    int64_t timeout_ns;    /* of silence; 0: 60 s */
    uint64_t memory_bytes; /* address space */
    bool zip;              /* it reads a zip archive, not HDF5: messages say how to check that */
    bool writes;           /* the file is made, not read: messages say so */
};

struct hr__helper {
    int socket;
    int pidfd; /* -1 where the kernel has none */
    pid_t pid;
    pid_t owner;
    struct hr__helper_limits limits;
    char *file;          /* as it was started for */
    const char *subject; /* that, or "FILE:/member", for messages */
    bool greeted;
    bool not_begun;   /* it ended as it does where it lacks its libraries, or memory for them */
    hr_status failed; /* of invariant 1 */
    hr_error failure;
    uint8_t *packet; /* HR__HELPER_MESSAGE_BYTES: the last message received points into it */
};

/* Finds and starts a helper, which can be sent to at once. program: NULL, or what to start instead
 * of the one that belongs to this library. file is copied. */
hr_status hr__helper_start(const char *program, const char *file,
                           const struct hr__helper_limits *limits, struct hr__helper **out,
                           hr_error *err);

/* What messages are about from now on, and stays valid; NULL: the file. */
void hr__helper_set_subject(struct hr__helper *h, const char *subject);

/* fd: -1, or a descriptor that goes along. One that has died is found when its answer is received.
 */
hr_status hr__helper_send(struct hr__helper *h, const struct hr__helper_message *m, int fd,
                          hr_error *err);

/* Waits for its greeting, where it has not come yet. */
hr_status hr__helper_greet(struct hr__helper *h, hr_error *err);

/* The next message after the greeting, within the time of silence. An ERROR is a message too. Texts
 * in *out are valid until the next call. */
hr_status hr__helper_receive(struct hr__helper *h, struct hr__helper_message *out, hr_error *err);

/* The same of a message that is to be of a type: an ERROR is its error, another one a lie. */
hr_status hr__helper_answer(struct hr__helper *h, enum hr__helper_type type,
                            struct hr__helper_message *out, hr_error *err);

/* HR_ERR_HELPER, and the helper is killed: it said something that cannot be. */
hr_status hr__helper_lied(struct hr__helper *h, const char *what, hr_error *err);

/* The status and text of an ERROR message as an error about the subject. */
hr_status hr__helper_said(const char *subject, const struct hr__helper_message *m, hr_error *err);

/* A text from a file or a helper, cut to the room, without what a terminal would take as a command.
 */
void hr__helper_plain_text(const char *text, char *out, size_t room);

/* Kills and reaps. NULL is fine. */
void hr__helper_close(struct hr__helper *h);

/* helper_program.c: path of the helper that belongs to this library, malloc'ed. */
hr_status hr__helper_find(char **out, hr_error *err);

#endif
