/*
 * base/numa.c: what nodes a machine has, from folders made for the test, and where threads go; and
 * the two calls about memory, on this machine, as they are and refused (link-time --wrap).
 */
#define _GNU_SOURCE
#include "fake_nodes.h"
#include "made_dataset.h"
#include "numa.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <cmocka.h>

#define LENGTH(a) (sizeof(a) / sizeof((a)[0]))

/* ---- sets ---- */

static void of_pci__what_the_system_says__or_nothing(void **state) {
    (void)state;
    const struct fake_node two[] = {{"node0", "0"}, {"node1", "1"}, {NULL, NULL}};
    const char *sysfs = fake_nodes("0-1", two);
    uint32_t node = 7;
    fake_nodes_pci(sysfs, "0000:3b:00.0", "1");
    fake_nodes_pci(sysfs, "0000:3c:00.0", "-1");
    fake_nodes_pci(sysfs, "0000:3d:00.0", "0-1");
    assert_true(hr__numa_of_pci(sysfs, "0000:3B:00.0", &node));
    assert_int_equal(node, 1);
    assert_false(hr__numa_of_pci(sysfs, "0000:3c:00.0", &node));
    assert_false(hr__numa_of_pci(sysfs, "0000:3d:00.0", &node));
    assert_false(hr__numa_of_pci(sysfs, "0000:99:00.0", &node));
    assert_false(hr__numa_of_pci(sysfs, "", &node));
}

static struct hr__cpus set_of(const char *text) {
    struct hr__cpus c;
    assert_true(hr__cpus_parse(text, &c));
    return c;
}

static void parse__lists_of_the_kernel__are_understood(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint32_t count, in, out;
    } cases[] = {{"", 0, UINT32_MAX, 0},  {"\n", 0, UINT32_MAX, 0},     {"0\n", 1, 0, 1},
                 {"0-3\n", 4, 3, 4},      {"0-3,8,10-11\n", 7, 10, 9},  {"63-64", 2, 64, 65},
                 {"8191", 1, 8191, 8190}, {"0-8191", 8192, 5000, 8192}, {"1-1,1", 1, 1, 0}};
    for (size_t i = 0; i < LENGTH(cases); i++) {
        const struct hr__cpus c = set_of(cases[i].text);
        assert_int_equal(hr__cpus_count(&c), cases[i].count);
        assert_true(cases[i].in == UINT32_MAX || hr__cpus_has(&c, cases[i].in));
        assert_false(hr__cpus_has(&c, cases[i].out));
    }
}

static void parse__anything_else__is_refused(void **state) {
    (void)state;
    static const char *const texts[] = {"x",    "-1",  "1-",     "3-1",
                                        "1,,2", "1;2", "0-8192", "8192",
                                        "1 -2", ",1",  "0x3",    "99999999999999999999"};
    struct hr__cpus c;
    for (size_t i = 0; i < LENGTH(texts); i++)
        assert_false(hr__cpus_parse(texts[i], &c));
}

static void allowed__this_thread__has_a_processor(void **state) {
    (void)state;
    struct hr__cpus c;
    assert_true(hr__cpus_allowed(&c));
    assert_in_range(hr__cpus_count(&c), 1, HR__MAX_CPUS);
}

/* ---- nodes ---- */

static struct hr__numa *nodes_of(const char *online, const struct fake_node *nodes,
                                 const char *allowed) {
    const struct hr__cpus c = set_of(allowed);
    return hr__numa_read(fake_nodes(online, nodes), &c);
}

static void assert_node(const struct hr__numa *n, uint32_t i, uint32_t id, const char *cpus) {
    const struct hr__cpus expected = set_of(cpus);
    assert_int_equal(n->nodes[i].id, id);
    assert_int_equal(n->nodes[i].num_cpus, hr__cpus_count(&expected));
    assert_memory_equal(&n->nodes[i].cpus, &expected, sizeof(expected));
}

static void read__two_nodes__both_with_what_may_be_used(void **state) {
    (void)state;
    static const struct fake_node two[] = {
        {"node0", "0-3,8-11"}, {"node1", "4-7,12-15"}, {NULL, NULL}};
    struct hr__numa *n = nodes_of("0-1", two, "0-15");
    assert_int_equal(n->num_nodes, 2);
    assert_node(n, 0, 0, "0-3,8-11");
    assert_node(n, 1, 1, "4-7,12-15");
    free(n);
    n = nodes_of("0-1", two, "1-4,9"); /* a cpuset with holes */
    assert_int_equal(n->num_nodes, 2);
    assert_node(n, 0, 0, "1-3,9");
    assert_node(n, 1, 1, "4");
    free(n);
}

static void read__memory_only_offline_and_forbidden_nodes__are_left_out(void **state) {
    (void)state;
    static const struct fake_node many[] = {{"node0", "0-3"}, {"node2", "4-7"}, {"node3", "8-11"},
                                            {"node4", ""},    {"node9", "12"},  {NULL, NULL}};
    struct hr__numa *n = nodes_of("0,2-4", many, "0-5,12"); /* 9 is offline, 3 forbidden */
    assert_int_equal(n->num_nodes, 2);
    assert_node(n, 0, 0, "0-3");
    assert_node(n, 1, 2, "4-5");
    free(n);
}

static void read__one_node_or_nothing_known__is_no_such_machine(void **state) {
    (void)state;
    static const struct fake_node none[] = {{NULL, NULL}}, one[] = {{"node0", "0-7"}, {NULL, NULL}};
    static const struct fake_node two[] = {{"node0", "0-3"}, {"node1", "4-7"}, {NULL, NULL}};
    static const struct fake_node odd[] = {{"node0", "0-3"}, {"node1", "4-x"}, {NULL, NULL}};
    static const struct fake_node no_list[] = {{"node0", "0-3"}, {"node1", NULL}, {NULL, NULL}};
    assert_null(nodes_of(NULL, two, "0-7"));
    assert_null(nodes_of("0", one, "0-7"));
    assert_null(nodes_of("0-1", none, "0-7"));
    assert_null(nodes_of("0-1", two, "0-3")); /* numactl --cpunodebind */
    assert_null(nodes_of("0-1", odd, "0-7"));
    assert_null(nodes_of("0-1", no_list, "0-7"));
    assert_null(nodes_of("what", two, "0-7"));
    const struct hr__cpus all = set_of("0-7");
    assert_null(hr__numa_read("/nowhere", &all));
}

/* ---- places ---- */

/* Nodes with so many processors each, 0 at the end. */
static struct hr__numa *sized(const uint32_t *num_cpus) {
    struct hr__numa *n = calloc(1, sizeof(*n) + 8 * sizeof(n->nodes[0]));
    assert_non_null(n);
    for (; num_cpus[n->num_nodes] > 0; n->num_nodes++) {
        n->nodes[n->num_nodes].id = n->num_nodes;
        n->nodes[n->num_nodes].num_cpus = num_cpus[n->num_nodes];
    }
    return n;
}

static void assert_places(const uint32_t *num_cpus, uint32_t home, uint32_t num_threads,
                          const uint32_t *expected) {
    uint32_t node_of[256], threads[8] = {0}, used = 0;
    struct hr__numa *n = sized(num_cpus);
    uint32_t found = hr__numa_place(n, home, num_threads, node_of);
    for (uint32_t t = 0; t < num_threads; t++) {
        assert_in_range(node_of[t], 0, n->num_nodes - 1);
        threads[node_of[t]]++;
    }
    for (uint32_t i = 0; i < n->num_nodes; i++) {
        assert_int_equal(threads[i], expected[i]);
        used += threads[i] > 0;
    }
    assert_int_equal(found, used);
    free(n);
}

static void place__as_many_threads_as_processors__one_for_each(void **state) {
    (void)state;
    static const uint32_t even[] = {32, 32, 0}, uneven[] = {3, 17, 8, 0},
                          four[] = {16, 16, 16, 16, 0};
    for (uint32_t home = 0; home < 2; home++) {
        assert_places(even, home, 64, even);
        assert_places(uneven, home, 28, uneven);
        assert_places(four, home, 64, four);
    }
}

static void place__fewer_or_more_threads__in_proportion(void **state) {
    (void)state;
    static const uint32_t even[] = {32, 32, 0}, uneven[] = {4, 12, 0}, edge[] = {15, 1, 0};
    assert_places(even, 0, 2, (const uint32_t[]){1, 1});
    assert_places(even, 0, 3, (const uint32_t[]){2, 1});
    assert_places(even, 1, 3, (const uint32_t[]){1, 2}); /* where the process is now */
    assert_places(even, 0, 200, (const uint32_t[]){100, 100});
    assert_places(uneven, 0, 4, (const uint32_t[]){1, 3});
    assert_places(uneven, 0, 160, (const uint32_t[]){40, 120});
    assert_places(edge, 0, 4, (const uint32_t[]){4, 0});
    assert_places(edge, 0, 16, (const uint32_t[]){15, 1});
}

static void place__fewer_threads_than_nodes__none_is_placed(void **state) {
    (void)state;
    static const uint32_t four[] = {8, 8, 8, 8, 0};
    uint32_t node_of[3];
    struct hr__numa *n = sized(four);
    for (uint32_t threads = 0; threads < 4; threads++)
        assert_int_equal(hr__numa_place(n, 0, threads, node_of), 0);
    free(n);
}

static void place__any_first_few_threads__are_spread_alike(void **state) {
    (void)state;
    static const uint32_t even[] = {32, 32, 0};
    uint32_t node_of[64], threads[2] = {0};
    struct hr__numa *n = sized(even);
    assert_int_equal(hr__numa_place(n, 0, 64, node_of), 2);
    for (uint32_t t = 0; t < 64; t++) {
        threads[node_of[t]]++;
        assert_in_range(threads[0], threads[1], threads[1] + 1);
    }
    free(n);
}

/* ---- threads and memory of this machine ---- */

/* Two nodes: one with the first processor that may be used, one with all the others. */
static struct hr__numa *halves(void) {
    struct hr__numa *n = sized((const uint32_t[]){1, 1, 0});
    struct hr__cpus allowed;
    assert_true(hr__cpus_allowed(&allowed));
    for (uint32_t cpu = 0, found = 0; cpu < HR__MAX_CPUS; cpu++)
        if (hr__cpus_has(&allowed, cpu))
            n->nodes[found++ > 0].cpus.words[cpu / (8 * sizeof(long))] |=
                1ul << cpu % (8 * sizeof(long));
    return n;
}

static void run_on__a_node__its_processors_and_back(void **state) {
    (void)state;
    struct hr__cpus before, now;
    struct hr__numa *n = halves();
    assert_true(hr__cpus_allowed(&before));
    if (hr__cpus_count(&before) < 2) {
        free(n);
        skip();
    }
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(hr__numa_run_on(&n->nodes[i]), 0);
        assert_true(hr__cpus_allowed(&now));
        assert_memory_equal(&now, &n->nodes[i].cpus, sizeof(now));
        assert_int_equal(hr__numa_home(n), i);
    }
    n->nodes[0].cpus = before;
    assert_int_equal(hr__numa_run_on(&n->nodes[0]), 0);
    free(n);
}

static void run_on__no_processor_that_is_there__is_refused_and_harmless(void **state) {
    (void)state;
    struct hr__cpus before, now;
    struct hr__numa_node node = {.cpus = set_of("8191")};
    assert_true(hr__cpus_allowed(&before));
    assert_int_equal(hr__numa_run_on(&node), -EINVAL);
    assert_true(hr__cpus_allowed(&now));
    assert_memory_equal(&now, &before, sizeof(now));
}

static int refuse_errno; /* of get_mempolicy and mbind */
static int own_mode = MPOL_DEFAULT;

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
    long arg[6] = {0};
    va_list args;
    va_start(args, number);
    for (int i = 0; i < (number == SYS_mbind ? 6 : 5); i++)
        arg[i] = va_arg(args, long);
    va_end(args);
    if ((number == SYS_mbind || number == SYS_get_mempolicy) && refuse_errno != 0) {
        errno = refuse_errno;
        return -1;
    }
    long rc = __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
    if (number == SYS_get_mempolicy && rc == 0 && own_mode != MPOL_DEFAULT)
        *(int *)arg[0] = own_mode;
    return rc;
}

static int mode_of(void *memory) {
    int mode = -1;
    if (__real_syscall(SYS_get_mempolicy, &mode, NULL, 0ul, memory, (long)MPOL_F_ADDR) != 0)
        return -1;
    return mode;
}

static void interleave__where_the_system_lets_it__and_where_not(void **state) {
    (void)state;
    const size_t n_bytes = 1u << 20;
    struct hr__numa *n = sized((const uint32_t[]){1, 1, 0}); /* this machine may have node 0 only */
    uint8_t *memory =
        mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    static const int refusals[] = {EPERM, ENOSYS};
    for (size_t i = 0; i < LENGTH(refusals); i++) {
        refuse_errno = refusals[i];
        assert_int_equal(hr__numa_interleave(n, memory, n_bytes), -refusals[i]);
    }
    refuse_errno = 0;
    int rc = hr__numa_interleave(n, memory, n_bytes);
    if (rc == 0) {
        assert_int_equal(mode_of(memory), MPOL_INTERLEAVE);
        memset(memory, 1, n_bytes);
        own_mode = MPOL_BIND;
        assert_int_equal(hr__numa_interleave(n, memory, n_bytes), -EBUSY);
        own_mode = MPOL_DEFAULT;
    }
    munmap(memory, n_bytes);
    free(n);
    if (rc != 0)
        skip(); /* a container that forbids it, or a kernel without */
}

static int teardown(void **state) {
    (void)state;
    made_cleanup();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_pci__what_the_system_says__or_nothing),
        cmocka_unit_test(parse__lists_of_the_kernel__are_understood),
        cmocka_unit_test(parse__anything_else__is_refused),
        cmocka_unit_test(allowed__this_thread__has_a_processor),
        cmocka_unit_test(read__two_nodes__both_with_what_may_be_used),
        cmocka_unit_test(read__memory_only_offline_and_forbidden_nodes__are_left_out),
        cmocka_unit_test(read__one_node_or_nothing_known__is_no_such_machine),
        cmocka_unit_test(place__as_many_threads_as_processors__one_for_each),
        cmocka_unit_test(place__fewer_or_more_threads__in_proportion),
        cmocka_unit_test(place__fewer_threads_than_nodes__none_is_placed),
        cmocka_unit_test(place__any_first_few_threads__are_spread_alike),
        cmocka_unit_test(run_on__a_node__its_processors_and_back),
        cmocka_unit_test(run_on__no_processor_that_is_there__is_refused_and_harmless),
        cmocka_unit_test(interleave__where_the_system_lets_it__and_where_not),
    };
    return cmocka_run_group_tests(tests, NULL, teardown);
}
