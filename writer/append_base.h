/*
 * The commit that an append goes on from (docs/format.md, 3 and 4): the target opened under its
 * lock, its superblock and footer. The file is untrusted.
 */
#ifndef HEADRACE_APPEND_BASE_H
#define HEADRACE_APPEND_BASE_H

#include "footer.h"
#include "partial_file.h"

struct hr__append_base {
    uint8_t page[HR__PAGE_BYTES]; /* the slot that decides */
    uint64_t other_off;           /* of the other slot */
    bool slots_equal;
    bool has_tail; /* an append that was cut short left something behind the commit */
    struct hr__superblock superblock;
    struct hr__footer footer;
    uint64_t held_bytes; /* most that the footer takes in memory, and took while it was read */
};

/* Opens and locks a file that is there; nothing is changed. HR_ERR_NOT_FOUND, HR_ERR_BUSY (another
 * writer has it), HR_ERR_IO. */
hr_status hr__append_open(const struct hr__folder_ops *folder, const char *path,
                          struct hr__partial_file *out, hr_error *err);

/* Only reads. HR_ERR_CORRUPT, HR_ERR_UNSUPPORTED (a feature that is not known, optional ones too),
 * HR_ERR_BUDGET, HR_ERR_NO_MEMORY, HR_ERR_IO. */
hr_status hr__append_base_load(const struct hr__file *file, uint64_t budget_bytes,
                               struct hr__append_base *out, hr_error *err);

/* Before the first write: both slots are made equal, and what is behind the commit is cut off. */
hr_status hr__append_base_settle(const struct hr__append_base *base, const struct hr__file *file,
                                 hr_error *err);

void hr__append_base_free(struct hr__append_base *base); /* a zeroed one is fine */

#endif
