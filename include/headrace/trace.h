/*
 * What a loader did when: its reads, decoding, finishing, uploads, and the consumer's waits, as a
 * file that Perfetto (ui.perfetto.dev) and chrome://tracing open.
 */
#ifndef HEADRACE_TRACE_H
#define HEADRACE_TRACE_H

#include "loader.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Write what has been traced so far: of each thread the latest hr_loader_options.trace_events
 * events. JSON, in the Trace Event Format; times in microseconds since the loader was opened. The
 * loader may go on meanwhile; what it does during the call may be missing. Blocks on I/O.
 *
 * @param path   written anew, a file that is there is replaced when the new one is complete
 * @return HR_OK, HR_ERR_INVALID (the loader was opened without trace_events), HR_ERR_IO,
 *         HR_ERR_NOT_FOUND (the folder), HR_ERR_NO_SPACE, HR_ERR_NO_MEMORY, HR_ERR_BUSY (somebody
 *         else writes the same file), HR_ERR_FORKED; a file that is not complete is removed
 * Threads: any. Fork: HR_ERR_FORKED in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_loader_trace_write(hr_loader *loader, const char *path,
                                                    hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
