/*
 * A job: the plan of one write, and its record in the file (docs/format.md, 5). What is read from a
 * file is untrusted.
 *
 * Invariants:
 *  1. the record's header is written, and synchronised, after its JSON text: a valid header means a
 *     whole record, and no chunk is in the file without one;
 *  2. a job resumes only onto a record that is equal in S, layout hash, options, sources, names and
 *     attributes of the fields, and provenance (but for the program that wrote it).
 */
#ifndef HEADRACE_JOB_H
#define HEADRACE_JOB_H

#include "chunk_encoder.h"
#include "file.h"
#include "job_record.h"
#include "superblock.h"

#include "headrace/writer.h"

#include <jansson.h>

struct hr__job {
    struct hr__chunk_identity identity;
    char *options_json;
    char *sources_json;
    uint64_t record_off;      /* where the record is, or goes */
    uint64_t first_chunk_off; /* set when the record is written or read */
};

/* Texts and attributes from the options; schema gets attributes and provenance. HR_ERR_INVALID. */
hr_status hr__job_make(const hr_writer_options *opts, struct hr__schema *schema,
                       struct hr__job *out, hr_error *err);
/* The same behind the commit of a superblock. */
hr_status hr__job_make_append(const hr_writer_options *opts, const struct hr__superblock *sb,
                              struct hr__job *out, hr_error *err);
void hr__job_free(struct hr__job *job); /* a zeroed job is fine */

/* Writes the record, with fsync. Nothing that counts is in the file behind record_off. */
hr_status hr__job_write(struct hr__job *job, const struct hr__schema *schema,
                        const struct hr__file *file, hr_error *err);

/* job_json.c: JSON texts from options (malloc'ed). */
hr_status hr__job_options_json(const hr_writer_options *opts, char **out, hr_error *err);
/* A list, of very many only the first; then its last entry says how many more, and their hash. */
hr_status hr__job_sources_json(const hr_writer_options *opts, char **out, hr_error *err);
/* Takes that entry out of the list: how many more. 0: there is none. */
uint64_t hr__job_take_left_out(json_t *sources);
hr_status hr__job_provenance_json(const hr_writer_options *opts, const char *sources_json,
                                  char **out, hr_error *err);
/* A copy of a JSON object given by a caller, or NULL for NULL. HR_ERR_INVALID names `what`. */
hr_status hr__job_copy_object(const char *json, const char *what, char **out, hr_error *err);

enum hr__job_found {
    HR__JOB_NONE, /* no job was begun in this file */
    HR__JOB_SAME  /* identity, first_chunk_off and the schema's storage are those of the record */
};

struct hr__job_peeked {
    uint32_t samples_per_chunk; /* 0: there is no record */
    uint64_t first_chunk_off;
    uint8_t uuid[16];
};

/* job_compare.c: of the record that is in the file. */
hr_status hr__job_peek(const struct hr__file *file, struct hr__job_peeked *out, hr_error *err);

/* job_compare.c: the record that is in the file, if it is one of this job. HR_ERR_MISMATCH says
 * what differs; HR_ERR_IO. */
hr_status hr__job_adopt(struct hr__job *job, struct hr__schema *schema, const struct hr__file *file,
                        enum hr__job_found *found, hr_error *err);

#endif
