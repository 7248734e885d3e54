/*
 * headrace-source: reads HDF5 and .npz files for libheadrace, and writes both. Not for use by hand:
 * it is started with headrace-source VERSION SOCKET MEMORY_BYTES PARENT_PID and speaks the protocol
 * of helper_protocol.h on the socket.
 */
#define _GNU_SOURCE
#include "helper.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define KEPT_BYTES (4 << 20)

static bool number(const char *text, unsigned long long max, unsigned long long *out) {
    char *end;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && errno == 0 && *out <= max;
}

int main(int argc, char **argv) {
    unsigned long long version, fd, memory_bytes, parent;
    if (argc != 5 || !number(argv[1], 65535, &version) || !number(argv[2], 1 << 20, &fd) ||
        !number(argv[3], INT64_MAX, &memory_bytes) || !number(argv[4], INT32_MAX, &parent)) {
        (void)fprintf(stderr,
                      "headrace-source reads HDF5 and .npz files for Headrace and is started "
                      "by it. Use: headrace convert FILE.h5 -o FILE.hrd\n");
        return 2;
    }
    /* One arena: each further one would reserve 64 MiB of the address space. HDF5 allocates buffers
     * for every chunk: of the usual sizes they stay, instead of being mapped and cleared anew. */
    (void)mallopt(M_ARENA_MAX, 1);
    (void)mallopt(M_MMAP_THRESHOLD, KEPT_BYTES / 2);
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    limits_set(memory_bytes);
    if (!limits_watch_parent((int)fd, (int)parent))
        return HR__HELPER_EXIT_NO_THREAD;
    /* Other files that a data set needs are looked for beside the file that names them only. */
    if (setenv("HDF5_USE_FILE_LOCKING", "FALSE", 1) != 0 ||
        setenv("HDF5_EXTFILE_PREFIX", "${ORIGIN}", 1) != 0 ||
        setenv("HDF5_VDS_PREFIX", "${ORIGIN}", 1) != 0 || H5open() < 0)
        return HR__HELPER_EXIT_NO_HDF5;
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    (void)H5PLset_loading_state(0);
    if (!h5_filters_register())
        return HR__HELPER_EXIT_NO_HDF5;
    serve((int)fd);
    /* Without exit handlers: HDF5's would tidy up what a damaged file left behind. */
    _exit(0);
}
