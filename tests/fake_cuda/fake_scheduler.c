/*
 * The order of operations, and the scheduler that picks among those that may run.
 *
 * Invariants:
 *  1. what an operation is after was enqueued before it, so that one can always run while any is
 *     left: nothing here waits for ever;
 *  2. an operation may run when its stream has done all before it, and every other stream has done
 *     what the clock of the operation says;
 *  3. clocks are closed: what is before an operation in a clock is in the clock too.
 */
#include "fake_kernels.h"
#include "fake_state.h"

#include <stdlib.h>
#include <string.h>

/* ---- order ---- */

static bool is_blocking_of(int i, int device) {
    const struct fake_stream *s = &fake__m.streams[i];
    return s->used && s->device == device && s->blocking;
}

/* Rules 1, 3, 4 and 7. */
static void what_it_is_after(int stream, struct fake_clock *out) {
    const struct fake_stream *s = &fake__m.streams[stream];
    *out = s->next;
    fake__clock_join(out, &fake__m.host);
    for (int i = 0; i < fake__m.num_streams; i++) {
        const struct fake_stream *other = &fake__m.streams[i];
        if (s->kind == FAKE_LEGACY && is_blocking_of(i, s->device))
            fake__clock_join(out, &other->last);
        if (s->blocking && other->used && other->kind == FAKE_LEGACY && other->device == s->device)
            fake__clock_join(out, &other->barrier);
    }
}

static void append(struct fake_stream *s, struct fake_op *op) {
    if (s->tail == NULL)
        s->head = op;
    else
        s->tail->next = op;
    s->tail = op;
}

void fake__enqueue(struct fake_op *op, int stream) {
    struct fake_stream *s = &fake__m.streams[stream];
    what_it_is_after(stream, &op->after);
    op->id = ++fake__m.num_ops;
    op->stream = stream;
    op->number = ++s->enqueued;
    op->after.at[stream] = op->number;
    fake__trace("enqueue", op->name, op->id, stream);
    for (size_t i = 0; i < op->num_accesses; i++)
        fake__access_check(op, &op->accesses[i]);
    s->last = s->next = op->after;
    if (op->kind != FAKE_RECORD) {
        s->last_work = op->number;
        s->last_work_op = op->id;
        if (s->kind == FAKE_LEGACY)
            s->barrier = op->after;
    }
    append(s, op);
}

/* ---- running ---- */

static bool may_run(const struct fake_op *op) {
    for (int i = 0; i < fake__m.num_streams; i++)
        if (i != op->stream && fake__m.streams[i].done < op->after.at[i])
            return false;
    return true;
}

/* The stream whose first operation runs next, or -1. By rank, the ranks change now and then: so one
 * stream may be far behind the others, which an even choice hardly ever makes. */
static int pick(const struct fake_clock *only) {
    int found[FAKE_MAX_STREAMS], num = 0;
    for (int i = 0; i < fake__m.num_streams; i++) {
        const struct fake_op *op = fake__m.streams[i].head;
        if (op != NULL && (only == NULL || op->number <= only->at[i]) && may_run(op))
            found[num++] = i;
    }
    if (num < 2)
        return num == 0 ? -1 : found[0];
    if (!fake__m.ranked)
        return found[fake__random() % (unsigned)num];
    int best = found[0];
    for (int i = 1; i < num; i++)
        if (fake__m.streams[found[i]].rank > fake__m.streams[best].rank)
            best = found[i];
    if (fake__random() % 8 == 0)
        fake__m.streams[best].rank = fake__random();
    return best;
}

static void run_copy(struct fake_op *op) {
    fake__watch_check(op);
    memmove(fake__bytes(op->dst, op->n_bytes),
            op->staged != NULL ? op->staged : fake__bytes(op->src, op->n_bytes), op->n_bytes);
}

static void check_written_guards(const struct fake_op *op) {
    for (size_t i = 0; i < op->num_accesses; i++) {
        const struct fake_access *a = &op->accesses[i];
        const struct fake_allocation *m = fake__allocation_of(a->begin, a->end - a->begin);
        if (a->writes && m != NULL)
            fake__check_guards(m, op->name, op->id);
    }
}

static void run(struct fake_op *op) {
    for (size_t i = 0; i < op->num_accesses; i++)
        if (op->accesses[i].writes && !fake__is_device_address(op->accesses[i].begin))
            fake__watch_overwritten(op, &op->accesses[i]);
    if (op->kind == FAKE_COPY)
        run_copy(op);
    else if (op->kind == FAKE_FILL)
        memset(fake__bytes(op->dst, op->n_bytes), op->value, op->n_bytes);
    else if (op->kind == FAKE_KERNEL)
        fake__kernel_run(op);
    else
        fake__event_recorded(op);
    check_written_guards(op);
}

void fake__op_free(struct fake_op *op) {
    for (struct fake_scratch *s = op->scratch, *next; s != NULL; s = next) {
        next = s->next;
        free(s->bytes);
        free(s);
    }
    free(op->accesses);
    free(op->staged);
    if (op->arg_bytes > 0)
        free(op->arg);
    free(op);
}

static struct fake_op *take(struct fake_stream *s) {
    struct fake_op *op = s->head;
    s->head = op->next;
    if (s->head == NULL)
        s->tail = NULL;
    return op;
}

bool fake__run_one(const struct fake_clock *only) {
    const int i = pick(only);
    if (i < 0)
        return false;
    struct fake_op *op = take(&fake__m.streams[i]);
    fake__m.now_us += 1 + fake__random() % 20;
    fake__trace("run", op->name, op->id, i);
    run(op);
    fake__m.streams[i].done = op->number;
    if (op->fault != cudaSuccess)
        fake__device_fails(fake__m.streams[i].device, op->fault);
    fake__op_free(op);
    return true;
}

void fake__run_some(void) {
    const unsigned laziness = fake__m.laziness;
    if (fake__m.hold || laziness == 0)
        return;
    while (laziness == 1 || fake__random() % laziness == 0)
        if (!fake__run_one(NULL))
            return;
}

bool fake__is_done(const struct fake_clock *clock) {
    for (int i = 0; i < fake__m.num_streams; i++)
        if (fake__m.streams[i].done < clock->at[i])
            return false;
    return true;
}

void fake__run_until(const struct fake_clock *target) {
    const bool only_what_is_needed = fake__random() % 2 == 0;
    while (!fake__is_done(target) && fake__run_one(only_what_is_needed ? target : NULL)) {
        fake__unlock(); /* other threads go on meanwhile */
        fake__lock();
    }
}

void fake__host_learns(const struct fake_clock *clock) {
    fake__clock_join(&fake__m.host, clock);
    fake__watch_settle_known();
    fake__access_forget_known();
}

/* Nothing more runs there, and there is nothing to wait for. */
void fake__device_fails(int device, cudaError_t error) {
    fake__m.devices[device].sticky = error;
    fake__trace("fault", cudaGetErrorName(error), 0, -1);
    for (int i = 0; i < fake__m.num_streams; i++) {
        struct fake_stream *s = &fake__m.streams[i];
        if (!s->used || s->device != device)
            continue;
        while (s->head != NULL)
            fake__op_free(take(s));
        s->done = s->enqueued;
        fake__m.host.at[i] = s->enqueued;
        fake__watch_drop(i);
    }
    fake__access_forget_known();
}

/* ---- by hand ---- */

bool fake_cuda_step(void) {
    fake__lock();
    const bool ran = fake__run_one(NULL);
    fake__unlock();
    return ran;
}

void fake_cuda_run_all(void) {
    while (fake_cuda_step()) {
    }
}

uint64_t fake_cuda_pending(void) {
    fake__lock();
    uint64_t pending = 0;
    for (int i = 0; i < fake__m.num_streams; i++)
        pending += fake__m.streams[i].enqueued - fake__m.streams[i].done;
    fake__unlock();
    return pending;
}

void fake_cuda_hold(bool hold) {
    fake__lock();
    fake__m.hold = hold;
    fake__unlock();
}
