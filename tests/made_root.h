/*
 * A folder that plays the root of the system, with files under /proc and /sys as a test wants them.
 */
#ifndef HEADRACE_MADE_ROOT_H
#define HEADRACE_MADE_ROOT_H

/* The folder, without a slash at its end. */
extern char made_root[64];

/* Set-up and tear-down of a cmocka test. */
int made_root_make(void **state);
int made_root_remove(void **state);

/* Writes a file below the root, with its folders: made_root_put("/proc/meminfo", "..."). Who reads
 * it at the same time has the old text or the new one. */
void made_root_put(const char *name, const char *text);

#endif
