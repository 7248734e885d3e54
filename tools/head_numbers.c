/*
 * One array as text. Of a long axis of a large array only the ends are shown.
 */
#include "head_numbers.h"

#include "value_text.h"

#include <stdio.h>
#include <string.h>

#define WHOLE_BELOW 100 /* elements: up to so many are all shown */
#define MOST_RANK   4   /* above it, an array is shown as one row */
#define GAP_COLUMNS 4   /* of "... " */
#define DIGITS      8   /* of floating-point numbers, as NumPy */

typedef struct printer {
    const hr_field *field;
    const uint8_t *sample;
    uint32_t rank;
    uint64_t shape[HR_MAX_RANK];
    uint64_t edge;      /* entries at each end of an axis that is cut */
    uint64_t last_edge; /* the same of the last axis */
    uint32_t element_bytes, indent;
    bool utf8, measuring;
    int width; /* of the widest value that is shown */
} printer;

/* Characters, not bytes, so that columns are straight. */
static int columns_of(const char *text) {
    int n = 0;
    for (; *text != '\0'; text++) {
        n += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return n;
}

static void print_element(printer *p, uint64_t index) {
    const uint8_t *element = p->sample + index * p->element_bytes;
    const value_text v = value_text_of(p->field->dtype, p->element_bytes, element, p->utf8, DIGITS);
    const int columns = columns_of(v.text);
    const bool text = hr_dtype_bytes(p->field->dtype) == 0; /* stands on the left */
    if (p->measuring) {
        p->width = columns > p->width ? columns : p->width;
        return;
    }
    const int room = p->width > columns ? p->width - columns : 0;
    printf("%*s%s%*s", text ? 0 : room, "", v.text, text && p->rank > 0 ? room : 0, "");
}

static void print_between(const printer *p, uint32_t axis) {
    if (p->measuring) {
        return;
    }
    if (axis + 1 == p->rank) {
        putchar(' ');
        return;
    }
    for (uint32_t i = axis + 2; i < p->rank; i++) {
        putchar('\n'); /* an empty line between tables */
    }
    printf("\n%*s", (int)(p->indent + axis + 1), "");
}

static void print_axis(printer *p, uint32_t axis, uint64_t first);

static void print_entry(printer *p, uint32_t axis, uint64_t first, uint64_t step, uint64_t i) {
    if (axis + 1 == p->rank) {
        print_element(p, first + i);
    } else {
        print_axis(p, axis + 1, first + i * step);
    }
}

/* The entries of one axis, from element `first` on. */
static void print_axis(printer *p, uint32_t axis, uint64_t first) {
    const uint64_t n = p->shape[axis];
    const uint64_t edge = axis + 1 == p->rank ? p->last_edge : p->edge;
    const bool cut = n / 2 >= edge && n > 2 * edge;
    uint64_t step = 1;
    for (uint32_t i = axis + 1; i < p->rank; i++) {
        step *= p->shape[i];
    }
    if (!p->measuring) {
        putchar('[');
    }
    for (uint64_t i = 0; i < n; i++) {
        if (i > 0) {
            print_between(p, axis);
        }
        if (cut && i == edge) {
            if (!p->measuring) {
                fputs("...", stdout);
                print_between(p, axis);
            }
            i = n - edge;
        }
        print_entry(p, axis, first, step, i);
    }
    if (!p->measuring) {
        putchar(']');
    }
}

static printer printer_of(const hr_field *field, const uint8_t *sample, bool utf8, int width) {
    printer p = {.field = field, .sample = sample, .rank = field->rank, .utf8 = utf8};
    uint64_t count = 1;
    p.element_bytes = value_width(field);
    p.width = width;
    for (uint32_t i = 0; i < field->rank; i++) {
        p.shape[i] = field->shape[i];
        count *= field->shape[i];
    }
    if (field->rank > MOST_RANK) {
        p.rank = 1;
        p.shape[0] = count;
    }
    p.edge = count <= WHOLE_BELOW ? UINT64_MAX : p.rank > 2 ? 1 : 3;
    p.last_edge = p.edge;
    return p;
}

/* Of a long row as much as fits. */
static void fit(printer *p, uint32_t columns) {
    const uint32_t brackets = p->indent + 2 * p->rank, entry = (uint32_t)p->width + 1;
    const uint64_t left = columns > brackets ? columns - brackets : 0;
    if (p->rank == 0 || p->shape[p->rank - 1] <= left / entry) {
        return;
    }
    const uint64_t most = left > GAP_COLUMNS ? (left - GAP_COLUMNS) / entry / 2 : 0;
    p->last_edge = most < 1 ? 1 : most < p->last_edge ? most : p->last_edge;
}

static bool is_empty(const printer *p) {
    for (uint32_t i = 0; i < p->rank; i++) {
        if (p->shape[i] == 0) {
            return true;
        }
    }
    return false;
}

static void run(printer *p) {
    if (p->rank == 0) {
        print_element(p, 0);
    } else if (!is_empty(p)) {
        print_axis(p, 0, 0);
    } else if (!p->measuring) {
        fputs("[]", stdout);
    }
}

int numbers_width(const hr_field *field, const uint8_t *sample, bool utf8, int least) {
    printer p = printer_of(field, sample, utf8, least);
    p.measuring = true;
    run(&p);
    return p.width;
}

void numbers_print(const hr_field *field, const uint8_t *sample, const numbers_place *place,
                   bool utf8, int width) {
    printer p = printer_of(field, sample, utf8, width);
    p.indent = place->indent;
    if (place->columns != 0) {
        fit(&p, place->columns);
    }
    run(&p);
    putchar('\n');
}
