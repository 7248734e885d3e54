/*
 * The sources of copies between their enqueueing and the moment at which the host knows that the
 * copy is done: they must not change (b).
 */
#include "fake_state.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uintptr_t page_bytes(void) {
    return (uintptr_t)sysconf(_SC_PAGESIZE);
}

/* Only whole pages: others may hold what does not belong to the source. */
static void protect(const struct fake_watch *w, int protection) {
    const uintptr_t page = page_bytes();
    const uintptr_t begin = (w->access.begin + page - 1) / page * page;
    const uintptr_t end = w->access.end / page * page;
    if (fake__m.config.protect_sources && begin < end)
        (void)mprotect((void *)begin, end - begin, protection); /* only an aid */
}

void fake__watch(const struct fake_op *op, uintptr_t begin, size_t n_bytes) {
    struct fake_machine *m = &fake__m;
    m->watches = fake__grown(m->watches, m->num_watches, &m->room_watches, sizeof *m->watches);
    struct fake_watch *w = &m->watches[m->num_watches++];
    *w = (struct fake_watch){.access = {.begin = begin,
                                        .end = begin + n_bytes,
                                        .stream = op->stream,
                                        .number = op->number,
                                        .op = op->id,
                                        .name = op->name},
                             .snapshot = malloc(n_bytes)};
    if (w->snapshot == NULL)
        abort();
    memcpy(w->snapshot, (const void *)begin, n_bytes);
    protect(w, PROT_READ);
}

/* Once for each: a watch that was reported, or has nothing to say any more, is passed over. */
static void compare(struct fake_watch *w, const char *when) {
    const unsigned char *now = (const unsigned char *)w->access.begin;
    const size_t n_bytes = w->access.end - w->access.begin;
    if (w->over || memcmp(now, w->snapshot, n_bytes) == 0)
        return;
    size_t i = 0;
    while (now[i] == w->snapshot[i])
        i++;
    char stream[64];
    fake__stream_name(w->access.stream, stream);
    fake__violation("byte %zu (0x%llx) of the source of '%s' (operation %llu in %s) was changed %s",
                    i, (unsigned long long)(w->access.begin + i), w->access.name,
                    (unsigned long long)w->access.op, stream, when);
    w->over = true;
}

void fake__watch_check(const struct fake_op *op) {
    for (size_t i = 0; i < fake__m.num_watches; i++)
        if (fake__m.watches[i].access.op == op->id)
            compare(&fake__m.watches[i], "before it ran");
}

static void forget(struct fake_watch *w) {
    protect(w, PROT_READ | PROT_WRITE);
    free(w->snapshot);
}

/* Pages of those that are left may have been given back with others. */
static void protect_rest(void) {
    for (size_t i = 0; fake__m.config.protect_sources && i < fake__m.num_watches; i++)
        protect(&fake__m.watches[i], PROT_READ);
}

/* Ends those watches for which over() says so. */
static void sweep(bool (*over)(const struct fake_watch *w, uintptr_t a, uintptr_t b), uintptr_t a,
                  uintptr_t b, const char *when) {
    struct fake_machine *m = &fake__m;
    size_t kept = 0;
    for (size_t i = 0; i < m->num_watches; i++) {
        struct fake_watch *w = &m->watches[i];
        if (!over(w, a, b)) {
            m->watches[kept++] = *w;
            continue;
        }
        if (when != NULL)
            compare(w, when);
        forget(w);
    }
    if (kept < m->num_watches) {
        m->num_watches = kept;
        protect_rest();
    }
}

static bool is_known(const struct fake_watch *w, uintptr_t a, uintptr_t b) {
    (void)a, (void)b;
    return w->access.number <= fake__m.host.at[w->access.stream];
}

static bool is_within(const struct fake_watch *w, uintptr_t begin, uintptr_t end) {
    return w->access.begin < end && begin < w->access.end;
}

static bool is_of_stream(const struct fake_watch *w, uintptr_t stream, uintptr_t unused) {
    (void)unused;
    return w->access.stream == (int)stream;
}

void fake__watch_settle_known(void) {
    sweep(is_known, 0, 0, "before the host knew that it was done");
}

void fake__watch_settle_range(uintptr_t begin, uintptr_t end) {
    sweep(is_within, begin, end, "before the host knew that it was done");
}

/* Of another operation, which is after the copies: the change is the device's, not the host's. */
void fake__watch_overwritten(const struct fake_op *op, const struct fake_access *access) {
    for (size_t i = 0; i < fake__m.num_watches; i++) {
        struct fake_watch *w = &fake__m.watches[i];
        if (is_within(w, access->begin, access->end) &&
            w->access.number <= op->after.at[w->access.stream]) {
            compare(w, "before the device wrote over it");
            w->over = true;
        }
    }
}

void fake__watch_drop(int stream) {
    sweep(is_of_stream, (uintptr_t)stream, 0, NULL);
}
