/*
 * Keyed permutations: exact properties at many n, and statistics against those of uniformly random
 * permutations. Keys are fixed, so the figures never change from run to run; a limit of 5 standard
 * deviations would be passed by a sound construction for nearly every choice of keys.
 */
#include "order_internal.h"
#include "permutation_block.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#ifndef SCALE
#define SCALE 1u /* more keys: sharper, slower */
#endif

static const uint32_t sizes[] = {16, 100, 128, 256, 257, 272, 333, 1024, 4095, 4096, 65536};
#define NUM_SIZES (sizeof sizes / sizeof sizes[0])

static void init_nth(struct hr__permutation *p, uint64_t n, uint64_t nth) {
    hr__permutation_init(p, n, hr__order_key(1, 0, HR__KEY_SAMPLES, 0, nth));
}

/* Chi-square as standard deviations from its mean, by the cube root (Wilson and Hilferty). */
static double chi_deviation(const uint32_t *counts, size_t bins, double expected) {
    double chi = 0;
    for (size_t i = 0; i < bins; i++)
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    const double df = (double)bins - 1, spread = 2 / (9 * df);
    return (cbrt(chi / df) - (1 - spread)) / sqrt(spread);
}

static void check_bijection(uint64_t n, uint64_t key) {
    struct hr__permutation p;
    hr__permutation_init(&p, n, key);
    uint8_t *seen = calloc((size_t)n, 1);
    uint64_t *out = malloc((size_t)n * sizeof(uint64_t));
    assert_true(seen != NULL && out != NULL);
    hr__permutation_range(&p, 0, n, out);
    for (uint64_t i = 0; i < n; i++) {
        assert_true(out[i] < n);
        assert_int_equal(seen[out[i]]++, 0);
        assert_int_equal(hr__permutation_apply(&p, i), out[i]);
        assert_int_equal(hr__permutation_invert(&p, out[i]), i);
    }
    free(seen);
    free(out);
}

static void permutation__every_small_n__is_a_bijection(void **state) {
    (void)state;
    for (uint64_t n = 1; n <= 700; n++)
        check_bijection(n, n * 0x9e3779b97f4a7c15u);
    for (size_t k = 0; k < NUM_SIZES; k++)
        check_bijection(sizes[k], 7);
    check_bijection(65535, 1);
    check_bijection(66000, 2);
    check_bijection(257 * 257 - 1, 3);
}

static void permutation__huge_n__inverts(void **state) {
    (void)state;
    static const uint64_t large[] = {((uint64_t)1 << 32) - 1, (uint64_t)1 << 32, 1000000000000,
                                     ((uint64_t)1 << 61) + 12345, (uint64_t)1 << 62};
    for (size_t k = 0; k < sizeof large / sizeof large[0]; k++) {
        struct hr__permutation p;
        hr__permutation_init(&p, large[k], k);
        for (uint64_t i = 0; i < 1000; i++) {
            const uint64_t x = i < 500 ? i : large[k] - 1 - i;
            const uint64_t y = hr__permutation_apply(&p, x);
            assert_true(y < large[k]);
            assert_int_equal(hr__permutation_invert(&p, y), x);
        }
    }
}

static void permutation__parts_of_the_range__are_the_same_images(void **state) {
    (void)state;
    static const uint64_t starts[] = {0, 1, 15, 16, 17, 255, 300, 332};
    uint64_t out[333];
    struct hr__permutation p;
    hr__permutation_init(&p, 333, 5);
    for (size_t k = 0; k < sizeof starts / sizeof starts[0]; k++) {
        const uint64_t count = 333 - starts[k];
        hr__permutation_range(&p, starts[k], count, out);
        for (uint64_t i = 0; i < count; i++)
            assert_int_equal(out[i], hr__permutation_apply(&p, starts[k] + i));
    }
    hr__permutation_init(&p, 1000000000000, 5);
    hr__permutation_range(&p, 999999999800, 200, out);
    for (uint64_t i = 0; i < 200; i++)
        assert_int_equal(out[i], hr__permutation_apply(&p, 999999999800 + i));
}

static void permutation_block__without_avx2__gives_the_same(void **state) {
    (void)state;
    static const uint64_t ns[] = {257, 4096, 1000000007, (uint64_t)1 << 62};
    for (size_t k = 0; k < sizeof ns / sizeof ns[0]; k++) {
        struct hr__permutation p;
        init_nth(&p, ns[k], k);
        uint32_t l[2][64], r[2][64];
        for (uint32_t i = 0; i < 64; i++) {
            l[0][i] = l[1][i] = (p.a - 1 - i * 3) % p.a;
            r[0][i] = r[1][i] = (p.b - 1 - i % 5) % p.b;
        }
        hr__permutation_block(&p, l[0], r[0], 64);
        hr__permutation_block_plain(&p, l[1], r[1], 64);
        assert_memory_equal(l[0], l[1], sizeof l[0]);
        assert_memory_equal(r[0], r[1], sizeof r[0]);
    }
}

static uint32_t rank_of(const struct hr__permutation *p, uint32_t n) {
    uint32_t rank = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t smaller = 0;
        for (uint32_t j = i + 1; j < n; j++)
            smaller += p->table[j] < p->table[i];
        rank = rank * (n - i) + smaller;
    }
    return rank;
}

static void permutation__tiny_n__all_orders_equally_likely(void **state) {
    (void)state;
    uint32_t factorial = 1;
    for (uint32_t n = 2; n <= 8; n++) {
        factorial *= n;
        const uint32_t num_keys = factorial * 10 * SCALE + 20000;
        uint32_t *counts = calloc(factorial, sizeof(uint32_t));
        assert_non_null(counts);
        for (uint32_t k = 0; k < num_keys; k++) {
            struct hr__permutation p;
            init_nth(&p, n, k);
            counts[rank_of(&p, n)]++;
        }
        assert_true(fabs(chi_deviation(counts, factorial, (double)num_keys / factorial)) < 5);
        free(counts);
    }
}

/* Images of an element, and of the difference of two elements' images, over many keys. */
static void check_images(uint32_t n, uint64_t first, uint64_t second) {
    const uint32_t num_keys = n * 8 * SCALE + 20000 * SCALE;
    uint32_t *image = calloc(n, sizeof(uint32_t)), *apart = calloc(n, sizeof(uint32_t));
    assert_true(image != NULL && apart != NULL);
    for (uint32_t k = 0; k < num_keys; k++) {
        struct hr__permutation p;
        init_nth(&p, n, k);
        const uint64_t x = hr__permutation_apply(&p, first), y = hr__permutation_apply(&p, second);
        image[x]++;
        apart[(y + n - x) % n]++;
    }
    assert_int_equal(apart[0], 0);
    assert_true(fabs(chi_deviation(image, n, (double)num_keys / n)) < 5);
    assert_true(fabs(chi_deviation(apart + 1, n - 1, (double)num_keys / (n - 1))) < 5);
    free(image);
    free(apart);
}

static void permutation__images_and_differences__are_uniform(void **state) {
    (void)state;
    for (size_t k = 0; k < NUM_SIZES; k++) {
        struct hr__permutation p;
        init_nth(&p, sizes[k], 0);
        check_images(sizes[k], 0, 1);                               /* one row */
        check_images(sizes[k], 5, 5 + (p.b > 0 ? p.b : 4u));        /* one column */
        check_images(sizes[k], sizes[k] / 2 + 1, sizes[k] / 2 - 4); /* neither */
    }
}

/* Sums over many permutations, of figures whose mean and variance are known. */
struct tally {
    double fixed, agreeing, ascents, cycles, near;
};

static void tally_one(struct tally *t, const uint64_t *out, const uint64_t *other, uint8_t *seen,
                      uint32_t n) {
    memset(seen, 0, n);
    for (uint32_t i = 0; i < n; i++) {
        t->fixed += out[i] == i;
        t->agreeing += out[i] == other[i];
        t->ascents += i > 0 && out[i] > out[i - 1];
        t->near += i > 0 && (out[i] == out[i - 1] + 1 || out[i] + 1 == out[i - 1]);
        if (seen[i])
            continue;
        t->cycles++;
        for (uint64_t at = i; !seen[at]; at = out[at])
            seen[at] = 1;
    }
}

static void assert_near(double sum, double mean, double variance, uint32_t count) {
    assert_true(fabs(sum - mean * count) < 5 * sqrt(variance * count));
}

/* next: 1 for the next chunk's key, 0 for the next epoch's. */
static void check_whole(uint32_t n, bool next) {
    const uint32_t count = 2000000u / n * SCALE + 50;
    uint64_t *out = malloc(n * sizeof(uint64_t)), *other = malloc(n * sizeof(uint64_t));
    uint8_t *seen = malloc(n);
    assert_true(out != NULL && other != NULL && seen != NULL);
    struct tally t = {0};
    for (uint32_t k = 0; k < count; k++) {
        struct hr__permutation p;
        hr__permutation_init(&p, n, hr__order_key(9, 2 * k, HR__KEY_SAMPLES, 0, k));
        hr__permutation_range(&p, 0, n, out);
        hr__permutation_init(&p, n, hr__order_key(9, 2 * k + !next, HR__KEY_SAMPLES, 0, k + next));
        hr__permutation_range(&p, 0, n, other);
        tally_one(&t, out, other, seen, n);
    }
    double harmonic = 0, squares = 0;
    for (uint32_t i = 1; i <= n; i++) {
        harmonic += 1.0 / i;
        squares += 1.0 / i / i;
    }
    assert_near(t.fixed, 1, 1, count);
    assert_near(t.agreeing, 1, 1, count);
    assert_near(t.ascents, (n - 1) / 2.0, (n + 1) / 12.0, count);
    assert_near(t.near, 2.0 * (n - 1) / n, 2.0, count);
    assert_near(t.cycles, harmonic, harmonic - squares, count);
    free(out);
    free(other);
    free(seen);
}

static void permutation__whole_permutations__look_random_and_unrelated(void **state) {
    (void)state;
    for (size_t k = 0; k < NUM_SIZES; k++) {
        check_whole(sizes[k], false);
        check_whole(sizes[k], true);
    }
}

/* Odd permutations must come as often as even ones. */
static void permutation__parity__is_balanced(void **state) {
    (void)state;
    static const uint32_t ns[] = {9, 225, 361, 529, 625, 1089};
    for (size_t k = 0; k < sizeof ns / sizeof ns[0]; k++) {
        const uint32_t n = ns[k], count = 4000;
        uint64_t out[1089];
        uint8_t seen[1089];
        uint32_t odd = 0;
        for (uint32_t i = 0; i < count; i++) {
            struct hr__permutation p;
            struct tally t = {0};
            init_nth(&p, n, i);
            hr__permutation_range(&p, 0, n, out);
            tally_one(&t, out, out, seen, n);
            odd += (n - (uint32_t)t.cycles) % 2;
        }
        assert_near(odd, 0.5, 0.25, count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(permutation__every_small_n__is_a_bijection),
        cmocka_unit_test(permutation__huge_n__inverts),
        cmocka_unit_test(permutation__parts_of_the_range__are_the_same_images),
        cmocka_unit_test(permutation_block__without_avx2__gives_the_same),
        cmocka_unit_test(permutation__tiny_n__all_orders_equally_likely),
        cmocka_unit_test(permutation__images_and_differences__are_uniform),
        cmocka_unit_test(permutation__whole_permutations__look_random_and_unrelated),
        cmocka_unit_test(permutation__parity__is_balanced),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
