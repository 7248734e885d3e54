/*
 * Data sets for tests of reader and loader: every byte of every sample follows from its index, so a
 * wrong one is seen wherever it turns up.
 */
#ifndef HEADRACE_MADE_DATASET_H
#define HEADRACE_MADE_DATASET_H

#include "headrace/headrace.h"

#include <stdbool.h>

struct made {
    uint64_t num_samples;
    uint32_t samples_per_chunk;
    uint32_t row_bytes; /* of field "x": uint8 values */
    uint32_t row_words; /* of field "w": float32 values; 0: no such field */
    int32_t codec, filter;
};

/* Field "y": int64, the sample's index. Then "x", then "w". */
void made_write(const char *path, const struct made *m);
/* Only the samples first .. first + num_samples - 1 of it. */
void made_write_part(const char *path, const struct made *m, uint64_t first, uint64_t num_samples);

/* Puts samples m->num_samples .. num_samples - 1 behind those of the file at path. */
void made_append(const char *path, const struct made *m, uint64_t num_samples);

/* The same under made_path(name), opened. */
hr_dataset *made_open(const char *name, const struct made *m);

/* m in files NAME.0, NAME.1, ... of different sizes, the first of them maybe empty, as one data
 * set. Every other file is stored raw. */
#define MADE_MAX_FILES 16u
hr_dataset *made_open_files(const char *name, const struct made *m, uint32_t num_files);
/* Where file i of so many begins. */
uint64_t made_file_begin(const struct made *m, uint32_t num_files, uint32_t i);

uint8_t made_byte(uint64_t sample, uint32_t at);
float made_word(uint64_t sample, uint32_t at);

/* All fields of a batch of `made` data hold what the samples in y say. */
bool made_batch_right(const hr_batch *b, const struct made *m);

/* A shuffled epoch, with a budget that is large enough. */
hr_loader_options made_shuffled(uint32_t batch_samples, hr_io io, uint32_t num_threads);
/* Takes batches until the epoch ends, each right; how many samples came. */
uint64_t made_drain(hr_loader *l, const struct made *m);

/* A path in a fresh folder under $TMPDIR, removed by made_cleanup(). */
const char *made_path(const char *name);
void made_cleanup(void);

/* Ends the test with the message unless st is HR_OK. */
void made_ok(hr_status st, const hr_error *err);

#endif
