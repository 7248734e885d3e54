/*
 * Data for upload_bench, and the loaders and host memory that it measures.
 */
#ifndef HEADRACE_UPLOAD_DATA_H
#define HEADRACE_UPLOAD_DATA_H

#include "gpu_clock.h"

#include <headrace/headrace.h>

#define ROW_FLOATS 2048u
#define ROW_BYTES  (ROW_FLOATS * 4u)

/* Ends the program with the message unless st is HR_OK. */
void must(hr_status st, const hr_error *err);

/* A file of rows of normally distributed float32, in steps of 1/256, read once so that it is in the
 * page cache. raw: stored as it is; otherwise by the writer's choice. */
hr_dataset *rows_open(const char *path, uint64_t num_rows, bool raw);

/* A loader without an end, through the page cache. */
hr_loader *rows_loader(hr_dataset *ds, uint32_t batch_rows, uint32_t device, bool shuffled);

/* The next batch, over the ends of epochs. */
hr_batch *rows_next(hr_loader *loader);

/* ---- bare copies: from pinned memory of the loader's kind, one buffer after the other ---- */

#define BARE_BUFFERS 8u

struct bare {
    size_t batch_bytes, host_bytes;
    uint8_t *host, *gpu;
    cudaStream_t stream;
};

void bare_make(struct bare *b, size_t batch_bytes);
void bare_free(struct bare *b);
/* Nanoseconds for each of so many copies, put on the stream without waiting between them. */
double bare_ns(struct bare *b, uint32_t num_copies);

#endif
