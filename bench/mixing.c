/*
 * mixing [--seeds N] [--place-seeds N] [--quick]
 *
 * Measures how well interleaved/1 mixes, beside the orders of visit_order.h in the same memory, and
 * prints every figure of every seed as JSON. Nothing in it depends on the load of the machine.
 * --quick takes a shorter epoch and smaller batches, to try the program and what reads its figures;
 * bench/mixing_report.py makes docs/mixing.md of them.
 */
#include "mixing_figures.h"
#include "mixing_places.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 256 KiB chunks of 2 KiB samples. */
static const struct visit_data full_data = {1u << 20, 128, 256};
static const struct visit_data quick_data = {1u << 17, 32, 64};
/* Few enough for thousands of seeds. */
static const struct visit_data places_data = {1u << 16, 128, 256};

static const uint32_t memories_chunks[] = {32, 64, 128, 256, 512, 1024, 2048};
#define NUM_MEMORIES        (sizeof memories_chunks / sizeof *memories_chunks)
#define QUICK_MEMORIES      (NUM_MEMORIES - 1) /* the last leaves no interior of a short epoch */
#define PLACES_MEMORY       64u
#define DEFAULT_SEEDS       32u
#define DEFAULT_PLACE_SEEDS 4096u
#define MAX_SEEDS           1000000u

/* Two windows of half the memory: one is filled while the other is handed out. */
static const struct {
    const char *name;
    enum visit_order_kind kind;
    uint32_t parts; /* that the memory is cut into */
} orders[] = {
    {"permutation", VISIT_PERMUTATION, 1}, {"interleaved", VISIT_INTERLEAVED, 1},
    {"buffer", VISIT_BUFFER, 1},           {"file_buffer", VISIT_FILE_BUFFER, 1},
    {"windows", VISIT_WINDOWS, 2},         {"one_window", VISIT_WINDOWS, 1},
};
#define NUM_ORDERS (sizeof orders / sizeof *orders)

static void print_list(const char *name, const double *values, uint32_t n) {
    printf(", \"%s\": [", name);
    for (uint32_t i = 0; i < n; i++)
        printf("%s%.6g", i == 0 ? "" : ", ", values[i]);
    printf("]");
}

static void print_figures(const struct mixing_figures *f) {
    printf("{\"many_classes\": %.6g, \"pairs_kept\": %.6g", f->many_classes, f->pairs_kept);
    print_list("sums", f->sums, MIXING_NUM_SUMS);
    print_list("correlation", f->correlation, MIXING_NUM_LAGS);
    print_list("begin", f->begin, MIXING_NUM_ENDS);
    print_list("end", f->end, MIXING_NUM_ENDS);
    printf("}");
}

static hr_status order_measure(struct mixing_desk *desk, size_t number, uint32_t memory_chunks,
                               uint32_t num_seeds, hr_error *err) {
    const struct visit_order order = {orders[number].kind, memory_chunks / orders[number].parts};
    const struct visit_data *data = &desk->data;
    const uint32_t edge = memory_chunks * data->samples_per_chunk / data->batch_samples + 2;
    hr_status st = HR_OK;
    printf("\n  {\"order\": \"%s\", \"memory_chunks\": %u, \"epochs\": [", orders[number].name,
           memory_chunks);
    for (uint32_t seed = 1; seed <= num_seeds && st == HR_OK; seed++) {
        struct mixing_figures figures;
        st = mixing_measure(desk, &order, edge, seed, &figures, err);
        printf("%s\n    ", seed == 1 ? "" : ",");
        if (st == HR_OK)
            print_figures(&figures);
    }
    printf("]}");
    return st;
}

static hr_status epochs_measure(const struct visit_data *data, size_t num_memories,
                                uint32_t num_seeds, hr_error *err) {
    struct mixing_desk desk;
    hr_status st = mixing_desk_init(&desk, data, err);
    printf("\"epochs\": [");
    for (size_t m = 0; m < num_memories && st == HR_OK; m++) {
        for (size_t i = 0; i < NUM_ORDERS && st == HR_OK; i++) {
            printf("%s", m == 0 && i == 0 ? "" : ",");
            st = order_measure(&desk, i, memories_chunks[m], num_seeds, err);
        }
    }
    printf("]");
    mixing_desk_free(&desk);
    return st;
}

static hr_status stated_print(const struct visit_data *data, size_t num_memories, hr_error *err) {
    hr_status st = HR_OK;
    printf("\"stated\": [");
    for (size_t m = 0; m < num_memories && st == HR_OK; m++) {
        double stated = 0;
        st = visit_stated_inflation(data, memories_chunks[m], &stated, err);
        printf("%s{\"memory_chunks\": %u, \"inflation\": %.6g}", m == 0 ? "" : ", ",
               memories_chunks[m], stated);
    }
    printf("],\n");
    return st;
}

static hr_status places_measure(uint32_t num_seeds, hr_error *err) {
    static const char *const names[MIXING_NUM_TESTS] = {"place", "row", "next_epoch", "neighbour"};
    hr_status st = HR_OK;
    printf("\"places\": [");
    for (size_t i = 0; i < NUM_ORDERS && st == HR_OK; i++) {
        const struct visit_order order = {orders[i].kind, PLACES_MEMORY / orders[i].parts};
        struct mixing_chi_square found[MIXING_NUM_TESTS] = {{0}};
        st = mixing_places_test(&order, &places_data, num_seeds, found, err);
        printf("%s\n  {\"order\": \"%s\"", i == 0 ? "" : ",", orders[i].name);
        for (uint32_t t = 0; t < MIXING_NUM_TESTS; t++)
            printf(", \"%s\": {\"per_degree\": %.6g, \"z\": %.6g}", names[t], found[t].per_degree,
                   found[t].z);
        printf("}");
    }
    printf("],\n");
    return st;
}

static void data_print(const char *name, const struct visit_data *data, uint32_t num_seeds) {
    printf("\"%s\": {\"samples\": %u, \"samples_per_chunk\": %u, \"batch\": %u, \"seeds\": %u},\n",
           name, data->num_samples, data->samples_per_chunk, data->batch_samples, num_seeds);
}

/* 0: not a number that will do. */
static uint32_t seeds_parse(const char *text) {
    char *end;
    const unsigned long n = strtoul(text, &end, 10);
    return *text == '\0' || *end != '\0' || n > MAX_SEEDS ? 0 : (uint32_t)n;
}

static int usage(const char *program) {
    fprintf(stderr, "usage: %s [--seeds N] [--place-seeds N] [--quick]\n", program);
    return 2;
}

int main(int argc, char **argv) {
    uint32_t epoch_seeds = DEFAULT_SEEDS, place_seeds = DEFAULT_PLACE_SEEDS;
    const struct visit_data *data = &full_data;
    hr_error err = {.message = ""};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            data = &quick_data;
            continue;
        }
        uint32_t *to = strcmp(argv[i], "--seeds") == 0         ? &epoch_seeds
                       : strcmp(argv[i], "--place-seeds") == 0 ? &place_seeds
                                                               : NULL;
        if (to == NULL || ++i == argc || (*to = seeds_parse(argv[i])) == 0)
            return usage(argv[0]);
    }
    const size_t num_memories = data == &quick_data ? QUICK_MEMORIES : NUM_MEMORIES;
    printf("{");
    data_print("epoch_data", data, epoch_seeds);
    data_print("places_data", &places_data, place_seeds);
    printf("\"places_memory_chunks\": %u,\n", PLACES_MEMORY);
    if (stated_print(data, num_memories, &err) != HR_OK ||
        places_measure(place_seeds, &err) != HR_OK ||
        epochs_measure(data, num_memories, epoch_seeds, &err) != HR_OK) {
        fprintf(stderr, "%s: %s\n", argv[0], err.message);
        return 1;
    }
    printf("}\n");
    return 0;
}
