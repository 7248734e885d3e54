/*
 * Asking the kernel.
 */
#define _GNU_SOURCE
#include "direct_align.h"

#include <fcntl.h>
#include <linux/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

uint32_t hr__direct_align(int fd, bool *told) {
    *told = false;
#ifdef STATX_DIOALIGN
    struct statx sx = {0};
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) != 0 ||
        (sx.stx_mask & STATX_DIOALIGN) == 0)
        return 0;
    *told = true;
    return sx.stx_dio_mem_align > sx.stx_dio_offset_align ? sx.stx_dio_mem_align
                                                          : sx.stx_dio_offset_align;
#else
    (void)fd;
    return 0;
#endif
}
