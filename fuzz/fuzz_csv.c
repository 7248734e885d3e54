/*
 * A line of CSV from any bytes: cells lie in it, one after the other; what is a number is what
 * strtod() says; what is stored fits its dtype.
 */
#define _GNU_SOURCE
#include "csv_cells.h"
#include "csv_number.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_real(const char *text, size_t n, locale_t locale) {
    char copy[HR__CSV_MAX_NUMBER_BYTES + 1];
    double stored = 0;
    if (hr__csv_store(text, n, HR_FLOAT64, locale, (uint8_t *)&stored) != NULL || n == 0)
        return;
    if (n >= sizeof copy)
        abort();
    memcpy(copy, text, n);
    copy[n] = '\0';
    const double expected = strtod(copy, NULL);
    if (isnan(stored) ? hr__csv_classify(text, n) != HR__CSV_MISSING
                      : memcmp(&stored, &expected, sizeof stored) != 0)
        abort();
}

static void check_integers(const char *text, size_t n, locale_t locale) {
    int64_t wide = 0;
    int8_t narrow = 0;
    uint8_t bits = 0;
    const enum hr__csv_kind kind = hr__csv_classify(text, n);
    const bool fits = hr__csv_store(text, n, HR_INT64, locale, (uint8_t *)&wide) == NULL;
    if ((kind == HR__CSV_INTEGER && !fits) ||
        (fits && kind != HR__CSV_INTEGER && kind != HR__CSV_REAL))
        abort();
    if (hr__csv_store(text, n, HR_INT8, locale, (uint8_t *)&narrow) == NULL &&
        (!fits || narrow != wide))
        abort();
    if (hr__csv_store(text, n, HR_BOOL, locale, &bits) == NULL &&
        (!fits || bits > 1 || bits != wide))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *line = (const char *)data, *last = line;
    const locale_t locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    struct hr__csv_cells cells;
    struct hr__csv_cell cell;
    hr__csv_cells_begin(&cells, line, size, hr__csv_separator(line, size));
    while (hr__csv_cells_next(&cells, &cell)) {
        if (cell.text < last || cell.n > size || cell.text + cell.n > line + size)
            abort();
        last = cell.text + cell.n;
        check_real(cell.text, cell.n, locale);
        check_integers(cell.text, cell.n, locale);
    }
    freelocale(locale);
    return 0;
}
