/*
 * CSV: numbers, cells, lines, the scan, and samples by sources.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "csv_cells.h"
#include "csv_scan.h"
#include "source.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/headrace-test-XXXXXX";
static locale_t c_locale;

static int make_folder(void **state) {
    (void)state;
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    return mkdtemp(folder) == NULL || chdir(folder) != 0 ? -1 : 0;
}

static int remove_folder(void **state) {
    (void)state;
    char command[128];
    freelocale(c_locale);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return chdir("/") != 0 || system(command) != 0 ? -1 : 0;
}

/* ---- numbers ---- */

static void number__of_each_kind__is_known(void **state) {
    (void)state;
    static const struct {
        const char *text;
        enum hr__csv_kind kind;
    } cases[] = {{"", HR__CSV_MISSING},
                 {"NA", HR__CSV_MISSING},
                 {"NaN", HR__CSV_MISSING},
                 {"null", HR__CSV_MISSING},
                 {"0", HR__CSV_INTEGER},
                 {"-17", HR__CSV_INTEGER},
                 {"+009", HR__CSV_INTEGER},
                 {"9223372036854775807", HR__CSV_INTEGER},
                 {"-9223372036854775808", HR__CSV_INTEGER},
                 {"9223372036854775808", HR__CSV_LARGE},
                 {"99999999999999999999999", HR__CSV_LARGE},
                 {"1.", HR__CSV_REAL},
                 {".5", HR__CSV_REAL},
                 {"-2.5E+3", HR__CSV_REAL},
                 {"inf", HR__CSV_REAL},
                 {"-Infinity", HR__CSV_REAL},
                 {".", HR__CSV_TEXT},
                 {"-", HR__CSV_TEXT},
                 {"1e", HR__CSV_TEXT},
                 {"e1", HR__CSV_TEXT},
                 {"1.2.3", HR__CSV_TEXT},
                 {"0x1p3", HR__CSV_TEXT},
                 {"1,5", HR__CSV_TEXT},
                 {"nan(7)", HR__CSV_TEXT},
                 {"-nan", HR__CSV_MISSING},
                 {"-na", HR__CSV_TEXT},
                 {"1 2", HR__CSV_TEXT}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (hr__csv_classify(cases[i].text, strlen(cases[i].text)) != cases[i].kind)
            fail_msg("'%s'", cases[i].text);
}

static void check_double(const char *text) {
    double got;
    const double expected = strtod(text, NULL);
    const char *why = hr__csv_store(text, strlen(text), HR_FLOAT64, c_locale, (uint8_t *)&got);
    assert_int_equal(why != NULL, isinf(expected) != 0);
    if (why != NULL)
        return;
    if (memcmp(&got, &expected, sizeof got) != 0)
        fail_msg("%s: %.17g, expected %.17g", text, got, expected);
}

static void number__any_real__is_the_nearest_double(void **state) {
    (void)state;
    static const char *const hard[] = {"0.1",
                                       "-0",
                                       "123456789012345e22",
                                       "999999999999999e-22",
                                       "9007199254740993",
                                       "2.2250738585072011e-308",
                                       "4.9406564584124654e-324",
                                       "1e-400",
                                       "1.7976931348623157e308",
                                       "0.500000000000000166533453693773481063544750213623046875"};
    uint64_t seed = 88172645463325252u;
    for (size_t i = 0; i < sizeof hard / sizeof hard[0]; i++)
        check_double(hard[i]);
    for (unsigned i = 0; i < 200000; i++) {
        char text[64];
        double value;
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        memcpy(&value, &seed, sizeof value);
        if (!isfinite(value))
            continue;
        snprintf(text, sizeof text, "%.*g", (int)(1 + seed % 17), value);
        check_double(text);
        snprintf(text, sizeof text, "%.*f", (int)(seed % 9), (double)(int64_t)seed / 1e12);
        check_double(text);
    }
}

static const char *store(const char *text, hr_dtype dtype, uint8_t *out) {
    memset(out, 0xee, 8);
    return hr__csv_store(text, strlen(text), dtype, c_locale, out);
}

static void number__integers__fit_their_dtype_exactly(void **state) {
    (void)state;
    static const struct {
        const char *text;
        hr_dtype dtype;
        uint64_t bits;
        bool fits;
    } cases[] = {{"127", HR_INT8, 127, true},
                 {"128", HR_INT8, 0, false},
                 {"-128", HR_INT8, 0x80, true},
                 {"-129", HR_INT8, 0, false},
                 {"255", HR_UINT8, 255, true},
                 {"256", HR_UINT8, 0, false},
                 {"-1", HR_UINT8, 0, false},
                 {"-0", HR_UINT8, 0, true},
                 {"65535", HR_UINT16, 65535, true},
                 {"3.0", HR_INT32, 3, true},
                 {"-3e2", HR_INT32, 0xfffffed4, true},
                 {"2.5", HR_INT32, 0, false},
                 {"", HR_INT32, 0, false},
                 {"inf", HR_INT32, 0, false},
                 {"x", HR_INT32, 0, false},
                 {"1", HR_BOOL, 1, true},
                 {"2", HR_BOOL, 0, false},
                 {"9223372036854775807", HR_INT64, INT64_MAX, true},
                 {"-9223372036854775808", HR_INT64, (uint64_t)1 << 63, true},
                 {"9223372036854775808", HR_INT64, 0, false},
                 {"18446744073709551615", HR_UINT64, UINT64_MAX, true},
                 {"18446744073709551616", HR_UINT64, 0, false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t bytes[8];
        const char *why = store(cases[i].text, cases[i].dtype, bytes);
        if ((why == NULL) != cases[i].fits)
            fail_msg("'%s' as %s", cases[i].text, hr_dtype_name(cases[i].dtype));
        if (cases[i].fits)
            assert_memory_equal(bytes, &cases[i].bits, hr_dtype_bytes(cases[i].dtype));
    }
}

static void number__float32__is_rounded_or_refused(void **state) {
    (void)state;
    uint8_t bytes[8];
    float got;
    assert_null(store("0.1", HR_FLOAT32, bytes));
    memcpy(&got, bytes, sizeof got);
    assert_true(got == 0.1f);
    assert_null(store("", HR_FLOAT32, bytes));
    memcpy(&got, bytes, sizeof got);
    assert_true(isnan(got));
    assert_null(store("-inf", HR_FLOAT32, bytes));
    memcpy(&got, bytes, sizeof got);
    assert_true(isinf(got) && got < 0);
    assert_non_null(store("1e39", HR_FLOAT32, bytes));
    assert_non_null(store("1e999", HR_FLOAT64, bytes));
}

/* Where a comma is the decimal point, a number is what it is. */
static void number__in_another_locale__is_the_same(void **state) {
    (void)state;
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL)
        skip(); /* localedef could not make it */
    assert_string_equal(localeconv()->decimal_point, ",");
    uint8_t bytes[8];
    double got;
    assert_null(store("1234567890.123456789012345", HR_FLOAT64, bytes));
    memcpy(&got, bytes, sizeof got);
    setlocale(LC_NUMERIC, "C");
    assert_true(got == 1234567890.123456789012345);
}

/* ---- cells ---- */

static void check_cells(const char *line, char separator, const char *expected, bool damaged) {
    struct hr__csv_cells cells;
    struct hr__csv_cell cell;
    char got[256] = "";
    hr__csv_cells_begin(&cells, line, strlen(line), separator);
    while (hr__csv_cells_next(&cells, &cell)) {
        strncat(got, cell.text, cell.n);
        strcat(got, "|");
    }
    assert_string_equal(got, expected);
    assert_int_equal(cells.damaged, damaged);
}

static void cells__of_a_line__are_divided(void **state) {
    (void)state;
    check_cells("1,2,3", ',', "1|2|3|", false);
    check_cells(" 1 ,\t2 ,", ',', "1|2||", false);
    check_cells("", ',', "|", false);
    check_cells(",", ',', "||", false);
    check_cells("a\t\tb", '\t', "a||b|", false);
    check_cells("\"1,5\";\"2\" ; 3", ';', "1,5|2|3|", false);
    check_cells("\"a\"\"b\",\"\"", ',', "a\"\"b||", false);
    check_cells("\"a", ',', "", true);
    check_cells("1,\"a\"b,2", ',', "1|", true);
    assert_int_equal(hr__csv_separator("a,b", 3), ',');
    assert_int_equal(hr__csv_separator("1,5;2,5", 7), ';');
    assert_int_equal(hr__csv_separator("\"a;b\",c", 7), ',');
    assert_int_equal(hr__csv_separator("a;b\tc", 5), '\t');
    assert_int_equal(hr__csv_separator("abc", 3), ',');
}

/* ---- files ---- */

static void write_text(const char *text, size_t n) {
    FILE *f = fopen("x.csv", "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static hr_status scan_text(const char *text, size_t n, struct hr__csv_layout *l, hr_error *err) {
    struct hr__input_stream stream;
    write_text(text, n);
    assert_int_equal(hr__input_stream_open("x.csv", false, &stream, NULL), HR_OK);
    const hr_status st = hr__csv_scan(&stream, true, l, err);
    hr__input_stream_close(&stream);
    return st;
}

static void scan__a_header_and_rows__are_told_apart(void **state) {
    (void)state;
    static const char text[] = "\xef\xbb\xbf\"a\";;c\r\n\r\n1;2,5;\r\n3;x;4.5";
    struct hr__csv_layout l;
    assert_int_equal(scan_text(text, sizeof text - 1, &l, NULL), HR_OK);
    assert_int_equal(l.separator, ';');
    assert_int_equal(l.num_columns, 3);
    assert_int_equal(l.num_rows, 2);
    assert_string_equal(l.columns[0].name, "a");
    assert_string_equal(l.columns[1].name, "column_2");
    assert_string_equal(l.columns[2].name, "c");
    assert_true(l.columns[0].found[HR__CSV_INTEGER] && !l.columns[0].found[HR__CSV_REAL]);
    assert_true(l.columns[1].found[HR__CSV_TEXT]);
    assert_int_equal(l.columns[1].text_line, 3);
    assert_string_equal(l.columns[1].text, "2,5");
    assert_true(l.columns[2].found[HR__CSV_MISSING] && l.columns[2].found[HR__CSV_REAL]);
    assert_int_equal(l.places[0].line, 3);
    hr__csv_layout_free(&l);
}

static void check_scan_refused(const char *text, const char *words) {
    struct hr__csv_layout l;
    hr_error err = {0};
    const hr_status st = scan_text(text, strlen(text), &l, &err);
    assert_true(st == HR_ERR_DATA || st == HR_ERR_UNSUPPORTED);
    if (strstr(err.message, words) == NULL)
        fail_msg("not in \"%s\": %s", err.message, words);
    hr__csv_layout_free(&l);
}

static void scan__what_is_no_table__is_refused_with_its_line(void **state) {
    (void)state;
    check_scan_refused("", "no line that is not blank");
    check_scan_refused(" \n\t\n", "no line that is not blank");
    check_scan_refused("1,2\n\n3\n", "x.csv, line 3: 1 cells were found, 2 are expected");
    check_scan_refused("1,2\n3,4,5\n", "x.csv, line 2: 3 cells were found, 2 are expected");
    check_scan_refused("1,2\n3,\"4\n", "x.csv, line 2: a quoted cell does not end");
    char *wide = malloc(HR__CSV_MAX_COLUMNS + 2);
    assert_non_null(wide);
    memset(wide, ',', HR__CSV_MAX_COLUMNS);
    wide[HR__CSV_MAX_COLUMNS] = '\0';
    check_scan_refused(wide, "more than 65536 columns");
    free(wide);
}

static void scan__a_line_without_end__is_refused(void **state) {
    (void)state;
    const size_t n = ((size_t)16 << 20) + 1;
    char *text = malloc(n);
    struct hr__csv_layout l;
    hr_error err = {0};
    assert_non_null(text);
    memset(text, '1', n);
    assert_int_equal(scan_text(text, n, &l, &err), HR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "longer than 16 MiB"));
    hr__csv_layout_free(&l);
    free(text);
}

/* ---- sources ---- */

struct opened {
    struct hr__source **sources;
    uint32_t n;
};

static hr_status open_with(const struct hr__csv_options *o, struct opened *out, hr_error *err) {
    return hr__csv_sources_open("x.csv", o, &out->sources, &out->n, err);
}

static void close_all(struct opened *o) {
    for (uint32_t i = 0; i < o->n; i++)
        o->sources[i]->ops->close(o->sources[i]);
    free(o->sources);
}

static void sources__of_numbered_columns__are_one_field(void **state) {
    (void)state;
    static const char text[] = "label,pixel0,pixel1,pixel2,x_9,x_10,y7,z1,z3,42\n"
                               "3,1,2,3,.5,6,7,8,9,10\n4,5,6,7,8,9,10,11,12,13\n";
    static const struct {
        const char *name;
        hr_dtype dtype;
        uint64_t count;
    } expected[] = {{"label", HR_INT64, 1}, {"pixel", HR_INT64, 3}, {"x", HR_FLOAT64, 2},
                    {"y7", HR_INT64, 1},    {"z1", HR_INT64, 1},    {"z3", HR_INT64, 1},
                    {"42", HR_INT64, 1}};
    const struct hr__csv_options all = {.num_threads = 2};
    struct opened o = {0};
    write_text(text, sizeof text - 1);
    assert_int_equal(open_with(&all, &o, NULL), HR_OK);
    assert_int_equal(o.n, sizeof expected / sizeof expected[0]);
    for (uint32_t i = 0; i < o.n; i++) {
        const struct hr__source_info *info = &o.sources[i]->info;
        assert_string_equal(info->default_name, expected[i].name);
        assert_int_equal(info->dtype, expected[i].dtype);
        assert_int_equal(info->rank, expected[i].count > 1);
        assert_int_equal(info->sample_bytes, 8 * expected[i].count);
        assert_int_equal(info->num_samples, 2);
    }
    close_all(&o);
}

static void sources__that_are_chosen__are_the_only_ones_that_must_be_numbers(void **state) {
    (void)state;
    static const char text[] = "id,x1,x2\nab,1,2\ncd,3,4\n";
    static const char *const kept[] = {"x"};
    struct hr__csv_options options = {.num_threads = 1};
    struct opened o = {0};
    hr_error err = {0};
    write_text(text, sizeof text - 1);
    assert_int_equal(open_with(&options, &o, &err), HR_ERR_DATA);
    assert_non_null(strstr(err.message, "x.csv, line 2: column 'id': 'ab' is no number"));
    options.kept = kept;
    options.num_kept = 1;
    assert_int_equal(open_with(&options, &o, &err), HR_OK);
    assert_int_equal(o.n, 1);
    close_all(&o);
    options = (struct hr__csv_options){.member = "x", .dtype = "uint8"};
    assert_int_equal(open_with(&options, &o, &err), HR_OK);
    assert_int_equal(o.sources[0]->info.dtype, HR_UINT8);
    close_all(&o);
    options.member = "q";
    assert_int_equal(open_with(&options, &o, &err), HR_ERR_NOT_FOUND);
    options = (struct hr__csv_options){.dtype = "float16"};
    assert_int_equal(open_with(&options, &o, &err), HR_ERR_UNSUPPORTED);
}

/* Row i is i, i / 2; every 11th line is blank. */
#define ROWS 60000u

static void write_rows(void) {
    FILE *f = fopen("x.csv", "wb");
    assert_non_null(f);
    for (uint32_t i = 0; i < ROWS; i++)
        fprintf(f, "%u, \"%.1f\"\r\n%s", i, i / 2.0, i % 11 == 0 ? " \n" : "");
    assert_int_equal(fclose(f), 0);
}

static void sources__many_pieces__are_read_anywhere(void **state) {
    (void)state;
    const struct hr__csv_options options = {.num_threads = 2};
    struct hr__budget budget;
    struct opened o = {0};
    struct hr__source_reader *r = NULL;
    static double got[2 * ROWS];
    write_rows();
    hr__budget_init(&budget, UINT64_C(64) << 20);
    assert_int_equal(open_with(&options, &o, NULL), HR_OK);
    struct hr__source *src = o.sources[0];
    const uint64_t piece = src->ops->piece_end(src, 0);
    assert_true(piece < ROWS / 2);
    assert_int_equal(src->ops->piece_end(src, piece), 2 * piece);
    assert_int_equal(src->ops->open_reader(src, &budget, NULL, &r, NULL), HR_OK);
    assert_true(budget.reserved_bytes <= src->info.pool_bytes);
    const uint64_t firsts[] = {0, ROWS - 1, piece - 1, piece, 17, ROWS / 2};
    for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++)
        for (uint64_t n = 1; n <= ROWS - firsts[i]; n = n * 40 + 1) {
            assert_int_equal(src->ops->read(r, firsts[i], n, got, NULL), HR_OK);
            for (uint64_t k = 0; k < n; k++)
                assert_true(got[2 * k] == (double)(firsts[i] + k) &&
                            got[2 * k + 1] == (double)(firsts[i] + k) / 2);
        }
    assert_int_equal(src->ops->read(r, ROWS, 1, got, NULL), HR_ERR_INVALID);
    src->ops->close_reader(r);
    close_all(&o);
    assert_int_equal(budget.reserved_bytes, 0);
    hr__budget_close(&budget);
}

static void sources__a_bad_cell_with_a_given_dtype__is_named(void **state) {
    (void)state;
    static const char text[] = "a,b\n1,2\n\n3,400\n";
    const struct hr__csv_options options = {.dtype = "uint8"};
    struct hr__budget budget;
    struct opened o = {0};
    struct hr__source_reader *r = NULL;
    hr_error err = {0};
    uint8_t got[2];
    write_text(text, sizeof text - 1);
    hr__budget_init(&budget, UINT64_C(64) << 20);
    assert_int_equal(open_with(&options, &o, NULL), HR_OK);
    assert_int_equal(o.sources[1]->ops->open_reader(o.sources[1], &budget, NULL, &r, NULL), HR_OK);
    assert_int_equal(o.sources[1]->ops->read(r, 0, 2, got, &err), HR_ERR_DATA);
    assert_non_null(strstr(err.message, "x.csv, line 4: column 'b': '400' does not fit the dtype"));
    o.sources[1]->ops->close_reader(r);
    close_all(&o);
    hr__budget_close(&budget);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number__of_each_kind__is_known),
        cmocka_unit_test(number__any_real__is_the_nearest_double),
        cmocka_unit_test(number__integers__fit_their_dtype_exactly),
        cmocka_unit_test(number__float32__is_rounded_or_refused),
        cmocka_unit_test(number__in_another_locale__is_the_same),
        cmocka_unit_test(cells__of_a_line__are_divided),
        cmocka_unit_test(scan__a_header_and_rows__are_told_apart),
        cmocka_unit_test(scan__what_is_no_table__is_refused_with_its_line),
        cmocka_unit_test(scan__a_line_without_end__is_refused),
        cmocka_unit_test(sources__of_numbered_columns__are_one_field),
        cmocka_unit_test(sources__that_are_chosen__are_the_only_ones_that_must_be_numbers),
        cmocka_unit_test(sources__many_pieces__are_read_anywhere),
        cmocka_unit_test(sources__a_bad_cell_with_a_given_dtype__is_named),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
