/*
 * Batches in host memory as DLPack tensors: what they describe, and that a batch lives as long as
 * anybody holds it, in whatever order it is released, its tensors deleted and its loader closed.
 */
#define _GNU_SOURCE
#include "dlpack_abi.h"
#include "made_dataset.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static const struct made usual = {500, 23, 37, 3, HR_CODEC_ZSTD, HR_FILTER_BYTE_SHUFFLE};

/* ---- memory that is refused ---- */

static _Thread_local bool refusing;

void *__real_malloc(size_t n);
void *__wrap_malloc(size_t n);

void *__wrap_malloc(size_t n) {
    return refusing ? NULL : __real_malloc(n);
}

/* ---- what all have in common ---- */

static hr_loader *open_loader(hr_dataset *ds, const hr_loader_options *o) {
    hr_error err = {0};
    hr_loader *l = NULL;
    made_ok(hr_loader_open(ds, o, &l, &err), &err);
    return l;
}

static hr_batch *next(hr_loader *l) {
    hr_error err = {0};
    hr_batch *b = NULL;
    made_ok(hr_loader_next(l, -1, &b, &err), &err);
    return b;
}

static struct DLManagedTensorVersioned *export(hr_batch *b, uint32_t field) {
    hr_error err = {0};
    struct DLManagedTensorVersioned *t = NULL;
    made_ok(hr_batch_dlpack(b, field, HR_DLPACK_STREAM_DEFAULT, &t, &err), &err);
    return t;
}

static struct DLManagedTensor *export_legacy(hr_batch *b, uint32_t field) {
    hr_error err = {0};
    struct DLManagedTensor *t = NULL;
    made_ok(hr_batch_dlpack_legacy(b, field, HR_DLPACK_STREAM_NONE, &t, &err), &err);
    return t;
}

/* Two fields of a batch of `usual`, one of them as a legacy tensor. */
struct pair {
    struct DLManagedTensorVersioned *y;
    struct DLManagedTensor *x;
};

static struct pair export_pair(hr_batch *b) {
    return (struct pair){export(b, 0), export_legacy(b, 1)};
}

static void check_y(const struct hr__dl_tensor *y, const int64_t *expected) {
    assert_memory_equal(y->data, expected, (size_t)y->shape[0] * sizeof(*expected));
}

static void check_x(const struct hr__dl_tensor *x, const int64_t *y) {
    const uint8_t *at = x->data;
    assert_int_equal(x->shape[1], usual.row_bytes);
    for (int64_t i = 0; i < x->shape[0]; i++)
        for (uint32_t k = 0; k < usual.row_bytes; k++)
            assert_int_equal(*at++, made_byte((uint64_t)y[i], k));
}

/* ---- what a tensor describes ---- */

static void dlpack__versioned_and_legacy__describe_the_batch(void **state) {
    (void)state;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(16, HR_IO_CACHED, 2);
    hr_loader *l = open_loader(ds, &o);
    hr_batch *b = next(l);
    struct DLManagedTensorVersioned *v = export(b, 2);
    struct DLManagedTensor *g = export_legacy(b, 2);
    assert_int_equal(v->major, 1);
    assert_int_equal(v->flags, 0);
    const struct hr__dl_tensor *tensors[] = {&v->tensor, &g->tensor};
    for (int i = 0; i < 2; i++) {
        const struct hr__dl_tensor *t = tensors[i];
        assert_ptr_equal(t->data, hr_batch_data(b, 2));
        assert_int_equal((uintptr_t)t->data % 256, 0);
        assert_int_equal(t->data_off, 0);
        assert_int_equal(t->device.kind, HR__DL_CPU);
        assert_int_equal(t->device.index, 0);
        assert_int_equal(t->rank, 2);
        assert_int_equal(t->shape[0], 16);
        assert_int_equal(t->shape[1], 3);
        assert_int_equal(t->strides[0], 3);
        assert_int_equal(t->strides[1], 1);
        assert_int_equal(t->type.code, HR__DL_FLOAT);
        assert_int_equal(t->type.bits, 32);
        assert_int_equal(t->type.lanes, 1);
    }
    hr_dlpack_delete(v);
    hr_dlpack_delete_legacy(g);
    hr_dlpack_delete(NULL);
    hr_dlpack_delete_legacy(NULL);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

/* A data set of zeros with these fields, 7 samples of each. */
static hr_dataset *open_zeros(const hr_field *fields, uint32_t num_fields) {
    static const uint8_t zeros[7 * 256];
    const void *columns[32];
    hr_error err = {0};
    hr_writer_options o = HR_WRITER_OPTIONS_INIT;
    hr_writer *w = NULL;
    hr_dataset *ds = NULL;
    o.flags = HR_WRITER_REPLACE;
    for (uint32_t i = 0; i < num_fields; i++)
        columns[i] = zeros;
    made_ok(hr_writer_open(made_path("zeros.hrd"), fields, num_fields, &o, &w, &err), &err);
    made_ok(hr_writer_append(w, 7, columns, &err), &err);
    made_ok(hr_writer_commit(w, &err), &err);
    hr_writer_close(w);
    made_ok(hr_dataset_open(made_path("zeros.hrd"), NULL, &ds, &err), &err);
    return ds;
}

static hr_loader_options in_order(void) {
    hr_loader_options o = HR_LOADER_OPTIONS_INIT;
    o.batch_samples = 7;
    o.num_threads = 1;
    return o;
}

static void dlpack__each_type__its_code_or_refused(void **state) {
    (void)state;
    static const struct {
        hr_dtype dtype;
        int code, bits; /* code -1: refused */
    } types[] = {
        {HR_BOOL, 6, 8},         {HR_INT8, 0, 8},        {HR_INT16, 0, 16},
        {HR_INT32, 0, 32},       {HR_INT64, 0, 64},      {HR_UINT8, 1, 8},
        {HR_UINT16, 1, 16},      {HR_UINT32, 1, 32},     {HR_UINT64, 1, 64},
        {HR_FLOAT16, 2, 16},     {HR_BFLOAT16, 4, 16},   {HR_FLOAT32, 2, 32},
        {HR_FLOAT64, 2, 64},     {HR_COMPLEX64, 5, 64},  {HR_COMPLEX128, 5, 128},
        {HR_FIXED_BYTES, -1, 0}, {HR_FIXED_UTF8, -1, 0},
    };
    enum { NUM_TYPES = sizeof(types) / sizeof(*types) };
    hr_field fields[NUM_TYPES];
    memset(fields, 0, sizeof(fields));
    for (uint32_t i = 0; i < NUM_TYPES; i++) {
        fields[i].name = hr_dtype_name(types[i].dtype);
        fields[i].dtype = types[i].dtype;
        fields[i].width_bytes = types[i].code < 0 ? 5 : 0;
    }
    hr_dataset *ds = open_zeros(fields, NUM_TYPES);
    const hr_loader_options o = in_order();
    hr_loader *l = open_loader(ds, &o);
    hr_batch *b = next(l);
    for (uint32_t i = 0; i < NUM_TYPES; i++) {
        struct DLManagedTensorVersioned *t;
        hr_error err = {0};
        const hr_status st = hr_batch_dlpack(b, i, 0, &t, &err);
        if (types[i].code < 0) {
            assert_int_equal(st, HR_ERR_UNSUPPORTED);
            assert_null(t);
            assert_non_null(strstr(err.message, fields[i].name));
            continue;
        }
        made_ok(st, &err);
        assert_int_equal(t->tensor.type.code, types[i].code);
        assert_int_equal(t->tensor.type.bits, types[i].bits);
        assert_int_equal(t->tensor.rank, 1);
        assert_int_equal(t->tensor.shape[0], 7);
        assert_int_equal(t->tensor.strides[0], 1);
        hr_dlpack_delete(t);
    }
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void dlpack__no_elements_and_many_dimensions__shapes_right(void **state) {
    (void)state;
    uint64_t none[3] = {2, 0, 5}, many[HR_MAX_RANK];
    for (uint32_t i = 0; i < HR_MAX_RANK; i++)
        many[i] = 1 + (i % 8 == 0);
    const hr_field fields[] = {
        {.name = "none", .dtype = HR_FLOAT32, .rank = 3, .shape = none},
        {.name = "many", .dtype = HR_FLOAT64, .rank = HR_MAX_RANK, .shape = many}};
    hr_dataset *ds = open_zeros(fields, 2);
    const hr_loader_options o = in_order();
    hr_loader *l = open_loader(ds, &o);
    hr_batch *b = next(l);
    struct DLManagedTensorVersioned *t = export(b, 0), *u = export(b, 1);
    assert_null(t->tensor.data);
    assert_int_equal(t->tensor.rank, 4);
    for (int i = 0; i < 3; i++)
        assert_int_equal(t->tensor.shape[i + 1], none[i]);
    assert_non_null(u->tensor.data);
    assert_int_equal(u->tensor.rank, HR_MAX_RANK + 1);
    int64_t stride = 1;
    for (int i = HR_MAX_RANK; i >= 0; i--) {
        assert_int_equal(u->tensor.strides[i], stride);
        assert_int_equal(u->tensor.shape[i], i == 0 ? 7 : (int64_t)many[i - 1]);
        stride *= u->tensor.shape[i];
    }
    hr_dlpack_delete(t);
    hr_dlpack_delete(u);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void dlpack__finished_field__as_delivered(void **state) {
    (void)state;
    uint64_t image[3] = {2, 4, 3};
    const hr_field fields[] = {{.name = "image", .dtype = HR_UINT8, .rank = 3, .shape = image}};
    hr_dataset *ds = open_zeros(fields, 1);
    hr_finish f = HR_FINISH_INIT;
    f.field = "image";
    f.dtype = HR_BFLOAT16;
    f.flags = HR_FINISH_CHW;
    hr_loader_options o = in_order();
    o.finish = &f;
    o.num_finish = 1;
    hr_loader *l = open_loader(ds, &o);
    hr_batch *b = next(l);
    struct DLManagedTensorVersioned *t = export(b, 0);
    hr_batch_release(b);
    hr_loader_close(l);
    hr_dataset_close(ds); /* the shape is the tensor's */
    static const int64_t shape[] = {7, 3, 2, 4}, strides[] = {24, 8, 4, 1};
    assert_int_equal(t->tensor.type.code, HR__DL_BFLOAT);
    assert_int_equal(t->tensor.rank, 4);
    assert_memory_equal(t->tensor.shape, shape, sizeof(shape));
    assert_memory_equal(t->tensor.strides, strides, sizeof(strides));
    for (int i = 0; i < 7 * 24; i++)
        assert_int_equal(((const uint16_t *)t->tensor.data)[i], 0);
    hr_dlpack_delete(t);
}

/* ---- refusals ---- */

static void dlpack__what_cannot_be__refused_with_words_and_nothing_held(void **state) {
    (void)state;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(16, HR_IO_CACHED, 2);
    o.max_held_batches = 1;
    hr_loader *l = open_loader(ds, &o);
    struct DLManagedTensorVersioned *t;
    struct DLManagedTensor *g;
    hr_error err = {0};
    hr_batch *b = next(l);
    assert_int_equal(hr_batch_dlpack(b, 3, 0, &t, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "field 3"));
    assert_int_equal(hr_batch_dlpack(b, 0, 2, &t, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "stream 2"));
    refusing = true;
    const hr_status versioned = hr_batch_dlpack(b, 0, 0, &t, &err);
    const hr_status legacy = hr_batch_dlpack_legacy(b, 0, 0, &g, &err);
    refusing = false;
    assert_int_equal(versioned, HR_ERR_NO_MEMORY);
    assert_int_equal(legacy, HR_ERR_NO_MEMORY);
    assert_null(t);
    assert_null(g);
    struct DLManagedTensorVersioned *kept = export(b, 0);
    hr_batch_release(b);
    assert_int_equal(hr_batch_dlpack(b, 0, 0, &t, &err), HR_ERR_INVALID);
    assert_null(t);
    assert_non_null(strstr(err.message, "released"));
    hr_dlpack_delete(kept);
    hr_batch_release(next(l)); /* nothing is held any more */
    hr_loader_close(l);
    hr_dataset_close(ds);
}

/* ---- how long a batch lives ---- */

static void dlpack__batches_kept_by_tensors__next_is_busy(void **state) {
    (void)state;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(16, HR_IO_CACHED, 2);
    hr_loader *l = open_loader(ds, &o);
    hr_batch *b, *first = next(l), *second = next(l);
    struct pair kept = export_pair(first);
    struct DLManagedTensorVersioned *other = export(second, 0);
    assert_int_equal(hr_loader_next(l, 0, &b, NULL), HR_ERR_BUSY);
    hr_batch_release(first);
    hr_batch_release(second);
    assert_int_equal(hr_loader_next(l, 0, &b, NULL), HR_ERR_BUSY);
    hr_dlpack_delete(kept.y);
    assert_int_equal(hr_loader_next(l, 0, &b, NULL), HR_ERR_BUSY);
    hr_dlpack_delete_legacy(kept.x);
    hr_batch_release(next(l));
    hr_dlpack_delete(other);
    hr_batch *held[2] = {next(l), next(l)};
    assert_int_equal(hr_loader_next(l, 0, &b, NULL), HR_ERR_BUSY);
    hr_batch_release(held[0]);
    hr_batch_release(held[1]);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void dlpack__tensor_kept_through_an_epoch__not_overwritten(void **state) {
    (void)state;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(16, HR_IO_CACHED, 2);
    o.num_epochs = 2;
    o.window_visits = 2;
    hr_loader *l = open_loader(ds, &o);
    hr_batch *b = next(l);
    int64_t y[16];
    memcpy(y, hr_batch_data(b, 0), sizeof(y));
    struct pair kept = export_pair(b);
    hr_batch_release(b);
    assert_int_equal(made_drain(l, &usual), usual.num_samples - 16);
    check_y(&kept.y->tensor, y);
    check_x(&kept.x->tensor, y);
    hr_dlpack_delete(kept.y);
    assert_int_equal(made_drain(l, &usual), usual.num_samples);
    check_x(&kept.x->tensor, y);
    hr_dlpack_delete_legacy(kept.x);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

/* R the batch is released, C loader and data set are closed, Y and X a tensor is deleted. A batch
 * that is not released by then goes with the close. */
static void run_order(const char *order) {
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(16, HR_IO_CACHED, 2);
    hr_loader *l = open_loader(ds, &o);
    hr_batch *b = next(l);
    int64_t y[16];
    memcpy(y, hr_batch_data(b, 0), sizeof(y));
    struct pair kept = export_pair(b);
    for (; *order != '\0'; order++) {
        if (kept.y != NULL)
            check_y(&kept.y->tensor, y);
        if (kept.x != NULL)
            check_x(&kept.x->tensor, y);
        if (*order == 'R') {
            hr_batch_release(b);
        } else if (*order == 'C') {
            hr_loader_close(l);
            hr_dataset_close(ds);
        } else if (*order == 'Y') {
            hr_dlpack_delete(kept.y);
            kept.y = NULL;
        } else {
            hr_dlpack_delete_legacy(kept.x);
            kept.x = NULL;
        }
    }
}

static void dlpack__released_deleted_closed_in_any_order__right_until_deleted(void **state) {
    (void)state;
    static const char *const orders[] = {
        "RCYX", "RCXY", "RYCX", "RXCY", "RYXC", "RXYC", "YRCX", "XRCY", "YRXC",
        "XRYC", "YXRC", "XYRC", "CYX",  "CXY",  "YCX",  "XCY",  "YXC",  "XYC",
    };
    for (size_t i = 0; i < sizeof(orders) / sizeof(*orders); i++)
        run_order(orders[i]);
}

/* ---- threads and processes ---- */

static pthread_barrier_t together;

static void *delete_y(void *tensor) {
    pthread_barrier_wait(&together);
    hr_dlpack_delete(tensor);
    return NULL;
}

static void *delete_x(void *tensor) {
    pthread_barrier_wait(&together);
    hr_dlpack_delete_legacy(tensor);
    return NULL;
}

static void dlpack__deleted_by_threads_while_closed__freed_once(void **state) {
    (void)state;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(16, HR_IO_CACHED, 2);
    assert_int_equal(pthread_barrier_init(&together, NULL, 3), 0);
    for (int i = 0; i < 150; i++) {
        pthread_t threads[2];
        hr_loader *l = open_loader(ds, &o);
        hr_batch *b = next(l);
        struct pair kept = export_pair(b);
        if (i % 2 == 0)
            hr_batch_release(b);
        assert_int_equal(pthread_create(&threads[0], NULL, delete_y, kept.y), 0);
        assert_int_equal(pthread_create(&threads[1], NULL, delete_x, kept.x), 0);
        pthread_barrier_wait(&together);
        hr_loader_close(l);
        pthread_join(threads[0], NULL);
        pthread_join(threads[1], NULL);
    }
    pthread_barrier_destroy(&together);
    hr_dataset_close(ds);
}

/* In the child the parent's threads are gone, which TSan calls a leak. */
#ifdef __SANITIZE_THREAD__
__attribute__((visibility("default"))) const char *__tsan_default_options(void);
const char *__tsan_default_options(void) {
    return "report_thread_leaks=0";
}
#endif

static void dlpack__in_a_forked_child__refused_and_deleters_do_nothing(void **state) {
    (void)state;
    hr_dataset *ds = made_open("usual.hrd", &usual);
    hr_loader_options o = made_shuffled(16, HR_IO_CACHED, 2);
    hr_loader *l = open_loader(ds, &o);
    hr_batch *b = next(l);
    int64_t y[16];
    memcpy(y, hr_batch_data(b, 0), sizeof(y));
    struct pair kept = export_pair(b);
    const pid_t child = fork();
    if (child == 0) {
        struct DLManagedTensorVersioned *t;
        const bool refused = hr_batch_dlpack(b, 0, 0, &t, NULL) == HR_ERR_FORKED;
        hr_dlpack_delete(kept.y);
        hr_dlpack_delete_legacy(kept.x);
        _exit(refused && t == NULL && kept.y->tensor.shape[0] == 16 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    check_y(&kept.y->tensor, y);
    hr_dlpack_delete(kept.y);
    hr_loader_close(l);
    check_x(&kept.x->tensor, y);
    hr_dlpack_delete_legacy(kept.x);
    hr_dataset_close(ds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dlpack__versioned_and_legacy__describe_the_batch),
        cmocka_unit_test(dlpack__each_type__its_code_or_refused),
        cmocka_unit_test(dlpack__no_elements_and_many_dimensions__shapes_right),
        cmocka_unit_test(dlpack__finished_field__as_delivered),
        cmocka_unit_test(dlpack__what_cannot_be__refused_with_words_and_nothing_held),
        cmocka_unit_test(dlpack__batches_kept_by_tensors__next_is_busy),
        cmocka_unit_test(dlpack__tensor_kept_through_an_epoch__not_overwritten),
        cmocka_unit_test(dlpack__released_deleted_closed_in_any_order__right_until_deleted),
        cmocka_unit_test(dlpack__deleted_by_threads_while_closed__freed_once),
        cmocka_unit_test(dlpack__in_a_forked_child__refused_and_deleters_do_nothing),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
