/*
 * Threads and waiting (base/thread.h).
 */
#define _GNU_SOURCE
#include "clock.h"
#include "thread.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

struct seen {
    hr__mutex mutex;
    hr__cond cond;
    bool go;
    bool woken;
    char name[16];
    sigset_t blocked;
};

static void seen_init(struct seen *s) {
    memset(s, 0, sizeof(*s));
    assert_int_equal(hr__mutex_init(&s->mutex, NULL), HR_OK);
    assert_int_equal(hr__cond_init(&s->cond, NULL), HR_OK);
}

static void seen_destroy(struct seen *s) {
    pthread_cond_destroy(&s->cond);
    pthread_mutex_destroy(&s->mutex);
}

/* Waits until it may look: a name is given from outside, after the start. */
static void *look(void *arg) {
    struct seen *s = arg;
    pthread_mutex_lock(&s->mutex);
    while (!s->go)
        hr__cond_wait_until(&s->cond, &s->mutex, -1);
    pthread_getname_np(pthread_self(), s->name, sizeof(s->name));
    pthread_sigmask(SIG_SETMASK, NULL, &s->blocked);
    s->woken = true;
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

/* Lets those go that wait; a thread of its own where need be. */
static void *let_go(void *arg) {
    struct seen *s = arg;
    pthread_mutex_lock(&s->mutex);
    s->go = true;
    pthread_cond_broadcast(&s->cond);
    pthread_mutex_unlock(&s->mutex);
    return NULL;
}

static void start__a_thread__has_its_name_and_no_signals(void **state) {
    (void)state;
    static const int signals[] = {SIGINT, SIGTERM, SIGCHLD, SIGPIPE, SIGALRM, SIGUSR1};
    struct hr__thread t = {0};
    struct seen s;
    seen_init(&s);
    assert_int_equal(hr__thread_start(&t, "hr-test-fifteen", look, &s, NULL), HR_OK);
    assert_true(t.started);
    (void)let_go(&s);
    hr__thread_join(&t);
    assert_false(t.started);
    assert_true(s.woken);
    assert_string_equal(s.name, "hr-test-fifteen");
    for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
        assert_int_equal(sigismember(&s.blocked, signals[i]), 1);
    seen_destroy(&s);
}

static void start__a_thread__leaves_the_callers_signals_alone(void **state) {
    (void)state;
    sigset_t before, after, mine;
    struct hr__thread t = {0};
    struct seen s;
    seen_init(&s);
    sigemptyset(&mine);
    sigaddset(&mine, SIGUSR2);
    pthread_sigmask(SIG_SETMASK, &mine, &before);
    assert_int_equal(hr__thread_start(&t, "x", look, &s, NULL), HR_OK);
    (void)let_go(&s);
    hr__thread_join(&t);
    pthread_sigmask(SIG_SETMASK, &before, &after);
    assert_int_equal(sigismember(&after, SIGUSR2), 1);
    assert_int_equal(sigismember(&after, SIGINT), 0);
    seen_destroy(&s);
}

static void join__not_started_or_joined__does_nothing(void **state) {
    (void)state;
    struct hr__thread t = {0};
    struct seen s;
    hr__thread_join(&t);
    seen_init(&s);
    s.go = true;
    assert_int_equal(hr__thread_start(&t, "x", look, &s, NULL), HR_OK);
    hr__thread_join(&t);
    hr__thread_join(&t);
    seen_destroy(&s);
}

static void wait__until_the_deadline__takes_so_long(void **state) {
    (void)state;
    struct seen s;
    seen_init(&s);
    pthread_mutex_lock(&s.mutex);
    int64_t begin = hr__now_ns(), deadline = begin + 30000000;
    while (hr__cond_wait_until(&s.cond, &s.mutex, deadline))
        assert_true(hr__now_ns() < deadline + 10000000000); /* woken for nothing: once more */
    assert_true(hr__now_ns() >= deadline);
    assert_true(hr__now_ns() - begin < 20000000000);
    pthread_mutex_unlock(&s.mutex);
    seen_destroy(&s);
}

static void wait__deadline_in_the_past__returns_at_once(void **state) {
    (void)state;
    struct seen s;
    seen_init(&s);
    pthread_mutex_lock(&s.mutex);
    assert_false(hr__cond_wait_until(&s.cond, &s.mutex, 0));
    assert_false(hr__cond_wait_until(&s.cond, &s.mutex, hr__now_ns() - 1));
    assert_int_equal(pthread_mutex_trylock(&s.mutex), EBUSY); /* the mutex is held again */
    pthread_mutex_unlock(&s.mutex);
    seen_destroy(&s);
}

static void wait__woken_before_the_deadline__is_true(void **state) {
    (void)state;
    struct hr__thread t = {0};
    struct seen s;
    seen_init(&s);
    pthread_mutex_lock(&s.mutex); /* so that the waking cannot come before the waiting */
    int64_t deadline = hr__now_ns() + 60000000000;
    assert_int_equal(hr__thread_start(&t, "x", let_go, &s, NULL), HR_OK);
    bool in_time = true;
    while (!s.go && in_time)
        in_time = hr__cond_wait_until(&s.cond, &s.mutex, deadline);
    pthread_mutex_unlock(&s.mutex);
    assert_true(in_time);
    hr__thread_join(&t);
    seen_destroy(&s);
}

static void clock__read_again__never_goes_back(void **state) {
    (void)state;
    int64_t last = hr__now_ns();
    assert_true(last > 0);
    for (int i = 0; i < 10000; i++) {
        int64_t now = hr__now_ns();
        assert_true(now >= last);
        last = now;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start__a_thread__has_its_name_and_no_signals),
        cmocka_unit_test(start__a_thread__leaves_the_callers_signals_alone),
        cmocka_unit_test(join__not_started_or_joined__does_nothing),
        cmocka_unit_test(wait__until_the_deadline__takes_so_long),
        cmocka_unit_test(wait__deadline_in_the_past__returns_at_once),
        cmocka_unit_test(wait__woken_before_the_deadline__is_true),
        cmocka_unit_test(clock__read_again__never_goes_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
