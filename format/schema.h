/*
 * The schema: fields with storage choice, attributes and statistics, and its JSON text (docs/
 * format.md, 7.1 and 7.2). JSON input is untrusted.
 */
#ifndef HEADRACE_SCHEMA_H
#define HEADRACE_SCHEMA_H

#include "headrace/types.h"

#include "statistics.h"

#define HR__MAX_FIELDS            4096u
#define HR__MAX_SAMPLE_BYTES      (UINT64_C(1) << 34)
#define HR__MAX_JSON_BYTES        (UINT64_C(16) << 20)
#define HR__MAX_SAMPLES_PER_CHUNK 65536u

/* Numbers of the file format. */
enum hr__codec { HR__CODEC_RAW = 0, HR__CODEC_ZSTD = 1 };
enum hr__filter {
    HR__FILTER_NONE = 0,
    HR__FILTER_BYTE_SHUFFLE = 1,
    HR__FILTER_BIT_SHUFFLE = 2,
    HR__FILTER_DELTA = 3,
    HR__FILTER_DELTA_BYTE_SHUFFLE = 4,
    HR__FILTER_DELTA_BIT_SHUFFLE = 5
};

/* How a writer stores a field. */
struct hr__storage {
    uint8_t codec;           /* enum hr__codec */
    uint8_t filter;          /* enum hr__filter */
    uint8_t element_bytes;   /* of the filter; 0 without */
    int32_t level;           /* of zstd */
    uint32_t distance_bytes; /* of a delta; 0 without */
    char *why_json;          /* members "reason", "candidates", ... as a JSON object; NULL: none */
};

struct hr__schema_field {
    char *name;
    hr_dtype dtype;
    uint32_t width_bytes; /* of one element; 0 for variable-length */
    uint32_t rank;
    uint64_t shape[HR_MAX_RANK];
    uint32_t first_block;   /* number of its first block in a chunk */
    uint64_t num_elements;  /* per sample */
    uint64_t sample_bytes;  /* 0 for variable-length */
    hr_dtype element_dtype; /* of a sequence; 0: none */
    char *attributes_json;  /* an object as text, or NULL */
    struct hr__storage storage;
    struct hr__statistics *statistics; /* of a variable-length field of its lengths; NULL: none */
};

struct hr__schema {
    uint32_t num_fields;
    uint32_t num_variable;      /* of these, of variable length */
    uint32_t samples_per_chunk; /* S */
    struct hr__schema_field *fields;
    uint32_t *block_order; /* num_fields indices: fields as their blocks are ordered in a chunk */
    uint64_t sample_bytes; /* of all fixed-size fields */
    uint64_t layout_hash;
    char *attributes_json; /* of the data set, or NULL */
    char *provenance_json; /* or NULL */
};

/* From a caller's descriptions (copied, checked: HR_ERR_INVALID names field and rule). */
hr_status hr__schema_make(const hr_field *fields, uint32_t num_fields, uint32_t samples_per_chunk,
                          struct hr__schema *out, hr_error *err);
/* From the JSON text of a footer or job record: HR_ERR_CORRUPT names key and rule. */
hr_status hr__schema_parse(const char *json, size_t n_bytes, uint32_t samples_per_chunk,
                           struct hr__schema *out, hr_error *err);
/* The JSON text (malloc'ed, ends with a zero that n_bytes does not count; for a person to read). */
hr_status hr__schema_print(const struct hr__schema *s, char **out, size_t *n_bytes, hr_error *err);
/* As print for a job record: without statistics, with two more members (JSON objects or arrays as
 * text): options, sources. */
hr_status hr__schema_print_job(const struct hr__schema *s, const char *options_json,
                               const char *sources_json, char **out, size_t *n_bytes,
                               hr_error *err);
/* The member `key` of a JSON object, as compact text with sorted keys (malloc'ed), "null" if it is
 * not there. For comparing jobs. */
hr_status hr__json_member(const char *json, size_t n_bytes, const char *key, char **out,
                          hr_error *err);
/* Changes S, and with it the layout hash. */
hr_status hr__schema_set_samples_per_chunk(struct hr__schema *s, uint32_t samples_per_chunk,
                                           hr_error *err);
/* Bytes that the length of every value of a variable-length field is a multiple of. */
uint32_t hr__value_unit_bytes(const struct hr__schema_field *f);
/* Samples per chunk that a writer chooses (docs/format.md, 2.3). */
uint32_t hr__samples_per_chunk(uint64_t sample_bytes, uint64_t chunk_bytes);
/* Same dtype and shape of a sample. */
bool hr__schema_same_type(const struct hr__schema_field *a, const struct hr__schema_field *b);

void hr__schema_free(struct hr__schema *s); /* a zeroed schema is fine */

#endif
