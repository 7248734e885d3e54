/*
 * The `headrace` command: finds the command asked for and hands over to it.
 */
#include "commands.h"
#include "exit_codes.h"
#include "report.h"

#include "headrace/status.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {
    {"convert", cmd_convert},   {"info", cmd_info},     {"verify", cmd_verify},
    {"plan", cmd_plan},         {"export", cmd_export}, {"epoch", cmd_epoch},
    {"split", cmd_split},       {"bench", cmd_bench},   {"memory", cmd_memory},
    {"why-died", cmd_why_died}, {"join", cmd_join},     {"compare", cmd_compare},
    {"head", cmd_head},
};

static const char help[] =
    "Usage: headrace COMMAND ARGUMENTS...\n"
    "Streams training data too large for memory.\n"
    "\n"
    "  convert   arrays (.npy, .npz, HDF5, CSV, ...) become one .hrd file\n"
    "  info      what is in a file: fields, statistics, what a loader needs\n"
    "  verify    read and check every byte\n"
    "  plan      memory, mixing, rate of a training run, before it starts\n"
    "  export    fields become .npy files, one .npz, or one HDF5 file\n"
    "  epoch     read as a training loop would, and report\n"
    "  split     training, validation, test: lists of samples\n"
    "  bench     what share of this machine's limits a file's epochs reach\n"
    "  join      parts that were written apart become one file\n"
    "  compare   are two files' arrays equal, bit for bit, or where not\n"
    "  head      the first samples: numbers, texts, images\n"
    "  memory    the limit of memory here, who set it, and what is left\n"
    "  why-died  how the last process ended that left a record\n"
    "\n"
    "  headrace COMMAND --help   its options;  headrace --version  the version\n"
    "\n"
    "Sizes: 256M is 256 MiB. Exit codes: 0 done, 1 failed, 2 usage, 3 data are\n"
    "damaged, 4 different, 130 interrupted.\n"
    "\n"
    "Example:\n"
    "  headrace convert X.npy y.npy -o train.hrd && headrace info train.hrd\n";

/* A full disk or a closed descriptor shows only when the last bytes leave. */
static int finish(int code) {
    if ((fflush(stdout) != 0 || ferror(stdout)) && code == EXIT_DONE) {
        return report_failure("", "the output could not be written");
    }
    return code;
}

static int print(const char *text) {
    fputs(text, stdout);
    return finish(EXIT_DONE);
}

static int run(const char *command, int argc, char **argv) {
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(command, commands[i].name) == 0) {
            return finish(commands[i].run(argc, argv));
        }
    }
    return report_usage("", "there is no command '%s'", command);
}

static int help_of(char *command) {
    char option[] = "--help";
    char *argv[] = {command, option, NULL};
    return run(command, 2, argv);
}

int main(int argc, char **argv) {
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error of the write, in words */
    if (argc < 2) {
        return report_usage("", "a command is missing");
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        return argc > 2 ? help_of(argv[2]) : print(help);
    }
    if (strcmp(word, "--version") == 0) {
        printf("headrace %s\n", hr_version());
        return finish(EXIT_DONE);
    }
    return run(word, argc - 1, argv + 1);
}
