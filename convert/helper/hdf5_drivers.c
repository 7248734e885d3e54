/*
 * Ways to open a file: alone, as the first of several (split or family), or while another process
 * writes it (SWMR). Names inside the file are untrusted.
 *
 * Invariant: HDF5 takes the names of a split file's parts from the file as formats for printf, so
 * a file is opened so only where they are what this library writes.
 */
#define _GNU_SOURCE
#include "bytes.h"
#include "helper.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define META "-m"
#define RAW  "-r"

/* The name up to its suffix: "/a/b-m" of "/a/b-m.h5". */
static size_t stem_bytes(const char *path) {
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    return dot != NULL && (slash == NULL || dot > slash) ? (size_t)(dot - path) : strlen(path);
}

/* --- split files ---------------------------------------------------------------------------- */

/* The driver's block of a file whose superblock has version 0 or 1. */
static bool read_driver_block(const char *path, uint8_t *block, size_t room, size_t *n_bytes) {
    uint8_t super[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && pread(fd, super, sizeof super, 0) == (ssize_t)sizeof super &&
              memcmp(super, "\x89HDF\r\n\x1a\n", 8) == 0 && super[8] <= 1 && super[13] == 8;
    const size_t first = ok && super[8] == 1 ? 28 : 24; /* four addresses of 8 bytes */
    ssize_t n = -1;
    if (ok && hr__get_u64(super + first) == 0) {
        const uint64_t off = hr__get_u64(super + first + 24);
        n = off <= INT64_MAX ? pread(fd, block, room, (off_t)off) : -1;
    }
    if (fd >= 0)
        (void)close(fd);
    *n_bytes = n > 0 ? (size_t)n : 0;
    return n > 0;
}

/* What serves the superblock and other kinds of data: the first part (1), or that of raw data (3),
 * which the third kind is. */
static bool has_two_parts(const uint8_t kinds[6]) {
    bool ok = kinds[0] == 1 && kinds[2] == 3;
    for (int i = 0; i < 6; i++)
        ok = ok && (kinds[i] == 1 || kinds[i] == 3);
    return ok;
}

/* A block: version, size (at 4), "NCSAmult", which part serves what (6 bytes, 2 of padding), two
 * addresses for each part, then their names, each with zeros up to a multiple of 8 bytes. */
static bool names_are_ours(const char *path, const char *suffix) {
    uint8_t block[512];
    char meta[64], raw[64];
    size_t n = 0;
    int m = snprintf(meta, sizeof meta, "%%s" META "%s", suffix);
    int r = snprintf(raw, sizeof raw, "%%s" RAW "%s", suffix);
    if (m < 0 || r < 0 || (size_t)m >= sizeof meta || (size_t)r >= sizeof raw ||
        !read_driver_block(path, block, sizeof block, &n))
        return false;
    const size_t at = 16 + 8 + 2 * 16;
    const size_t meta_room = ((size_t)m + 8) / 8 * 8, raw_room = ((size_t)r + 8) / 8 * 8;
    return n >= at + meta_room + raw_room && memcmp(block + 8, "NCSAmult", 8) == 0 &&
           hr__get_u32(block + 4) == at - 16 + meta_room + raw_room && has_two_parts(block + 16) &&
           memcmp(block + at, meta, (size_t)m + 1) == 0 &&
           memcmp(block + at + meta_room, raw, (size_t)r + 1) == 0;
}

/* HDF5 would open the one without the other. */
static bool has_raw_part(const char *base, const char *raw) {
    char *path = NULL;
    bool there = asprintf(&path, "%s%s", base, raw) >= 0 && access(path, R_OK) == 0;
    free(path);
    return there;
}

static hid_t open_split(const char *path, hid_t access_list) {
    const size_t stem = stem_bytes(path), mark = sizeof META - 1;
    char meta[64], raw[64];
    if (stem <= mark || memcmp(path + stem - mark, META, mark) != 0 ||
        strchr(path + stem, '%') != NULL || /* HDF5 takes it as a format for printf */
        !names_are_ours(path, path + stem))
        return -1;
    (void)snprintf(meta, sizeof meta, META "%s", path + stem);
    (void)snprintf(raw, sizeof raw, RAW "%s", path + stem);
    char *base = strndup(path, stem - mark);
    hid_t own = H5Pcopy(access_list), file = -1;
    if (base != NULL && own >= 0 && has_raw_part(base, raw) &&
        H5Pset_fapl_split(own, meta, H5P_DEFAULT, raw, H5P_DEFAULT) >= 0)
        file = H5Fopen(base, H5F_ACC_RDONLY, own);
    if (own >= 0)
        (void)H5Pclose(own);
    free(base);
    return file;
}

/* --- family files --------------------------------------------------------------------------- */

/* "/a/f%05u.h5" of "/a/f00000.h5"; NULL: no such name. HDF5 takes it as a format for printf, so
 * that other '%' are doubled. */
static char *family_pattern(const char *path) {
    const size_t stem = stem_bytes(path);
    size_t digits = 0;
    while (digits < stem && path[stem - digits - 1] == '0')
        digits++;
    char *out = digits > 0 && digits < 20 ? malloc(2 * strlen(path) + 8) : NULL;
    if (out == NULL)
        return NULL;
    char *to = out;
    for (size_t i = 0; path[i] != '\0'; i++) {
        if (i == stem - digits) {
            to += sprintf(to, "%%0%zuu", digits);
            i = stem;
        }
        if (path[i] == '%')
            *to++ = '%';
        if (path[i] == '\0')
            break;
        *to++ = path[i];
    }
    *to = '\0';
    return out;
}

static hid_t open_family(const char *path, hid_t access) {
    char *pattern = family_pattern(path);
    hid_t own = pattern != NULL ? H5Pcopy(access) : -1, file = -1;
    if (own >= 0 && H5Pset_fapl_family(own, H5F_FAMILY_DEFAULT, H5P_DEFAULT) >= 0)
        file = H5Fopen(pattern, H5F_ACC_RDONLY, own);
    if (own >= 0)
        (void)H5Pclose(own);
    free(pattern);
    return file;
}

/* --- all of them ---------------------------------------------------------------------------- */

hr_status h5_open_any(const char *path, hid_t access, hid_t *out, bool *growing, hr_error *err) {
    *growing = false;
    *out = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (*out >= 0)
        return HR_OK;
    /* The first way tells best what is wrong. */
    hr_error why = {.status = HR_OK};
    hr_status st = h5_error(&why, HR_ERR_CORRUPT,
                            "cannot be opened as HDF5 (of a split or family file, give the first: "
                            "NAME-m.h5, NAME0000.h5)");
    *out = H5Fopen(path, H5F_ACC_RDONLY | H5F_ACC_SWMR_READ, access);
    *growing = *out >= 0;
    if (*out < 0)
        *out = open_split(path, access);
    if (*out < 0)
        *out = open_family(path, access);
    (void)H5Eclear2(H5E_DEFAULT);
    if (*out >= 0)
        return HR_OK;
    if (err != NULL)
        *err = why;
    return st;
}
