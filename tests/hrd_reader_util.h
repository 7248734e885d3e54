/*
 * A small reader for tests of the writer: checks and decodes a whole file with the functions of
 * format/ only, so that it shares nothing with reader/ and writer/.
 */
#ifndef HEADRACE_HRD_READER_UTIL_H
#define HEADRACE_HRD_READER_UTIL_H

#include "file.h"
#include "footer.h"

struct hrd_image {
    struct hr__superblock superblock;
    struct hr__footer footer;
    uint8_t **columns; /* num_fields: all samples */
    uint64_t num_raw_frames;
    uint64_t num_zstd_frames;
    uint64_t num_shuffled_frames;
    uint64_t payload_hash; /* of the stored bytes of all frames, in order */
};

hr_status hrd_image_load_path(const struct hr__folder_ops *folder, const char *path,
                              struct hrd_image *out, hr_error *err);
void hrd_image_free(struct hrd_image *image); /* a zeroed image is fine */

#endif
