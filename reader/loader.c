/*
 * The life of a loader, from open to close.
 */
#include "loader.h"

#include "clock.h"
#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static hr_status ring_make(struct hr_loader *l, hr_error *err) {
    const struct hr__loader_config *c = &l->config;
    l->ring_bytes = (size_t)hr__loader_ring_bytes(c);
    hr_status st = hr__ring_alloc(l->ring_bytes, (void **)&l->ring, err);
    if (st != HR_OK)
        return st;
    if (c->has_values) /* few batches need the room that each has */
        hr__ring_sparse(l->ring, l->ring_bytes);
    hr__batches_place(l, l->ring, l->ring_bytes);
    l->slots = calloc(c->num_slots, sizeof(*l->slots));
    l->free_slots = calloc(c->num_slots, sizeof(*l->free_slots));
    l->by_number = calloc(c->num_slots, sizeof(*l->by_number));
    l->bases = calloc(c->num_slots, sizeof(*l->bases));
    l->complete = calloc(HR__MAX_OUTSTANDING, 1);
    if (l->slots == NULL || l->free_slots == NULL || l->by_number == NULL || l->bases == NULL ||
        l->complete == NULL)
        return hr__error_no_memory(err, (size_t)c->num_slots * sizeof(*l->slots), "batches");
    for (uint64_t i = c->num_slots; i-- > 0;) {
        l->slots[i].base = l->ring + i * c->slot_bytes;
        l->free_slots[l->num_free_slots++] = (uint32_t)i;
    }
    return HR_OK;
}

static hr_status locks_make(struct hr_loader *l, hr_error *err) {
    hr_status st;
    HR_TRY(hr__mutex_init(&l->lock, err));
    l->lock_made = true;
    HR_TRY(hr__cond_init(&l->batch_ready, err));
    l->ready_made = true;
    HR_TRY(hr__cond_init(&l->may_admit, err));
    l->admit_made = true;
done:
    return st;
}

/* All of one kind: what a ring is refused for (descriptors, memory) may be there for the first of
 * them only. */
static hr_status queues_open(struct hr_loader *l, hr_error *err) {
    hr_status st = HR_OK;
    for (uint32_t i = 0; i < l->num_workers && st == HR_OK; i++)
        st = hr__worker_queue_open(&l->workers[i], err);
    if (st != HR_ERR_UNSUPPORTED || !hr__io_backend_without_rings(&l->io))
        return st;
    for (uint32_t i = 0; i < l->num_workers; i++)
        hr__io_queue_close(&l->workers[i].queue);
    return queues_open(l, err);
}

static hr_status workers_make(struct hr_loader *l, hr_error *err) {
    const struct hr__loader_config *c = &l->config;
    l->workers = calloc(c->num_threads, sizeof(*l->workers));
    if (l->workers == NULL)
        return hr__error_no_memory(err, c->num_threads * sizeof(*l->workers), "workers");
    l->num_workers = c->num_threads;
    return hr__workers_open(l, err);
}

static hr_status workers_start(struct hr_loader *l, hr_error *err) {
    for (uint32_t i = 0; i < l->num_workers; i++) {
        char name[16];
        snprintf(name, sizeof(name), "hr-decode-%u", i % 1000);
        hr_status st =
            hr__thread_start(&l->workers[i].thread, name, hr__worker_run, &l->workers[i], err);
        if (st != HR_OK)
            return st;
    }
    return HR_OK;
}

/* How much of a chunk the wanted fields take is known only from a chunk: until the first has been
 * seen, one page more than its header is read. */
static void prefix_begin(struct hr_loader *l) {
    atomic_store(&l->prefix_bytes, 2 * HR__PAGE_BYTES);
}

static hr_status plan(struct hr_loader *l, const hr_loader_options *opts, hr_error *err) {
    hr_status st;
    uint64_t epoch = opts->first_epoch, batch = 0;
    hr__budget_init_uncounted(&l->order_budget);
    HR_TRY(hr__loader_order_fit(&l->config, &l->order_budget, &l->order, err));
    hr__budget_init(&l->budget, l->config.budget_bytes);
    HR_TRY(hr__budget_reserve(
        &l->budget, hr__loader_config_bytes(&l->config) - hr__loader_shared_bytes(&l->config),
        "the loader", err));
    if (opts->resume_state != NULL)
        HR_TRY(
            hr__state_decode(l, opts->resume_state, opts->resume_state_bytes, &epoch, &batch, err));
    HR_TRY(hr__admit_begin(l, epoch, batch, err));
done:
    return st;
}

/* What is wrong with a GPU is not wrong with the data set. */
static bool is_of_device(hr_status st) {
    return st >= HR_ERR_NO_DEVICE_MODULE && st <= HR_ERR_DEVICE;
}

hr_status hr__loader_open(hr_dataset *ds, const hr_loader_options *opts,
                          const struct hr__loader_setup *setup, hr_loader **out, hr_error *err) {
    hr_status st;
    if (ds == NULL || out == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "hr_loader_open: ds and out must not be NULL");
    *out = NULL;
    hr_loader_options o;
    struct hr_loader *l = calloc(1, sizeof(*l));
    if (l == NULL)
        return hr__error_no_memory(err, sizeof(*l), "a loader");
    l->ds = ds;
    l->row_store = hr__row_stores()[0];
    l->pid = getpid();
    l->opened_ns = hr__now_ns();
    l->first_batch_ns = -1;
    HR_TRY(locks_make(l, err));
    HR_TRY(hr__loader_options_resolve(opts, &o, err));
    HR_TRY(hr__loader_io_choose(ds, o.io, &l->io, err));
    HR_TRY(hr__loader_config_make(ds, &o, l->io.io, &l->config, err));
    l->config.untimed = setup->untimed;
    HR_TRY(plan(l, &o, err));
    if (l->config.device != HR_DEVICE_HOST)
        HR_TRY(hr__gpu_open(l, setup->gpu, err));
    hr__loader_place(l, setup->sysfs != NULL ? setup->sysfs : "/sys");
    HR_TRY(ring_make(l, err));
    HR_TRY(hr__outs_make(l, err));
    HR_TRY(hr__gpu_prepare(l, err));
    HR_TRY(hr__io_backend_start(&l->io, l->config.io_depth, err));
    prefix_begin(l);
    HR_TRY(workers_make(l, err));
    HR_TRY(queues_open(l, err));
    HR_TRY(hr__traces_make(l, err));
    HR_TRY(workers_start(l, err));
    HR_TRY(hr__gpu_start(l, err));
    *out = l;
    l = NULL;
done:
    if (st != HR_OK && !is_of_device(st))
        hr__dataset_name_error(ds, err);
    hr_loader_close(l);
    return st;
}

hr_status hr_loader_open(hr_dataset *ds, const hr_loader_options *opts, hr_loader **out,
                         hr_error *err) {
    const struct hr__loader_setup setup = {0};
    return hr__loader_open(ds, opts, &setup, out, err);
}

static void slots_free(struct hr_loader *l) {
    for (uint64_t i = 0; l->slots != NULL && i < l->config.num_slots; i++)
        hr__epoch_release(l->slots[i].epoch);
    free(l->slots);
    free(l->free_slots);
    free(l->by_number);
    free(l->bases);
    free(l->complete);
}

static void ring_free(struct hr_loader *l) {
    hr__ring_free(l->ring, l->ring_bytes);
    l->ring = NULL;
}

void hr__loader_free(struct hr_loader *l) {
    hr__gpu_close(l);
    slots_free(l);
    hr__outs_free(l);
    hr__epoch_release(l->admit_epoch);
    hr__epoch_release(l->next_epoch);
    hr__order_free(l->order);
    ring_free(l);
    hr__loader_config_free(&l->config);
    hr__budget_close(&l->budget);
    if (l->admit_made)
        pthread_cond_destroy(&l->may_admit);
    if (l->ready_made)
        pthread_cond_destroy(&l->batch_ready);
    if (l->lock_made)
        pthread_mutex_destroy(&l->lock);
    free(l);
}

/* Threads end; nothing is in flight afterwards. */
static void threads_stop(struct hr_loader *l) {
    if (l->admit_made) {
        pthread_mutex_lock(&l->lock);
        l->stopping = true;
        pthread_cond_broadcast(&l->may_admit);
        if (l->gpu.may_upload_made)
            pthread_cond_broadcast(&l->gpu.may_upload);
        pthread_mutex_unlock(&l->lock);
    }
    for (uint32_t i = 0; i < l->num_workers; i++)
        hr__thread_join(&l->workers[i].thread);
    hr__thread_join(&l->gpu.thread);
    hr__gpu_stop(l);
}

/* What nobody holds is freed at once. */
void hr_loader_close(hr_loader *l) {
    if (l == NULL || hr__loader_forked(l))
        return;
    threads_stop(l);
    hr__traces_free(l);
    for (uint32_t i = 0; i < l->num_workers; i++)
        hr__worker_close(&l->workers[i]);
    free(l->workers);
    l->workers = NULL;
    hr__loader_unplace(l);
    hr__io_backend_close(&l->io);
    if (l->gpu.ops != NULL)
        ring_free(l);
    if (l->lock_made)
        pthread_mutex_lock(&l->lock);
    l->closed = true;
    const bool held = l->num_holds > 0;
    if (held)
        hr__loader_shrink(l);
    if (l->lock_made)
        pthread_mutex_unlock(&l->lock);
    if (!held)
        hr__loader_free(l);
}
