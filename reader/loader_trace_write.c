/*
 * hr_loader_trace_write(): the rings as a file in the Trace Event Format, one event at a time.
 *
 * A thread is a track, on which its events follow each other. Reads and uploads overlap, and are
 * asynchronous events: those of the same id, a read of a worker or a slot, do not.
 */
#include "error.h"
#include "headrace/trace.h"
#include "json_text.h"
#include "loader.h"
#include "partial_file.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUFFER_BYTES ((size_t)64 << 10)
#define CATEGORY     "headrace"

enum { TRACK_CONSUMER = 1, TRACK_UPLOAD, TRACK_WORKERS }; /* the latter, and one for each */

struct output {
    const struct hr_loader *loader;
    struct hr__partial_file partial;
    char *buffer;
    size_t n_bytes; /* in it */
    uint64_t off;   /* of the file, where it goes */
    bool any;       /* event was written */
    hr_error *err;
    hr_status st; /* of the file */
};

/* ---- bytes ---- */

static void flush(struct output *o) {
    if (o->st == HR_OK)
        o->st = hr__file_write_all(&o->partial.file, o->buffer, o->n_bytes, o->off, o->err);
    o->off += o->n_bytes;
    o->n_bytes = 0;
}

static int put(const char *text, size_t n_bytes, void *output) {
    struct output *o = output;
    while (n_bytes > 0) {
        const size_t room = BUFFER_BYTES - o->n_bytes, n = n_bytes < room ? n_bytes : room;
        memcpy(o->buffer + o->n_bytes, text, n);
        o->n_bytes += n;
        text += n;
        n_bytes -= n;
        if (o->n_bytes == BUFFER_BYTES)
            flush(o);
    }
    return o->st == HR_OK ? 0 : -1;
}

static hr_status put_text(struct output *o, const char *text) {
    (void)put(text, strlen(text), o);
    return o->st;
}

/* Takes the event over; NULL: there was no memory for it. */
static hr_status put_event(struct output *o, json_t *event) {
    hr_status st = put_text(o, o->any ? ",\n" : "\n");
    o->any = true;
    /* 15 digits: nanoseconds of eleven days. */
    if (st == HR_OK &&
        (event == NULL ||
         json_dump_callback(event, put, o, JSON_COMPACT | JSON_REAL_PRECISION(15)) != 0))
        st = o->st != HR_OK ? o->st : hr__error_no_memory(o->err, BUFFER_BYTES, "an event");
    json_decref(event);
    return st;
}

/* ---- events ---- */

static double us_of(const struct output *o, int64_t ns) {
    return (double)(ns - o->loader->opened_ns) / 1e3;
}

static json_t *numbers_of(const struct hr__trace_event *e) {
    const struct hr__trace_words *w = &hr__trace_words[e->kind];
    json_t *numbers = json_object();
    for (uint32_t i = 0; i < 2 && w->numbers[i] != NULL; i++)
        if (json_object_set_new(numbers, w->numbers[i], json_integer((json_int_t)e->numbers[i])) !=
            0) {
            json_decref(numbers);
            return NULL;
        }
    return numbers;
}

static hr_status put_complete(struct output *o, unsigned track, const struct hr__trace_event *e) {
    return put_event(
        o, json_pack("{s:s, s:s, s:s, s:f, s:f, s:I, s:I, s:o}", "name",
                     hr__trace_words[e->kind].name, "cat", CATEGORY, "ph", "X", "ts",
                     us_of(o, e->begin_ns), "dur", (double)(e->end_ns - e->begin_ns) / 1e3, "pid",
                     (json_int_t)o->loader->pid, "tid", (json_int_t)track, "args", numbers_of(e)));
}

/* One end of an asynchronous event. */
static hr_status put_end(struct output *o, unsigned track, const char *name, const char *phase,
                         int64_t ns, const struct hr__trace_event *e) {
    const uint64_t lane = e->numbers[e->kind == HR__TRACE_READ ? 2 : 1];
    char id[32];
    snprintf(id, sizeof(id), "0x%x%04llx", track, (unsigned long long)lane);
    return put_event(o, json_pack("{s:s, s:s, s:s, s:s, s:f, s:I, s:I, s:o}", "name", name, "cat",
                                  CATEGORY, "ph", phase, "id", id, "ts", us_of(o, ns), "pid",
                                  (json_int_t)o->loader->pid, "tid", (json_int_t)track, "args",
                                  numbers_of(e)));
}

/* An upload with what the device took for it: when that ended is known by its having been seen. */
static hr_status put_overlapping(struct output *o, unsigned track,
                                 const struct hr__trace_event *e) {
    const char *name = hr__trace_words[e->kind].name, *inner = "on the device";
    const int64_t device_ns = e->kind == HR__TRACE_UPLOAD ? (int64_t)e->numbers[2] : 0;
    const int64_t took_ns = e->end_ns - e->begin_ns;
    const int64_t inner_ns = e->end_ns - (device_ns < took_ns ? device_ns : took_ns);
    hr_status st;
    HR_TRY(put_end(o, track, name, "b", e->begin_ns, e));
    if (device_ns > 0) {
        HR_TRY(put_end(o, track, inner, "b", inner_ns, e));
        HR_TRY(put_end(o, track, inner, "e", e->end_ns, e));
    }
    HR_TRY(put_end(o, track, name, "e", e->end_ns, e));
done:
    return st;
}

static hr_status put_name(struct output *o, const char *what, unsigned track, const char *name) {
    return put_event(o, json_pack("{s:s, s:s, s:I, s:I, s:{s:o}}", "name", what, "ph", "M", "pid",
                                  (json_int_t)o->loader->pid, "tid", (json_int_t)track, "args",
                                  "name", hr__json_path(name)));
}

static hr_status put_track(struct output *o, unsigned track, const char *name,
                           const struct hr__trace *t) {
    hr_status st = put_name(o, "thread_name", track, name);
    uint64_t number;
    const uint64_t end = hr__trace_numbers(t, &number);
    for (; number < end && st == HR_OK; number++) {
        struct hr__trace_event e;
        if (hr__trace_get(t, number, &e))
            st = hr__trace_words[e.kind].overlaps ? put_overlapping(o, track, &e)
                                                  : put_complete(o, track, &e);
    }
    return st;
}

/* ---- the file ---- */

static hr_status put_all(struct output *o) {
    const struct hr_loader *l = o->loader;
    hr_status st;
    HR_TRY(put_text(o, "{\"displayTimeUnit\": \"ns\", \"traceEvents\": ["));
    HR_TRY(put_name(o, "process_name", TRACK_CONSUMER, hr__dataset_name(l->ds)));
    HR_TRY(put_track(o, TRACK_CONSUMER, "consumer", &l->next_trace));
    if (l->gpu.ops != NULL)
        HR_TRY(put_track(o, TRACK_UPLOAD, "upload", &l->gpu.trace));
    for (uint32_t i = 0; i < l->num_workers; i++) {
        char name[32];
        snprintf(name, sizeof(name), "decode %u", i);
        HR_TRY(put_track(o, TRACK_WORKERS + i, name, &l->workers[i].trace));
    }
    HR_TRY(put_text(o, "\n]}\n"));
    flush(o);
    st = o->st;
done:
    return st;
}

static hr_status write_file(struct output *o, const char *path) {
    hr_status st;
    HR_TRY(hr__partial_file_open(&hr__posix_folder, path, true, &o->partial, o->err));
    HR_TRY(hr__partial_file_empty(&o->partial, o->err));
    HR_TRY(put_all(o));
    HR_TRY(hr__partial_file_complete(&o->partial, true, o->err));
done:
    hr__partial_file_close(&o->partial); /* removes it unless it is complete */
    return st;
}

hr_status hr_loader_trace_write(hr_loader *l, const char *path, hr_error *err) {
    struct output o = {.loader = l, .err = err, .st = HR_OK};
    hr_status st = hr__loader_check_fork(l, err);
    if (st != HR_OK)
        return st;
    if (path == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "hr_loader_trace_write: path must not be NULL");
    if (l->config.trace_events == 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the loader keeps no events: hr_loader_options.trace_events is 0; "
                             "open it with as many as each thread is to keep, such as 100000");
    o.buffer = malloc(BUFFER_BYTES);
    st = o.buffer != NULL ? write_file(&o, path)
                          : hr__error_no_memory(err, BUFFER_BYTES, "what is to be written");
    free(o.buffer);
    if (st != HR_OK)
        hr__error_prefix(err, "writing the trace %s", path);
    return st;
}
