/*
 * The inputs of a conversion, opened: which files become which fields (docs/convert.md).
 */
#ifndef HEADRACE_INPUTS_H
#define HEADRACE_INPUTS_H

#include "source.h"

struct hr__input_field {
    char *name;
    struct hr__source *source;
};

struct hr__inputs {
    uint32_t num_fields;
    struct hr__input_field *fields;
    uint32_t num_files; /* every file once, in the order of use */
    hr_source_fingerprint *files;
    bool *growing;         /* of the files: they may change */
    char *attributes_json; /* of the data set: of all files, or NULL */
    uint32_t num_origins;  /* every data set once, likewise */
    const struct hr__source_origin **origins;
    uint32_t num_streams; /* sources whose end is known when it was read */
    const struct hr__source_info **streams;
};

/* Opens everything that the options name, and tells on_note which files became a field, in which
 * order. HR_ERR_INVALID, HR_ERR_NOT_FOUND, HR_ERR_UNSUPPORTED, or as the sources. */
hr_status hr__inputs_open(const hr_convert_options *opts, struct hr__inputs *out, hr_error *err);

/* Some have values of variable length. */
bool hr__inputs_have_values(const struct hr__inputs *in);

/* Divides what readers may take for themselves among the fields whose readers need something. */
void hr__inputs_set_room(const struct hr__inputs *in, uint64_t n_bytes);

void hr__inputs_close(struct hr__inputs *in); /* a zeroed one is fine */

/* After they were read: tells on_note what lies behind the arrays of compressed files. */
void hr__inputs_note_surplus(const struct hr__inputs *in, const hr_convert_options *opts);

/* HR_ERR_DATA if a file is not what it was when it was opened. */
hr_status hr__inputs_check_unchanged(const struct hr__inputs *in, hr_error *err);

#endif
