/*
 * A program's own arrays become a data set: 5,000 images of 8 x 8 pixels with labels.
 */
#include <headrace/headrace.h>

#include <stdio.h>

enum { SAMPLES = 5000, ROWS = 250 };

/* What would come from a camera, a simulation, another file format. */
static void make_rows(unsigned first, float images[ROWS][8][8], int64_t labels[ROWS]) {
    for (unsigned i = 0; i < ROWS; i++) {
        labels[i] = (first + i) % 10;
        for (unsigned p = 0; p < 64; p++)
            images[i][p / 8][p % 8] = (float)((first + i) * 31 % 97 + p);
    }
}

int main(int argc, char **argv) {
    static float images[ROWS][8][8];
    static int64_t labels[ROWS];
    const uint64_t shape[] = {8, 8};
    const hr_field fields[] = {
        {.name = "image", .dtype = HR_FLOAT32, .rank = 2, .shape = shape},
        {.name = "label", .dtype = HR_INT64},
    };
    const void *columns[] = {images, labels};
    hr_writer *writer = NULL;
    hr_error err = {0};

    hr_writer_options opts = HR_WRITER_OPTIONS_INIT;
    opts.flags = HR_WRITER_REPLACE;
    opts.chunk_bytes = 16u << 10; /* many chunks, though this is a small file */

    hr_status st =
        hr_writer_open(argc > 1 ? argv[1] : "train.hrd", fields, 2, &opts, &writer, &err);
    for (unsigned first = 0; st == HR_OK && first < SAMPLES; first += ROWS) {
        make_rows(first, images, labels);
        st = hr_writer_append(writer, ROWS, columns, &err);
    }
    if (st == HR_OK)
        st = hr_writer_commit(writer, &err); /* only now does the file have its name */
    hr_writer_close(writer);

    if (st != HR_OK)
        fprintf(stderr, "%s\n", err.message);
    return st == HR_OK ? 0 : 1;
}
