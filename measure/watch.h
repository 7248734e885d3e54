/*
 * How whoever waits for a measurement can stop it.
 */
#ifndef HEADRACE_WATCH_H
#define HEADRACE_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HR__WATCH_EVERY_NS INT64_C(100000000)

/* Asked on the caller's thread every HR__WATCH_EVERY_NS or so; true: stop, HR_ERR_CANCELLED. */
struct hr__watch {
    bool (*stop)(void *user); /* NULL: never */
    void *user;
};

static inline bool hr__watch_stops(const struct hr__watch *w) {
    return w->stop != NULL && w->stop(w->user);
}

#endif
