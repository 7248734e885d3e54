/*
 * The folder of records: made, written to by its process, listed and cleaned by the next one.
 *
 * A record is run-BOOT-PID-START-N.box: the first 8 digits of the boot's id, process, tick at which
 * it began, and a number among the guards of one process; .told once it was told. Its process holds
 * a lock on it, by which others see that it lives where they cannot see the process itself. Files
 * of other names are not touched.
 */
#ifndef HEADRACE_RECORD_FOLDER_H
#define HEADRACE_RECORD_FOLDER_H

#include "record.h"

#include "headrace/guard.h"

#define HR__RECORD_NAME_BYTES 96u

/* Makes the folder where it is missing, and a new record in it. *fd: of the record, locked. path:
 * PATH_MAX of the caller's. HR_ERR_IO, HR_ERR_NOT_FOUND, HR_ERR_NO_SPACE, HR_ERR_INVALID (the path
 * is too long). */
hr_status hr__record_create(const char *folder, const struct hr__process_id *id,
                            const uint8_t page[HR__RECORD_BYTES], int *fd, char *path,
                            hr_error *err);

/* One write, in place. */
hr_status hr__record_write(int fd, const uint8_t page[HR__RECORD_BYTES], const char *path,
                           hr_error *err);

struct hr__found_record {
    struct hr__record record;
    bool told;
    char name[HR__RECORD_NAME_BYTES];
};

/* The record last written of a process that is gone and did not close its guard; `self` is passed
 * over. HR_ERR_NOT_FOUND, HR_ERR_IO. */
hr_status hr__record_newest(const char *folder, const struct hr__process_id *self,
                            struct hr__found_record *out, hr_error *err);

/* Notes that it was told, by its name; name: what it is called from now on. False: that cannot be.
 */
bool hr__record_mark_told(const char *folder, char name[HR__RECORD_NAME_BYTES]);

/* Removes records of processes that are gone: those a week old, and the oldest beyond 16. Whatever
 * cannot be removed stays. */
void hr__records_clean(const char *folder, const struct hr__process_id *self);

#endif
