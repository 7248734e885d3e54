/*
 * The nodes of the machine, from /sys/devices/system/node, and a thread's place on them.
 */
#define _GNU_SOURCE
#include "numa.h"

#include <ctype.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORD_BITS (8 * sizeof(unsigned long))
#define LIST_TEXT 4096u /* a page: as much as the kernel gives */

/* ---- sets of processors ---- */

bool hr__cpus_has(const struct hr__cpus *c, uint32_t cpu) {
    return cpu < HR__MAX_CPUS && (c->words[cpu / WORD_BITS] >> cpu % WORD_BITS & 1) != 0;
}

uint32_t hr__cpus_count(const struct hr__cpus *c) {
    uint32_t n = 0;
    for (size_t i = 0; i < sizeof(c->words) / sizeof(c->words[0]); i++)
        n += (uint32_t)__builtin_popcountl(c->words[i]);
    return n;
}

/* A number and what follows it; false: there is none. */
static bool parse_number(const char **text, unsigned long *out) {
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    *out = strtoul(*text, &end, 10);
    *text = end;
    return *out < HR__MAX_CPUS;
}

bool hr__cpus_parse(const char *text, struct hr__cpus *out) {
    *out = (struct hr__cpus){0};
    while (*text != '\0' && *text != '\n') {
        unsigned long first, last;
        if (!parse_number(&text, &first))
            return false;
        last = first;
        if (*text == '-') {
            text++;
            if (!parse_number(&text, &last) || last < first)
                return false;
        }
        for (unsigned long i = first; i <= last; i++)
            out->words[i / WORD_BITS] |= 1ul << i % WORD_BITS;
        if (*text == ',')
            text++;
        else if (*text != '\0' && *text != '\n')
            return false;
    }
    return true;
}

bool hr__cpus_allowed(struct hr__cpus *out) {
    *out = (struct hr__cpus){0};
    return sched_getaffinity(0, sizeof(out->words), (cpu_set_t *)out->words) == 0;
}

/* ---- nodes ---- */

static bool read_list(const char *path, struct hr__cpus *out) {
    char text[LIST_TEXT];
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return false;
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    bool whole = ferror(f) == 0 && n < sizeof(text) - 1;
    fclose(f);
    text[n] = '\0';
    return whole && hr__cpus_parse(text, out);
}

static void intersect(struct hr__cpus *a, const struct hr__cpus *b) {
    for (size_t i = 0; i < sizeof(a->words) / sizeof(a->words[0]); i++)
        a->words[i] &= b->words[i];
}

/* False: nothing is known of the node, or none of its processors may be used. */
static bool read_node(const char *sysfs, uint32_t id, const struct hr__cpus *allowed,
                      struct hr__numa_node *out) {
    char path[512];
    int n = snprintf(path, sizeof(path), "%s/devices/system/node/node%u/cpulist", sysfs, id);
    out->id = id;
    if (n < 0 || (size_t)n >= sizeof(path) || !read_list(path, &out->cpus))
        return false;
    intersect(&out->cpus, allowed);
    out->num_cpus = hr__cpus_count(&out->cpus);
    return out->num_cpus > 0;
}

struct hr__numa *hr__numa_read(const char *sysfs, const struct hr__cpus *allowed) {
    char path[512];
    struct hr__cpus online; /* nodes, in the same form */
    int length = snprintf(path, sizeof(path), "%s/devices/system/node/online", sysfs);
    if (length < 0 || (size_t)length >= sizeof(path) || !read_list(path, &online))
        return NULL;
    uint32_t most = hr__cpus_count(&online);
    if (most < 2)
        return NULL;
    struct hr__numa *n = calloc(1, sizeof(*n) + most * sizeof(n->nodes[0]));
    if (n == NULL)
        return NULL;
    for (uint32_t id = 0; id < HR__MAX_NODES; id++)
        if (hr__cpus_has(&online, id) && read_node(sysfs, id, allowed, &n->nodes[n->num_nodes]))
            n->num_nodes++;
    if (n->num_nodes >= 2)
        return n;
    free(n);
    return NULL;
}

bool hr__numa_of_pci(const char *sysfs, const char *pci, uint32_t *node) {
    char path[512], device[32];
    struct hr__cpus one; /* a node, in the same form; "-1" is no list */
    size_t n = 0;
    for (; pci[n] != '\0' && n + 1 < sizeof(device); n++)
        device[n] = (char)tolower((unsigned char)pci[n]);
    device[n] = '\0';
    const int length =
        snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/numa_node", sysfs, device);
    if (n == 0 || length < 0 || (size_t)length >= sizeof(path) || !read_list(path, &one) ||
        hr__cpus_count(&one) != 1)
        return false;
    for (*node = 0; *node < HR__MAX_NODES; (*node)++)
        if (hr__cpus_has(&one, *node))
            return true;
    return false;
}

uint32_t hr__numa_home(const struct hr__numa *n) {
    int cpu = sched_getcpu();
    for (uint32_t i = 0; cpu >= 0 && i < n->num_nodes; i++)
        if (hr__cpus_has(&n->nodes[i].cpus, (uint32_t)cpu))
            return i;
    return 0;
}

/* Whether node a, which has some threads, is to have the next rather than node b: the one with
 * more processors for each thread it would then have. */
static bool is_emptier(const struct hr__numa_node *a, uint32_t a_threads,
                       const struct hr__numa_node *b, uint32_t b_threads) {
    return (uint64_t)a->num_cpus * (b_threads + 1) > (uint64_t)b->num_cpus * (a_threads + 1);
}

uint32_t hr__numa_place(const struct hr__numa *n, uint32_t home, uint32_t num_threads,
                        uint32_t *node_of) {
    uint32_t threads[HR__MAX_NODES] = {0}, used = 0;
    if (num_threads < n->num_nodes)
        return 0;
    for (uint32_t t = 0; t < num_threads; t++) {
        uint32_t best = home;
        for (uint32_t i = 0; i < n->num_nodes; i++)
            if (is_emptier(&n->nodes[i], threads[i], &n->nodes[best], threads[best]))
                best = i;
        used += threads[best]++ == 0;
        node_of[t] = best;
    }
    return used;
}

int hr__numa_run_on(const struct hr__numa_node *node) {
    const struct hr__cpus *c = &node->cpus;
    return sched_setaffinity(0, sizeof(c->words), (const cpu_set_t *)c->words) == 0 ? 0 : -errno;
}
