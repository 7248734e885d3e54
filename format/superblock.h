/*
 * Superblocks and their features (docs/format.md, 3). Input is untrusted.
 */
#ifndef HEADRACE_SUPERBLOCK_H
#define HEADRACE_SUPERBLOCK_H

#include "headrace/status.h"

#include <stdbool.h>
#include <stddef.h>

#define HR__PAGE_BYTES     4096u
#define HR__SLOT1_OFF      65536u
#define HR__JOB_OFF        4096u
#define HR__JOB_ROOM_BYTES 61440u
#define HR__DATA_OFF       131072u
#define HR__FORMAT_VERSION 1u

/* Features this version knows, as bits of hr__superblock.required. */
#define HR__FEATURE_ZSTD         1u
#define HR__FEATURE_BYTE_SHUFFLE 2u
#define HR__FEATURE_VARLEN       4u
#define HR__FEATURE_BIT_SHUFFLE  8u
#define HR__FEATURE_DELTA        16u
#define HR__FEATURES_FILTERS                                                                       \
    (HR__FEATURE_BYTE_SHUFFLE | HR__FEATURE_BIT_SHUFFLE | HR__FEATURE_DELTA)

struct hr__superblock {
    uint8_t uuid[16];
    uint64_t commit_seq;
    uint64_t footer_off;
    uint64_t footer_bytes;
    uint64_t footer_hash;
    uint64_t file_bytes;
    uint32_t required; /* HR__FEATURE_* */
};

/* The name of the first feature in a set that is not empty. */
const char *hr__feature_name(uint32_t features);

void hr__superblock_encode(const struct hr__superblock *sb, uint8_t page[HR__PAGE_BYTES]);

/* Magic, page bytes and hash are right. */
bool hr__superblock_slot_valid(const uint8_t page[HR__PAGE_BYTES]);

/* Which of the two slots decides, by the rule of the format: *slot is 0 or 1.
 * HR_ERR_NOT_DATASET: no signature in either. HR_ERR_CORRUPT: none is valid (the message tells
 * "unfinished: both slots are zero" and "damaged" apart), or they contradict each other. */
hr_status hr__superblock_choose(const uint8_t slot0[HR__PAGE_BYTES],
                                const uint8_t slot1[HR__PAGE_BYTES], int *slot, hr_error *err);

/* Decode a valid slot and check every range. HR_ERR_CORRUPT, HR_ERR_UNSUPPORTED (version, feature).
 */
hr_status hr__superblock_decode(const uint8_t page[HR__PAGE_BYTES], struct hr__superblock *out,
                                hr_error *err);

/* Whether every optional feature of a decoded slot is known, as it must be to whoever appends;
 * else *name is the first that is not, *n_bytes long, in the page. */
bool hr__superblock_optional_known(const uint8_t page[HR__PAGE_BYTES], const char **name,
                                   size_t *n_bytes);

#endif
