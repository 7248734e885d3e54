/*
 * Cursors that readers share: as many as threads, and each thread gets its own again.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cursor_pool.h"

#include <stdlib.h>

#define NUM_SOURCES 3u

static unsigned num_made, num_freed;

static hr_status open_nothing(void *file, hr_error *err) {
    (void)file;
    (void)err;
    return HR_OK;
}

static void close_nothing(void *file) {
    (void)file;
}

static hr_status fill(struct hr__cursor *c, void *file, struct hr__budget *budget, hr_error *err) {
    (void)c;
    (void)file;
    (void)budget;
    (void)err;
    num_made++;
    return HR_OK;
}

static void free_cursor(struct hr__cursor *c) {
    num_freed++;
    free(c);
}

static const struct hr__cursor_ops ops = {
    .open = open_nothing,
    .close = close_nothing,
    .cursor_bytes = sizeof(struct hr__cursor),
    .fill = fill,
    .free = free_cursor,
};

static void open_pool(struct hr__cursor_pool *pool, unsigned num_threads) {
    *pool = (struct hr__cursor_pool){0};
    num_made = num_freed = 0;
    assert_int_equal(hr__cursor_pool_init(pool, &ops, NULL, NULL), HR_OK);
    for (unsigned i = 1; i < NUM_SOURCES; i++)
        hr__cursor_pool_hold(pool);
    for (unsigned i = 0; i < num_threads * NUM_SOURCES; i++)
        assert_int_equal(hr__cursor_pool_enter(pool, NULL, NULL), HR_OK);
    assert_int_equal(num_made, num_threads);
    assert_int_equal(hr__cursor_pool_has_one(pool), num_threads == 1);
}

static void close_pool(struct hr__cursor_pool *pool, unsigned num_threads) {
    for (unsigned i = 0; i < num_threads * NUM_SOURCES; i++)
        hr__cursor_pool_leave(pool);
    assert_int_equal(num_freed, num_made);
    hr__cursor_pool_close(pool);
}

struct turn {
    struct hr__cursor_pool *pool;
    struct hr__cursor *taken;
};

/* Takes and gives back, as another thread. */
static void *one_turn(void *arg) {
    struct turn *t = arg;
    t->taken = hr__cursor_pool_take(t->pool, HR__NO_PIECE);
    hr__cursor_pool_give(t->pool, t->taken);
    return NULL;
}

static struct hr__cursor *take_elsewhere(struct hr__cursor_pool *pool) {
    struct turn t = {.pool = pool};
    struct hr__thread thread = {0};
    assert_int_equal(hr__thread_start(&thread, "other", one_turn, &t, NULL), HR_OK);
    hr__thread_join(&thread);
    return t.taken;
}

static void pool__each_thread__gets_its_own_again(void **state) {
    (void)state;
    struct hr__cursor_pool pool;
    open_pool(&pool, 2);
    struct hr__cursor *own = hr__cursor_pool_take(&pool, HR__NO_PIECE);
    hr__cursor_pool_give(&pool, own);
    assert_ptr_not_equal(take_elsewhere(&pool), own);
    for (int i = 0; i < 3; i++) {
        assert_ptr_equal(hr__cursor_pool_take(&pool, HR__NO_PIECE), own);
        hr__cursor_pool_give(&pool, own);
    }
    close_pool(&pool, 2);
}

static void pool__a_piece_at_hand__goes_before_ones_own(void **state) {
    (void)state;
    struct hr__cursor_pool pool;
    open_pool(&pool, 2);
    struct hr__cursor *other = take_elsewhere(&pool);
    struct hr__cursor *own = hr__cursor_pool_take(&pool, 1);
    assert_ptr_not_equal(own, other);
    own->piece = 1;
    hr__cursor_pool_give(&pool, own);
    other->piece = 2;
    assert_ptr_equal(hr__cursor_pool_take(&pool, 2), other);
    assert_ptr_equal(hr__cursor_pool_take(&pool, 2), own);
    hr__cursor_pool_give(&pool, own);
    hr__cursor_pool_give(&pool, other);
    close_pool(&pool, 2);
}

static void pool__a_thread_leaves__its_own_is_dropped(void **state) {
    (void)state;
    struct hr__cursor_pool pool;
    open_pool(&pool, 2);
    struct hr__cursor *own = hr__cursor_pool_take(&pool, HR__NO_PIECE);
    hr__cursor_pool_give(&pool, own);
    struct hr__cursor *other = take_elsewhere(&pool);
    for (unsigned i = 0; i < NUM_SOURCES; i++)
        hr__cursor_pool_leave(&pool);
    assert_int_equal(num_freed, 1);
    assert_ptr_equal(hr__cursor_pool_take(&pool, HR__NO_PIECE), other);
    hr__cursor_pool_give(&pool, other);
    close_pool(&pool, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pool__each_thread__gets_its_own_again),
        cmocka_unit_test(pool__a_piece_at_hand__goes_before_ones_own),
        cmocka_unit_test(pool__a_thread_leaves__its_own_is_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
