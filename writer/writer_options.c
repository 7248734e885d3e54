/*
 * Options of hr_writer_open().
 */
#include "writer_options.h"

#include "codec_choice.h"
#include "cpu.h"
#include "error.h"
#include "field_filters.h"
#include "frame_filter.h"
#include "options.h"
#include "schema.h"

#include <string.h>

#define MIN_LEVEL (-131072)
#define MAX_LEVEL 22

static hr_status copy_options(const hr_writer_options *opts, hr_writer_options *out,
                              hr_error *err) {
    *out = (hr_writer_options)HR_WRITER_OPTIONS_INIT;
    if (opts == NULL)
        return HR_OK;
    return hr__options_copy(opts, offsetof(hr_writer_options, budget_bytes), out, sizeof *out,
                            "hr_writer_options", err);
}

static hr_status check_codec(const hr_writer_options *o, hr_error *err) {
    if (o->codec != HR_CODEC_AUTO && o->codec != HR_CODEC_RAW && o->codec != HR_CODEC_ZSTD)
        return hr__error_set(err, HR_ERR_INVALID, "codec %d is none of hr_codec", o->codec);
    if (o->filter < HR_FILTER_AUTO || o->filter > HR_FILTER_DELTA_BIT_SHUFFLE)
        return hr__error_set(err, HR_ERR_INVALID, "filter %d is none of hr_filter", o->filter);
    if (o->codec == HR_CODEC_RAW && o->filter > HR_FILTER_NONE)
        return hr__error_set(err, HR_ERR_INVALID,
                             "a filter (%s) without a codec gains nothing: choose codec zstd, or "
                             "filter none",
                             hr__filter_name(hr__filter_number(o->filter)));
    if (o->level < MIN_LEVEL || o->level > MAX_LEVEL)
        return hr__error_set(err, HR_ERR_INVALID, "level %d is not a level of zstd: %d to %d",
                             o->level, MIN_LEVEL, MAX_LEVEL);
    return HR_OK;
}

static hr_status check_goal(const hr_writer_options *o, hr_error *err) {
    if (o->optimize != HR_OPTIMIZE_SPEED && o->optimize != HR_OPTIMIZE_BALANCED &&
        o->optimize != HR_OPTIMIZE_SIZE)
        return hr__error_set(err, HR_ERR_INVALID, "optimize %d is none of hr_optimize",
                             o->optimize);
    if (o->reserved != 0)
        return hr__error_set(err, HR_ERR_INVALID, "reserved is %u, not 0", o->reserved);
    return HR_OK;
}

/* The file's own choices hold. */
static hr_status check_append(const hr_writer_options *o, hr_error *err) {
    const char *what = (o->flags & HR_WRITER_REPLACE) != 0  ? "replace"
                       : (o->flags & HR_WRITER_RESUME) != 0 ? "resume"
                       : o->codec != HR_CODEC_AUTO          ? "codec"
                       : o->filter != HR_FILTER_AUTO        ? "filter"
                       : o->level != 0                      ? "level"
                       : o->optimize != HR_OPTIMIZE_SPEED   ? "optimize"
                       : o->disk_bytes_per_s != 0           ? "disk_bytes_per_s"
                       : o->chunk_bytes != 0                ? "chunk_bytes"
                       : o->provenance_json != NULL         ? "provenance_json"
                                                            : NULL;
    if ((o->flags & HR_WRITER_APPEND) == 0 || what == NULL)
        return HR_OK;
    return hr__error_set(err, HR_ERR_INVALID,
                         "%s does not go with append, which goes on as the file began: leave it "
                         "out, or make another file",
                         what);
}

static hr_status check_sizes(const hr_writer_options *o, hr_error *err) {
    const uint32_t known = HR_WRITER_REPLACE | HR_WRITER_RESUME | HR_WRITER_APPEND;
    if ((o->flags & ~known) != 0)
        return hr__error_set(err, HR_ERR_INVALID, "unknown flags 0x%x", o->flags & ~known);
    if (o->samples_per_chunk > HR__MAX_SAMPLES_PER_CHUNK)
        return hr__error_set(err, HR_ERR_INVALID, "samples_per_chunk is %u, at most %u",
                             o->samples_per_chunk, HR__MAX_SAMPLES_PER_CHUNK);
    if (o->num_threads > HR__WRITER_MAX_THREADS)
        return hr__error_set(err, HR_ERR_INVALID, "num_threads is %u, at most %u", o->num_threads,
                             HR__WRITER_MAX_THREADS);
    if (o->num_sources > 0 && o->sources == NULL)
        return hr__error_set(err, HR_ERR_INVALID, "num_sources is %u, but sources is NULL",
                             o->num_sources);
    for (uint32_t i = 0; i < o->num_sources; i++)
        if (o->sources[i].path == NULL)
            return hr__error_set(err, HR_ERR_INVALID, "sources[%u].path is NULL", i);
    return HR_OK;
}

hr_status hr__writer_options_resolve(const hr_writer_options *opts, hr_writer_options *out,
                                     hr_error *err) {
    hr_status st = copy_options(opts, out, err);
    if (st != HR_OK)
        return st;
    HR_TRY(check_append(out, err)); /* before defaults are filled in */
    if (out->level == 0 && out->codec == HR_CODEC_ZSTD && out->optimize == HR_OPTIMIZE_SPEED)
        out->level = HR__WRITER_DEFAULT_LEVEL;
    if (out->disk_bytes_per_s == 0)
        out->disk_bytes_per_s = HR__DEFAULT_DISK_BYTES_PER_S;
    if (out->chunk_bytes == 0)
        out->chunk_bytes = HR__WRITER_DEFAULT_CHUNK_BYTES;
    if (out->num_threads == 0) {
        out->num_threads = hr__cpu_count();
        if (out->num_threads > HR__WRITER_MAX_THREADS)
            out->num_threads = HR__WRITER_MAX_THREADS;
    }
    HR_TRY(check_codec(out, err));
    HR_TRY(check_goal(out, err));
    HR_TRY(check_sizes(out, err));
done:
    return st;
}
