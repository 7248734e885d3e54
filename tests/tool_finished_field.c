/*
 * What test_finish.py compares with NumPy: a field as a loader finishes it, all samples in the
 * order of the file, as raw bytes on stdout.
 *
 *   tool_finished_field FILE FIELD DTYPE FLAGS SCALES SHIFTS
 *
 * DTYPE "-": as stored; SCALES, SHIFTS: hexadecimal floats with commas between them, "-": none.
 */
#include "headrace/headrace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_CHANNELS 64u

static int fail(const char *what) {
    fprintf(stderr, "tool_finished_field: %s\n", what);
    return 1;
}

/* Returns how many; 0: none. */
static uint32_t floats(const char *text, float *out) {
    uint32_t n = 0;
    char *end;
    while (n < MOST_CHANNELS && strcmp(text, "-") != 0 && *text != '\0') {
        out[n++] = strtof(text + (*text == ','), &end);
        text = end;
    }
    return n;
}

static int print_field(hr_loader *loader, hr_error *err) {
    hr_batch *batch = NULL;
    hr_status st;
    while ((st = hr_loader_next(loader, -1, &batch, err)) == HR_OK) {
        hr_field f;
        st = hr_batch_field(batch, 0, &f, err);
        size_t n = hr_batch_num_samples(batch);
        for (uint32_t a = 0; a < f.rank; a++)
            n *= (size_t)f.shape[a];
        if (st != HR_OK || fwrite(hr_batch_data(batch, 0), hr_dtype_bytes(f.dtype), n, stdout) != n)
            return fail("a batch cannot be written");
        hr_batch_release(batch);
    }
    return st == HR_END_OF_EPOCH ? 0 : fail(err->message);
}

int main(int argc, char **argv) {
    hr_error err = {.message = ""};
    hr_dataset *ds = NULL;
    hr_loader *loader = NULL;
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    hr_finish f = HR_FINISH_INIT;
    float scale[MOST_CHANNELS], shift[MOST_CHANNELS];
    if (argc != 7)
        return fail("usage: tool_finished_field FILE FIELD DTYPE FLAGS SCALES SHIFTS");
    const uint32_t scales = floats(argv[5], scale), shifts = floats(argv[6], shift);
    const char *const fields[1] = {argv[2]};
    f.field = argv[2];
    f.flags = (uint32_t)atoi(argv[4]);
    f.num_channels = scales > shifts ? scales : shifts;
    f.scale = scales > 0 ? scale : NULL;
    f.shift = shifts > 0 ? shift : NULL;
    if (*argv[3] != '-' && hr_dtype_from_name(argv[3], &f.dtype, &err) != HR_OK)
        return fail(err.message);
    o.batch_samples = 37;
    o.num_epochs = 1;
    o.num_threads = 2;
    o.fields = fields;
    o.num_fields = 1;
    o.finish = &f;
    o.num_finish = 1;
    int code = hr_dataset_open(argv[1], NULL, &ds, &err) == HR_OK &&
                       hr_loader_open(ds, &o, &loader, &err) == HR_OK
                   ? print_field(loader, &err)
                   : fail(err.message);
    hr_loader_close(loader);
    hr_dataset_close(ds);
    return code;
}
