/*
 * The alignment, by statx().
 */
#define _GNU_SOURCE
#include "direct_align.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

bool hr__direct_align(int fd, uint32_t *align_bytes) {
#ifdef STATX_DIOALIGN
    struct statx sx = {0};
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) != 0 ||
        (sx.stx_mask & STATX_DIOALIGN) == 0)
        return false;
    *align_bytes = sx.stx_dio_mem_align > sx.stx_dio_offset_align ? sx.stx_dio_mem_align
                                                                  : sx.stx_dio_offset_align;
    return true;
#else
    (void)fd;
    (void)align_bytes;
    return false;
#endif
}
