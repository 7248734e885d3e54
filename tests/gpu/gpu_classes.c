/*
 * Writes data that a small network learns in an epoch: samples of four classes, each 4 x 8 values
 * of which those of its class are brighter. gpu_classes TARGET.hrd float32|uint8
 */
#include <headrace/headrace.h>
#include <stdio.h>
#include <string.h>

enum { SAMPLES = 6000, ROWS = 250, CLASSES = 4, WIDTH = 8 };

static uint8_t value(uint64_t *state, int bright) { /* a linear congruential generator */
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint8_t)((*state >> 33) % 100 + (bright ? 60 : 0));
}

static void rows_make(uint64_t *state, uint8_t x[ROWS][CLASSES][WIDTH], int64_t y[ROWS]) {
    for (int i = 0; i < ROWS; i++) {
        y[i] = value(state, 0) % CLASSES;
        for (int c = 0; c < CLASSES; c++)
            for (int k = 0; k < WIDTH; k++)
                x[i][c][k] = value(state, c == y[i]);
    }
}

int main(int argc, char **argv) {
    static uint8_t x[ROWS][CLASSES][WIDTH];
    static float as_floats[ROWS][CLASSES][WIDTH];
    static int64_t y[ROWS];
    const uint64_t shape[] = {CLASSES, WIDTH};
    const int floats = argc == 3 && strcmp(argv[2], "float32") == 0;
    const hr_field fields[] = {
        {.name = "x", .dtype = floats ? HR_FLOAT32 : HR_UINT8, .rank = 2, .shape = shape},
        {.name = "y", .dtype = HR_INT64},
    };
    const void *columns[] = {floats ? (const void *)as_floats : x, y};
    hr_writer_options opts = HR_WRITER_OPTIONS_INIT;
    hr_writer *writer = NULL;
    hr_error err = {0};
    uint64_t state = 1;
    if (argc != 3 || (!floats && strcmp(argv[2], "uint8") != 0)) {
        fprintf(stderr, "usage: gpu_classes TARGET.hrd float32|uint8\n");
        return 2;
    }
    opts.chunk_bytes = 8u << 10;
    opts.flags = HR_WRITER_REPLACE;
    hr_status st = hr_writer_open(argv[1], fields, 2, &opts, &writer, &err);
    for (int first = 0; st == HR_OK && first < SAMPLES; first += ROWS) {
        rows_make(&state, x, y);
        for (int i = 0; i < ROWS * CLASSES * WIDTH; i++)
            ((float *)as_floats)[i] = ((uint8_t *)x)[i];
        st = hr_writer_append(writer, ROWS, columns, &err);
    }
    if (st == HR_OK)
        st = hr_writer_commit(writer, &err);
    hr_writer_close(writer);
    if (st != HR_OK)
        fprintf(stderr, "%s\n", err.message);
    return st == HR_OK ? 0 : 1;
}
