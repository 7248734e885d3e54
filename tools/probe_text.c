/*
 * The prediction of `headrace plan --probe`.
 */
#include "probe_text.h"

#include "json_out.h"
#include "plain.h"
#include "sizes.h"

#include <stdio.h>

static void print_parts(const hr_probe_result *r) {
    printf("this machine     decodes %s, reads %s, which is %s decoded",
           sizes_rate(r->decode_bytes_per_s).text, sizes_rate(r->read_bytes_per_s).text,
           sizes_rate(r->read_bytes_per_s * r->ratio).text);
    if (r->cached_share >= 0 && r->cached_share < 0.995) {
        printf("; the page cache had %.0f %% of the file", 100 * r->cached_share);
    }
    putchar('\n');
}

void probe_text_print(const hr_probe_result *r) {
    printf("prediction       an epoch takes %s at %s, %s samples/s; first batch after %s\n",
           sizes_duration(r->epoch_ns).text, sizes_rate(r->bytes_per_s).text,
           sizes_count((uint64_t)r->samples_per_s).text, sizes_duration(r->first_batch_ns).text);
    if (r->later_bytes_per_s != r->bytes_per_s) {
        printf("later epochs     %s at %s, from the page cache\n",
               sizes_duration(r->later_epoch_ns).text, sizes_rate(r->later_bytes_per_s).text);
    }
    plain_printf("limit            %s\n", r->sentence);
    print_parts(r);
}

json_t *probe_json(const hr_probe_result *r) {
    return json_pack(
        "{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "limit",
        hr_limit_name(r->limit), "sentence", json_out_text(r->sentence), "first_batch_s",
        json_out_seconds(r->first_batch_ns), "epoch_s", json_out_seconds(r->epoch_ns),
        "later_epoch_s", json_out_seconds(r->later_epoch_ns), "bytes_per_s",
        json_out_real(r->bytes_per_s), "samples_per_s", json_out_real(r->samples_per_s),
        "later_bytes_per_s", json_out_real(r->later_bytes_per_s), "decode_bytes_per_s",
        json_out_real(r->decode_bytes_per_s), "read_bytes_per_s",
        json_out_real(r->read_bytes_per_s), "ratio", json_out_real(r->ratio), "cached_share",
        r->cached_share < 0 ? json_null() : json_real(r->cached_share), "visits",
        json_out_uint(r->visits), "seconds", json_out_seconds(r->took_ns));
}
