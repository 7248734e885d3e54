/*
 * One file in memory behind hr__folder_ops, for tests of readers: its bytes can be changed between
 * two calls, and the Nth read of it fails or returns less than there is.
 */
#ifndef HEADRACE_MEMORY_FILE_H
#define HEADRACE_MEMORY_FILE_H

#include "file.h"

#include <stdatomic.h>

struct memory_file {
    struct hr__folder_ops folder;
    uint8_t *bytes;
    uint64_t n_bytes; /* may be made smaller: a truncated file */
    uint64_t room_bytes;
    atomic_long operations; /* open, size, read */
    atomic_long fail_at;    /* that operation fails (from 1); 0: none */
    atomic_bool broken;     /* every operation fails with EIO */
    atomic_bool paused;     /* reads wait until it is not */
    atomic_uint delay_us;   /* every read takes so long */
    atomic_int fail_errno;  /* 0: a read gives half of what there is, and the size is half of it */
    atomic_bool is_half;    /* the size was half of it: it stays so, unless */
    atomic_bool grows;      /* the file grows after that */
};

/* Every path opens the file. bytes are copied, with room for extra_bytes more behind them. */
void memory_file_make(struct memory_file *m, const void *bytes, uint64_t n_bytes,
                      uint64_t extra_bytes);
/* The file at path. */
void memory_file_load(struct memory_file *m, const char *path, uint64_t extra_bytes);
void memory_file_free(struct memory_file *m);
/* Operations from now on are counted from 1. */
void memory_file_fail(struct memory_file *m, long nth, int os_errno);

#endif
