/*
 * Records of processes that never were, and folders of them.
 */
#ifndef HEADRACE_MADE_RECORD_H
#define HEADRACE_MADE_RECORD_H

#include "record.h"

/* The folder, made and removed with its contents. Set-up and tear-down of a cmocka test, with a
 * made-up root (made_root.h). */
extern char made_records[96];
int made_records_make(void **state);
int made_records_remove(void **state);

/* Of a process that is gone, of this boot, in the group /job of the made-up root with a limit of
 * 1,000 MiB of which 200 are used. */
struct hr__record made_record(void);
/* Writes it as the number-th of its process, last written so many seconds ago; its path. */
const char *made_record_put(const struct hr__record *r, uint32_t number, int64_t age_s);
/* The path of a file in the folder. */
const char *made_record_path(const char *name);
uint32_t made_records_count(void);

/* The group /job with these figures. */
void made_job(uint64_t used_mib, uint64_t oom_kills);

#endif
