/*
 * Parts of a data set as texts, and opening one for a command.
 */
#ifndef HEADRACE_DATASET_TEXT_H
#define HEADRACE_DATASET_TEXT_H

#include "headrace/dataset.h"

#include <jansson.h>

#define DATASET_SHAPE_BYTES 160
#define DATASET_UUID_BYTES  37

/** "(28, 28)", "(3,)", "()"; cut with "..." where it is too long. */
void dataset_shape_text(const hr_field *field, char out[DATASET_SHAPE_BYTES]);

/** "8-4-4-4-12" in hex. */
void dataset_uuid_text(const uint8_t uuid[16], char out[DATASET_UUID_BYTES]);

/** Texts of a file go to a terminal without its control characters. */
void dataset_print_plain(const char *text);

/** A field's shape as a JSON array. */
json_t *dataset_shape_json(const hr_field *field);

/** Open and report. NULL: *code is the exit code. */
hr_dataset *dataset_open_or_report(const char *command, const char *path, uint64_t budget_bytes,
                                   int *code);

#endif
