/*
 * Superblocks (docs/format.md, 3). Input is untrusted.
 */
#include "superblock.h"

#include "bytes.h"
#include "checked.h"
#include "error.h"
#include "hash.h"

#include <string.h>

#define REQUIRED_OFF 128u
#define OPTIONAL_OFF 1152u
#define AREA_BYTES   1024u
#define TAIL_OFF     2176u
#define HASH_OFF     4088u
#define MAX_NAME     63u
#define MAX_FOOTER   (UINT64_C(1) << 32)

static const uint8_t magic[8] = {0x89, 'H', 'R', 'D', '\r', '\n', 0x1a, '\n'};

/* In ascending byte order, as they are written. */
static const struct feature {
    const char *name;
    uint32_t bit;
} features[] = {
    {"bit-shuffle", HR__FEATURE_BIT_SHUFFLE},
    {"byte-shuffle", HR__FEATURE_BYTE_SHUFFLE},
    {"delta", HR__FEATURE_DELTA},
    {"varlen", HR__FEATURE_VARLEN},
    {"zstd", HR__FEATURE_ZSTD},
};
#define NUM_FEATURES (sizeof(features) / sizeof(features[0]))

const char *hr__feature_name(uint32_t set) {
    size_t i = 0;
    while (i + 1 < NUM_FEATURES && (set & features[i].bit) == 0)
        i++;
    return features[i].name;
}

void hr__superblock_encode(const struct hr__superblock *sb, uint8_t page[HR__PAGE_BYTES]) {
    memset(page, 0, HR__PAGE_BYTES);
    memcpy(page, magic, sizeof(magic));
    hr__put_u32(page + 8, HR__FORMAT_VERSION);
    hr__put_u32(page + 12, HR__PAGE_BYTES);
    memcpy(page + 16, sb->uuid, sizeof(sb->uuid));
    hr__put_u64(page + 32, sb->commit_seq);
    hr__put_u64(page + 40, sb->footer_off);
    hr__put_u64(page + 48, sb->footer_bytes);
    hr__put_u64(page + 56, sb->footer_hash);
    hr__put_u64(page + 64, sb->file_bytes);
    uint16_t used = 0;
    for (size_t i = 0; i < NUM_FEATURES; i++)
        if ((sb->required & features[i].bit) != 0) {
            size_t n = strlen(features[i].name);
            memcpy(page + REQUIRED_OFF + used, features[i].name, n);
            page[REQUIRED_OFF + used + n] = '\n';
            used = (uint16_t)(used + n + 1);
        }
    hr__put_u16(page + 72, used);
    hr__put_u64(page + HASH_OFF, hr__hash(page, HASH_OFF));
}

bool hr__superblock_slot_valid(const uint8_t page[HR__PAGE_BYTES]) {
    return memcmp(page, magic, sizeof(magic)) == 0 && hr__get_u32(page + 12) == HR__PAGE_BYTES &&
           hr__get_u64(page + HASH_OFF) == hr__hash(page, HASH_OFF);
}

static hr_status none_valid(const uint8_t *slot0, const uint8_t *slot1, hr_error *err) {
    if (hr__is_zero(slot0, HR__PAGE_BYTES) && hr__is_zero(slot1, HR__PAGE_BYTES))
        return hr__error_at(
            err, HR_ERR_CORRUPT, 0,
            "unfinished: both superblocks are empty, so its writing was never "
            "completed, or the beginning is lost; go on with headrace convert --resume, "
            "or save what is whole with headrace verify --salvage");
    if (memcmp(slot0, magic, sizeof(magic)) != 0 && memcmp(slot1, magic, sizeof(magic)) != 0)
        return hr__error_at(err, HR_ERR_NOT_DATASET, 0,
                            "not a Headrace file (no signature at 0 or 65536); make one with "
                            "headrace convert");
    return hr__error_at(err, HR_ERR_CORRUPT, 0,
                        "both superblocks are damaged (their hashes are wrong); copy the file "
                        "again, or save what is whole with headrace verify --salvage");
}

hr_status hr__superblock_choose(const uint8_t slot0[HR__PAGE_BYTES],
                                const uint8_t slot1[HR__PAGE_BYTES], int *slot, hr_error *err) {
    bool valid0 = hr__superblock_slot_valid(slot0), valid1 = hr__superblock_slot_valid(slot1);
    if (!valid0 && !valid1)
        return none_valid(slot0, slot1, err);
    *slot = valid0 ? 0 : 1;
    if (!valid0 || !valid1)
        return HR_OK;
    uint64_t seq0 = hr__get_u64(slot0 + 32), seq1 = hr__get_u64(slot1 + 32);
    bool same_uuid = memcmp(slot0 + 16, slot1 + 16, 16) == 0;
    if (!same_uuid || (seq0 == seq1 && memcmp(slot0, slot1, HR__PAGE_BYTES) != 0))
        return hr__error_at(err, HR_ERR_CORRUPT, 0,
                            "the two superblocks contradict each other (%s); copy the file again",
                            same_uuid ? "the same commit, other content" : "other UUIDs");
    *slot = seq1 > seq0 ? 1 : 0;
    return HR_OK;
}

static bool name_char(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

static bool feature_bit(const uint8_t *name, size_t n, uint32_t *bits) {
    for (size_t i = 0; i < NUM_FEATURES; i++)
        if (strlen(features[i].name) == n && memcmp(features[i].name, name, n) == 0) {
            *bits |= features[i].bit;
            return true;
        }
    return false;
}

/* An area of names. *unknown is the first one not known, with its length. */
static bool area_decode(const uint8_t *area, uint32_t used, uint32_t *bits, const uint8_t **unknown,
                        size_t *unknown_bytes) {
    const uint8_t *before = NULL;
    size_t before_bytes = 0;
    if (used > AREA_BYTES || !hr__is_zero(area + used, AREA_BYTES - used))
        return false;
    for (uint32_t at = 0; at < used;) {
        const uint8_t *name = area + at;
        size_t n = 0;
        while (at + n < used && name_char(name[n]))
            n++;
        if (n == 0 || n > MAX_NAME || at + n >= used || name[n] != '\n')
            return false;
        /* A newline sorts before every character of a name, so it may take part. */
        size_t least = n < before_bytes ? n : before_bytes;
        if (before != NULL && memcmp(before, name, least + 1) >= 0)
            return false;
        if (!feature_bit(name, n, bits) && *unknown == NULL) {
            *unknown = name;
            *unknown_bytes = n;
        }
        before = name;
        before_bytes = n;
        at += (uint32_t)n + 1;
    }
    return true;
}

static hr_status features_decode(const uint8_t *page, uint32_t *required, hr_error *err) {
    const uint8_t *unknown = NULL, *ignored = NULL;
    size_t n = 0, ignored_bytes = 0;
    uint32_t optional = 0;
    *required = 0;
    if (!area_decode(page + REQUIRED_OFF, hr__get_u16(page + 72), required, &unknown, &n) ||
        !area_decode(page + OPTIONAL_OFF, hr__get_u16(page + 74), &optional, &ignored,
                     &ignored_bytes))
        return hr__error_at(
            err, HR_ERR_CORRUPT, REQUIRED_OFF,
            "the superblock's list of features is malformed; copy the file again, or "
            "convert anew");
    if (unknown != NULL)
        return hr__error_at(err, HR_ERR_UNSUPPORTED, REQUIRED_OFF,
                            "it needs the feature \"%.*s\", which this version (%s) does not know; "
                            "use a newer Headrace",
                            (int)n, (const char *)unknown, hr_version());
    return HR_OK;
}

bool hr__superblock_optional_known(const uint8_t page[HR__PAGE_BYTES], const char **name,
                                   size_t *n_bytes) {
    const uint8_t *unknown = NULL;
    uint32_t known = 0;
    (void)area_decode(page + OPTIONAL_OFF, hr__get_u16(page + 74), &known, &unknown, n_bytes);
    *name = (const char *)unknown;
    return unknown == NULL;
}

static hr_status out_of_range(hr_error *err, uint64_t off, const char *what, uint64_t found) {
    return hr__error_at(
        err, HR_ERR_CORRUPT, off,
        "the superblock's %s is out of range (%llu); copy the file again, or convert "
        "anew",
        what, (unsigned long long)found);
}

hr_status hr__superblock_decode(const uint8_t page[HR__PAGE_BYTES], struct hr__superblock *out,
                                hr_error *err) {
    uint32_t version = hr__get_u32(page + 8);
    *out = (struct hr__superblock){.commit_seq = hr__get_u64(page + 32),
                                   .footer_off = hr__get_u64(page + 40),
                                   .footer_bytes = hr__get_u64(page + 48),
                                   .footer_hash = hr__get_u64(page + 56),
                                   .file_bytes = hr__get_u64(page + 64)};
    memcpy(out->uuid, page + 16, sizeof(out->uuid));
    if (version > HR__FORMAT_VERSION)
        return hr__error_at(err, HR_ERR_UNSUPPORTED, 8,
                            "its format version is %u, this version (%s) reads %u; use a newer "
                            "Headrace",
                            version, hr_version(), HR__FORMAT_VERSION);
    if (version == 0)
        return out_of_range(err, 8, "format version", version);
    if (out->commit_seq == 0)
        return out_of_range(err, 32, "commit number", 0);
    if (out->file_bytes % HR__PAGE_BYTES != 0 || out->file_bytes < HR__DATA_OFF)
        return out_of_range(err, 64, "file size", out->file_bytes);
    if (out->footer_off % HR__PAGE_BYTES != 0 || out->footer_off < HR__DATA_OFF)
        return out_of_range(err, 40, "footer offset", out->footer_off);
    if (out->footer_bytes < 128 || out->footer_bytes > MAX_FOOTER ||
        !hr__range_within(out->footer_off, out->footer_bytes, out->file_bytes))
        return out_of_range(err, 48, "footer size", out->footer_bytes);
    if (!hr__is_zero(page + 76, REQUIRED_OFF - 76) ||
        !hr__is_zero(page + TAIL_OFF, HASH_OFF - TAIL_OFF))
        return hr__error_at(
            err, HR_ERR_CORRUPT, 76,
            "the superblock's reserved bytes are not zero; copy the file again, or convert "
            "anew");
    return features_decode(page, &out->required, err);
}
