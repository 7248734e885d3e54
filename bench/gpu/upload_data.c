/*
 * See upload_data.h.
 */
#define _GNU_SOURCE
#include "upload_data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PIECE_ROWS      256u
#define BUDGET_BYTES    ((uint64_t)2 << 30)
#define HUGE_PAGE_BYTES ((size_t)2 << 20)
#define NEXT_LIMIT_NS   INT64_C(60000000000)

void must(hr_status st, const hr_error *err) {
    GPU_CHECK(st == HR_OK, "%s: %s", hr_status_name(st), err->message);
}

/* The sum of four uniform numbers is normal enough. */
static float some_value(uint64_t *random) {
    const uint64_t bits = gpu_random(random);
    int32_t sum = 0;
    for (uint32_t i = 0; i < 4; i++)
        sum += (int32_t)(bits >> 16 * i & 0x3ff);
    return (float)(sum - 2046) / 256.0f;
}

static void rows_write(const char *path, uint64_t num_rows, bool raw) {
    const uint64_t shape[] = {ROW_FLOATS};
    const hr_field field = {.name = "x", .dtype = HR_FLOAT32, .rank = 1, .shape = shape};
    float *rows = malloc((size_t)PIECE_ROWS * ROW_BYTES);
    const void *column = rows;
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *writer = NULL;
    hr_error err = {0};
    uint64_t random = 1;
    GPU_CHECK(rows != NULL, "no memory for rows");
    o.flags = HR_WRITER_REPLACE;
    o.codec = raw ? HR_CODEC_RAW : HR_CODEC_AUTO;
    o.filter = raw ? HR_FILTER_NONE : HR_FILTER_AUTO;
    must(hr_writer_open(path, &field, 1, &o, &writer, &err), &err);
    for (uint64_t at = 0; at < num_rows; at += PIECE_ROWS) {
        for (size_t i = 0; i < (size_t)PIECE_ROWS * ROW_FLOATS; i++)
            rows[i] = some_value(&random);
        must(hr_writer_append(writer, PIECE_ROWS, &column, &err), &err);
    }
    must(hr_writer_commit(writer, &err), &err);
    hr_writer_close(writer);
    free(rows);
}

static void read_whole(const char *path) {
    static char buffer[1 << 20];
    FILE *file = fopen(path, "rb");
    GPU_CHECK(file != NULL, "%s cannot be read", path);
    while (fread(buffer, 1, sizeof(buffer), file) == sizeof(buffer))
        ;
    fclose(file);
}

hr_dataset *rows_open(const char *path, uint64_t num_rows, bool raw) {
    hr_dataset *ds = NULL;
    hr_error err = {0};
    rows_write(path, num_rows, raw);
    read_whole(path);
    must(hr_dataset_open(path, NULL, &ds, &err), &err);
    return ds;
}

hr_loader *rows_loader(hr_dataset *ds, uint32_t batch_rows, uint32_t device, bool shuffled) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_loader *loader = NULL;
    hr_error err = {0};
    o.flags = shuffled ? HR_LOADER_SHUFFLE : 0;
    o.batch_samples = batch_rows;
    o.io = HR_IO_CACHED;
    o.budget_bytes = BUDGET_BYTES;
    o.device = device;
    must(hr_loader_open(ds, &o, &loader, &err), &err);
    return loader;
}

hr_batch *rows_next(hr_loader *loader) {
    hr_batch *b = NULL;
    hr_error err = {0};
    hr_status st = hr_loader_next(loader, NEXT_LIMIT_NS, &b, &err);
    if (st == HR_END_OF_EPOCH)
        st = hr_loader_next(loader, NEXT_LIMIT_NS, &b, &err);
    must(st, &err);
    return b;
}

void bare_make(struct bare *b, size_t batch_bytes) {
    const size_t all = BARE_BUFFERS * batch_bytes;
    void *gpu;
    b->batch_bytes = batch_bytes;
    b->host_bytes = (all + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    b->host = aligned_alloc(HUGE_PAGE_BYTES, b->host_bytes);
    GPU_CHECK(b->host != NULL, "no memory for bare copies");
    (void)madvise(b->host, b->host_bytes, MADV_HUGEPAGE);
    memset(b->host, 1, b->host_bytes);
    b->stream = gpu_stream();
    GPU_CALL(cudaHostRegister(b->host, b->host_bytes, cudaHostRegisterDefault));
    GPU_CALL(cudaMalloc(&gpu, batch_bytes));
    b->gpu = gpu;
}

void bare_free(struct bare *b) {
    GPU_CALL(cudaStreamSynchronize(b->stream));
    GPU_CALL(cudaStreamDestroy(b->stream));
    GPU_CALL(cudaFree(b->gpu));
    GPU_CALL(cudaHostUnregister(b->host));
    free(b->host);
}

double bare_ns(struct bare *b, uint32_t num_copies) {
    const int64_t begin = clock_ns();
    for (uint32_t i = 0; i < num_copies; i++)
        GPU_CALL(cudaMemcpyAsync(b->gpu, b->host + i % BARE_BUFFERS * b->batch_bytes,
                                 b->batch_bytes, cudaMemcpyHostToDevice, b->stream));
    GPU_CALL(cudaStreamSynchronize(b->stream));
    return (double)(clock_ns() - begin) / num_copies;
}
