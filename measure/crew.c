/*
 * When all threads have what they need, every one warms up, then counts its bytes over the same
 * length of time. What little they begin apart is far below the warm-up, so all of them run while
 * any of them counts.
 */
#include "crew.h"

#include "clock.h"
#include "error.h"
#include "thread.h"

#include <stdatomic.h>
#include <stdlib.h>

#define WARM_UP_PART 5 /* of the run, before it */

struct crew {
    const struct hr__crew_job *job;
    int64_t run_ns;
    _Atomic uint64_t next_turn;
    atomic_bool stop; /* a failure, or the caller's wish */
    hr__mutex lock;
    hr__cond met;   /* all have begun, or are to stop */
    hr__cond ended; /* a member has */
    uint32_t num_members;
    uint32_t num_begun, num_running; /* under lock */
    hr_error failure;                /* under lock: the first; status HR_OK: none */
};

struct member {
    struct crew *crew;
    struct hr__thread thread;
    double bytes_per_s;
};

/* Until the time is up, and something is done: no rate is zero. */
static hr_status share_out(struct crew *crew, void *mine, int64_t until_ns, uint64_t *bytes,
                           hr_error *err) {
    const struct hr__crew_job *job = crew->job;
    hr_status st = HR_OK;
    *bytes = 0;
    while (st == HR_OK && !atomic_load_explicit(&crew->stop, memory_order_relaxed) &&
           (*bytes == 0 || hr__now_ns() < until_ns)) {
        uint64_t turn = atomic_fetch_add_explicit(&crew->next_turn, 1, memory_order_relaxed);
        uint64_t done = 0;
        st = job->work(job->user, mine, turn, &done, err);
        *bytes += done;
    }
    return st;
}

/* With the lock held. */
static void stop(struct crew *crew) {
    atomic_store(&crew->stop, true);
    pthread_cond_broadcast(&crew->met);
}

/* Waits until all have begun: rates that are added up are of the same time. */
static void meet(struct crew *crew) {
    pthread_mutex_lock(&crew->lock);
    if (++crew->num_begun == crew->num_members)
        pthread_cond_broadcast(&crew->met);
    while (crew->num_begun < crew->num_members && !atomic_load(&crew->stop))
        (void)hr__cond_wait_until(&crew->met, &crew->lock, -1);
    pthread_mutex_unlock(&crew->lock);
}

static hr_status member_work(struct member *m, hr_error *err) {
    struct crew *crew = m->crew;
    void *mine = NULL;
    uint64_t bytes;
    hr_status st = crew->job->begin(crew->job->user, &mine, err);
    if (st != HR_OK)
        return st;
    meet(crew);
    st = share_out(crew, mine, hr__now_ns() + crew->run_ns / WARM_UP_PART, &bytes, err);
    int64_t start_ns = hr__now_ns();
    if (st == HR_OK)
        st = share_out(crew, mine, start_ns + crew->run_ns, &bytes, err);
    m->bytes_per_s = (double)bytes * 1e9 / (double)(hr__now_ns() - start_ns + 1);
    crew->job->end(mine);
    return st;
}

static void *member_run(void *arg) {
    struct member *m = arg;
    struct crew *crew = m->crew;
    hr_error err = {0};
    hr_status st = member_work(m, &err);
    pthread_mutex_lock(&crew->lock);
    if (st != HR_OK) {
        stop(crew);
        if (crew->failure.status == HR_OK)
            crew->failure = err;
    }
    crew->num_running--;
    pthread_cond_signal(&crew->ended);
    pthread_mutex_unlock(&crew->lock);
    return NULL;
}

/* Until every member has ended; whether the watch stopped them. */
static bool wait_for_all(struct crew *crew, const struct hr__watch *watch) {
    bool stopped = false;
    pthread_mutex_lock(&crew->lock);
    while (crew->num_running > 0) {
        if (hr__cond_wait_until(&crew->ended, &crew->lock, hr__now_ns() + HR__WATCH_EVERY_NS))
            continue;
        pthread_mutex_unlock(&crew->lock); /* the watch calls foreign code */
        const bool asked = !stopped && hr__watch_stops(watch);
        pthread_mutex_lock(&crew->lock);
        stopped = stopped || asked;
        if (asked)
            stop(crew);
    }
    pthread_mutex_unlock(&crew->lock);
    return stopped;
}

static hr_status members_start(struct crew *crew, struct member *members, uint32_t count,
                               hr_error *err) {
    hr_status st = HR_OK;
    crew->num_members = count;
    for (uint32_t i = 0; i < count && st == HR_OK; i++) {
        members[i].crew = crew;
        pthread_mutex_lock(&crew->lock);
        crew->num_running++;
        pthread_mutex_unlock(&crew->lock);
        st = hr__thread_start(&members[i].thread, "hr-bench", member_run, &members[i], err);
        if (st == HR_OK)
            continue;
        pthread_mutex_lock(&crew->lock);
        stop(crew);
        crew->num_running--;
        pthread_mutex_unlock(&crew->lock);
    }
    return st;
}

static hr_status crew_go(struct crew *crew, uint32_t num_threads, const struct hr__watch *watch,
                         double *bytes_per_s, hr_error *err) {
    struct member *members = calloc(num_threads, sizeof(*members));
    if (members == NULL)
        return hr__error_no_memory(err, num_threads * sizeof(*members), "threads");
    hr_status st = members_start(crew, members, num_threads, err);
    bool stopped = wait_for_all(crew, watch);
    for (uint32_t i = 0; i < num_threads; i++) {
        hr__thread_join(&members[i].thread);
        *bytes_per_s += members[i].bytes_per_s;
    }
    free(members);
    if (st == HR_OK && crew->failure.status != HR_OK) {
        st = crew->failure.status;
        if (err != NULL)
            *err = crew->failure;
    }
    if (st == HR_OK && stopped)
        st = hr__error_set(err, HR_ERR_CANCELLED, "measuring was stopped");
    return st;
}

hr_status hr__crew_run(const struct hr__crew_job *job, uint32_t num_threads, int64_t run_ns,
                       const struct hr__watch *watch, double *bytes_per_s, hr_error *err) {
    struct crew crew = {.job = job, .run_ns = run_ns};
    *bytes_per_s = 0;
    hr_status st = hr__mutex_init(&crew.lock, err);
    if (st != HR_OK)
        return st;
    bool ended_made = false, met_made = false;
    HR_TRY(hr__cond_init(&crew.ended, err));
    ended_made = true;
    HR_TRY(hr__cond_init(&crew.met, err));
    met_made = true;
    st = crew_go(&crew, num_threads, watch, bytes_per_s, err);
done:
    if (met_made)
        pthread_cond_destroy(&crew.met);
    if (ended_made)
        pthread_cond_destroy(&crew.ended);
    pthread_mutex_destroy(&crew.lock);
    return st;
}
