/*
 * Traces of loaders: events of every kind, whole, in time and nested rightly, also while the loader
 * goes on; the latest ones where there are too many; and files that are complete or not there.
 */
#define _GNU_SOURCE
#include "fake_gpu.h"
#include "fault_calls.h"
#include "loader.h"
#include "memory_file.h"

#include "headrace/trace.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define MANY      100000u
#define NUM_LANES 4096u
#define EPSILON   0.002 /* us: times are rounded to nanoseconds */

static const struct made small = {.num_samples = 600,
                                  .samples_per_chunk = 20,
                                  .row_bytes = 40,
                                  .row_words = 3,
                                  .codec = HR_CODEC_ZSTD};

/* ---- reading a trace back ---- */

static json_t *read_trace(const char *path) {
    json_error_t why;
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &why);
    if (root == NULL)
        fail_msg("%s: %s", path, why.text);
    return root;
}

static json_t *write_trace(hr_loader *l) {
    char path[4096];
    hr_error err = {0};
    snprintf(path, sizeof(path), "%s", made_path("trace.json"));
    made_ok(hr_loader_trace_write(l, path, &err), &err);
    return read_trace(path);
}

static const char *text_of(const json_t *event, const char *key) {
    const char *text = json_string_value(json_object_get(event, key));
    return text != NULL ? text : "";
}

static double number_of(const json_t *event, const char *key) {
    const json_t *number = json_object_get(event, key);
    assert_true(json_is_number(number));
    return json_number_value(number);
}

static bool is_of(const json_t *event, const char *phase, const char *name) {
    return strcmp(text_of(event, "ph"), phase) == 0 && strcmp(text_of(event, "name"), name) == 0;
}

static uint64_t arg_of(const json_t *event, const char *name) {
    const json_t *number = json_object_get(json_object_get(event, "args"), name);
    assert_true(json_is_integer(number) && json_integer_value(number) >= 0);
    return (uint64_t)json_integer_value(number);
}

static size_t count_of(const json_t *root, const char *phase, const char *name) {
    const json_t *events = json_object_get(root, "traceEvents");
    size_t n = 0;
    for (size_t i = 0; i < json_array_size(events); i++)
        n += is_of(json_array_get(events, i), phase, name);
    return n;
}

/* What a lane of asynchronous events, or a thread, is at. */
struct lane {
    char id[32];
    const char *open[2];
    unsigned depth;
    double at;
};

static struct lane *lane_of(struct lane *lanes, const char *id) {
    for (unsigned i = 0; i < NUM_LANES; i++)
        if (lanes[i].id[0] == 0 || strcmp(lanes[i].id, id) == 0) {
            snprintf(lanes[i].id, sizeof(lanes[i].id), "%s", id);
            return &lanes[i];
        }
    fail_msg("too many tracks");
    return NULL;
}

/* Begins and ends alternate, or are nested, and follow each other. */
static void check_end(struct lane *lane, const json_t *event) {
    const double ts = number_of(event, "ts");
    assert_true(ts >= lane->at - EPSILON);
    lane->at = ts;
    if (strcmp(text_of(event, "ph"), "b") == 0) {
        assert_true(lane->depth < 2);
        lane->open[lane->depth++] = text_of(event, "name");
        return;
    }
    assert_string_equal(text_of(event, "ph"), "e");
    assert_true(lane->depth > 0);
    assert_string_equal(lane->open[--lane->depth], text_of(event, "name"));
}

/* No two events of a thread at the same time. */
static void check_complete(struct lane *lane, const json_t *event) {
    const double ts = number_of(event, "ts"), dur = number_of(event, "dur");
    assert_true(dur >= 0 && ts >= lane->at - EPSILON);
    lane->at = ts + dur;
}

/* All of it happened until end_us. */
static void check_trace(const json_t *root, double end_us) {
    const json_t *events = json_object_get(root, "traceEvents");
    struct lane *lanes = calloc(NUM_LANES, sizeof(*lanes));
    assert_non_null(lanes);
    assert_true(json_is_array(events));
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        char thread[32];
        assert_int_equal(number_of(event, "pid"), getpid());
        snprintf(thread, sizeof(thread), "thread %.0f", number_of(event, "tid"));
        if (strcmp(text_of(event, "ph"), "M") == 0)
            continue;
        assert_true(number_of(event, "ts") >= 0 && number_of(event, "ts") <= end_us + EPSILON);
        if (strcmp(text_of(event, "ph"), "X") == 0)
            check_complete(lane_of(lanes, thread), event);
        else
            check_end(lane_of(lanes, text_of(event, "id")), event);
    }
    for (unsigned i = 0; i < NUM_LANES; i++) {
        assert_int_equal(lanes[i].depth, 0);
        assert_true(lanes[i].at <= end_us + EPSILON);
    }
    free(lanes);
}

static double us_since(const hr_loader *l) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec * INT64_C(1000000000) + now.tv_nsec - l->opened_ns) / 1e3;
}

static json_t *checked_trace(hr_loader *l) {
    json_t *root = write_trace(l);
    check_trace(root, us_since(l));
    return root;
}

static hr_loader *open_loader(hr_dataset *ds, const hr_loader_options *o) {
    hr_error err = {0};
    hr_loader *l = NULL;
    made_ok(hr_loader_open(ds, o, &l, &err), &err);
    return l;
}

static hr_loader_options traced(uint32_t batch_samples, uint32_t num_threads) {
    hr_loader_options o = made_shuffled(batch_samples, HR_IO_CACHED, num_threads);
    o.window_visits = 4;
    o.trace_events = MANY;
    return o;
}

/* Takes all batches, slowly, and how many. */
static uint64_t take_all(hr_loader *l, unsigned consume_us) {
    hr_error err = {0};
    uint64_t n = 0, ends = 0;
    while (ends < l->config.num_epochs) {
        hr_batch *b;
        const hr_status st = hr_loader_next(l, -1, &b, &err);
        if (st == HR_END_OF_EPOCH) {
            ends++;
            continue;
        }
        made_ok(st, &err);
        n++;
        usleep(consume_us);
        hr_batch_release(b);
    }
    return n;
}

/* ---- kinds ---- */

/* Each visit is decoded once, of the chunk that the order has there. */
static void check_decoded(const json_t *root, uint64_t num_chunks) {
    const json_t *events = json_object_get(root, "traceEvents");
    uint8_t visits[64] = {0}, chunks[64] = {0};
    for (size_t i = 0; i < json_array_size(events); i++) {
        const json_t *event = json_array_get(events, i);
        if (!is_of(event, "X", "decode"))
            continue;
        assert_true(arg_of(event, "visit") < num_chunks && arg_of(event, "chunk") < num_chunks);
        assert_int_equal(visits[arg_of(event, "visit")]++, 0);
        assert_int_equal(chunks[arg_of(event, "chunk")]++, 0);
    }
    assert_int_equal(count_of(root, "X", "decode"), num_chunks);
    assert_int_equal(count_of(root, "b", "read"), num_chunks);
}

static void trace__on_the_host__all_that_was_done(void **state) {
    (void)state;
    hr_dataset *ds = made_open("host.hrd", &small);
    hr_finish f = HR_FINISH_INIT;
    f.field = "x";
    f.dtype = HR_FLOAT16;
    hr_loader_options o = traced(16, 2);
    o.finish = &f;
    o.num_finish = 1;
    hr_loader *l = open_loader(ds, &o);
    const uint64_t batches = take_all(l, 2000);
    json_t *root = checked_trace(l);
    check_decoded(root, small.num_samples / small.samples_per_chunk);
    assert_int_equal(count_of(root, "X", "finish"), batches);
    assert_int_equal(count_of(root, "X", "wait for a batch"), batches);
    assert_true(count_of(root, "X", "copy reads") + count_of(root, "X", "wait for reads") > 0);
    assert_true(count_of(root, "X", "wait for the consumer") > 0);
    assert_int_equal(count_of(root, "M", "thread_name"), 3);
    assert_int_equal(count_of(root, "M", "process_name"), 1);
    json_decref(root);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

/* Epochs of one chunk, more threads than epochs that may be in work, and each read takes long. */
static void trace__slow_reads__threads_wait_for_them_and_for_room(void **state) {
    (void)state;
    const struct made one = {.num_samples = 20, .samples_per_chunk = 20, .row_bytes = 40};
    struct memory_file file;
    hr_error err = {0};
    hr_dataset *ds = NULL;
    made_write(made_path("one.hrd"), &one);
    memory_file_load(&file, made_path("one.hrd"), 0);
    made_ok(hr__dataset_open_in(&file.folder, "one.hrd", NULL, &ds, &err), &err);
    atomic_store(&file.delay_us, 3000);
    hr_loader_options o = traced(20, 8);
    o.num_epochs = 30;
    hr_loader *l = open_loader(ds, &o);
    assert_int_equal(take_all(l, 0), 30);
    json_t *root = checked_trace(l);
    assert_int_equal(count_of(root, "X", "decode"), 30);
    assert_true(count_of(root, "X", "wait for reads") > 0);
    assert_true(count_of(root, "X", "wait for room") > 0);
    json_decref(root);
    hr_loader_close(l);
    hr_dataset_close(ds);
    memory_file_free(&file);
}

static hr_loader_options on_gpu(uint64_t seed) {
    hr_loader_options o = traced(16, 2);
    o.seed = seed;
    o.device = HR_DEVICE_CUDA(0);
    o.device_slots = 3;
    return o;
}

static void consume_slowly(hr_loader *l, cudaStream_t stream) {
    hr_error err = {0};
    hr_batch *b;
    while (hr_loader_next(l, -1, &b, &err) == HR_OK) {
        made_ok(hr_batch_wait_on(b, stream, &err), &err);
        fake_gpu_check(b, &small, stream);
        usleep(2000);
        made_ok(hr_batch_release_on(b, stream, &err), &err);
    }
}

static void trace__on_a_gpu__uploads_and_waits_of_their_thread(void **state) {
    (void)state;
    hr_dataset *ds = made_open("gpu.hrd", &small);
    const size_t num_batches = (small.num_samples + 15) / 16;
    const hr_loader_options o = on_gpu(1);
    fake_gpu_begin(1);
    cudaStream_t stream = fake_gpu_stream();
    hr_loader *l = fake_gpu_loader(ds, &o, fake_gpu_ops());
    consume_slowly(l, stream);
    json_t *root = checked_trace(l);
    /* The last upload is seen when the last batch is long delivered. */
    for (int i = 0; i < 1000 && count_of(root, "b", "upload") < num_batches; i++) {
        usleep(1000);
        json_decref(root);
        root = checked_trace(l);
    }
    check_decoded(root, small.num_samples / small.samples_per_chunk);
    assert_int_equal(count_of(root, "b", "upload"), num_batches);
    assert_int_equal(count_of(root, "X", "wait for an upload"), num_batches);
    assert_true(count_of(root, "b", "on the device") > 0);
    assert_true(count_of(root, "X", "wait for a slot") > 0);
    assert_true(count_of(root, "X", "wait for a batch") > num_batches);
    assert_int_equal(count_of(root, "M", "thread_name"), 4);
    json_decref(root);
    fake_gpu_loader_close(l);
    fake_gpu_stream_destroy(stream);
    fake_gpu_end();
    hr_dataset_close(ds);
}

/* ---- ranges ---- */

static _Thread_local int range_depth;
static atomic_int ranges, ranges_deep, decodes, uploads, waits;

static bool wanted(void *gpu) {
    (void)gpu;
    return true;
}

static void begin(void *gpu, const char *name) {
    (void)gpu;
    unsigned long long a, b;
    atomic_fetch_add(&ranges_deep, ++range_depth > 1);
    atomic_fetch_add(&ranges, 1);
    atomic_fetch_add(&decodes, sscanf(name, "decode visit %llu chunk %llu", &a, &b) == 2);
    atomic_fetch_add(&uploads, sscanf(name, "upload batch %llu slot %llu", &a, &b) == 2 && b < 3);
    atomic_fetch_add(&waits, sscanf(name, "wait for batch %llu", &a) == 1);
}

static void end(void *gpu) {
    (void)gpu;
    range_depth--;
    atomic_fetch_sub(&ranges, 1);
}

static void ranges__a_tool_looks_on__named_and_closed(void **state) {
    (void)state;
    hr_dataset *ds = made_open("ranges.hrd", &small);
    struct hr__gpu_ops ops = *fake_gpu_ops();
    hr_loader_options o = on_gpu(2);
    ops.ranges_wanted = wanted;
    ops.range_begin = begin;
    ops.range_end = end;
    o.trace_events = 0;
    fake_gpu_begin(2);
    cudaStream_t stream = fake_gpu_stream();
    hr_loader *l = fake_gpu_loader(ds, &o, &ops);
    assert_int_equal(fake_gpu_drain(l, &small, stream), small.num_samples);
    fake_gpu_loader_close(l);
    fake_gpu_stream_destroy(stream);
    fake_gpu_end();
    hr_dataset_close(ds);
    assert_int_equal(atomic_load(&ranges), 0);
    assert_int_equal(atomic_load(&ranges_deep), 0);
    assert_int_equal(atomic_load(&decodes), small.num_samples / small.samples_per_chunk);
    assert_int_equal(atomic_load(&uploads), (small.num_samples + 15) / 16);
    assert_true(atomic_load(&waits) >= (int)(small.num_samples + 15) / 16);
}

/* ---- rings ---- */

static void trace__more_events_than_room__the_latest_are_kept(void **state) {
    (void)state;
    hr_dataset *ds = made_open("wrap.hrd", &small);
    hr_loader_options o = traced(16, 1);
    o.trace_events = 7;
    o.num_epochs = 3;
    hr_loader *l = open_loader(ds, &o);
    uint64_t next = take_all(l, 0) - 7;
    json_t *root = checked_trace(l);
    const json_t *events = json_object_get(root, "traceEvents");
    for (size_t i = 0; i < json_array_size(events); i++)
        if (is_of(json_array_get(events, i), "X", "wait for a batch"))
            assert_int_equal(arg_of(json_array_get(events, i), "batch"), next++);
    assert_int_equal(count_of(root, "X", "wait for a batch"), 7);
    assert_int_equal(json_array_size(events) - count_of(root, "e", "read"), 3 + 7 + 7);
    json_decref(root);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void *take_all_of(void *loader) {
    (void)take_all(loader, 0);
    return NULL;
}

/* Rings of few events, which are overwritten again and again while they are read. */
static void trace__written_while_the_loader_runs__every_event_whole(void **state) {
    (void)state;
    hr_dataset *ds = made_open("running.hrd", &small);
    hr_loader_options o = traced(16, 2);
    pthread_t consumer;
    o.trace_events = 32;
    o.num_epochs = 100;
    hr_loader *l = open_loader(ds, &o);
    assert_int_equal(pthread_create(&consumer, NULL, take_all_of, l), 0);
    for (int i = 0; i < 100; i++)
        json_decref(checked_trace(l));
    pthread_join(consumer, NULL);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void trace__its_memory__is_part_of_the_budget(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = made_open("budget.hrd", &small);
    hr_loader_options o = traced(16, 2);
    hr_loader_info with = {.struct_bytes = sizeof(with)}, without = with;
    hr_loader *l = open_loader(ds, &o);
    made_ok(hr_loader_describe(l, &with, &err), &err);
    hr_loader_close(l);
    o.trace_events = 0;
    l = open_loader(ds, &o);
    made_ok(hr_loader_describe(l, &without, &err), &err);
    hr_loader_close(l);
    assert_int_equal(with.reserved_bytes - without.reserved_bytes,
                     3 * MANY * sizeof(struct hr__trace_entry));
    o.trace_events = 1u << 24;
    assert_int_equal(hr_loader_open(ds, &o, &l, &err), HR_ERR_BUDGET);
    assert_non_null(strstr(err.message, " MiB of it for trace_events)"));
    hr_dataset_close(ds);
}

/* ---- failures ---- */

static void trace__no_events_kept__refused_with_words(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = made_open("none.hrd", &small);
    hr_loader_options o = traced(16, 1);
    o.trace_events = 0;
    hr_loader *l = open_loader(ds, &o);
    const char *path = made_path("none.json");
    assert_int_equal(hr_loader_trace_write(l, path, &err), HR_ERR_INVALID);
    assert_non_null(strstr(err.message, "hr_loader_options.trace_events is 0; open it with"));
    assert_int_equal(access(path, F_OK), -1);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

/* The file as it was before, or a whole trace; and nothing beside it. */
static void check_left(const char *path, const hr_error *err, hr_status st, const char *hit) {
    char partial[4200];
    struct stat is;
    snprintf(partial, sizeof(partial), "%s.partial", path);
    assert_int_equal(stat(path, &is), 0);
    if (is.st_size != 3 || st == HR_OK)
        json_decref(read_trace(path));
    if (st != HR_OK)
        assert_memory_equal(err->message, "writing the trace ", 18);
    /* What could not be locked or looked into may be another's. */
    const bool unknown = hit != NULL && (strcmp(hit, "fcntl") == 0 || strcmp(hit, "fstat") == 0);
    if (unlink(partial) == 0 && !unknown)
        fail_msg("%s left %s behind: %s", hit != NULL ? hit : "nothing", partial, err->message);
}

static void each_fails(enum fault_kind kind, long at_least) {
    char path[4096];
    hr_dataset *ds = made_open("faults.hrd", &small);
    hr_loader_options o = traced(16, 1);
    long nth = 0;
    snprintf(path, sizeof(path), "%s", made_path("faults.json"));
    hr_loader *l = open_loader(ds, &o);
    (void)take_all(l, 0);
    usleep(20000); /* threads have ended: what fails is of this one */
    for (;; nth++) {
        hr_error err = {0};
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs("old", f);
        fclose(f);
        fault_arm(kind, nth);
        const hr_status st = hr_loader_trace_write(l, path, &err);
        fault_disarm();
        check_left(path, &err, st, fault_hit());
        if (fault_hit() == NULL)
            break;
    }
    assert_true(nth >= at_least);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

static void trace__each_system_call_fails__the_file_is_old_or_whole(void **state) {
    (void)state;
    each_fails(FAULT_SYSTEM, 6);
    each_fails(FAULT_SHORT, 1);
}

static void trace__each_allocation_fails__the_file_is_old_or_whole(void **state) {
    (void)state;
    each_fails(FAULT_MEMORY, 3);
}

static void trace__no_such_folder__named(void **state) {
    (void)state;
    hr_error err = {0};
    hr_dataset *ds = made_open("folder.hrd", &small);
    hr_loader_options o = traced(16, 1);
    hr_loader *l = open_loader(ds, &o);
    assert_int_equal(hr_loader_trace_write(l, made_path("not/there.json"), &err), HR_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "not/there.json"));
    assert_int_equal(hr_loader_trace_write(l, NULL, &err), HR_ERR_INVALID);
    hr_loader_close(l);
    hr_dataset_close(ds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trace__on_the_host__all_that_was_done),
        cmocka_unit_test(trace__slow_reads__threads_wait_for_them_and_for_room),
        cmocka_unit_test(trace__on_a_gpu__uploads_and_waits_of_their_thread),
        cmocka_unit_test(ranges__a_tool_looks_on__named_and_closed),
        cmocka_unit_test(trace__more_events_than_room__the_latest_are_kept),
        cmocka_unit_test(trace__written_while_the_loader_runs__every_event_whole),
        cmocka_unit_test(trace__its_memory__is_part_of_the_budget),
        cmocka_unit_test(trace__no_events_kept__refused_with_words),
        cmocka_unit_test(trace__each_system_call_fails__the_file_is_old_or_whole),
        cmocka_unit_test(trace__each_allocation_fails__the_file_is_old_or_whole),
        cmocka_unit_test(trace__no_such_folder__named),
    };
    const int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
