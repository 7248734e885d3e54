/*
 * The rings of events; the invariants are in loader_trace.h.
 */
#include "loader_trace.h"

#include "error.h"
#include "loader.h"

#include <stdio.h>
#include <stdlib.h>

const struct hr__trace_words hr__trace_words[HR__TRACE_KINDS] = {
    [HR__TRACE_READ] = {"read", {"chunk", "bytes"}, "", true},
    [HR__TRACE_DECODE] = {"decode", {"visit", "chunk"}, "decode visit %llu chunk %llu", false},
    [HR__TRACE_FINISH] = {"finish", {"batch", "rows"}, "finish batch %llu rows %llu", false},
    [HR__TRACE_UPLOAD] = {"upload", {"batch", "slot"}, "upload batch %llu slot %llu", true},
    [HR__TRACE_WAIT_READS] = {"wait for reads", {"reads", "bytes"}, "wait for reads", false},
    [HR__TRACE_COPY_READS] = {"copy reads", {"reads", "bytes"}, "", false},
    [HR__TRACE_WAIT_ROOM] = {"wait for room", {"batch"}, "wait for room for batch %llu", false},
    [HR__TRACE_WAIT_CONSUMER] = {"wait for the consumer",
                                 {"batch"},
                                 "wait for the consumer with batch %llu",
                                 false},
    [HR__TRACE_WAIT_BATCH] = {"wait for a batch", {"batch"}, "wait for batch %llu", false},
    [HR__TRACE_WAIT_SLOT] = {"wait for a slot", {"batch"}, "wait for a slot for batch %llu", false},
    [HR__TRACE_WAIT_UPLOAD] = {"wait for an upload",
                               {"batch", "slot"},
                               "wait for the upload of batch %llu slot %llu",
                               false},
};

static hr_status make(struct hr__trace *t, uint64_t num_entries, hr_error *err) {
    t->entries = calloc((size_t)num_entries, sizeof(*t->entries));
    t->num_entries = num_entries;
    return t->entries != NULL ? HR_OK
                              : hr__error_no_memory(err, num_entries * sizeof(*t->entries),
                                                    "the events of a thread (trace_events)");
}

hr_status hr__traces_make(struct hr_loader *l, hr_error *err) {
    const uint64_t n = l->config.trace_events;
    hr_status st = HR_OK;
    if (n == 0)
        return HR_OK;
    HR_TRY(make(&l->next_trace, n, err));
    if (l->gpu.ops != NULL)
        HR_TRY(make(&l->gpu.trace, n, err));
    for (uint32_t i = 0; i < l->num_workers; i++)
        HR_TRY(make(&l->workers[i].trace, n, err));
done:
    return st;
}

void hr__traces_free(struct hr_loader *l) {
    for (uint32_t i = 0; i < l->num_workers; i++)
        free(l->workers[i].trace.entries);
    free(l->gpu.trace.entries);
    free(l->next_trace.entries);
    l->gpu.trace.entries = l->next_trace.entries = NULL;
}

void hr__trace_put(struct hr__trace *t, const struct hr__trace_event *e) {
    struct hr__trace_entry *to = &t->entries[t->at];
    const uint64_t number = atomic_load_explicit(&t->next, memory_order_relaxed);
    atomic_store_explicit(&to->mark, 0, memory_order_relaxed);
    atomic_store_explicit(&to->begin_ns, e->begin_ns, memory_order_release);
    atomic_store_explicit(&to->end_ns, e->end_ns, memory_order_release);
    for (uint32_t i = 0; i < 3; i++)
        atomic_store_explicit(&to->numbers[i], e->numbers[i], memory_order_release);
    atomic_store_explicit(&to->mark, (number + 1) << 8 | e->kind, memory_order_release);
    atomic_store_explicit(&t->next, number + 1, memory_order_release);
    t->at = t->at + 1 < t->num_entries ? t->at + 1 : 0;
}

uint64_t hr__trace_numbers(const struct hr__trace *t, uint64_t *first) {
    const uint64_t end = atomic_load_explicit(&t->next, memory_order_acquire);
    *first = end > t->num_entries ? end - t->num_entries : 0;
    return end;
}

bool hr__trace_get(const struct hr__trace *t, uint64_t number, struct hr__trace_event *out) {
    const struct hr__trace_entry *from = &t->entries[number % t->num_entries];
    const uint64_t mark = atomic_load_explicit(&from->mark, memory_order_acquire);
    out->kind = (enum hr__trace_kind)(mark & 0xff);
    out->begin_ns = atomic_load_explicit(&from->begin_ns, memory_order_acquire);
    out->end_ns = atomic_load_explicit(&from->end_ns, memory_order_acquire);
    for (uint32_t i = 0; i < 3; i++)
        out->numbers[i] = atomic_load_explicit(&from->numbers[i], memory_order_acquire);
    return mark >> 8 == number + 1 &&
           atomic_load_explicit(&from->mark, memory_order_relaxed) == mark;
}

uint64_t hr__trace_batch(const struct hr_batch *b) {
    return b->epoch->first_number + b->batch;
}

uint64_t hr__trace_visit(const struct hr_loader *l, const struct hr__item *item) {
    return item->visit * l->config.order_params.num_streams + item->stream;
}

void hr__range_name(const struct hr__ranges *r, enum hr__trace_kind kind, uint64_t a, uint64_t b) {
    char name[96];
    snprintf(name, sizeof(name), hr__trace_words[kind].range, (unsigned long long)a,
             (unsigned long long)b);
    r->ops->range_begin(r->gpu, name);
}
