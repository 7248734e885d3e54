/*
 * Small files of /proc and /sys. They come from the kernel, but nothing is taken for granted.
 */
#define _GNU_SOURCE
#include "proc_file.h"

#include "checked.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int hr__proc_open(const char *root, const char *folder, const char *name) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof(path), "%s%s/%s", root, folder, name) >= (int)sizeof(path))
        return -1;
    return open(path, O_RDONLY | O_CLOEXEC);
}

bool hr__proc_text(const char *root, const char *folder, const char *name,
                   char out[HR__PROC_TEXT_BYTES]) {
    size_t n_bytes = 0;
    out[0] = 0;
    int fd = hr__proc_open(root, folder, name);
    if (fd < 0)
        return false;
    ssize_t n;
    while ((n = read(fd, out + n_bytes, HR__PROC_TEXT_BYTES - 1 - n_bytes)) > 0)
        n_bytes += (size_t)n;
    close(fd);
    out[n_bytes] = 0;
    return n >= 0;
}

/* Digits after blanks. */
static uint64_t number(const char *text) {
    uint64_t value = 0;
    text += strspn(text, " \t");
    if (*text < '0' || *text > '9')
        return UINT64_MAX;
    for (; *text >= '0' && *text <= '9'; text++)
        if (!hr__mul_u64(value, 10, &value) || !hr__add_u64(value, (uint64_t)(*text - '0'), &value))
            return UINT64_MAX;
    return value;
}

uint64_t hr__proc_number(const char *root, const char *folder, const char *name) {
    char text[HR__PROC_TEXT_BYTES];
    return hr__proc_text(root, folder, name, text) ? number(text) : UINT64_MAX;
}

uint64_t hr__proc_number_at(int fd) {
    char text[32];
    const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = 0;
    return number(text);
}

uint64_t hr__text_value(const char *text, const char *key) {
    const size_t key_bytes = strlen(key);
    for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, key, key_bytes) != 0)
            continue;
        const char *rest = line + key_bytes;
        rest += *rest == ':';
        const uint64_t value = *rest == ' ' || *rest == '\t' ? number(rest) : UINT64_MAX;
        if (value != UINT64_MAX)
            return value;
    }
    return UINT64_MAX;
}

uint64_t hr__text_kib(const char *text, const char *key) {
    uint64_t value = hr__text_value(text, key);
    return value <= UINT64_MAX / 1024 ? value * 1024 : UINT64_MAX;
}
