/*
 * Made-up records.
 */
#define _GNU_SOURCE
#include "made_record.h"

#include "made_root.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

char made_records[96];

int made_records_make(void **state) {
    if (made_root_make(state) != 0)
        return 1;
    snprintf(made_records, sizeof(made_records), "%s/records", made_root);
    return mkdir(made_records, 0700);
}

int made_records_remove(void **state) {
    return made_root_remove(state);
}

/* In place, and at once: it is read through a descriptor that stays open, too. */
static void put_used(uint64_t used_bytes) {
    char path[PATH_MAX], text[21];
    snprintf(path, sizeof(path), "%s/sys/fs/cgroup/job/memory.current", made_root);
    const int n = snprintf(text, sizeof(text), "%-19" PRIu64 "\n", used_bytes);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, text, (size_t)n, 0), n);
    close(fd);
}

void made_job(uint64_t used_mib, uint64_t oom_kills) {
    char text[64];
    made_root_put("/sys/fs/cgroup/job/memory.max", "1048576000\n");
    put_used(used_mib * MIB);
    snprintf(text, sizeof(text), "oom_kill %" PRIu64 "\n", oom_kills);
    made_root_put("/sys/fs/cgroup/job/memory.events", text);
    made_root_put("/proc/self/cgroup", "0::/job\n");
}

struct hr__record made_record(void) {
    struct stat st;
    char path[PATH_MAX];
    struct hr__record r = {
        .opened_resident_bytes = 50 * MIB,
        .resident_bytes = 100 * MIB,
        .peak_resident_bytes = 120 * MIB,
        .headrace_bytes = 40 * MIB,
        .limit_kind = HR_MEMORY_LIMIT_CGROUP_V2,
        .limit_bytes = 1000 * MIB,
        .used_bytes = 210 * MIB,
        .reclaimable_bytes = 10 * MIB,
        .headroom_bytes = 800 * MIB,
        .limit_peak_bytes = UINT64_MAX,
        .epoch = UINT64_MAX,
        .step = UINT64_MAX,
        .nan_epoch = UINT64_MAX,
        .nan_batch = UINT64_MAX,
        .limit_name = "/sys/fs/cgroup/job",
        .group_folder = "/sys/fs/cgroup/job",
        .host = "here",
        .command = "python train.py",
    };
    hr__process_id_own(&r.id);
    r.id.start_ticks++; /* a process with this number that is gone */
    snprintf(path, sizeof(path), "%s/sys/fs/cgroup/job", made_root);
    r.group_inode = stat(path, &st) == 0 ? st.st_ino : 0;
    return r;
}

const char *made_record_path(const char *name) {
    static char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", made_records, name);
    return path;
}

const char *made_record_put(const struct hr__record *r, uint32_t number, int64_t age_s) {
    uint8_t page[HR__RECORD_BYTES];
    char name[96];
    struct hr__record copy = *r;
    const int64_t at_s = (int64_t)time(NULL) - age_s;
    const struct timespec times[2] = {{.tv_sec = at_s}, {.tv_sec = at_s}};
    copy.written_unix_ns = (uint64_t)at_s * 1000000000u;
    copy.opened_unix_ns = copy.written_unix_ns - UINT64_C(60000000000);
    hr__record_encode(&copy, page);
    snprintf(name, sizeof(name), "run-%.8s-%" PRIu64 "-%" PRIu64 "-%u.box", r->id.boot_id,
             r->id.pid, r->id.start_ticks, number);
    const char *path = made_record_path(name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, page, sizeof(page)), sizeof(page));
    assert_int_equal(futimens(fd, times), 0);
    close(fd);
    return path;
}

uint32_t made_records_count(void) {
    uint32_t n = 0;
    DIR *d = opendir(made_records);
    assert_non_null(d);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}
