/*
 * What is lost: told to the caller, summed up, and written into the provenance of the new file.
 */
#include "error.h"
#include "json_text.h"
#include "salvage_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

hr_status hr__salvage_lost_init(struct hr__salvage *s, hr_error *err) {
    struct hr__salvage_lost *lost = &s->lost;
    lost->ranges = calloc(HR__MAX_LOST_RANGES, sizeof *lost->ranges);
    lost->names = calloc(s->known.schema.num_fields, sizeof *lost->names);
    if (lost->ranges != NULL && lost->names != NULL)
        return HR_OK;
    return hr__error_no_memory(err, HR__MAX_LOST_RANGES * sizeof *lost->ranges, "what is lost");
}

void hr__salvage_lost_free(struct hr__salvage_lost *lost) {
    free(lost->ranges);
    free(lost->names);
    *lost = (struct hr__salvage_lost){0};
}

/* Ranges that touch are one. */
static void add_range(struct hr__salvage_lost *lost, uint64_t first, uint64_t count) {
    if (lost->num_samples > 0 && lost->end_sample == first) {
        if (lost->ranges_left_out == 0)
            lost->ranges[lost->num_ranges - 1][1] += count;
    } else if (lost->num_ranges < HR__MAX_LOST_RANGES) {
        lost->ranges[lost->num_ranges][0] = first;
        lost->ranges[lost->num_ranges++][1] = count;
    } else {
        lost->ranges_left_out++;
    }
    lost->end_sample = first + count;
}

static uint32_t damaged_names(struct hr__salvage *s) {
    uint32_t n = 0;
    for (uint32_t f = 0; f < s->known.schema.num_fields; f++)
        if (s->look.damaged[f])
            s->lost.names[n++] = s->known.schema.fields[f].name;
    return n;
}

/* The advice at the end of a message is for whoever can copy or convert again. */
static void without_advice(const char *reason, char out[HR_ERROR_MESSAGE_BYTES]) {
    static const char *const advice[] = {"; run headrace verify", "; copy the file again",
                                         "; convert anew"};
    (void)snprintf(out, HR_ERROR_MESSAGE_BYTES, "%s", reason);
    char *last = strrchr(out, ';'); /* what stands before it may be names */
    for (size_t i = 0; last != NULL && i < sizeof advice / sizeof advice[0]; i++)
        if (strncmp(last, advice[i], strlen(advice[i])) == 0)
            *last = '\0';
}

void hr__salvage_lose(struct hr__salvage *s, uint64_t num_chunks, uint64_t num_samples,
                      bool with_fields, const char *reason) {
    struct hr__salvage_lost *lost = &s->lost;
    char plain[HR_ERROR_MESSAGE_BYTES];
    without_advice(reason, plain);
    const hr_lost told = {.first_chunk = s->next_chunk,
                          .num_chunks = num_chunks,
                          .first_sample = s->next_sample,
                          .num_samples = num_samples,
                          .fields = lost->names,
                          .num_fields = with_fields ? damaged_names(s) : 0,
                          .reason = plain};
    add_range(lost, s->next_sample, num_samples);
    lost->num_samples += num_samples;
    lost->num_chunks += num_chunks;
    s->next_chunk += num_chunks;
    s->next_sample += num_samples;
    if (s->opts.on_lost != NULL)
        s->opts.on_lost(s->opts.user, &told);
}

static json_t *lost_json(const struct hr__salvage_lost *lost) {
    json_t *list = json_array();
    for (uint32_t i = 0; i < lost->num_ranges; i++)
        (void)json_array_append_new(list, json_pack("[o, o]", hr__json_u64(lost->ranges[i][0]),
                                                    hr__json_u64(lost->ranges[i][1])));
    return list;
}

static json_t *salvage_json(const struct hr__salvage *s, bool all_known) {
    const struct hr__salvage_lost *lost = &s->lost;
    json_t *path = json_string(s->opts.path); /* NULL where it is not UTF-8 */
    json_t *o = json_pack("{s:o}", "file", path != NULL ? path : json_null());
    if (!all_known || o == NULL)
        return o;
    const int bad = json_object_set_new(o, "end_known", json_boolean(s->known.ds != NULL)) |
                    json_object_set_new(o, "lost_samples", hr__json_u64(lost->num_samples)) |
                    json_object_set_new(o, "lost_chunks", hr__json_u64(lost->num_chunks)) |
                    json_object_set_new(o, "lost", lost_json(lost)) |
                    json_object_set_new(o, "lost_left_out", hr__json_u64(lost->ranges_left_out));
    if (bad == 0)
        return o;
    json_decref(o);
    return NULL;
}

hr_status hr__salvage_provenance(const struct hr__salvage *s, const char *old_json, bool all_known,
                                 char **out, hr_error *err) {
    const char *text = old_json != NULL ? old_json : "{}";
    json_t *o = NULL;
    *out = NULL;
    const hr_status st = hr__json_parse(text, strlen(text), &o, err);
    if (st != HR_OK)
        return st;
    if (json_object_set_new(o, "salvage", salvage_json(s, all_known)) == 0)
        *out = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    return *out != NULL ? HR_OK : hr__error_no_memory(err, 0, "the provenance");
}
