/*
 * Who a process is, by /proc.
 */
#include "process_id.h"

#include "proc_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Field 22 of a process's stat, and its state, field 3; the name before it may hold anything. */
static uint64_t start_ticks(const char *folder, char *state) {
    char text[HR__PROC_TEXT_BYTES];
    uint64_t ticks;
    if (!hr__proc_text("", folder, "stat", text))
        return UINT64_MAX;
    const char *rest = strrchr(text, ')');
    if (rest == NULL ||
        sscanf(rest + 1,
               " %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
               "%" SCNu64,
               state, &ticks) != 2)
        return UINT64_MAX;
    return ticks;
}

void hr__process_id_own(struct hr__process_id *out) {
    char text[HR__PROC_TEXT_BYTES], state;
    struct stat st;
    *out = (struct hr__process_id){.pid = (uint64_t)getpid(),
                                   .start_ticks = start_ticks("/proc/self", &state)};
    hr__proc_text("", "/proc/sys/kernel/random", "boot_id", text);
    text[strcspn(text, "\n")] = 0;
    if (strlen(text) < sizeof(out->boot_id))
        strcpy(out->boot_id, text);
    if (stat("/proc/self/ns/pid", &st) == 0)
        out->pid_space = st.st_ino;
}

bool hr__process_runs(const struct hr__process_id *id) {
    char folder[64], state;
    snprintf(folder, sizeof(folder), "/proc/%" PRIu64, id->pid);
    const uint64_t ticks = start_ticks(folder, &state);
    return ticks != UINT64_MAX && ticks == id->start_ticks && state != 'Z' && state != 'X';
}

void hr__process_command(char *out, size_t capacity_bytes) {
    char text[HR__PROC_TEXT_BYTES];
    size_t n = 0;
    memset(text, 0, sizeof(text));
    hr__proc_text("", "/proc/self", "cmdline", text);
    while (n + 1 < capacity_bytes && n + 1 < sizeof(text) && (text[n] != 0 || text[n + 1] != 0)) {
        out[n] = text[n];
        if (text[n] == 0)
            out[n] = ' ';
        n++;
    }
    out[n] = 0;
}
