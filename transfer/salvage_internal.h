/*
 * A salvage, as its own files and tests see it.
 */
#ifndef HEADRACE_SALVAGE_INTERNAL_H
#define HEADRACE_SALVAGE_INTERNAL_H

#include "chunk_copy.h"
#include "frame_codec.h"
#include "new_file.h"

#include "headrace/salvage.h"

#define HR__MAX_LOST_RANGES 1000u /* that the new file lists */

/* salvage_known.c: what is known of the damaged file before a chunk is read. */
struct hr__salvage_known {
    struct hr__file file;
    struct hr__schema schema; /* its statistics: of what is saved */
    uint8_t uuid[16];
    uint64_t max_commit_seq;
    uint32_t features;
    uint64_t end_off;  /* where chunks may be, from HR__DATA_OFF on; whole pages */
    hr_dataset *ds;    /* NULL: the footer is not whole */
    bool index_whole;  /* every page of it */
    char why_not[256]; /* why the footer or the index is not used */
};

/* salvage_chunk.c: a chunk, looked at. */
struct hr__salvage_look {
    struct hr__chunk_stream stream;
    struct hr__frame_decoder decoder;
    uint8_t *decoded, *filtered; /* HR__MAX_FRAME_BYTES */
    struct hr__statistics **statistics;
    uint64_t statistics_bytes; /* reserved for these and the totals */
    /* Of the chunk at hand: */
    uint32_t field, part;
    uint64_t part_bytes; /* decoded so far */
    uint64_t *ends;      /* of a variable-length field; S of them, NULL where there is none */
    uint32_t features;
    bool *damaged; /* num_fields */
    bool any_damaged;
    hr_error why;
};

/* salvage_lost.c: what is lost so far. */
struct hr__salvage_lost {
    uint64_t (*ranges)[2]; /* first sample, samples */
    uint32_t num_ranges, ranges_left_out;
    uint64_t num_samples, num_chunks;
    uint64_t end_sample; /* of the last range */
    const char **names;  /* num_fields: room for those of one chunk */
};

struct hr__salvage {
    hr_salvage_options opts;
    const struct hr__folder_ops *folder;
    struct hr__budget budget;
    struct hr__salvage_known known;
    struct hr__new_file to;
    struct hr__salvage_look look;
    struct hr__salvage_lost lost;
    uint64_t next_chunk;  /* of the damaged file: all before it are taken or lost */
    uint64_t next_sample; /* of the damaged file: the first of next_chunk */
    int64_t told_ns;
};

/* HR_ERR_CORRUPT: what the fields are is not known. */
hr_status hr__salvage_known_find(struct hr__salvage *s, hr_error *err);
void hr__salvage_known_free(struct hr__salvage_known *k); /* a zeroed one is fine */

hr_status hr__salvage_look_init(struct hr__salvage *s, hr_error *err);
void hr__salvage_look_free(struct hr__salvage *s); /* a zeroed one is fine */
/* Decodes every frame. take: a whole chunk is the next of the new file; else it is only looked at.
 * *whole false: damaged, look.why and look.damaged say how. */
hr_status hr__salvage_chunk(struct hr__salvage *s, const struct hr__chunk_from *from, bool take,
                            bool *whole, hr_error *err);

/* salvage_find.c: takes all chunks, in ascending order, by the index or page by page. */
hr_status hr__salvage_by_index(struct hr__salvage *s, hr_error *err);
hr_status hr__salvage_by_pages(struct hr__salvage *s, hr_error *err);

hr_status hr__salvage_lost_init(struct hr__salvage *s, hr_error *err);
void hr__salvage_lost_free(struct hr__salvage_lost *lost);
/* num_samples of num_chunks chunks, from the next sample on; look.damaged: with their fields. */
void hr__salvage_lose(struct hr__salvage *s, uint64_t num_chunks, uint64_t num_samples,
                      bool with_fields, const char *reason);
/* The provenance of the new file, malloc'ed: that of the old one, what it was saved from, and, once
 * all are known, what is missing. */
hr_status hr__salvage_provenance(const struct hr__salvage *s, const char *old_json, bool all_known,
                                 char **out, hr_error *err);

/* HR_ERR_CANCELLED if the caller wants to stop. At most ten calls a second, but for `now`. */
hr_status hr__salvage_tell(struct hr__salvage *s, uint64_t done_bytes, bool now, hr_error *err);

/* Damage of the old file, against what ends the salvage. */
static inline bool hr__salvage_is_damage(hr_status st) {
    return st == HR_ERR_CORRUPT || st == HR_ERR_IO;
}

/* Through any folder. opts is resolved. */
hr_status hr__salvage_in(const struct hr__folder_ops *folder, const hr_salvage_options *opts,
                         hr_salvage_result *result, hr_error *err);

#endif
