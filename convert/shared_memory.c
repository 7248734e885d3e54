/*
 * Making it.
 */
#define _GNU_SOURCE
#include "shared_memory.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static hr_status check_file_limit(uint64_t n_bytes, hr_error *err) {
    struct rlimit lim;
    /* Beyond this limit the system would not fail the call but send SIGXFSZ. */
    if (getrlimit(RLIMIT_FSIZE, &lim) == 0 && lim.rlim_cur != RLIM_INFINITY &&
        lim.rlim_cur < n_bytes)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the limit on file sizes (ulimit -f, %" PRIu64 " bytes) is too small "
                             "to share %" PRIu64 " bytes with the helper; raise it",
                             (uint64_t)lim.rlim_cur, n_bytes);
    return HR_OK;
}

hr_status hr__shared_memory_make(uint64_t n_bytes, bool writable, uint8_t **map, int *fd,
                                 hr_error *err) {
    *map = NULL;
    *fd = -1;
    hr_status st = check_file_limit(n_bytes, err);
    if (st != HR_OK)
        return st;
    *fd = memfd_create("headrace-rows", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (*fd < 0)
        return hr__error_os(err, errno, "shared memory for the helper");
    int rc;
    do
        rc = fallocate(*fd, 0, 0, (off_t)n_bytes);
    while (rc != 0 && errno == EINTR);
    if (rc != 0)
        return hr__error_os(err, errno, "%" PRIu64 " bytes of shared memory for the helper",
                            n_bytes);
    if (fcntl(*fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
        return hr__error_os(err, errno, "sealing shared memory");
    void *p = mmap(NULL, (size_t)n_bytes, writable ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED,
                   *fd, 0);
    if (p == MAP_FAILED)
        return hr__error_os(err, errno, "mapping %" PRIu64 " bytes of shared memory", n_bytes);
    *map = p;
    return HR_OK;
}
