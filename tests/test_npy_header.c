/*
 * Headers of .npy files: good ones, bad ones, every truncation, every changed byte.
 */
#include "npy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* A whole header around a dictionary; returns its bytes. */
static size_t make(uint8_t *out, unsigned version, const char *dictionary) {
    size_t n = strlen(dictionary), prefix = version == 1 ? 10 : 12;
    memcpy(out, "\x93NUMPY", 6);
    out[6] = (uint8_t)version;
    out[7] = 0;
    for (size_t i = 8; i < prefix; i++)
        out[i] = (uint8_t)(n >> 8 * (i - 8));
    memcpy(out + prefix, dictionary, n);
    return prefix + n;
}

static hr_status parse(const char *dictionary, struct hr__npy_header *h, hr_error *err) {
    uint8_t bytes[2048];
    size_t n = make(bytes, 1, dictionary);
    uint8_t *exact = malloc(n); /* so that a sanitizer sees a read beyond it */
    memcpy(exact, bytes, n);
    hr_status st = hr__npy_header_parse(exact, n, h, err);
    free(exact);
    return st;
}

static void parse__a_header_of_numpy__is_understood(void **state) {
    (void)state;
    struct hr__npy_header h;
    hr_error err;
    assert_int_equal(
        parse("{'descr': '>f4', 'fortran_order': False, 'shape': (60000, 28, 28), }   \n", &h,
              &err),
        HR_OK);
    assert_int_equal(h.element.dtype, HR_FLOAT32);
    assert_int_equal(h.element.swap_bytes, 4);
    assert_int_equal(h.num_samples, 60000);
    assert_int_equal(h.rank, 2);
    assert_int_equal(h.shape[0], 28);
    assert_int_equal(h.shape[1], 28);
    assert_int_equal(h.elements_per_sample, 784);
    assert_int_equal(h.sample_bytes, 3136);
    assert_int_equal(h.data_bytes, 60000 * 3136);
    assert_string_equal(h.descr, ">f4");
}

static void parse__every_version__has_its_own_length_field(void **state) {
    (void)state;
    for (unsigned version = 1; version <= 3; version++) {
        uint8_t bytes[256];
        struct hr__npy_header h;
        size_t n = make(bytes, version, "{'descr':'<i8','fortran_order':False,'shape':(3,)}");
        assert_int_equal(hr__npy_header_parse(bytes, n, &h, NULL), HR_OK);
        assert_int_equal(h.data_off, n);
        assert_int_equal(h.num_samples, 3);
    }
}

static void parse__other_spellings__mean_the_same(void **state) {
    (void)state;
    static const char *const same[] = {
        "{'shape': (3, 2), 'fortran_order': False, 'descr': '<u2'}",
        "{\"descr\": \"<u2\", \"fortran_order\": False, \"shape\": (3, 2)}",
        "{'descr': '<u2', 'fortran_order': False, 'shape': (3L, 2L), }",
        "{u'descr': u'<u2', 'fortran_order': False, 'shape': (3,2,),}\n",
        "\t{ 'descr' :\n'=u2' , 'fortran_order' : False , 'shape' : ( 3 , 2 ) , } \n \n",
        "{'descr': 'uint16', 'fortran_order': False, 'shape': (3, 2)}",
    };
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++) {
        struct hr__npy_header h;
        hr_error err = {0};
        if (parse(same[i], &h, &err) != HR_OK)
            fail_msg("%s: %s", same[i], err.message);
        assert_int_equal(h.element.dtype, HR_UINT16);
        assert_int_equal(h.num_samples, 3);
        assert_int_equal(h.rank, 1);
        assert_int_equal(h.shape[0], 2);
    }
}

static void parse__every_dtype__is_known(void **state) {
    (void)state;
    static const struct {
        const char *descr;
        hr_dtype dtype;
        uint32_t width, swap;
    } known[] = {
        {"|b1", HR_BOOL, 1, 0},         {"?", HR_BOOL, 1, 0},
        {"|i1", HR_INT8, 1, 0},         {">i1", HR_INT8, 1, 0},
        {"<i2", HR_INT16, 2, 0},        {">i2", HR_INT16, 2, 2},
        {"<i4", HR_INT32, 4, 0},        {">i4", HR_INT32, 4, 4},
        {"<i8", HR_INT64, 8, 0},        {">i8", HR_INT64, 8, 8},
        {"|u1", HR_UINT8, 1, 0},        {"<u2", HR_UINT16, 2, 0},
        {">u4", HR_UINT32, 4, 4},       {">u8", HR_UINT64, 8, 8},
        {"<f2", HR_FLOAT16, 2, 0},      {">f2", HR_FLOAT16, 2, 2},
        {"<f4", HR_FLOAT32, 4, 0},      {">f8", HR_FLOAT64, 8, 8},
        {"<c8", HR_COMPLEX64, 8, 0},    {">c8", HR_COMPLEX64, 8, 4},
        {">c16", HR_COMPLEX128, 16, 8}, {"|S10", HR_FIXED_BYTES, 10, 0},
        {"|S0", HR_FIXED_BYTES, 0, 0},  {"<U12", HR_FIXED_UTF8, 48, 0},
        {">U3", HR_FIXED_UTF8, 12, 4},  {"bfloat16", HR_BFLOAT16, 2, 0},
        {"float32", HR_FLOAT32, 4, 0},
    };
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        struct hr__element e;
        hr_error err = {0};
        if (hr__numpy_dtype_parse(known[i].descr, &e, &err) != HR_OK)
            fail_msg("%s: %s", known[i].descr, err.message);
        assert_int_equal(e.dtype, known[i].dtype);
        assert_int_equal(e.width_bytes, known[i].width);
        assert_int_equal(e.swap_bytes, known[i].swap);
    }
}

static void parse__what_cannot_be_converted__is_refused_with_its_reason(void **state) {
    (void)state;
    static const struct {
        const char *dictionary, *reason;
    } refused[] = {
        {"{'descr': '|O', 'fortran_order': False, 'shape': (3,)}", "Python objects"},
        {"{'descr': '|O8', 'fortran_order': False, 'shape': (3,)}", "Python objects"},
        {"{'descr': '<M8[ns]', 'fortran_order': False, 'shape': (3,)}", "dates"},
        {"{'descr': '<m8[D]', 'fortran_order': False, 'shape': (3,)}", "dates"},
        {"{'descr': '<V2', 'fortran_order': False, 'shape': (3,)}", "bfloat16"},
        {"{'descr': '<f16', 'fortran_order': False, 'shape': (3,)}", "long double"},
        {"{'descr': '<f12', 'fortran_order': False, 'shape': (3,)}", "long double"},
        {"{'descr': '<c32', 'fortran_order': False, 'shape': (3,)}", "complex long double"},
        {"{'descr': '<f3', 'fortran_order': False, 'shape': (3,)}", "no dtype"},
        {"{'descr': '', 'fortran_order': False, 'shape': (3,)}", "no dtype"},
        {"{'descr': 'utf8', 'fortran_order': False, 'shape': (3,)}", "no dtype"},
        {"{'descr': '|S99999999999', 'fortran_order': False, 'shape': (3,)}", "no dtype"},
        {"{'descr': '<U999999999', 'fortran_order': False, 'shape': (3,)}", "no dtype"},
        {"{'descr': [], 'fortran_order': False, 'shape': (3,)}", "no bytes"},
        {"{'descr': [('x', '|S0')], 'fortran_order': False, 'shape': (3,)}", "no bytes"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "no dimensions"},
        {"{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
         "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1)}",
         "dimensions"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct hr__npy_header h;
        hr_error err = {0};
        assert_int_equal(parse(refused[i].dictionary, &h, &err), HR_ERR_UNSUPPORTED);
        if (strstr(err.message, refused[i].reason) == NULL)
            fail_msg("%s: %s", refused[i].dictionary, err.message);
    }
}

static void parse__fortran_order_that_changes_nothing__is_c_order(void **state) {
    (void)state;
    static const char *const fine[] = {
        "{'descr': '<f4', 'fortran_order': True, 'shape': (7,)}",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (6, 1)}",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (1, 6, 1)}",
        "{'descr': '<f4', 'fortran_order': True, 'shape': (5, 0, 3)}",
    };
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        struct hr__npy_header h;
        assert_int_equal(parse(fine[i], &h, NULL), HR_OK);
        assert_false(h.fortran);
    }
}

static void parse__fortran_order__is_told(void **state) {
    (void)state;
    struct hr__npy_header h;
    assert_int_equal(parse("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", &h, NULL),
                     HR_OK);
    assert_true(h.fortran);
    assert_int_equal(h.num_samples, 2);
}

static void parse__what_numpy_never_writes__is_damage(void **state) {
    (void)state;
    static const char *const damaged[] = {
        "",
        "{",
        "{}",
        "[]",
        "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'shape': (3,)}",
        "{'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), 'more': 1}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3 4)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,,4)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3.0,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': [3]}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} x",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (3,)}",
        "{'descr' '<f4', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': <f4, 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '\\x3cf4', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
        "{'descr': '<f4', 'fortran_order': false, 'shape': (3,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 4294967296, 4294967296)}",
        ("{'descr': '0123456789012345678901234567890123456789012345678901234567890123456789', "
         "'fortran_order': False, 'shape': (3,)}"),
    };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        struct hr__npy_header h;
        hr_error err = {0};
        hr_status st = parse(damaged[i], &h, &err);
        if (st != HR_ERR_CORRUPT)
            fail_msg("%s: %d %s", damaged[i], (int)st, err.message);
        assert_true(strlen(err.message) > 10);
    }
}

static void parse__a_wrong_prefix__is_refused(void **state) {
    (void)state;
    uint8_t bytes[64] = "PK\3\4 this is an archive";
    size_t size = 0;
    assert_int_equal(hr__npy_header_size(bytes, sizeof bytes, &size, NULL), HR_ERR_CORRUPT);
    memcpy(bytes, "\x93NUMPY\4\0\1\0\0\0", 12);
    assert_int_equal(hr__npy_header_size(bytes, sizeof bytes, &size, NULL), HR_ERR_UNSUPPORTED);
    memcpy(bytes, "\x93NUMPY\1\1\1\0\0\0", 12);
    assert_int_equal(hr__npy_header_size(bytes, sizeof bytes, &size, NULL), HR_ERR_UNSUPPORTED);
    memcpy(bytes, "\x93NUMPY\2\0\xff\xff\xff\xff", 12);
    assert_int_equal(hr__npy_header_size(bytes, sizeof bytes, &size, NULL), HR_ERR_UNSUPPORTED);
}

static void parse__every_truncation__is_damage(void **state) {
    (void)state;
    static const char dictionary[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }";
    for (unsigned version = 1; version <= 2; version++) {
        uint8_t bytes[256];
        size_t n = make(bytes, version, dictionary);
        for (size_t cut = 0; cut < n; cut++) {
            uint8_t *exact = malloc(cut + 1);
            struct hr__npy_header h;
            hr_error err = {0};
            memcpy(exact, bytes, cut);
            uint8_t *moved = realloc(exact, cut == 0 ? 1 : cut);
            assert_int_equal(hr__npy_header_parse(moved, cut, &h, &err), HR_ERR_CORRUPT);
            assert_true(err.message[0] != '\0');
            free(moved);
        }
    }
}

/* Whatever is accepted must be consistent in itself. */
static void check_consistent(const uint8_t *bytes, size_t n) {
    struct hr__npy_header h;
    hr_error err = {0};
    hr_status st = hr__npy_header_parse(bytes, n, &h, &err);
    if (st != HR_OK) {
        assert_true(st == HR_ERR_CORRUPT || st == HR_ERR_UNSUPPORTED);
        assert_int_equal(err.status, st);
        return;
    }
    assert_true(h.data_off <= n);
    assert_true(h.rank <= HR_MAX_RANK);
    uint64_t elements = 1;
    for (uint32_t i = 0; i < h.rank; i++)
        elements *= h.shape[i];
    assert_int_equal(elements, h.elements_per_sample);
    assert_int_equal(h.sample_bytes, elements * h.element.width_bytes);
    assert_int_equal(h.data_bytes, h.sample_bytes * h.num_samples);
}

static void parse__every_changed_byte__is_an_error_or_consistent(void **state) {
    (void)state;
    uint8_t bytes[256];
    size_t n = make(bytes, 1, "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }  \n");
    for (size_t i = 0; i < n; i++) {
        uint8_t old = bytes[i];
        for (unsigned v = 0; v < 256; v++) {
            bytes[i] = (uint8_t)v;
            check_consistent(bytes, n);
        }
        bytes[i] = old;
    }
}

static void print__any_array__is_parsed_again(void **state) {
    (void)state;
    const uint64_t shape[HR_MAX_RANK] = {28, 1, UINT64_C(1) << 20, 0};
    for (uint32_t rank = 0; rank <= HR_MAX_RANK; rank++) {
        uint8_t out[2048];
        struct hr__npy_header h;
        hr_error err = {0};
        size_t n = hr__npy_header_print("<f4", 12345, shape, rank, out, sizeof out);
        assert_true(n <= sizeof out);
        assert_int_equal(n % 64, 0);
        assert_int_equal(out[n - 1], '\n');
        if (hr__npy_header_parse(out, n, &h, &err) != HR_OK)
            fail_msg("rank %u: %s", rank, err.message);
        assert_int_equal(h.num_samples, 12345);
        assert_int_equal(h.rank, rank);
        assert_memory_equal(h.shape, shape, rank * sizeof shape[0]);
        assert_int_equal(h.data_off, n);
    }
}

static void print__dtypes__are_parsed_again(void **state) {
    (void)state;
    for (int t = HR_BOOL; t <= HR_FIXED_BYTES; t++) {
        char text[HR__NUMPY_DTYPE_BYTES];
        struct hr__element e;
        hr__numpy_dtype_print((hr_dtype)t, 5, 0, text);
        assert_int_equal(hr__numpy_dtype_parse(text, &e, NULL), HR_OK);
        assert_int_equal(e.dtype, t == HR_BFLOAT16 ? HR_UINT16 : t);
        assert_int_equal(e.swap_bytes, 0);
        assert_int_equal(e.width_bytes, t == HR_FIXED_BYTES ? 5 : hr_dtype_bytes((hr_dtype)t));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parse__a_header_of_numpy__is_understood),
        cmocka_unit_test(parse__every_version__has_its_own_length_field),
        cmocka_unit_test(parse__other_spellings__mean_the_same),
        cmocka_unit_test(parse__every_dtype__is_known),
        cmocka_unit_test(parse__what_cannot_be_converted__is_refused_with_its_reason),
        cmocka_unit_test(parse__fortran_order_that_changes_nothing__is_c_order),
        cmocka_unit_test(parse__fortran_order__is_told),
        cmocka_unit_test(parse__what_numpy_never_writes__is_damage),
        cmocka_unit_test(parse__a_wrong_prefix__is_refused),
        cmocka_unit_test(parse__every_truncation__is_damage),
        cmocka_unit_test(parse__every_changed_byte__is_an_error_or_consistent),
        cmocka_unit_test(print__any_array__is_parsed_again),
        cmocka_unit_test(print__dtypes__are_parsed_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
