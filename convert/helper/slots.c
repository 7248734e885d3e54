/*
 * Shared memory. What comes along with a message is untrusted.
 */
#include "slots.h"

#include "checked.h"
#include "error.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/mman.h>
#include <sys/stat.h>

hr_status slots_map(int fd, uint64_t slot_bytes, uint8_t **out, hr_error *err) {
    struct stat st;
    uint64_t total;
    if (fd < 0 || fstat(fd, &st) != 0 || !hr__mul_u64(slot_bytes, HR__HELPER_NUM_SLOTS, &total) ||
        total == 0 || (uint64_t)st.st_size < total)
        return hr__error_set(err, HR_ERR_INVALID, "no shared memory came along, or too little");
    void *p = mmap(NULL, (size_t)total, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return hr__error_os(err, errno, "mapping %" PRIu64 " bytes of shared memory", total);
    *out = p;
    return HR_OK;
}

void slots_unmap(uint8_t *slots, uint64_t slot_bytes) {
    if (slots != NULL)
        (void)munmap(slots, (size_t)(slot_bytes * HR__HELPER_NUM_SLOTS));
}
