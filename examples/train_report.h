/*
 * What train_mlp and train_cuda tell: lines for people while it works, and at the end the figures
 * as JSON.
 */
#ifndef TRAIN_REPORT_H
#define TRAIN_REPORT_H

#include <stdint.h>

#define EPOCH_NONE (-1.0)

/* Figures of one epoch. */
struct epoch_report {
    uint64_t epoch; /* from 1; of a total: how many */
    uint64_t samples, bytes;
    double loss;     /* mean */
    double seen;     /* share of the samples met in training that were right beforehand */
    double held_out; /* share of the held-out samples that are right; EPOCH_NONE: there are none */
    double seconds;  /* of training, without the test */
    double wait_seconds; /* of these, waiting for data */
};

/* Peak resident memory of this process so far; 0: unknown. */
uint64_t peak_memory_bytes(void);

/* "80.0 MiB"; returns text. */
const char *size_text(uint64_t bytes, char text[32]);

void epoch_print(const struct epoch_report *e);

/* Adds an epoch to a total, whose loss and accuracy become those of this epoch. */
void epoch_add(struct epoch_report *total, const struct epoch_report *e);

/* The total as a JSON object. 0: written; -1: a message was printed. */
int report_write(const char *path, const struct epoch_report *total, uint64_t budget_bytes,
                 uint64_t reserved_bytes);

#endif
