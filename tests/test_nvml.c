/*
 * A GPU's memory by NVML (gpu/gpu_memory.h), over a stand-in for the library.
 */
#define _GNU_SOURCE
#include "gpu_memory.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static hr_gpu_memory memory;
static hr_error err;

static hr_status read_with(const char *what, uint32_t index) {
    memory = (hr_gpu_memory){.struct_bytes = sizeof(memory)};
    err.message[0] = 0;
    assert_int_equal(setenv("FAKE_NVML", what, 1), 0);
    return hr__nvml_read(FAKE_NVML_PATH, index, &memory, &err);
}

static void gpu__that_is_there__has_its_figures(void **state) {
    (void)state;
    assert_int_equal(read_with("", 1), HR_OK);
    assert_true(memory.total_bytes == 1000 && memory.used_bytes == 300 && memory.free_bytes == 700);
    assert_true(memory.process_bytes == 120 && memory.index == 1);
    assert_string_equal(memory.name, "Stand-in GPU");
}

static void process__among_many__is_found(void **state) {
    (void)state;
    assert_int_equal(read_with("many", 0), HR_OK);
    assert_true(memory.process_bytes == 120);
    assert_int_equal(read_with("graphics", 0), HR_OK);
    assert_true(memory.process_bytes == 55);
}

static void process__not_listed_or_not_known__is_unknown(void **state) {
    (void)state;
    assert_int_equal(read_with("absent", 0), HR_OK);
    assert_true(memory.process_bytes == UINT64_MAX && memory.used_bytes == 300);
    assert_int_equal(read_with("unknown", 0), HR_OK);
    assert_true(memory.process_bytes == UINT64_MAX);
}

static void gpu__that_is_not_there__says_how_many_are(void **state) {
    (void)state;
    assert_int_equal(read_with("", 2), HR_ERR_NO_DEVICE);
    assert_non_null(strstr(err.message, "GPU 2 was asked for, NVML counts 2"));
}

static void nvml__calls_that_fail__are_named(void **state) {
    (void)state;
    assert_int_equal(read_with("init", 0), HR_ERR_NO_DRIVER);
    assert_non_null(strstr(err.message, "the stand-in was told to (999)"));
    assert_int_equal(read_with("count", 0), HR_ERR_DEVICE);
    assert_int_equal(read_with("handle", 0), HR_ERR_DEVICE);
    assert_int_equal(read_with("memory", 0), HR_ERR_DEVICE);
    assert_int_equal(read_with("name", 0), HR_OK);
    assert_string_equal(memory.name, "");
}

static void library__absent_or_another__is_no_driver(void **state) {
    (void)state;
    memory = (hr_gpu_memory){.struct_bytes = sizeof(memory)};
    assert_int_equal(hr__nvml_read("libno-such-nvml.so.1", 0, &memory, &err), HR_ERR_NO_DRIVER);
    assert_non_null(strstr(err.message, "libno-such-nvml.so.1"));
    assert_int_equal(hr__nvml_read("libm.so.6", 0, &memory, &err), HR_ERR_NO_DRIVER);
    assert_non_null(strstr(err.message, "libm.so.6 lacks functions"));
}

static void result__of_no_version__is_refused(void **state) {
    (void)state;
    hr_gpu_memory none = {.struct_bytes = 0};
    assert_int_equal(hr_gpu_memory_read(0, &none, &err), HR_ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gpu__that_is_there__has_its_figures),
        cmocka_unit_test(process__among_many__is_found),
        cmocka_unit_test(process__not_listed_or_not_known__is_unknown),
        cmocka_unit_test(gpu__that_is_not_there__says_how_many_are),
        cmocka_unit_test(nvml__calls_that_fail__are_named),
        cmocka_unit_test(library__absent_or_another__is_no_driver),
        cmocka_unit_test(result__of_no_version__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
