/*
 * Every thread warms up, then counts its bytes over the same length of time. What little the
 * threads begin apart is far below the warm-up, so all of them run while any of them counts.
 */
#include "crew.h"

#include "clock.h"
#include "error.h"
#include "thread.h"

#include <stdatomic.h>
#include <stdlib.h>

#define WARM_UP_NS INT64_C(200000000)

struct crew {
    const struct crew_job *job;
    int64_t run_ns;
    atomic_size_t next;
    atomic_bool failed;
};

struct member {
    struct crew *crew;
    struct hr__thread thread;
    double bytes_per_s;
};

/* Chunks until the time is up; bytes done. */
static uint64_t share_out(struct crew *crew, void *mine, int64_t until_ns) {
    const struct crew_job *job = crew->job;
    uint64_t bytes = 0;
    while (!atomic_load_explicit(&crew->failed, memory_order_relaxed) && hr__now_ns() < until_ns) {
        size_t turn = atomic_fetch_add_explicit(&crew->next, 1, memory_order_relaxed);
        uint64_t done = job->work(job->user, mine, turn % job->num_chunks);
        if (done == 0)
            atomic_store(&crew->failed, true);
        bytes += done;
    }
    return bytes;
}

static void *member_run(void *arg) {
    struct member *m = arg;
    struct crew *crew = m->crew;
    void *mine = crew->job->begin(crew->job->user);
    if (mine == NULL) {
        atomic_store(&crew->failed, true);
        return NULL;
    }
    share_out(crew, mine, hr__now_ns() + WARM_UP_NS);
    int64_t start_ns = hr__now_ns();
    uint64_t bytes = share_out(crew, mine, start_ns + crew->run_ns);
    m->bytes_per_s = (double)bytes * 1e9 / (double)(hr__now_ns() - start_ns);
    crew->job->end(mine);
    return NULL;
}

hr_status crew_run(const struct crew_job *job, uint32_t num_threads, double seconds,
                   double *bytes_per_s, hr_error *err) {
    struct crew crew = {.job = job, .run_ns = (int64_t)(seconds * 1e9)};
    struct member *members = calloc(num_threads, sizeof(*members));
    hr_status st = HR_OK;
    *bytes_per_s = 0;
    if (members == NULL)
        return hr__error_no_memory(err, num_threads * sizeof(*members), "threads");
    for (uint32_t i = 0; i < num_threads && st == HR_OK; i++) {
        members[i].crew = &crew;
        st = hr__thread_start(&members[i].thread, "bench", member_run, &members[i], err);
        if (st != HR_OK)
            atomic_store(&crew.failed, true);
    }
    for (uint32_t i = 0; i < num_threads; i++) {
        hr__thread_join(&members[i].thread);
        *bytes_per_s += members[i].bytes_per_s;
    }
    if (st == HR_OK && atomic_load(&crew.failed))
        st = hr__error_set(err, HR_ERR_CORRUPT,
                           "a chunk could not be worked on; run headrace verify");
    free(members);
    return st;
}
