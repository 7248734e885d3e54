/*
 * The progress bar. It changes no setting of the terminal, so that there is nothing to restore but
 * its own line, which progress_clear() erases.
 */
#define _GNU_SOURCE
#include "progress.h"

#include "sizes.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define DRAW_EVERY_NS 100000000
#define NOTE_EVERY_NS 1000000000

int64_t progress_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int terminal_columns(void) {
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
        return 80;
    }
    return size.ws_col;
}

progress progress_begin(const char *label, bool quiet) {
    return (progress){.label = label, .on = !quiet && isatty(STDERR_FILENO)};
}

void progress_clear(progress *p) {
    if (p->drawn) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        p->drawn = false;
    }
}

static void draw_line(const progress *p, uint64_t done, uint64_t total, int64_t elapsed_ns) {
    const double fresh = done > p->start_bytes ? (double)(done - p->start_bytes) : 0;
    const double rate = elapsed_ns > 0 ? fresh / ((double)elapsed_ns / 1e9) : 0;
    const double share = total > 0 ? (double)done / (double)total : 0;
    char tail[128 + PROGRESS_NOTE_BYTES];
    int n = snprintf(tail, sizeof tail, " %3.0f %%  %s", share * 100, sizes_rate(rate).text);
    if (rate > 0 && total >= done && n > 0) {
        const int64_t left_ns = (int64_t)((double)(total - done) / rate * 1e9);
        n += snprintf(tail + n, sizeof tail - (size_t)n, "  %s left", sizes_duration(left_ns).text);
    }
    if (p->note[0] != '\0' && n > 0) {
        n += snprintf(tail + n, sizeof tail - (size_t)n, "  %s", p->note);
    }
    const int room = terminal_columns() - 1 - (int)strlen(p->label) - n - 3;
    fprintf(stderr, "\r%s", p->label);
    if (room >= 8) {
        const int cells = room > 60 ? 60 : room;
        const int full = (int)(share * cells);
        fputs(" [", stderr);
        for (int i = 0; i < cells; i++) {
            fputc(i < full ? '=' : ' ', stderr);
        }
        fputc(']', stderr);
    }
    fprintf(stderr, "%s\033[K", tail);
    fflush(stderr);
}

bool progress_note_due(const progress *p) {
    return p->on && p->started &&
           progress_now_ns() - (p->noted_ns != 0 ? p->noted_ns : p->start_ns) >= NOTE_EVERY_NS;
}

void progress_note(progress *p, const char *note) {
    p->noted_ns = progress_now_ns();
    snprintf(p->note, sizeof p->note, "%s", note);
}

void progress_draw(progress *p, uint64_t done_bytes, uint64_t total_bytes) {
    if (!p->on) {
        return;
    }
    if (!p->started) {
        p->started = true;
        p->start_bytes = done_bytes;
        p->start_ns = progress_now_ns();
    }
    const int64_t now = progress_now_ns();
    if (p->drawn && now - p->drawn_ns < DRAW_EVERY_NS) {
        return;
    }
    draw_line(p, done_bytes, total_bytes, now - p->start_ns);
    p->drawn = true;
    p->drawn_ns = now;
}
