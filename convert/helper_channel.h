/*
 * One helper in which several arrays of a file are open. They share one conversation: what it
 * answers is told apart by the order of asking.
 *
 * Invariants:
 * 1. At most HR__HELPER_MAX_ASKED questions are open, so that neither side ever waits for the other
 *    to read: what they take fits the sockets.
 * 2. Answers to who has left are dropped. What he had open is closed before anything else is asked.
 * 3. There is a helper while somebody listens to it, or its group keeps it.
 * Threads: one at a time, for all that share a group.
 */
#ifndef HEADRACE_HELPER_CHANNEL_H
#define HEADRACE_HELPER_CHANNEL_H

#include "helper_process.h"
#include "helper_target.h"

#define HR__HELPER_MAX_ASKED 8u

struct hr__helper_channel;

/* The helpers of the readers that one thread uses. Zeroed but for what says what is meant. */
struct hr__helper_group {
    uint32_t num_groups; /* that share what helpers one file may have; 0: this one alone */
    bool keeps;          /* those without readers, for the next ones, until it is closed */
    struct hr__helper_channel *channels;
};

/* Nobody listens any more. Where it keeps none, there is nothing to be closed then. */
void hr__helper_group_close(struct hr__helper_group *group);

/* Who has an array open, or asks for that. */
struct hr__helper_listener {
    const char *subject; /* FILE:/member, for messages */
    uint64_t held_bytes; /* what the helper holds of it */
    uint32_t array;      /* its number there */
    /* What was asked for has come, or an ERROR in its place; a failure is one of the helper. */
    hr_status (*answered)(struct hr__helper_listener *l, const struct hr__helper_message *m,
                          hr_error *err);
};

/* To the helper of the group that has the fewest arrays of the file open; one more is started where
 * there may be, and where no other may hold as much. group NULL: to one of its own. */
hr_status hr__helper_channel_join(struct hr__helper_group *group,
                                  const struct hr__helper_target *target,
                                  struct hr__helper_listener *l, struct hr__helper_channel **out,
                                  hr_error *err);
/* NULL is fine. Waits for nothing. */
void hr__helper_channel_leave(struct hr__helper_channel *c, struct hr__helper_listener *l);

/* What it may use, with what all its arrays hold. */
uint64_t hr__helper_channel_memory(const struct hr__helper_channel *c);

/* One question, which has one answer. fd: -1, or a descriptor that goes along. */
hr_status hr__helper_channel_ask(struct hr__helper_channel *c, struct hr__helper_listener *l,
                                 const struct hr__helper_message *m, int fd, hr_error *err);
/* Waits for the next answer, whoever it is for, and hands it over. */
hr_status hr__helper_channel_listen(struct hr__helper_channel *c, hr_error *err);
/* As hr__helper_lied(), in an answer to l. */
hr_status hr__helper_channel_lied(struct hr__helper_channel *c, const struct hr__helper_listener *l,
                                  const char *what, hr_error *err);

#endif
