/*
 * How a process ended, in one sentence.
 */
#include "death.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct text {
    char *at;
    size_t left_bytes; /* the zero included */
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(t->at, t->left_bytes, format, args);
    va_end(args);
    const size_t taken = n < 0 ? 0 : (size_t)n < t->left_bytes ? (size_t)n : t->left_bytes - 1;
    t->at += taken;
    t->left_bytes -= taken;
}

/* As much as a person reads: "310 MiB", "29.3 GiB". */
struct size_text {
    char text[32];
};

static struct size_text size_of(double n_bytes) {
    struct size_text s;
    const double mib = n_bytes / 1048576;
    if (mib < 10)
        snprintf(s.text, sizeof(s.text), "%.1f MiB", mib);
    else if (mib < 2000)
        snprintf(s.text, sizeof(s.text), "%.0f MiB", mib);
    else if (mib < 2000 * 1024.0)
        snprintf(s.text, sizeof(s.text), "%.1f GiB", mib / 1024);
    else
        snprintf(s.text, sizeof(s.text), "%.1f TiB", mib / 1048576);
    return s;
}

static bool is_container(const char *name) {
    static const char *const signs[] = {"docker", "kubepods", "containerd", "libpod", "lxc"};
    if (strcmp(name, "/sys/fs/cgroup") == 0 || strcmp(name, "/sys/fs/cgroup/memory") == 0)
        return true; /* a group that is seen as the root is the container's */
    for (size_t i = 0; i < sizeof(signs) / sizeof(signs[0]); i++)
        if (strstr(name, signs[i]) != NULL)
            return true;
    return false;
}

static void add_limit_name(struct text *t, const hr_death_report *d) {
    if (d->limit_kind == HR_MEMORY_LIMIT_MACHINE)
        add(t, "the machine's memory");
    else if (is_container(d->limit_name))
        add(t, "the container's memory limit");
    else
        add(t, "the memory limit of its control group %.120s", d->limit_name);
}

static void add_use(struct text *t, const hr_death_report *d) {
    const uint64_t needed =
        d->used_bytes >= d->reclaimable_bytes ? d->used_bytes - d->reclaimable_bytes : 0;
    if (d->limit_kind == HR_MEMORY_LIMIT_NONE || d->used_bytes == UINT64_MAX)
        add(t, "no limit was known");
    else
        add(t, "%s of %s were in use when it was last seen", size_of((double)needed).text,
            size_of((double)d->limit_bytes).text);
}

static void add_verdict(struct text *t, const hr_death_report *d) {
    switch (d->verdict) {
    case HR_DEATH_KILLED:
        add(t, "killed by ");
        add_limit_name(t, d);
        add(t, ": ");
        break;
    case HR_DEATH_LIKELY:
        add(t, "likely killed by ");
        add_limit_name(t, d);
        add(t, d->oom_kills_now == UINT64_MAX || d->oom_kills_last == UINT64_MAX
                   ? ", whose count of killed processes cannot be read: "
                   : ", as a process of its control group was, though this was not seen near it: ");
        break;
    case HR_DEATH_RESTARTED:
        add(t, "the machine was restarted since, or it ran on another one: ");
        break;
    default:
        add(t, "no sign that memory ended it: ");
        break;
    }
    add_use(t, d);
}

static void add_growth(struct text *t, const hr_death_report *d) {
    if (d->headrace_bytes != UINT64_MAX)
        add(t, "; Headrace held %s",
            d->headrace_bytes > 0 ? size_of((double)d->headrace_bytes).text : "nothing");
    if (d->growth_since_epoch != UINT64_MAX) {
        add(t, "; the rest of the process grew %s per epoch from epoch %" PRIu64 " on",
            size_of((double)d->growth_bytes_per_epoch).text, d->growth_since_epoch);
        return;
    }
    const double grown = (double)d->resident_bytes - (double)d->opened_resident_bytes;
    if (d->resident_bytes == UINT64_MAX || d->opened_resident_bytes == UINT64_MAX)
        return;
    const double s = ((double)d->last_seen_unix_ns - (double)d->opened_unix_ns) / 1e9;
    if (grown >= 1048576.0 && s > 0)
        add(t, "; the process grew by %s to %s in %.0f s", size_of(grown).text,
            size_of((double)d->resident_bytes).text, s);
}

void hr__death_sentence(const struct hr__record *r, hr_death_report *out) {
    struct text t = {out->sentence, sizeof(out->sentence)};
    add_verdict(&t, out);
    add_growth(&t, out);
    if (r->epoch != UINT64_MAX)
        add(&t, "; it was at step %" PRIu64 " of epoch %" PRIu64, r->step, r->epoch);
    if (r->nan_epoch != UINT64_MAX)
        add(&t, "; batch %" PRIu64 " of epoch %" PRIu64 " had NaN or infinities", r->nan_batch,
            r->nan_epoch);
}
