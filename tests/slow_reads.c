/*
 * Preloaded into programs of tests: positioned reads take as long as the file exists that
 * SLOW_READS names, but a minute at most.
 */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

static void wait_while_slow(void) {
    const char *path = getenv("SLOW_READS");
    for (int i = 0; path != NULL && i < 6000 && access(path, F_OK) == 0; i++)
        usleep(10000);
}

ssize_t pread(int fd, void *buf, size_t n_bytes, off_t off) {
    struct iovec part = {buf, n_bytes};
    wait_while_slow();
    return preadv(fd, &part, 1, off);
}

ssize_t preadv2(int fd, const struct iovec *parts, int num_parts, off_t off, int flags) {
    ssize_t (*real)(int, const struct iovec *, int, off_t, int) = NULL;
    *(void **)&real = dlsym(RTLD_NEXT, "preadv2");
    wait_while_slow();
    return real(fd, parts, num_parts, off, flags);
}
