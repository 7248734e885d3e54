/*
 * What train_mlp and train_cuda do alike before the first batch, whatever device it comes to.
 */
#ifndef TRAIN_DATA_H
#define TRAIN_DATA_H

#include "trainer.h"

/* Prints the message; returns -1. */
int complain(const hr_error *err);

/* What the statistics in the file tell about the samples, before any of them is read. 0: found; -1:
 * a message was printed. */
int kind_find(const hr_dataset *ds, const hr_field *x, const hr_field *y, struct sample_kind *out);

/* A shuffled loader of the two fields; names are borrowed. */
hr_loader_options loader_options(const struct train_options *opts, const char *const names[2]);

hr_loader_info loader_info(hr_loader *loader);

/* Says what is trained on. */
void setting_print(const hr_dataset *ds, hr_loader *loader);

#endif
