/*
 * What a trial found.
 */
#define _GNU_SOURCE
#include "trial_story.h"

#include "checked.h"
#include "error.h"
#include "frame_filter.h"

#include <stdio.h>
#include <string.h>

#define CANDIDATE_BYTES 240u /* most that an entry takes */
#define STORY_BYTES     ((HR__MAX_CANDIDATES + 1) * CANDIDATE_BYTES)

static const char *reason_of(const struct hr__trial_story *s) {
    const bool raw = s->best->codec == HR__CODEC_RAW;
    if (s->num_candidates == 1)
        return "asked for";
    if (s->best->decoded_bytes == 0)
        return "there was nothing to try it on";
    if (s->wishes->goal == HR_OPTIMIZE_BALANCED)
        return "the best product of time to deliver and size";
    if (s->wishes->goal == HR_OPTIMIZE_SIZE)
        return raw ? "compression does not make it smaller" : "the smallest";
    return raw ? "compression does not make delivery faster"
               : "the smallest of those that deliver fastest";
}

static size_t print_candidate(const struct hr__trial_story *s, const struct hr__candidate *c,
                              bool first, char *text, size_t room_bytes) {
    char level[24] = "", distance[40] = "";
    const double decoded_bytes = (double)c->decoded_bytes;
    if (c->codec == HR__CODEC_ZSTD)
        (void)snprintf(level, sizeof level, "\"level\": %d, ", c->level);
    if (hr__filter_has_delta(c->filter))
        (void)snprintf(distance, sizeof distance, "\"distance_bytes\": %u, ", c->distance_bytes);
    const int n = snprintf(text, room_bytes,
                           "%s{\"codec\": \"%s\", %s\"filter\": \"%s\", %s\"ratio\": %.3f, "
                           "\"decode_gb_per_s\": %.3f, \"cost_ns_per_byte\": %.3f}",
                           first ? "" : ", ", c->codec == HR__CODEC_ZSTD ? "zstd" : "raw", level,
                           hr__filter_name(c->filter), distance,
                           decoded_bytes / (double)hr__max_u64(c->stored_bytes, 1),
                           decoded_bytes / (double)hr__max_u64((uint64_t)c->decode_ns, 1),
                           hr__candidate_deliver_ns(c, s->wishes->disk_bytes_per_s));
    return (size_t)n;
}

hr_status hr__trial_explain(const struct hr__trial_story *s, char **out, hr_error *err) {
    char text[STORY_BYTES];
    bool first = true;
    size_t at = (size_t)snprintf(
        text, sizeof text,
        "{\"reason\": \"%s\", \"optimize\": \"%s\", \"disk_bytes_per_s\": %llu, \"candidates\": [",
        reason_of(s), s->goal, (unsigned long long)s->wishes->disk_bytes_per_s);
    for (uint32_t i = 0; i < s->num_candidates; i++) {
        const struct hr__candidate *c = &s->candidates[i];
        if (c->decoded_bytes == 0)
            continue;
        at += print_candidate(s, c, first, text + at, sizeof text - at);
        first = false;
    }
    (void)snprintf(text + at, sizeof text - at, "]}");
    *out = strdup(text);
    return *out != NULL ? HR_OK : hr__error_no_memory(err, strlen(text), "a codec's reason");
}
