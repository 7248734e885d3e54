/*
 * A helper that has one array open, and the memory that its answers cross in.
 */
#ifndef HEADRACE_HELPER_SESSION_H
#define HEADRACE_HELPER_SESSION_H

#include "helper_process.h"
#include "helper_target.h"

struct hr__helper_session {
    const struct hr__helper_target *target;
    char *subject;                    /* FILE:/member, for messages */
    uint64_t slot_bytes, cache_bytes; /* to be set before it is started */
    struct hr__helper *helper;        /* NULL: it is not started */
    bool opened;                      /* it has said so */
    hr_error refused;                 /* or that it cannot; status HR_OK: not that either */
    const uint8_t *shared;            /* the slots */
    uint64_t shared_bytes;
};

/* Zeroed but for what says what is meant; *target must outlive it. */
hr_status hr__helper_session_init(struct hr__helper_session *s,
                                  const struct hr__helper_target *target, hr_error *err);
/* Starts a helper and asks it to open the array; it can be asked for samples at once, as can
 * others meanwhile. held_bytes: what it will take, of the budget; a limit that was not said
 * otherwise allows that. Stop it also after a failure. */
hr_status hr__helper_session_start(struct hr__helper_session *s, uint64_t held_bytes,
                                   hr_error *err);
/* The next answer: as hr__helper_receive(); or why the array could not be opened. */
hr_status hr__helper_session_receive(struct hr__helper_session *s, struct hr__helper_message *out,
                                     hr_error *err);
void hr__helper_session_stop(struct hr__helper_session *s);
void hr__helper_session_close(struct hr__helper_session *s); /* stops; a zeroed one is fine */

#endif
