/*
 * The machine: its life, lock, threads and chance; what was found, and what happened.
 */
#include "fake_state.h"

#include <pthread.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

struct fake_machine fake__m;

static pthread_mutex_t machine_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t at_fork = PTHREAD_ONCE_INIT;
static _Thread_local struct fake_thread this_thread;

void fake__lock(void) {
    pthread_mutex_lock(&machine_lock);
}

void fake__unlock(void) {
    pthread_mutex_unlock(&machine_lock);
}

struct fake_thread *fake__thread(void) {
    if (this_thread.epoch != fake__m.epoch)
        this_thread = (struct fake_thread){.epoch = fake__m.epoch, .number = fake__m.num_threads++};
    return &this_thread;
}

uint64_t fake__random(void) { /* splitmix64 */
    uint64_t z = fake__m.random += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void *fake__grown(void *array, size_t num, size_t *room, size_t each_bytes) {
    if (num < *room)
        return array;
    *room = 2 * *room + 16;
    void *grown = realloc(array, *room * each_bytes);
    if (grown == NULL)
        abort(); /* a test machine without memory has nothing to say about the library */
    return grown;
}

/* ---- life ---- */

/* The lock may have been held by a thread that the child does not have. */
static void in_forked_child(void) {
    pthread_mutex_init(&machine_lock, NULL);
    fake__m.forked = fake__m.active;
}

static void watch_forks(void) {
    pthread_atfork(NULL, NULL, in_forked_child);
}

/* How lazy the machine is, and how it picks: different from seed to seed. */
static void choose_habits(struct fake_machine *m) {
    static const unsigned laziness[] = {0, 1, 2, 2, 8};
    m->random = m->config.seed;
    m->laziness = laziness[fake__random() % 5];
    m->ranked = fake__random() % 2 == 0;
}

void fake_cuda_begin(const struct fake_cuda_config *config) {
    static const struct fake_cuda_config defaults = FAKE_CUDA_CONFIG_INIT;
    pthread_once(&at_fork, watch_forks);
    if (fake__m.active)
        fake_cuda_end(); /* a test that failed did not come to it */
    fake__lock();
    struct fake_machine *m = &fake__m;
    void *accesses = m->accesses, *watches = m->watches, *allocations = m->allocations;
    const size_t room_accesses = m->room_accesses, room_watches = m->room_watches;
    const size_t room_allocations = m->room_allocations;
    const uint64_t epoch = m->epoch;
    memset(m->streams, 0, (size_t)m->num_streams * sizeof *m->streams);
    memset(m->events, 0, (size_t)m->num_events * sizeof *m->events);
    memset(m, 0, offsetof(struct fake_machine, streams));
    m->accesses = accesses, m->watches = watches, m->allocations = allocations;
    m->room_accesses = room_accesses, m->room_watches = room_watches;
    m->room_allocations = room_allocations;
    m->epoch = epoch + 1;
    m->config = config != NULL ? *config : defaults;
    m->active = true;
    choose_habits(m);
    fake__memory_begin();
    fake__unlock();
}

static void report_leaks(void) {
    uint64_t streams = 0, events = 0;
    for (int i = 0; i < fake__m.num_streams; i++)
        streams += fake__m.streams[i].live && fake__m.streams[i].kind == FAKE_MADE;
    fake__count_events(&events);
    if (streams > 0)
        fake__violation("%llu streams were never destroyed", (unsigned long long)streams);
    if (events > 0)
        fake__violation("%llu events were never destroyed", (unsigned long long)events);
    if (fake__m.num_registrations > 0)
        fake__violation("%zu ranges of host memory are still registered, the first at 0x%llx",
                        fake__m.num_registrations,
                        (unsigned long long)fake__m.registrations[0].begin);
}

uint64_t fake_cuda_end(void) {
    fake_cuda_device_thread_stop();
    fake__lock();
    while (fake__run_one(NULL)) {
    }
    fake__watch_settle_range(0, UINTPTR_MAX);
    report_leaks();
    fake__memory_end();
    fake__m.active = false;
    const uint64_t violations = fake__m.num_violations;
    fake__unlock();
    return violations;
}

/* ---- what was found ---- */

static void add_sentence(const char *format, va_list args) {
    if (fake__m.num_violations < FAKE_MAX_SENTENCES)
        vsnprintf(fake__m.sentences[fake__m.num_violations], FAKE_MAX_SENTENCE, format, args);
    fake__m.num_violations++;
}

void fake__violation(const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_sentence(format, args);
    va_end(args);
}

uint64_t fake_cuda_violations(void) {
    fake__lock();
    const uint64_t n = fake__m.num_violations;
    fake__unlock();
    return n;
}

const char *fake_cuda_violation(uint64_t number) {
    const uint64_t n = fake_cuda_violations();
    return number < n && number < FAKE_MAX_SENTENCES ? fake__m.sentences[number] : NULL;
}

bool fake_cuda_complained(const char *words) {
    for (uint64_t i = 0; fake_cuda_violation(i) != NULL; i++)
        if (strstr(fake_cuda_violation(i), words) != NULL)
            return true;
    return false;
}

/* ---- what happened ---- */

void fake__trace_number(uint64_t number) {
    fake__m.trace_hash = (fake__m.trace_hash ^ number) * 0x9e3779b97f4a7c15u;
    fake__m.trace_hash ^= fake__m.trace_hash >> 29;
}

void fake__trace(const char *what, const char *name, uint64_t op, int stream) {
    fake__m.recent[fake__m.num_recent++ % FAKE_MAX_RECENT] =
        (struct fake_event_line){what, name, op, stream};
    for (const char *p = what; *p != '\0'; p++)
        fake__trace_number((unsigned char)*p);
    fake__trace_number(op);
    fake__trace_number((uint64_t)stream);
}

uint64_t fake_cuda_trace_hash(void) {
    fake__lock();
    const uint64_t hash = fake__m.trace_hash;
    fake__unlock();
    return hash;
}

static void print_line(FILE *to, uint64_t number, const struct fake_event_line *line) {
    fprintf(to, "  %6llu  ", (unsigned long long)number);
    if (line->stream < 0)
        fprintf(to, "%s: %s\n", line->what, line->name);
    else if (line->op == 0)
        fprintf(to, "  %s, stream %d\n", line->what, line->stream);
    else
        fprintf(to, "  %s %s, operation %llu, stream %d\n", line->what, line->name,
                (unsigned long long)line->op, line->stream);
}

void fake_cuda_print(FILE *to) {
    fake__lock();
    const struct fake_machine *m = &fake__m;
    fprintf(to, "stand-in for CUDA: seed %llu, %llu violations\n",
            (unsigned long long)m->config.seed, (unsigned long long)m->num_violations);
    for (uint64_t i = 0; i < m->num_violations && i < FAKE_MAX_SENTENCES; i++)
        fprintf(to, "  %s\n", m->sentences[i]);
    const uint64_t first = m->num_recent > FAKE_MAX_RECENT ? m->num_recent - FAKE_MAX_RECENT : 0;
    for (uint64_t i = first; i < m->num_recent; i++)
        print_line(to, i, &m->recent[i % FAKE_MAX_RECENT]);
    fake__unlock();
}
