/*
 * Sharing a helper. What it sends is untrusted.
 */
#define _GNU_SOURCE
#include "helper_channel.h"

#include "checked.h"
#include "error.h"

#include <stdlib.h>
#include <string.h>

#define DEFAULT_AS_BYTES (UINT64_C(512) << 20)

/* Where an array is open in the helper, or one was whose listener has left. */
struct place {
    struct hr__helper_listener *listener; /* NULL: nobody */
    bool opened;
};

struct hr__helper_channel {
    struct hr__helper_channel *next;
    struct hr__helper_group *group; /* or NULL */
    struct hr__helper *helper;
    char *path;
    uint64_t memory_bytes; /* of the options */
    uint64_t held_bytes;   /* by what is open */
    struct place *places;
    uint32_t num_places, num_listeners, num_left;
    struct hr__helper_listener *asked[HR__HELPER_MAX_ASKED]; /* a ring; NULL: he has left */
    uint32_t first_asked, num_asked;
};

/* That a helper may use in any case, or as much as it holds, and some. */
static uint64_t memory_of(uint64_t asked_bytes, uint64_t held_bytes) {
    return asked_bytes != 0 ? asked_bytes : DEFAULT_AS_BYTES + held_bytes;
}

/* --- who shares one ------------------------------------------------------------------------- */

static bool may_hold(const struct hr__helper_channel *c, uint64_t more_bytes) {
    uint64_t held;
    if (c->num_listeners >= HR__HELPER_MAX_ARRAYS)
        return false;
    return c->memory_bytes == 0 ||
           (hr__add_u64(c->held_bytes, more_bytes, &held) &&
            hr__add_u64(held, HR__HELPER_BASE_BYTES, &held) && held <= c->memory_bytes);
}

/* NULL: one is to be started. A group is of one job, whose options are the same for all. */
static struct hr__helper_channel *find(const struct hr__helper_group *group,
                                       const struct hr__helper_target *target,
                                       uint64_t more_bytes) {
    struct hr__helper_channel *best = NULL;
    uint32_t n = 0;
    if (group == NULL)
        return NULL;
    for (struct hr__helper_channel *c = group->channels; c != NULL; c = c->next) {
        if (strcmp(c->path, target->path) != 0)
            continue;
        n++;
        if (may_hold(c, more_bytes) && (best == NULL || c->num_listeners < best->num_listeners))
            best = c;
    }
    return n < target->opts.max_helpers / (uint32_t)hr__max_u64(group->num_groups, 1) ? NULL : best;
}

static void channel_close(struct hr__helper_channel *c) {
    if (c == NULL)
        return;
    if (c->group != NULL) {
        struct hr__helper_channel **at = &c->group->channels;
        while (*at != c)
            at = &(*at)->next;
        *at = c->next;
    }
    hr__helper_close(c->helper);
    free(c->places);
    free(c->path);
    free(c);
}

static hr_status channel_open(const struct hr__helper_target *target, uint64_t held_bytes,
                              struct hr__helper_channel **out, hr_error *err) {
    const struct hr__helper_options *o = &target->opts;
    const struct hr__helper_limits limits = {.timeout_ns = o->timeout_ns,
                                             .memory_bytes = memory_of(o->memory_bytes, held_bytes),
                                             .zip = o->zip};
    hr_status st = HR_OK;
    struct hr__helper_channel *c = calloc(1, sizeof *c);
    if (c == NULL)
        return hr__error_no_memory(err, sizeof *c, "a helper");
    c->memory_bytes = o->memory_bytes;
    c->path = strdup(target->path);
    if (c->path == NULL)
        st = hr__error_no_memory(err, strlen(target->path), "a helper");
    else
        st = hr__helper_start(target->program, target->path, &limits, &c->helper, err);
    if (st != HR_OK) {
        channel_close(c);
        return st;
    }
    *out = c;
    return HR_OK;
}

static hr_status take_place(struct hr__helper_channel *c, struct hr__helper_listener *l,
                            hr_error *err) {
    uint32_t i = 0;
    while (i < c->num_places && c->places[i].opened)
        i++;
    if (i == c->num_places) {
        const uint32_t room = i == 0 ? 4 : i * 2;
        struct place *p = realloc(c->places, room * sizeof *p);
        if (p == NULL)
            return hr__error_no_memory(err, room * sizeof *p, "a helper");
        memset(p + i, 0, (room - i) * sizeof *p);
        c->places = p;
        c->num_places = room;
    }
    c->places[i] = (struct place){.listener = l, .opened = true};
    l->array = i;
    c->num_listeners++;
    c->held_bytes += l->held_bytes;
    return HR_OK;
}

hr_status hr__helper_channel_join(struct hr__helper_group *group,
                                  const struct hr__helper_target *target,
                                  struct hr__helper_listener *l, struct hr__helper_channel **out,
                                  hr_error *err) {
    struct hr__helper_channel *c = find(group, target, l->held_bytes);
    hr_status st = HR_OK;
    *out = NULL;
    if (c == NULL) {
        st = channel_open(target, l->held_bytes, &c, err);
        if (st != HR_OK)
            return st;
        if (group != NULL) {
            c->group = group;
            c->next = group->channels;
            group->channels = c;
        }
    }
    st = take_place(c, l, err);
    if (st == HR_OK)
        *out = c;
    else if (c->num_listeners == 0)
        channel_close(c);
    return st;
}

void hr__helper_channel_leave(struct hr__helper_channel *c, struct hr__helper_listener *l) {
    if (c == NULL)
        return;
    for (uint32_t i = 0; i < HR__HELPER_MAX_ASKED; i++)
        if (c->asked[i] == l)
            c->asked[i] = NULL;
    c->places[l->array].listener = NULL;
    c->num_left++;
    c->held_bytes -= l->held_bytes;
    if (--c->num_listeners == 0 && (c->group == NULL || !c->group->keeps))
        channel_close(c);
    else
        hr__helper_set_subject(c->helper, NULL);
}

void hr__helper_group_close(struct hr__helper_group *group) {
    while (group->channels != NULL)
        channel_close(group->channels);
}

uint64_t hr__helper_channel_memory(const struct hr__helper_channel *c) {
    return memory_of(c->memory_bytes, c->held_bytes);
}

/* --- the conversation ----------------------------------------------------------------------- */

/* What the helper is at, when something goes wrong. */
static const struct hr__helper_listener *at_work(const struct hr__helper_channel *c,
                                                 const struct hr__helper_listener *otherwise) {
    return c->num_asked > 0 ? c->asked[c->first_asked] : otherwise;
}

static void set_subject(struct hr__helper_channel *c, const struct hr__helper_listener *l) {
    hr__helper_set_subject(c->helper, l != NULL ? l->subject : NULL);
}

hr_status hr__helper_channel_listen(struct hr__helper_channel *c, hr_error *err) {
    struct hr__helper_message m;
    struct hr__helper_listener *l = c->asked[c->first_asked];
    set_subject(c, l);
    const hr_status st = hr__helper_receive(c->helper, &m, err);
    if (st != HR_OK)
        return st;
    c->first_asked = (c->first_asked + 1) % HR__HELPER_MAX_ASKED;
    c->num_asked--;
    return l != NULL ? l->answered(l, &m, err) : HR_OK;
}

static hr_status ask(struct hr__helper_channel *c, struct hr__helper_listener *l,
                     const struct hr__helper_message *m, int fd, hr_error *err) {
    hr_status st = HR_OK;
    while (st == HR_OK && c->num_asked == HR__HELPER_MAX_ASKED)
        st = hr__helper_channel_listen(c, err);
    if (st != HR_OK)
        return st;
    set_subject(c, at_work(c, l));
    st = hr__helper_send(c->helper, m, fd, err);
    if (st == HR_OK)
        c->asked[(c->first_asked + c->num_asked++) % HR__HELPER_MAX_ASKED] = l;
    return st;
}

static hr_status close_left(struct hr__helper_channel *c, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; st == HR_OK && c->num_left > 0; i++) {
        const struct hr__helper_message m = {.type = HR__HELPER_CLOSE, .array = i};
        if (!c->places[i].opened || c->places[i].listener != NULL)
            continue;
        st = ask(c, NULL, &m, -1, err);
        c->places[i].opened = false;
        c->num_left--;
    }
    return st;
}

hr_status hr__helper_channel_ask(struct hr__helper_channel *c, struct hr__helper_listener *l,
                                 const struct hr__helper_message *m, int fd, hr_error *err) {
    const hr_status st = close_left(c, err);
    return st == HR_OK ? ask(c, l, m, fd, err) : st;
}

hr_status hr__helper_channel_lied(struct hr__helper_channel *c, const struct hr__helper_listener *l,
                                  const char *what, hr_error *err) {
    set_subject(c, l);
    return hr__helper_lied(c->helper, what, err);
}
