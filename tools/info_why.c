/*
 * headrace info --why. The figures come from the footer and may be anything that JSON can hold.
 */
#include "info_why.h"

#include "plain.h"
#include "sizes.h"
#include "text_table.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

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

static void add_candidate(text_table *table, const json_t *storage, const json_t *c) {
    char name[128], marked[136], ratio[32];
    const sizes_text decoding = sizes_rate(number_of(c, "decode_gb_per_s") * 1e9),
                     delivery = sizes_rate(delivery_of(c));
    name_candidate(c, name, sizeof name);
    snprintf(marked, sizeof marked, "  %s %s", is_chosen(storage, c) ? "*" : " ", name);
    snprintf(ratio, sizeof ratio, "%.2f", number_of(c, "ratio"));
    text_table_add(table, (const char *[]){marked, ratio, decoding.text, delivery.text});
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
    text_table table = {.num_columns = 4, .left = 1};
    plain_printf("\n%s", name);
    text_table_add(&table, (const char *[]){"    tried", "ratio", "decoding", "delivery"});
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *c = json_array_get(list, i);
        add_candidate(&table, storage, c);
        chosen = is_chosen(storage, c) ? c : chosen;
        raw = strcmp(text_of(c, "codec"), "raw") == 0 ? c : raw;
    }
    if (json_array_size(list) == 0) {
        putchar('\n');
    }
    text_table_print(&table);
    print_sentence(storage, chosen, raw);
}

void info_why_print(hr_dataset *ds, const json_t *footer) {
    const json_t *fields = json_object_get(footer, "fields");
    puts("\nwhy each field is stored as it is (decoding: of one core; delivery: with four\n"
         "cores and the disk working side by side; *: chosen)");
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
