/*
 * Ctrl-C, and the SIGTERM of a job manager. The handlers are the program's: the library has none.
 */
#define _GNU_SOURCE
#include "interrupt.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t seen;

static void on_signal(int number) {
    (void)number;
    seen = 1;
}

void interrupt_watch(void) {
    /* SA_RESETHAND: the second signal has its default effect. */
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    const int numbers[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        struct sigaction before;
        /* What a parent had ignored (nohup, a background job) stays ignored. */
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) {
            sigaction(numbers[i], &action, NULL);
        }
    }
}

bool interrupt_seen(void) {
    return seen != 0;
}
