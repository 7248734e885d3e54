/*
 * An array that is open in a helper, and the memory that its answers cross in.
 */
#ifndef HEADRACE_HELPER_SESSION_H
#define HEADRACE_HELPER_SESSION_H

#include "helper_channel.h"

struct hr__helper_answer {
    uint32_t slot;
    uint64_t first, n;
    hr_error error; /* of reading; its status HR_OK: the slot holds them */
};

struct hr__helper_session {
    struct hr__helper_listener listener; /* its subject is this session's */
    const struct hr__helper_target *target;
    char *subject;
    uint64_t slot_bytes, cache_bytes;   /* to be set before it is started */
    struct hr__helper_channel *channel; /* NULL: it is not started */
    bool opened;                        /* the helper has said so */
    hr_error refused;                   /* or that it cannot; status HR_OK: not that either */
    const uint8_t *shared;              /* the slots */
    uint64_t shared_bytes;
    struct hr__helper_answer answers[HR__HELPER_NUM_SLOTS]; /* that came, the oldest first */
    uint32_t num_answers;
};

/* Zeroed but for what says what is meant; *target must outlive it. */
hr_status hr__helper_session_init(struct hr__helper_session *s,
                                  const struct hr__helper_target *target, hr_error *err);
/* Asks a helper of the group, or one of its own where that is NULL, to open the array; it can be
 * asked for samples at once, as can others meanwhile. held_bytes: what it will take, of the budget;
 * a limit that was not said otherwise allows that. Stop it also after a failure. */
hr_status hr__helper_session_start(struct hr__helper_session *s, struct hr__helper_group *group,
                                   uint64_t held_bytes, hr_error *err);
/* Samples, into a slot for which no answer is awaited. */
hr_status hr__helper_session_ask(struct hr__helper_session *s, uint32_t slot, uint64_t first,
                                 uint64_t n, hr_error *err);
/* The next answer, in the order of asking. An error is that of the helper, or why the array could
 * not be opened. */
hr_status hr__helper_session_receive(struct hr__helper_session *s, struct hr__helper_answer *out,
                                     hr_error *err);
/* As hr__helper_lied(). */
hr_status hr__helper_session_lied(struct hr__helper_session *s, const char *what, hr_error *err);
void hr__helper_session_stop(struct hr__helper_session *s);
void hr__helper_session_close(struct hr__helper_session *s); /* stops; a zeroed one is fine */

#endif
