/*
 * The GPU of a loader, from open to close. What takes a context, allocates or waits is done by
 * threads that live no longer than that (invariant 1 of gpu_module.h).
 */
#define _GNU_SOURCE
#include "loader.h"

#include "error.h"

#include <stdio.h>
#include <sys/mman.h>

#define BUDGET_PART 10u /* of the GPU's memory, by default */

/* ---- threads ---- */

struct errand {
    const struct hr__loader_gpu *gpu;
    hr_status (*run)(void *arg, hr_error *err);
    void *arg;
    hr_status st;
    hr_error *err;
};

static void *errand_run(void *errand) {
    struct errand *e = errand;
    if (e->gpu->gpu != NULL)
        e->gpu->ops->enter(e->gpu->gpu);
    e->st = e->run(e->arg, e->err);
    return NULL;
}

hr_status hr__gpu_apart(struct hr_loader *l, hr_status (*run)(void *arg, hr_error *err), void *arg,
                        hr_error *err) {
    struct errand e = {&l->gpu, run, arg, HR_OK, err};
    struct hr__thread there = {0};
    hr_status st = hr__thread_start(&there, "hr-gpu", errand_run, &e, err);
    hr__thread_join(&there);
    return st != HR_OK ? st : e.st;
}

/* The same for what must be done: if need be by this thread, whose current device the GPU is then.
 */
static void apart_or_here(struct hr_loader *l, hr_status (*run)(void *arg, hr_error *err)) {
    struct errand e = {&l->gpu, run, l, HR_OK, NULL};
    struct hr__thread there = {0};
    if (hr__thread_start(&there, "hr-gpu", errand_run, &e, NULL) != HR_OK)
        (void)errand_run(&e);
    hr__thread_join(&there);
}

/* ---- open ---- */

/* What fits the budget, or the memory that is free: the largest number of slots, if it is one that
 * works. */
static uint32_t slots_within(const struct hr__loader_config *c, uint64_t n_bytes) {
    struct hr__upload_layout l = c->upload;
    while (l.num_slots > 1 && hr__upload_bytes(&l) > n_bytes)
        l.num_slots--;
    return l.num_slots > 1 ? l.num_slots : 0;
}

/* "use device_slots 2, or a batch of at most 512" */
static void what_fits(const struct hr__loader_config *c, uint64_t n_bytes, char out[128]) {
    const uint64_t needed = hr__upload_bytes(&c->upload);
    const uint32_t slots = slots_within(c, n_bytes);
    const uint64_t batch =
        (uint64_t)((double)c->order_params.batch_samples * 0.98 * (double)n_bytes / (double)needed);
    if (slots > 0)
        snprintf(out, 128, "use %u device slots, or a batch of about %llu", slots,
                 (unsigned long long)batch);
    else if (batch > 0)
        snprintf(out, 128, "use a batch of about %llu", (unsigned long long)batch);
    else
        snprintf(out, 128, "not even a batch of 1 fits");
}

static hr_status budget_check(const struct hr_loader *l, hr_error *err) {
    const struct hr__loader_config *c = &l->config;
    const struct hr__gpu_info *info = &l->gpu.info;
    const uint64_t needed = hr__upload_bytes(&c->upload);
    const bool given = c->device_budget_bytes != 0;
    const uint64_t budget = given ? c->device_budget_bytes : info->total_bytes / BUDGET_PART;
    char fits[128];
    if (needed <= budget)
        return HR_OK;
    what_fits(c, budget, fits);
    return hr__error_set(err, HR_ERR_DEVICE_MEMORY,
                         "%u batches on the GPU take %.1f KiB, and the device budget is %.1f KiB "
                         "(%s); %s, or give a device budget of %llu bytes",
                         c->upload.num_slots, (double)needed / 1024.0, (double)budget / 1024.0,
                         given ? "device_budget_bytes" : "a tenth of its memory", fits,
                         (unsigned long long)needed);
}

static hr_status device_open(void *loader, hr_error *err) {
    struct hr_loader *l = loader;
    return l->gpu.ops->open(l->config.device - HR_DEVICE_CUDA(0), &l->gpu.gpu, &l->gpu.info, err);
}

hr_status hr__gpu_open(struct hr_loader *l, const struct hr__gpu_ops *ops, hr_error *err) {
    struct hr__loader_gpu *g = &l->gpu;
    hr_status st;
    HR_TRY(hr__cond_init(&g->may_upload, err));
    g->may_upload_made = true;
    if (ops == NULL)
        HR_TRY(hr__gpu_module_open(&ops, err));
    g->ops = ops;
    HR_TRY(hr__gpu_apart(l, device_open, l, err));
    if (ops->ranges_wanted(g->gpu))
        l->ranges = (struct hr__ranges){ops, g->gpu};
    HR_TRY(budget_check(l, err));
done:
    return st;
}

/* ---- the ring, and the slots on the device ---- */

/* A forked child would otherwise share the pages: the GPU reads those that were pinned, and a later
 * write here would go to a copy of them. */
static hr_status pin(struct hr_loader *l, hr_error *err) {
    struct hr__loader_gpu *g = &l->gpu;
    const size_t n_bytes = hr__ring_bytes(l->ring_bytes);
    (void)madvise(l->ring, n_bytes, MADV_DONTFORK);
    const hr_status st = g->ops->host_register(g->gpu, l->ring, n_bytes, err);
    g->pinned = st == HR_OK;
    if (st == HR_OK || l->config.pageable_allowed)
        return HR_OK;
    hr__error_prefix(err,
                     "the batch ring of %.1f MiB cannot be pinned; raise the limit of locked "
                     "memory (ulimit -l), use a smaller budget, or allow pageable memory, which is "
                     "slower",
                     (double)n_bytes / 1048576.0);
    return st;
}

/* What a check begins with is copied with the rows behind it. */
static void checks_begin(struct hr_loader *l) {
    const struct hr__loader_config *c = &l->config;
    for (uint64_t i = 0; c->upload.bad_bytes > 0 && i < c->num_slots; i++) {
        struct hr__finish_bad *bad = (struct hr__finish_bad *)(void *)l->slots[i].base;
        for (uint32_t k = 0; k < c->num_fields; k++)
            bad[k] = (struct hr__finish_bad)HR__FINISH_BAD_NONE;
    }
}

static hr_status slots_open(struct hr_loader *l, hr_error *err) {
    struct hr__loader_gpu *g = &l->gpu;
    char fits[128];
    hr_status st = hr__upload_open(&g->upload, g->ops, g->gpu, &l->config.upload, err);
    if (st != HR_ERR_DEVICE_MEMORY)
        return st;
    what_fits(&l->config, g->info.free_bytes, fits);
    return hr__error_set(
        err, st,
        "%u batches on the GPU take %.1f MiB, and %.1f of its %.1f MiB were free: "
        "%s; or open the loader before a framework reserves the GPU (TensorFlow, "
        "JAX), or keep it from that (docs/gpu.md)",
        l->config.upload.num_slots, (double)hr__upload_bytes(&l->config.upload) / 1048576.0,
        (double)g->info.free_bytes / 1048576.0, (double)g->info.total_bytes / 1048576.0, fits);
}

static hr_status prepare(void *loader, hr_error *err) {
    struct hr_loader *l = loader;
    hr_status st;
    checks_begin(l);
    HR_TRY(pin(l, err));
    HR_TRY(slots_open(l, err));
done:
    return st;
}

hr_status hr__gpu_prepare(struct hr_loader *l, hr_error *err) {
    return l->gpu.ops == NULL ? HR_OK : hr__gpu_apart(l, prepare, l, err);
}

hr_status hr__gpu_start(struct hr_loader *l, hr_error *err) {
    return l->gpu.ops == NULL
               ? HR_OK
               : hr__thread_start(&l->gpu.thread, "hr-upload", hr__upload_run, l, err);
}

/* ---- close ---- */

/* What fails here and below is of a device that has failed, and has nothing in flight. */
static hr_status stop(void *loader, hr_error *err) {
    struct hr_loader *l = loader;
    struct hr__loader_gpu *g = &l->gpu;
    const hr_status st = g->ops->drain(g->gpu, err);
    if (g->pinned)
        g->ops->host_unregister(g->gpu, l->ring);
    g->pinned = false;
    return st;
}

void hr__gpu_stop(struct hr_loader *l) {
    if (l->gpu.gpu != NULL)
        apart_or_here(l, stop);
}

static hr_status shut(void *loader, hr_error *err) {
    struct hr__loader_gpu *g = &((struct hr_loader *)loader)->gpu;
    const hr_status st = g->ops->drain(g->gpu, err); /* tensors may have gone since */
    hr__upload_close(&g->upload);
    g->ops->close(g->gpu);
    g->gpu = NULL;
    return st;
}

void hr__gpu_close(struct hr_loader *l) {
    if (l->gpu.gpu != NULL)
        apart_or_here(l, shut);
    if (l->gpu.may_upload_made)
        pthread_cond_destroy(&l->gpu.may_upload);
}
