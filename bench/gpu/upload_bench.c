/*
 * Uploads, against bare copies from pinned memory in the same round: alone, under a computation of
 * their length, and with reading and decoding in front; the first batch; and memory over ten
 * thousand batches. upload_bench FOLDER [--quick]; JSON. The folder takes 2 GiB.
 *
 * A step is the time from one batch to the next: from the first that is counted to the last, while
 * the loader runs, so that what was ready beforehand makes no difference.
 */
#include "upload_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ROUNDS       5u
#define OPENS        7u
#define LONG_BATCHES 10000u

struct settings {
    bool quick;
    uint32_t rounds;
    uint64_t num_rows;
    uint64_t round_bytes; /* delivered in a measure */
    hr_dataset *raw, *packed;
};

/* Of one size of batches. */
struct measures {
    struct figure bare_ns, alone_ns, alone_share;
    struct figure compute_ns, computed_ns, computed_ratio;
    struct figure read_ns, packed_compute_ns, packed_ns, packed_ratio;
    struct figure raw_read_ns, first_ns;
};

struct subject {
    const struct settings *settings;
    uint32_t batch_rows, num_batches;
    struct bare bare;
    hr_loader *raw, *packed, *packed_on_host, *raw_on_host;
    cudaStream_t stream;
    struct measures m;
};

/* ---- consumers ---- */

static void use_on_gpu(hr_batch *b, cudaStream_t stream, uint64_t ticks) {
    hr_error err = {0};
    must(hr_batch_wait_on(b, stream, &err), &err);
    if (ticks > 0)
        GPU_CALL(gpu_spin(stream, ticks));
    must(hr_batch_release_on(b, stream, &err), &err);
}

/* A quarter more batches come before those that count. */
static double step_ns(struct subject *s, hr_loader *loader, uint64_t ticks) {
    const uint32_t warm = s->num_batches / 4 + 2;
    int64_t begin = 0;
    for (uint32_t i = 0; i < warm + s->num_batches; i++) {
        if (i == warm)
            begin = clock_ns();
        use_on_gpu(rows_next(loader), s->stream, ticks);
    }
    const int64_t end = clock_ns();
    GPU_CALL(cudaStreamSynchronize(s->stream));
    return (double)(end - begin) / s->num_batches;
}

static double host_step_ns(struct subject *s, hr_loader *loader) {
    const uint32_t warm = s->num_batches / 4 + 2;
    int64_t begin = 0;
    for (uint32_t i = 0; i < warm + s->num_batches; i++) {
        if (i == warm)
            begin = clock_ns();
        hr_batch_release(rows_next(loader));
    }
    return (double)(clock_ns() - begin) / s->num_batches;
}

static double longest(double a, double b) {
    return a > b ? a : b;
}

/* ---- rounds ---- */

static void upload_round(struct subject *s) {
    struct measures *m = &s->m;
    const double bare = bare_ns(&s->bare, s->num_batches);
    const double alone = step_ns(s, s->raw, 0);
    const uint64_t ticks = spin_ticks(s->stream, bare);
    const double compute = spin_ns(s->stream, ticks, s->num_batches);
    const double computed = step_ns(s, s->raw, ticks);
    figure_add(&m->bare_ns, bare);
    figure_add(&m->alone_ns, alone);
    figure_add(&m->alone_share, bare / alone);
    figure_add(&m->compute_ns, compute);
    figure_add(&m->computed_ns, computed);
    figure_add(&m->computed_ratio, computed / longest(compute, bare));
    figure_add(&m->raw_read_ns, host_step_ns(s, s->raw_on_host));
}

/* The computation is as long as what is slower of reading and uploading. */
static void packed_round(struct subject *s) {
    struct measures *m = &s->m;
    const double read = host_step_ns(s, s->packed_on_host);
    const double bare = bare_ns(&s->bare, s->num_batches);
    const uint64_t ticks = spin_ticks(s->stream, longest(read, bare));
    const double compute = spin_ns(s->stream, ticks, s->num_batches);
    const double step = step_ns(s, s->packed, ticks);
    figure_add(&m->read_ns, read);
    figure_add(&m->packed_compute_ns, compute);
    figure_add(&m->packed_ns, step);
    figure_add(&m->packed_ratio, step / longest(compute, longest(read, bare)));
}

/* From the call that opens the loader until the batch is on the GPU. */
static double first_batch_ns(const struct settings *t, uint32_t batch_rows, cudaStream_t stream) {
    const int64_t begin = clock_ns();
    hr_loader *loader = rows_loader(t->raw, batch_rows, HR_DEVICE_CUDA(0), true);
    hr_batch *b = rows_next(loader);
    hr_error err = {0};
    must(hr_batch_wait_on(b, stream, &err), &err);
    GPU_CALL(cudaStreamSynchronize(stream));
    const int64_t end = clock_ns();
    must(hr_batch_release_on(b, stream, &err), &err);
    hr_loader_close(loader);
    return (double)(end - begin);
}

static void subject_measure(struct subject *s) {
    const struct settings *t = s->settings;
    bare_make(&s->bare, (size_t)s->batch_rows * ROW_BYTES);
    s->raw = rows_loader(t->raw, s->batch_rows, HR_DEVICE_CUDA(0), false);
    s->raw_on_host = rows_loader(t->raw, s->batch_rows, HR_DEVICE_HOST, false);
    for (uint32_t i = 0; i < t->rounds; i++)
        upload_round(s);
    hr_loader_close(s->raw);
    hr_loader_close(s->raw_on_host);
    s->packed = rows_loader(t->packed, s->batch_rows, HR_DEVICE_CUDA(0), true);
    s->packed_on_host = rows_loader(t->packed, s->batch_rows, HR_DEVICE_HOST, true);
    for (uint32_t i = 0; i < t->rounds; i++)
        packed_round(s);
    hr_loader_close(s->packed);
    hr_loader_close(s->packed_on_host);
    for (uint32_t i = 0; i < (t->quick ? 1 : OPENS); i++)
        figure_add(&s->m.first_ns, first_batch_ns(t, s->batch_rows, s->stream));
    bare_free(&s->bare);
}

static void subject_print(const struct subject *s) {
    const struct {
        const char *name;
        const struct figure *figure;
    } all[] = {
        {"bare_ns", &s->m.bare_ns},
        {"alone_ns", &s->m.alone_ns},
        {"alone_share", &s->m.alone_share},
        {"raw_read_ns", &s->m.raw_read_ns},
        {"compute_ns", &s->m.compute_ns},
        {"computed_ns", &s->m.computed_ns},
        {"computed_ratio", &s->m.computed_ratio},
        {"read_ns", &s->m.read_ns},
        {"packed_compute_ns", &s->m.packed_compute_ns},
        {"packed_ns", &s->m.packed_ns},
        {"packed_ratio", &s->m.packed_ratio},
        {"first_ns", &s->m.first_ns},
    };
    printf("  {\"batch_bytes\": %llu, \"batches\": %u",
           (unsigned long long)s->batch_rows * ROW_BYTES, s->num_batches);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        printf(",\n   ");
        figure_print(all[i].name, all[i].figure);
    }
    printf("}");
}

static void sizes_measure(const struct settings *t, cudaStream_t stream) {
    const uint64_t sizes[] = {UINT64_C(512) << 10, UINT64_C(4) << 20, UINT64_C(32) << 20};
    printf(" \"sizes\": [\n");
    for (size_t i = 0; i < (t->quick ? 1 : 3); i++) {
        struct subject s = {.settings = t, .stream = stream};
        s.batch_rows = (uint32_t)(sizes[i] / ROW_BYTES);
        s.num_batches = (uint32_t)(t->round_bytes / sizes[i]);
        subject_measure(&s);
        printf("%s", i > 0 ? ",\n" : "");
        subject_print(&s);
    }
    printf("],\n");
}

/* ---- memory ---- */

static uint64_t resident_bytes(void) {
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    GPU_CHECK(file != NULL && fscanf(file, "%*u %llu", &pages) == 1, "no /proc/self/statm");
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t gpu_used_bytes(void) {
    size_t free_bytes, total_bytes;
    GPU_CALL(cudaMemGetInfo(&free_bytes, &total_bytes));
    return total_bytes - free_bytes;
}

static void growth_measure(const struct settings *t, cudaStream_t stream) {
    const uint32_t batch_rows = (512u << 10) / ROW_BYTES;
    const uint32_t num = t->quick ? 200 : LONG_BATCHES;
    hr_loader *loader = rows_loader(t->packed, batch_rows, HR_DEVICE_CUDA(0), true);
    for (uint32_t i = 0; i < num / 10; i++)
        use_on_gpu(rows_next(loader), stream, 0);
    const uint64_t host = resident_bytes(), gpu = gpu_used_bytes();
    for (uint32_t i = 0; i < num; i++)
        use_on_gpu(rows_next(loader), stream, 0);
    printf(" \"growth\": {\"batches\": %u, \"host_bytes\": %lld, \"gpu_bytes\": %lld},\n", num,
           (long long)(resident_bytes() - host), (long long)(gpu_used_bytes() - gpu));
    hr_loader_close(loader);
}

int main(int argc, char **argv) {
    struct settings t = {.quick = argc > 2 && strcmp(argv[2], "--quick") == 0};
    char raw[4096], packed[4096];
    int count = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: upload_bench FOLDER [--quick]\n");
        return 2;
    }
    if (cudaGetDeviceCount(&count) != cudaSuccess || count == 0)
        return GPU_SKIPPED;
    t.rounds = t.quick ? 1 : ROUNDS;
    t.num_rows = t.quick ? 1024 : 131072;
    t.round_bytes = (uint64_t)(t.quick ? 8 : 4096) << 20;
    snprintf(raw, sizeof(raw), "%s/raw.hrd", argv[1]);
    snprintf(packed, sizeof(packed), "%s/packed.hrd", argv[1]);
    t.raw = rows_open(raw, t.num_rows, true);
    t.packed = rows_open(packed, t.num_rows, false);

    cudaStream_t stream = NULL;
    const int64_t begin = clock_ns(); /* CUDA's context is made here */
    hr_loader_close(rows_loader(t.raw, 64, HR_DEVICE_CUDA(0), false));
    printf("{\"context_ns\": %lld,\n", (long long)(clock_ns() - begin));
    stream = gpu_stream();
    sizes_measure(&t, stream);
    growth_measure(&t, stream);

    struct cudaDeviceProp properties;
    GPU_CALL(cudaGetDeviceProperties(&properties, 0));
    printf(" \"gpu\": \"%s\"}\n", properties.name);
    GPU_CALL(cudaStreamDestroy(stream));
    hr_dataset_close(t.raw);
    hr_dataset_close(t.packed);
    (void)unlink(raw);
    (void)unlink(packed);
    return 0;
}
