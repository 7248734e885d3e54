/*
 * A progress bar on stderr: share done, rate, time left. Silent where stderr is no terminal.
 */
#ifndef HEADRACE_PROGRESS_H
#define HEADRACE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_NOTE_BYTES 48

typedef struct progress {
    const char *label;
    bool on;
    bool drawn;
    bool started;
    int64_t start_ns, drawn_ns; /* start: of the first call of progress_draw() */
    uint64_t start_bytes;       /* done before it: no part of the rate */
    int64_t noted_ns;
    char note[PROGRESS_NOTE_BYTES]; /* at the end of the line */
} progress;

/** Begin; quiet leaves it off. */
progress progress_begin(const char *label, bool quiet);

/** Draw, at most ten times a second. total_bytes = 0: not known. */
void progress_draw(progress *p, uint64_t done_bytes, uint64_t total_bytes);

/** A note is drawn, and the last one was made a second ago: time for a new one. */
bool progress_note_due(const progress *p);

/** What stands at the end of the line from now on; cut to fit. */
void progress_note(progress *p, const char *note);

/** Take the bar off the screen, so that a line can be printed, or at the end. */
void progress_clear(progress *p);

/** Monotonic time. */
int64_t progress_now_ns(void);

#endif
