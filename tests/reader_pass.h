/*
 * Everything a reader can do with a data set of made_dataset.h, and whether what came is right.
 */
#ifndef HEADRACE_READER_PASS_H
#define HEADRACE_READER_PASS_H

#include "made_dataset.h"

/* Each: HR_OK, or the first error. Ends the test where data came that are not right. */

/* Every field whole, in one range. */
hr_status pass_read(hr_dataset *ds, const struct made *m, hr_error *err);
/* Every field by scattered indices with repeats. */
hr_status pass_gather(hr_dataset *ds, const struct made *m, hr_error *err);
/* num_epochs epochs of a shuffled loader: each sample once in each, every one right. A failed
 * loader must repeat its failure. */
hr_status pass_loader(hr_dataset *ds, const struct made *m, hr_io io, uint32_t threads,
                      uint64_t num_epochs, hr_error *err);
/* The same of every fifth sample. */
hr_status pass_subset(hr_dataset *ds, const struct made *m, hr_io io, uint32_t threads,
                      uint64_t num_epochs, hr_error *err);
/* Halves, each y in proportion. */
hr_status pass_split(hr_dataset *ds, hr_error *err);

#endif
