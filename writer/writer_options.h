/*
 * A writer's options, checked and with their defaults filled in.
 */
#ifndef HEADRACE_WRITER_OPTIONS_H
#define HEADRACE_WRITER_OPTIONS_H

#include "headrace/writer.h"

#define HR__WRITER_MAX_THREADS         1024u
#define HR__WRITER_DEFAULT_CHUNK_BYTES (UINT64_C(256) << 10)
#define HR__WRITER_DEFAULT_LEVEL       1

/* opts may be NULL and of an older or newer caller. *out borrows the caller's pointers; its
 * num_threads, chunk_bytes and disk_bytes_per_s are what is meant, level too unless it is 0: tried.
 * budget_bytes stays 0 for the default. HR_ERR_INVALID. */
hr_status hr__writer_options_resolve(const hr_writer_options *opts, hr_writer_options *out,
                                     hr_error *err);

#endif
