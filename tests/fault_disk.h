/*
 * A disk in memory behind hr__folder_ops, for tests: the Nth operation fails, space runs out, or
 * the power goes. It logs what was written and what was synchronised, so that after a power cut
 * anything that was not may be there, be missing, or be torn.
 */
#ifndef HEADRACE_FAULT_DISK_H
#define HEADRACE_FAULT_DISK_H

#include "file.h"

struct fault_disk;

struct fault_disk *fault_disk_new(void);
void fault_disk_free(struct fault_disk *d);
const struct hr__folder_ops *fault_disk_folder(struct fault_disk *d);

/* Operations so far: open, lock, size, read, write, truncate, sync, rename, unlink, sync_parent. */
uint64_t fault_disk_count(const struct fault_disk *d);
/* Operation nth (from 1, counted from now) fails; a failing write leaves half of it. 0: none. */
void fault_disk_fail(struct fault_disk *d, uint64_t nth, int os_errno);
/* The power goes at operation nth (from 1, counted from now): it and all later ones fail. */
void fault_disk_cut_power(struct fault_disk *d, uint64_t nth);
/* Most bytes that all files together may have. */
void fault_disk_limit(struct fault_disk *d, uint64_t n_bytes);

/* A new, faultless disk with what is left after a power cut now, by chance: seed. */
struct fault_disk *fault_disk_after_power_cut(const struct fault_disk *d, uint64_t seed);

bool fault_disk_has(struct fault_disk *d, const char *name);

#endif
