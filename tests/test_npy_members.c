/*
 * Members of structured arrays: good lists, bad ones, every truncation, every changed byte.
 */
#include "npy_members.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* What was told of, a line for each member: "name dtype+at (shape) [steps]". */
struct told {
    char text[4096];
    size_t n;
    uint32_t record_bytes;
};

static void add(struct told *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    t->n += (size_t)vsnprintf(t->text + t->n, sizeof t->text - t->n, format, args);
    va_end(args);
    assert_true(t->n < sizeof t->text);
}

static hr_status tell(void *arg, const struct hr__npy_member *m, hr_error *err) {
    struct told *t = arg;
    (void)err;
    add(t, "%s %s", m->name, m->refused != NULL ? "refused" : hr_dtype_name(m->element.dtype));
    add(t, "%s+%llu", m->element.swap_bytes != 0 ? ">" : "", (unsigned long long)m->at);
    for (uint32_t i = 0; i < m->rank; i++)
        add(t, "%s%llu:%llu", i == 0 ? " " : ",", (unsigned long long)m->shape[i],
            (unsigned long long)m->steps[i]);
    add(t, "\n");
    return HR_OK;
}

static hr_status read_bytes(const uint8_t *bytes, size_t n, bool latin1, struct told *t,
                            hr_error *err) {
    uint8_t *exact = malloc(n + 1); /* so that a sanitizer sees a read beyond it */
    assert_non_null(exact);
    memcpy(exact, bytes, n);
    uint8_t *moved = realloc(exact, n > 0 ? n : 1);
    struct hr__npy_text text = {.bytes = moved, .end = n, .latin1 = latin1};
    const hr_status st =
        hr__npy_members_read(&text, t != NULL ? tell : NULL, t, &(uint32_t){0}, err);
    text.at = 0;
    if (st == HR_OK && t != NULL)
        assert_int_equal(hr__npy_members_read(&text, NULL, NULL, &t->record_bytes, err), HR_OK);
    free(moved);
    return st;
}

static void assert_told(const char *list, const char *expected, uint32_t record_bytes) {
    struct told t = {.n = 0};
    hr_error err = {0};
    if (read_bytes((const uint8_t *)list, strlen(list), true, &t, &err) != HR_OK)
        fail_msg("%s: %s", list, err.message);
    assert_string_equal(t.text, expected);
    assert_int_equal(t.record_bytes, record_bytes);
}

static void members__of_a_plain_list__lie_one_after_the_other(void **state) {
    (void)state;
    assert_told("[('a', '<i4'), ('b', '>f8'), ('c', '|S5'), ('d', '<U2'), ('e', '|b1')]",
                "a int32+0\nb float64>+4\nc fixed_bytes+12\nd fixed_utf8+17\ne bool+25\n", 26);
    assert_told(" [ ( \"a\" ,\n'<i4' ) ]", "a int32+0\n", 4);
    assert_told("[('a', '?'),]", "a bool+0\n", 1);
}

static void members__with_a_shape__have_steps(void **state) {
    (void)state;
    assert_told("[('a', '<i2', (3,)), ('b', '|u1', (2, 5)), ('c', '<f4', ())]",
                "a int16+0 3:2\nb uint8+6 2:5,5:1\nc float32+16\n", 20);
    assert_told("[('a', '<i2', (0, 4)), ('b', '|u1')]", "a int16+0 0:8,4:2\nb uint8+0\n", 1);
}

static void members__in_members__have_the_axes_of_both(void **state) {
    (void)state;
    assert_told("[('t', '<i8'), ('p', [('x', '<f4'), ('y', '<f4', (3,))], (2,)), ('z', '|i1')]",
                "t int64+0\np/x float32+8 2:16\np/y float32+12 2:16,3:4\nz int8+40\n", 41);
    assert_told("[('a', [('b', [('c', '|u1'), ('d', '<u2')], (3,))], (2,))]",
                "a/b/c uint8+0 2:9,3:3\na/b/d uint16+1 2:9,3:3\n", 18);
}

static void padding__is_no_member(void **state) {
    (void)state;
    assert_told("[('a', '|u1'), ('', '|V7'), ('b', '<f8')]", "a uint8+0\nb float64+8\n", 16);
}

static void titles__are_not_names(void **state) {
    (void)state;
    assert_told("[(('a long title', 'a'), '<f4')]", "a float32+0\n", 4);
}

static void names__are_utf8(void **state) {
    (void)state;
    struct told t = {.n = 0};
    assert_told("[('gr\xf6\xdf"
                "e', '|u1')]",
                "gr\xc3\xb6\xc3\x9f"
                "e uint8+0\n",
                1);
    const char *list = "[('gr\xc3\xb6\xc3\x9f"
                       "e \xe2\x82\xac', '|u1')]";
    assert_int_equal(read_bytes((const uint8_t *)list, strlen(list), false, &t, NULL), HR_OK);
    assert_string_equal(t.text, "gr\xc3\xb6\xc3\x9f"
                                "e \xe2\x82\xac uint8+0\n");
    assert_int_equal(read_bytes((const uint8_t *)"[('\xf6', '|u1')]", 13, false, &t, NULL),
                     HR_ERR_CORRUPT);
}

static void members__that_cannot_be_converted__are_told_with_their_size(void **state) {
    (void)state;
    assert_told("[('when', '<M8[ns]'), ('d', '<m8'), ('v', '|V3'), ('l', '<f16'), ('y', '|u1')]",
                "when refused+0\nd refused+8\nv refused+16\nl refused+19\ny uint8+35\n", 36);
}

static void lists__that_cannot_be_read__are_refused(void **state) {
    (void)state;
    static const struct {
        const char *list, *reason;
    } refused[] = {
        {"[('a', '<i4'), ('o', '|O')]", "member o: it holds Python objects"},
        {"[('a', 'f')]", "no dtype"},
        {"[('a', '<i4x')]", "no dtype"},
        {"[('a', '')]", "no dtype"},
        {"[('a', '|S99999999999999999999')]", "no dtype"},
        {"[('a', '<U1073741823')]", "larger than 2 GiB"},
        {"[('a', '<i8', (4294967296, 4294967296))]", "larger than 2 GiB"},
        {"[('a', '|S2000000000'), ('b', '|S2000000000')]", "larger than 2 GiB"},
        {"[('a', [('b', '|S2000000000')], (2,))]", "larger than 2 GiB"},
        {"[('it\\'s', '<i4')]", "backslashes"},
        {"[('a', [('a', [('a', [('a', [('a', [('a', [('a', [('a', [('a', "
         "'<i4')])])])])])])])])]",
         "more than 8 deep"},
    };
    for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
        struct told t = {.n = 0};
        hr_error err = {0};
        const uint8_t *bytes = (const uint8_t *)refused[i].list;
        const size_t n = strlen(refused[i].list);
        if (read_bytes(bytes, n, true, &t, &err) != HR_ERR_UNSUPPORTED ||
            strstr(err.message, refused[i].reason) == NULL)
            fail_msg("%s: %s", refused[i].list, err.message);
        assert_int_equal(read_bytes(bytes, n, true, NULL, &err), HR_ERR_UNSUPPORTED);
    }
}

static void names__that_are_too_long_together__are_refused(void **state) {
    (void)state;
    char list[1024], name[201];
    struct told t = {.n = 0};
    hr_error err = {0};
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    const int n = snprintf(list, sizeof list, "[('%s', [('%s', '<i4')])]", name, name);
    assert_int_equal(read_bytes((const uint8_t *)list, (size_t)n, true, &t, &err),
                     HR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "255 bytes"));
}

static void lists__with_too_many_members__are_refused(void **state) {
    (void)state;
    const size_t room = (HR__NPY_MAX_MEMBERS + 1) * sizeof "('m', '|u1'), " + 3;
    char *list = malloc(room);
    size_t n = 1;
    hr_error err = {0};
    assert_non_null(list);
    list[0] = '[';
    for (uint32_t i = 0; i <= HR__NPY_MAX_MEMBERS; i++)
        n += (size_t)snprintf(list + n, room - n, "('m', '|u1'), ");
    list[n++] = ']';
    assert_int_equal(read_bytes((const uint8_t *)list, n, true, NULL, &err), HR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "more than 4096 members"));
    free(list);
}

static void lists__that_numpy_never_writes__are_damage(void **state) {
    (void)state;
    static const char *const damaged[] = {
        "",
        "[",
        "('a', '<i4')",
        "['a', '<i4']",
        "[('a' '<i4')]",
        "[('a', '<i4') ('b', '<i4')]",
        "[('a')]",
        "[('a', )]",
        "[('a', <i4)]",
        "[('a', '<i4', 3)]",
        "[('a', '<i4', (3))]",
        "[('a', '<i4', (3,), 1)]",
        "[('', '<i4')]",
        "[('', [('a', '<i4')])]",
        "[(('title'), '<i4')]",
        "[(('title', 'a', 'b'), '<i4')]",
        "[('a\tb', '<i4')]",
        "[('a\x85', '<i4')]",
        "[('a', '<i4', (99999999999999999999,))]",
    };
    for (size_t i = 0; i < sizeof damaged / sizeof damaged[0]; i++) {
        hr_error err = {0};
        const hr_status st =
            read_bytes((const uint8_t *)damaged[i], strlen(damaged[i]), true, NULL, &err);
        if (st != HR_ERR_CORRUPT)
            fail_msg("%s: %d %s", damaged[i], (int)st, err.message);
        assert_true(strlen(err.message) > 10);
    }
}

static const char whole[] =
    "[('a', '<i4'), ('', '|V4'), ('p', [('x', '>f4', (2, 3)), ('y', '<U3')], (2,))]";

static void every_truncation__is_damage(void **state) {
    (void)state;
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        struct told t = {.n = 0};
        assert_int_equal(read_bytes((const uint8_t *)whole, n, true, &t, NULL), HR_ERR_CORRUPT);
    }
}

/* Of a list that was changed: it lies in its record. */
static hr_status check_within(void *arg, const struct hr__npy_member *m, hr_error *err) {
    uint64_t end = m->at + m->element.width_bytes;
    (void)err;
    for (uint32_t i = 0; i < m->rank; i++)
        end += m->shape[i] == 0 ? 0 : (m->shape[i] - 1) * m->steps[i];
    for (uint32_t i = 0; i < m->rank; i++)
        if (m->shape[i] == 0)
            return HR_OK;
    assert_true(end <= *(const uint32_t *)arg);
    return HR_OK;
}

static void every_changed_byte__is_an_error_or_consistent(void **state) {
    (void)state;
    uint8_t bytes[sizeof whole];
    memcpy(bytes, whole, sizeof whole);
    for (size_t i = 0; i < sizeof whole - 1; i++) {
        for (unsigned v = 0; v < 256; v++) {
            uint32_t record_bytes = 0;
            hr_error err = {0};
            bytes[i] = (uint8_t)v;
            struct hr__npy_text text = {.bytes = bytes, .end = sizeof whole - 1, .latin1 = true};
            hr_status st = hr__npy_members_read(&text, NULL, NULL, &record_bytes, &err);
            text.at = 0;
            if (st == HR_OK)
                st = hr__npy_members_read(&text, check_within, &record_bytes, &(uint32_t){0}, &err);
            assert_true(st == HR_OK || st == HR_ERR_CORRUPT || st == HR_ERR_UNSUPPORTED);
            assert_true(st == HR_OK || (err.status == st && err.message[0] != '\0'));
        }
        bytes[i] = (uint8_t)whole[i];
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members__of_a_plain_list__lie_one_after_the_other),
        cmocka_unit_test(members__with_a_shape__have_steps),
        cmocka_unit_test(members__in_members__have_the_axes_of_both),
        cmocka_unit_test(padding__is_no_member),
        cmocka_unit_test(titles__are_not_names),
        cmocka_unit_test(names__are_utf8),
        cmocka_unit_test(members__that_cannot_be_converted__are_told_with_their_size),
        cmocka_unit_test(lists__that_cannot_be_read__are_refused),
        cmocka_unit_test(names__that_are_too_long_together__are_refused),
        cmocka_unit_test(lists__with_too_many_members__are_refused),
        cmocka_unit_test(lists__that_numpy_never_writes__are_damage),
        cmocka_unit_test(every_truncation__is_damage),
        cmocka_unit_test(every_changed_byte__is_an_error_or_consistent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
