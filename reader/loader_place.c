/*
 * Machines with several nodes: workers are spread over them, and memory lies where it is used.
 *
 *  - A worker runs on the processors of its node that the process may use; on which of them, the
 *    scheduler decides.
 *  - What a worker allocates is made by a thread on its node; its read buffers it fills in itself.
 *  - Batches, into which all workers write, are interleaved over the nodes, where the system lets
 *    them be; elsewhere their pages lie with the worker that happens to write to them first. What a
 *    GPU reads lies on the node that the GPU is next to.
 *
 * On other machines nothing of this happens.
 */
#include "loader.h"

#include <stdlib.h>

#define PAGE_BYTES 4096u

void hr__loader_place(struct hr_loader *l, const char *sysfs) {
    struct hr__placement *p = &l->placement;
    const struct hr__loader_config *c = &l->config;
    struct hr__cpus allowed;
    p->num_nodes = 1;
    if (c->numa_off || !hr__cpus_allowed(&allowed))
        return;
    p->numa = hr__numa_read(sysfs, &allowed);
    if (p->numa == NULL)
        return;
    p->beside_gpu = l->gpu.ops != NULL && hr__numa_of_pci(sysfs, l->gpu.info.pci, &p->gpu_node);
    p->node_of = calloc(c->num_threads, sizeof(*p->node_of));
    uint32_t used = 0;
    if (p->node_of != NULL)
        used = hr__numa_place(p->numa, hr__numa_home(p->numa), c->num_threads, p->node_of);
    if (used < 2)
        hr__loader_unplace(l);
    else
        p->num_nodes = used;
    p->ring_interleaved = p->num_nodes > 1 && !p->beside_gpu; /* until that is refused */
}

void hr__loader_unplace(struct hr_loader *l) {
    struct hr__placement *p = &l->placement;
    free(p->numa);
    free(p->node_of);
    p->numa = NULL;
    p->node_of = NULL;
}

/* The first refusal is the one that is told. */
static void refused(struct hr__placement *p, int rc) {
    int none = 0;
    if (rc < 0)
        (void)atomic_compare_exchange_strong(&p->os_errno, &none, -rc);
}

void hr__batches_place(struct hr_loader *l, void *memory, size_t n_bytes) {
    struct hr__placement *p = &l->placement;
    const size_t all_bytes = hr__ring_bytes(n_bytes);
    if (p->beside_gpu)
        refused(p, hr__numa_prefer(p->gpu_node, memory, all_bytes));
    if (p->beside_gpu || p->numa == NULL)
        return;
    int rc = hr__numa_interleave(p->numa, memory, all_bytes);
    p->ring_interleaved = p->ring_interleaved && rc == 0;
    refused(p, rc);
}

static const struct hr__numa_node *node_of(const struct hr__worker *w) {
    const struct hr__placement *p = &w->loader->placement;
    return &p->numa->nodes[p->node_of[w - w->loader->workers]];
}

/* Each page once, so that it is where this thread is. */
static void fill_in(uint8_t *memory, size_t n_bytes) {
    for (size_t i = 0; i < n_bytes; i += PAGE_BYTES)
        ((volatile uint8_t *)memory)[i] = 0;
}

void hr__worker_place(struct hr__worker *w) {
    struct hr__placement *p = &w->loader->placement;
    if (p->numa == NULL)
        return;
    refused(p, hr__numa_run_on(node_of(w)));
    fill_in(w->buffers, (size_t)(w->depth * w->loader->config.io_buffer_bytes));
}

/* ---- workers' memory, made on their nodes ---- */

struct opening {
    struct hr_loader *loader;
    uint32_t node; /* an index, or UINT32_MAX: all */
    hr_status st;
    hr_error *err;
};

static void *open_workers(void *opening) {
    struct opening *o = opening;
    struct hr_loader *l = o->loader;
    const struct hr__placement *p = &l->placement;
    uint32_t depth = l->config.io_depth / l->num_workers;
    if (o->node != UINT32_MAX)
        (void)hr__numa_run_on(&p->numa->nodes[o->node]); /* a worker will say so if it is refused */
    for (uint32_t i = 0; i < l->num_workers && o->st == HR_OK; i++)
        if (o->node == UINT32_MAX || p->node_of[i] == o->node)
            o->st = hr__worker_open(&l->workers[i], l, depth > 0 ? depth : 1, o->err);
    return NULL;
}

static hr_status open_on(struct hr_loader *l, uint32_t node, hr_error *err) {
    struct opening o = {.loader = l, .node = node, .st = HR_OK, .err = err};
    struct hr__thread there = {0};
    hr_status st = hr__thread_start(&there, "hr-place", open_workers, &o, err);
    hr__thread_join(&there);
    return st != HR_OK ? st : o.st;
}

hr_status hr__workers_open(struct hr_loader *l, hr_error *err) {
    const struct hr__numa *numa = l->placement.numa;
    struct opening all = {.loader = l, .node = UINT32_MAX, .st = HR_OK, .err = err};
    if (numa == NULL)
        open_workers(&all);
    for (uint32_t i = 0; numa != NULL && i < numa->num_nodes && all.st == HR_OK; i++)
        all.st = open_on(l, i, err);
    return all.st;
}
