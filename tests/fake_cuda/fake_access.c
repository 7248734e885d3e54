/*
 * Who uses which bytes: the accesses that something to come may not be after, and the check that
 * two of them with a byte in common, one writing, are ordered (a).
 *
 * It is made when an operation is enqueued. All that the operation is after was enqueued before it,
 * so the later one of each pair finds the earlier one here, in whatever order both will run.
 */
#include "fake_state.h"

#include <string.h>

static bool is_before(const struct fake_access *a, const struct fake_clock *clock) {
    return a->number <= clock->at[a->stream];
}

static bool overlaps(const struct fake_access *a, uintptr_t begin, uintptr_t end) {
    return a->begin < end && begin < a->end;
}

static void report_race(const struct fake_access *earlier, const struct fake_access *later) {
    char at[96], one[64], two[64];
    fake__address_name(later->begin > earlier->begin ? later->begin : earlier->begin, at);
    fake__stream_name(later->stream, one);
    fake__stream_name(earlier->stream, two);
    fake__violation("%s '%s' (operation %llu in %s) is not ordered after '%s' (operation %llu in "
                    "%s), which %s the same memory, from %s on",
                    later->writes ? "the write of" : "the read of", later->name,
                    (unsigned long long)later->op, one, earlier->name,
                    (unsigned long long)earlier->op, two, earlier->writes ? "writes" : "reads", at);
}

static void check_written(const struct fake_access *access) {
    struct fake_allocation *a = fake__allocation_of(access->begin, access->end - access->begin);
    if (a == NULL)
        return;
    if (access->writes) {
        fake__written_add(a, access->begin, access->end);
        return;
    }
    const uintptr_t gap = fake__written_gap(a, access->begin, access->end);
    if (gap == access->end)
        return;
    char at[96];
    fake__address_name(gap, at);
    fake__violation("'%s' (operation %llu) reads what nothing before it writes, from %s on",
                    access->name, (unsigned long long)access->op, at);
}

/* What is not after the old access is not after the new one either, which is after the old one, and
 * has at least its bytes and its effects: nothing to come needs the old one. */
static bool replaces(const struct fake_access *new, const struct fake_access *old) {
    return old->begin >= new->begin && old->end <= new->end && (new->writes || !old->writes);
}

void fake__access_check(const struct fake_op *op, struct fake_access *access) {
    struct fake_machine *m = &fake__m;
    access->stream = op->stream;
    access->number = op->number;
    access->op = op->id;
    access->name = op->name;
    check_written(access);
    size_t kept = 0;
    bool reported = false;
    for (size_t i = 0; i < m->num_accesses; i++) {
        const struct fake_access old = m->accesses[i];
        const bool before = is_before(&old, &op->after);
        if (!before && !reported && (old.writes || access->writes) &&
            overlaps(&old, access->begin, access->end)) {
            report_race(&old, access);
            reported = true;
        }
        if (!before || !replaces(access, &old))
            m->accesses[kept++] = old;
    }
    m->num_accesses = kept;
    m->accesses = fake__grown(m->accesses, kept, &m->room_accesses, sizeof *m->accesses);
    m->accesses[m->num_accesses++] = *access;
}

const struct fake_access *fake__access_pending(uintptr_t begin, uintptr_t end) {
    for (size_t i = 0; i < fake__m.num_accesses; i++) {
        const struct fake_access *a = &fake__m.accesses[i];
        if (overlaps(a, begin, end) && !is_before(a, &fake__m.host))
            return a;
    }
    return NULL;
}

void fake__access_forget_known(void) {
    size_t kept = 0;
    for (size_t i = 0; i < fake__m.num_accesses; i++)
        if (!is_before(&fake__m.accesses[i], &fake__m.host))
            fake__m.accesses[kept++] = fake__m.accesses[i];
    fake__m.num_accesses = kept;
}

void fake__access_forget_range(uintptr_t begin, uintptr_t end) {
    size_t kept = 0;
    for (size_t i = 0; i < fake__m.num_accesses; i++)
        if (!overlaps(&fake__m.accesses[i], begin, end))
            fake__m.accesses[kept++] = fake__m.accesses[i];
    fake__m.num_accesses = kept;
}
