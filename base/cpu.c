/*
 * Processors: how many this process may use, and what they can do.
 */
#include "cpu.h"

#include "numa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#include <stdio.h>

bool hr__cpu_has_avx2(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx2") != 0;
#else
    return false;
#endif
}

/* Not among what the builtin of every compiler knows. */
bool hr__cpu_has_f16c(void) {
#if defined(__x86_64__)
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_F16C) != 0;
#else
    return false;
#endif
}

bool hr__cpu_has_avx512_vbmi(void) {
#if defined(__x86_64__)
    return __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("bmi2");
#else
    return false;
#endif
}

/* Processors that the cgroup's quota comes to, rounded up; 0: no quota. */
static uint32_t quota_of(const char *quota_path, const char *period_path) {
    long long quota = -1, period = 100000;
    FILE *f = fopen(quota_path, "re");
    if (f == NULL)
        return 0;
    int got = fscanf(f, "%lld %lld", &quota, &period);
    fclose(f);
    if (got < 1 || quota <= 0)
        return 0;
    f = period_path != NULL ? fopen(period_path, "re") : NULL;
    if (f != NULL) {
        if (fscanf(f, "%lld", &period) != 1)
            period = 100000;
        fclose(f);
    }
    return period > 0 ? (uint32_t)((quota + period - 1) / period) : 0;
}

uint32_t hr__cpu_count(void) {
    struct hr__cpus allowed;
    uint32_t n = hr__cpus_allowed(&allowed) ? hr__cpus_count(&allowed) : 1;
    uint32_t quota = quota_of("/sys/fs/cgroup/cpu.max", NULL);
    if (quota == 0)
        quota =
            quota_of("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (quota != 0 && quota < n)
        n = quota;
    return n > 0 ? n : 1;
}
