/*
 * Parts of a data set as texts, and opening one for a command.
 */
#ifndef HEADRACE_DATASET_TEXT_H
#define HEADRACE_DATASET_TEXT_H

#include "options.h"

#include "headrace/dataset.h"

#include <jansson.h>

#define DATASET_SHAPE_BYTES 160
#define DATASET_UUID_BYTES  37
#define DATASET_NAME_BYTES  4160 /* a path that can be opened has fewer than 4,096 */

/** "(28, 28)", "(3,)", "()"; cut with "..." where it is too long. */
void dataset_shape_text(const hr_field *field, char out[DATASET_SHAPE_BYTES]);

/** "8-4-4-4-12" in hex. */
/* As "float32", of a sequence as "int32[]". */
#define DATASET_DTYPE_BYTES 32
void dataset_dtype_text(const hr_field *field, char out[DATASET_DTYPE_BYTES]);
void dataset_uuid_text(const uint8_t uuid[16], char out[DATASET_UUID_BYTES]);

/** A field's shape as a JSON array. */
json_t *dataset_shape_json(const hr_field *field);

/** "train.hrd", "a.hrd and 2 more files". */
void dataset_name_text(const hr_dataset *ds, char out[DATASET_NAME_BYTES]);

/** The paths of all files as a JSON array. */
json_t *dataset_files_json(const hr_dataset *ds);

/** As hr_dataset_open_many(), with as many descriptors as the system grants this process. */
hr_status dataset_open(const options_files *files, uint64_t budget_bytes, hr_dataset **out,
                       hr_error *err);

/** Open and report. NULL: *code is the exit code. */
hr_dataset *dataset_open_or_report(const char *command, const options_files *files,
                                   uint64_t budget_bytes, int *code);

#endif
