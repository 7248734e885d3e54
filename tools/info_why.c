/*
 * headrace info --why. The figures come from the footer and may be anything that JSON can hold.
 */
#include "info_why.h"

#include "dataset_text.h"
#include "plain.h"
#include "sizes.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define NAME_WIDTH ((size_t)48)

static const char *text_of(const json_t *object, const char *key) {
    const char *text = json_string_value(json_object_get(object, key));
    return text != NULL ? text : "";
}

static double number_of(const json_t *object, const char *key) {
    return json_number_value(json_object_get(object, key));
}

/* Decoded bytes delivered in a second; 0: unknown. */
static double delivery_of(const json_t *candidate) {
    const double cost_ns = number_of(candidate, "cost_ns_per_byte");
    return cost_ns > 0 ? 1e9 / cost_ns : 0.0;
}

static bool is_chosen(const json_t *storage, const json_t *candidate) {
    const json_t *level = json_object_get(candidate, "level");
    const json_t *distance = json_object_get(candidate, "distance_bytes");
    return strcmp(text_of(storage, "codec"), text_of(candidate, "codec")) == 0 &&
           strcmp(text_of(storage, "filter"), text_of(candidate, "filter")) == 0 &&
           (level == NULL || json_equal(json_object_get(storage, "level"), level)) &&
           (distance == NULL || json_equal(json_object_get(storage, "distance_bytes"), distance));
}

/* "zstd level 3 + delta+byte-shuffle, 96 bytes" */
static void name_candidate(const json_t *c, char *out, size_t room_bytes) {
    const char *filter = text_of(c, "filter");
    const bool filtered = filter[0] != '\0' && strcmp(filter, "none") != 0;
    const json_t *level = json_object_get(c, "level");
    const json_t *distance = json_object_get(c, "distance_bytes");
    char number[32] = "", apart[40] = "";
    if (json_is_integer(level)) {
        snprintf(number, sizeof number, " level %lld", (long long)json_integer_value(level));
    }
    if (json_is_integer(distance)) {
        snprintf(apart, sizeof apart, ", %lld bytes", (long long)json_integer_value(distance));
    }
    snprintf(out, room_bytes, "%.30s%s%s%.40s%s", text_of(c, "codec"), number,
             filtered ? " + " : "", filtered ? filter : "", apart);
}

static void print_candidate(const json_t *storage, const json_t *c) {
    char name[128];
    name_candidate(c, name, sizeof name);
    fputs(is_chosen(storage, c) ? "  * " : "    ", stdout);
    plain_put(name, stdout);
    printf("%*s  %7.2f  %12s  %12s\n",
           (int)(strlen(name) < NAME_WIDTH ? NAME_WIDTH - strlen(name) : 0), "",
           number_of(c, "ratio"), sizes_rate(number_of(c, "decode_gb_per_s") * 1e9).text,
           sizes_rate(delivery_of(c)).text);
}

static void print_sentence(const json_t *storage, const json_t *chosen, const json_t *raw) {
    char name[128];
    const double disk = number_of(storage, "disk_bytes_per_s");
    name_candidate(storage, name, sizeof name);
    fputs("  ", stdout);
    plain_put(name, stdout);
    fputs(": ", stdout);
    plain_put(text_of(storage, "reason"), stdout);
    if (text_of(storage, "optimize")[0] != '\0') {
        fputs("; optimized for ", stdout);
        plain_put(text_of(storage, "optimize"), stdout);
    }
    if (disk > 0) {
        printf(", for a disk of %s", sizes_rate(disk).text);
    }
    if (chosen != NULL && raw != NULL && chosen != raw && delivery_of(raw) > 0) {
        printf(". It is delivered %.2f times as fast as raw and is %.2f times smaller",
               delivery_of(chosen) / delivery_of(raw), number_of(chosen, "ratio"));
    }
    fputs(".\n", stdout);
}

static void print_field(const char *name, const json_t *storage) {
    const json_t *list = json_object_get(storage, "candidates");
    const json_t *chosen = NULL, *raw = NULL;
    plain_printf("\n%s\n", name);
    if (json_array_size(list) > 0) {
        printf("    %-*s  %7s  %12s  %12s\n", (int)NAME_WIDTH, "tried", "ratio", "decoding",
               "delivery");
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        print_candidate(storage, c);
        chosen = is_chosen(storage, c) ? c : chosen;
        raw = strcmp(text_of(c, "codec"), "raw") == 0 ? c : raw;
    }
    print_sentence(storage, chosen, raw);
}

void info_why_print(hr_dataset *ds, const json_t *footer) {
    const json_t *fields = json_object_get(footer, "fields");
    puts("\nwhy each field is stored as it is (decoding: of one core; delivery: with four cores "
         "and\n"
         "the disk working side by side; *: chosen)");
    for (uint32_t k = 0; k < hr_dataset_num_fields(ds); k++) {
        hr_field field = {0};
        const json_t *storage = json_object_get(json_array_get(fields, k), "storage");
        if (hr_dataset_field(ds, k, &field, NULL) != HR_OK) {
            continue;
        }
        if (storage == NULL) {
            plain_printf("\n%s\n", field.name);
            puts("  its writer left no reason.");
        } else {
            print_field(field.name, storage);
        }
    }
}
