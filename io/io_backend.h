/*
 * How files are read: chosen once, by a short probe, for all queues of a loader and all its files.
 */
#ifndef HEADRACE_IO_BACKEND_H
#define HEADRACE_IO_BACKEND_H

#include "headrace/dataset.h"
#include "io_queue.h"

/* Reading threads at most, and what each is counted as: its stacks, here and in the kernel. */
#define HR__MAX_IO_THREADS    64u
#define HR__READ_THREAD_BYTES (UINT64_C(64) << 10)

struct hr__io_backend {
    hr_io io;   /* never HR_IO_AUTO */
    bool uring; /* direct reads by io_uring, not libaio */
    const struct hr__file *files;
    uint32_t num_files;
    uint32_t align_bytes; /* of offset, length and buffer of every read; 1: no rule */
    int *direct_fds;      /* [num_files], the files opened once more; NULL: they are not */
    uint32_t num_read_threads;
    struct hr__read_pool *pool;
};

/* What asked stands for on these files. HR_IO_AUTO: direct reads where prefer_direct and the file
 * systems of all have them, the page cache where their reads can be told not to wait, or never do;
 * threads elsewhere. Starts no thread. The files must outlive *out; hr__io_backend_close() ends it,
 * after a failure too. HR_ERR_UNSUPPORTED where direct reads are asked for and refused. */
hr_status hr__io_backend_choose(const struct hr__file *files, uint32_t num_files, hr_io asked,
                                bool prefer_direct, struct hr__io_backend *out, hr_error *err);

/* Reading threads that io_depth reads in flight are worth; 0 for back ends without. */
uint32_t hr__io_backend_threads(hr_io io, uint32_t io_depth);

/* Starts the reading threads, if there are to be any. HR_ERR_NO_MEMORY. */
hr_status hr__io_backend_start(struct hr__io_backend *b, uint32_t io_depth, hr_error *err);

/* buffers: where its reads will go. They must outlive it. HR_ERR_UNSUPPORTED where the system has
 * refused a ring or a context of libaio, HR_ERR_NO_MEMORY. */
hr_status hr__io_backend_queue(const struct hr__io_backend *b, uint32_t depth, void *buffers,
                               size_t buffers_bytes, struct hr__io_queue *out, hr_error *err);

/* Queues that are opened from now on are no rings, but read by libaio: for where one has been
 * refused (a limit on descriptors or on memory), as all queues of a loader are of one kind. False:
 * they were none already. */
bool hr__io_backend_without_rings(struct hr__io_backend *b);

/* After its queues. A zeroed one is fine. */
void hr__io_backend_close(struct hr__io_backend *b);

const char *hr__io_backend_name(const struct hr__io_backend *b);

#endif
