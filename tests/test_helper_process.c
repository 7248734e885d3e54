/*
 * Helpers that die, hang, lie or talk nonsense. This program is its own bad helper: started under
 * the name of a mode it plays that mode.
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "clock.h"
#include "fake_helper.h"
#include "helper_process.h"
#include "helper_reader.h"
#include "made_dataset.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_NS INT64_C(1000000000)

/* --- the bad helper ------------------------------------------------------------------------- */

static bool is(const char *mode, const char *name) {
    return strcmp(mode, name) == 0;
}

static void hang(void) {
    for (;;)
        (void)pause();
}

static void before_hello(const char *mode, int socket) {
    char junk[32768];
    memset(junk, 'x', sizeof junk);
    if (is(mode, "exit7"))
        _exit(7);
    if (is(mode, "exit127"))
        _exit(127);
    if (is(mode, "no_memory"))
        _exit(HR__HELPER_EXIT_NO_HDF5);
    if (is(mode, "silent"))
        hang();
    if (is(mode, "garbage"))
        (void)send(socket, junk, 100, MSG_NOSIGNAL);
    if (is(mode, "large"))
        (void)send(socket, junk, sizeof junk, MSG_NOSIGNAL);
    if (is(mode, "empty"))
        (void)send(socket, junk, 0, MSG_NOSIGNAL);
    if (is(mode, "closed")) {
        (void)close(socket);
        hang();
    }
    if (is(mode, "segv")) {
        (void)setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        (void)signal(SIGSEGV, SIG_DFL);
        (void)raise(SIGSEGV);
    }
}

static void play_open(const char *mode, int socket, const struct hr__helper_message *m, int fd,
                      uint32_t **rows) {
    struct hr__helper_message opened = {.type = HR__HELPER_OPENED, .field = fake_field()};
    if (is(mode, "die_at_open"))
        _exit(0);
    if (is(mode, "other_shape"))
        opened.field.num_samples++;
    if (is(mode, "unasked"))
        opened.type = HR__HELPER_FIELD;
    if (is(mode, "resize") && (ftruncate(fd, 0) == 0 || ftruncate(fd, 1 << 30) == 0))
        _exit(8);
    *rows = fake_map(fd, m->slot_bytes);
    fake_say(socket, &opened);
}

static void play_read(const char *mode, int socket, const struct hr__helper_message *m,
                      uint64_t slot_bytes, uint32_t *rows) {
    struct hr__helper_message answer = *m;
    struct hr__helper_message error = {
        .type = HR__HELPER_ERROR, .status = HR_ERR_CORRUPT, .text = "a bad \033[31m chunk"};
    answer.type = HR__HELPER_ROWS;
    if (is(mode, "die_at_read") && m->first > 0)
        (void)raise(SIGKILL);
    if (is(mode, "hang_at_read") && m->first > 0)
        hang();
    static uint64_t next; /* of a stream that is not passed over on this side */
    if (is(mode, "stream") && m->first != next && m->first != 0)
        answer = error;
    next = m->first + m->n;
    answer.slot ^= is(mode, "other_slot");
    answer.first += is(mode, "other_first");
    answer.n += is(mode, "more_rows") ? UINT32_MAX : 0;
    fake_fill(rows, slot_bytes, m);
    fake_say(socket, is(mode, "bad_chunk") && m->first > 0 ? &error : &answer);
}

static int play(const char *mode, int socket) {
    struct hr__helper_message hello = {.type = HR__HELPER_HELLO, .text = "fake"};
    struct hr__helper_message m;
    uint64_t slot_bytes = 0;
    uint32_t *rows = NULL;
    before_hello(mode, socket);
    fake_say(socket, &hello);
    if (is(mode, "die_after_hello"))
        return 3;
    for (;;) {
        int fd = -1;
        fake_hear(socket, &m, &fd);
        if (m.type == HR__HELPER_OPEN) {
            play_open(mode, socket, &m, fd, &rows);
            slot_bytes = m.slot_bytes;
        } else if (m.type == HR__HELPER_READ) {
            play_read(mode, socket, &m, slot_bytes, rows);
        }
    }
}

/* --- the tests ------------------------------------------------------------------------------ */

static int count_descriptors(void) {
    DIR *d = opendir("/proc/self/fd");
    assert_non_null(d);
    int n = 0;
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n;
}

static void assert_no_child(void) {
    errno = 0;
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static hr_status start(const char *mode, int64_t timeout_ns, hr_error *err) {
    struct hr__helper_limits limits = {.timeout_ns = timeout_ns};
    struct hr__helper *h = NULL;
    hr_status st = hr__helper_start(fake_program(mode), "some.h5", &limits, &h, err);
    assert_true((st == HR_OK) == (h != NULL));
    if (st == HR_OK)
        st = hr__helper_greet(h, err);
    hr__helper_close(h);
    return st;
}

static void start__bad_helpers__are_helper_errors_and_leave_nothing(void **state) {
    (void)state;
    static const struct {
        const char *mode, *says;
    } cases[] = {{"exit7", "exit code 7"},
                 {"silent", "said nothing for 0.3 s"},
                 {"garbage", "no message"},
                 {"large", "32768 bytes"},
                 {"empty", "was ended by"},
                 {"closed", "SIGKILL"},
                 {"segv", "signal 11 (SIGSEGV)"},
                 {"exit127", "it could not begin, or load its libraries"},
                 {"no_memory", "exit code 4; it could not begin"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hr_error err = {.status = HR_OK};
        int before = count_descriptors();
        int64_t begin = hr__now_ns();
        assert_int_equal(start(cases[i].mode, 3 * SECOND_NS / 10, &err), HR_ERR_HELPER);
        assert_true(hr__now_ns() - begin < 5 * SECOND_NS);
        assert_non_null(strstr(err.message, "some.h5"));
        if (!is(cases[i].mode, "empty") && strstr(err.message, cases[i].says) == NULL)
            fail_msg("%s: %s", cases[i].mode, err.message);
        assert_int_equal(count_descriptors(), before);
        assert_no_child();
    }
}

static void start__missing_program__is_an_error(void **state) {
    (void)state;
    struct hr__helper_limits limits = {0};
    struct hr__helper *h = NULL;
    hr_error err = {.status = HR_OK};
    int before = count_descriptors();
    assert_int_not_equal(hr__helper_start("/nonexistent/x", "some.h5", &limits, &h, &err), HR_OK);
    assert_null(h);
    assert_non_null(strstr(err.message, "/nonexistent/x"));
    assert_int_equal(count_descriptors(), before);
    assert_no_child();
}

static void start__program_ignores_sigchld__still_works_and_still_fails(void **state) {
    (void)state;
    struct sigaction ignore = {.sa_handler = SIG_IGN}, old;
    assert_int_equal(sigaction(SIGCHLD, &ignore, &old), 0);
    hr_error err = {.status = HR_OK};
    hr_status good = start("good", SECOND_NS, &err);
    hr_status dead = start("exit7", SECOND_NS, &err);
    hr_status hung = start("silent", SECOND_NS / 10, &err);
    assert_int_equal(sigaction(SIGCHLD, &old, NULL), 0);
    assert_int_equal(good, HR_OK);
    assert_int_equal(dead, HR_ERR_HELPER);
    assert_int_equal(hung, HR_ERR_HELPER);
    assert_no_child();
}

static void close__other_children__are_left_alone(void **state) {
    (void)state;
    pid_t child = fork();
    if (child == 0)
        _exit(42);
    assert_int_equal(start("good", SECOND_NS, NULL), HR_OK);
    assert_int_equal(start("exit7", SECOND_NS, NULL), HR_ERR_HELPER);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
}

static void failure__every_later_call__returns_the_same(void **state) {
    (void)state;
    struct hr__helper_limits limits = {.timeout_ns = SECOND_NS};
    struct hr__helper *h = NULL;
    struct hr__helper_message m = {.type = HR__HELPER_LIST, .path = "x", .member = ""}, out;
    hr_error first = {.status = HR_OK}, second = {.status = HR_OK};
    assert_int_equal(hr__helper_start(fake_program("die_after_hello"), "s", &limits, &h, NULL),
                     HR_OK);
    assert_int_equal(hr__helper_receive(h, &out, &first), HR_ERR_HELPER);
    assert_non_null(strstr(first.message, "exit code 3"));
    assert_no_child();
    assert_int_equal(hr__helper_send(h, &m, -1, &second), HR_ERR_HELPER);
    assert_string_equal(first.message, second.message);
    assert_int_equal(hr__helper_receive(h, &out, NULL), HR_ERR_HELPER);
    hr__helper_close(h);
}

static void fork__helper_of_the_parent__is_refused_and_survives(void **state) {
    (void)state;
    struct hr__helper_limits limits = {.timeout_ns = SECOND_NS};
    struct hr__helper *h = NULL;
    assert_int_equal(hr__helper_start(fake_program("good"), "s", &limits, &h, NULL), HR_OK);
    pid_t child = fork();
    if (child == 0) {
        struct hr__helper_message out;
        bool forked = hr__helper_receive(h, &out, NULL) == HR_ERR_FORKED;
        hr__helper_close(h);
        _exit(forked ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(kill(h->pid, 0), 0);
    assert_int_equal(waitpid(h->pid, NULL, WNOHANG), 0);
    hr__helper_close(h);
    assert_no_child();
}

/* Opens a reader over a bad helper and reads all of it in steps. */
static hr_status read_all(const char *mode, uint64_t step, uint64_t budget_bytes, hr_error *err) {
    struct hr__helper_target target = {.path = "some.h5",
                                       .field = fake_field(),
                                       .opts = {.timeout_ns = SECOND_NS / 2},
                                       .program = fake_program(mode)};
    struct hr__helper_reader *r = NULL;
    struct hr__budget budget;
    hr__budget_init(&budget, budget_bytes);
    int before = count_descriptors();
    hr_status st = hr__helper_reader_open(&target, &budget, NULL, &r, err);
    assert_true((st == HR_OK) == (r != NULL));
    uint32_t *rows = malloc(step * 4);
    assert_non_null(rows);
    for (uint64_t at = 0; st == HR_OK && at < FAKE_SAMPLES; at += step) {
        uint64_t n = FAKE_SAMPLES - at < step ? FAKE_SAMPLES - at : step;
        st = hr__helper_reader_read(r, at, n, rows, err);
        for (uint64_t i = 0; st == HR_OK && i < n; i++)
            assert_int_equal(rows[i], at + i);
    }
    free(rows);
    hr__helper_reader_close(r);
    assert_int_equal(budget.reserved_bytes, 0);
    assert_int_equal(count_descriptors(), before);
    assert_no_child();
    return st;
}

static void reader__good_helper__gives_every_row(void **state) {
    (void)state;
    static const uint64_t steps[] = {1, 777, 1000, 4096, FAKE_SAMPLES};
    static const uint64_t budgets[] = {UINT64_C(4) << 20, 100000, 24576};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        for (size_t k = 0; k < sizeof budgets / sizeof *budgets; k++) {
            hr_error err = {.status = HR_OK};
            if (read_all("good", steps[i], budgets[k], &err) != HR_OK)
                fail_msg("%s", err.message);
        }
    }
}

static void reader__several_side_by_side__each_gives_its_rows(void **state) {
    (void)state;
    enum { NUM_READERS = 4, STEP = 500 };
    struct hr__helper_target target = {.path = "some.h5",
                                       .field = fake_field(),
                                       .opts = {.timeout_ns = 5 * SECOND_NS},
                                       .program = fake_program("good")};
    struct hr__helper_reader *readers[NUM_READERS];
    struct hr__budget budget;
    hr__budget_init(&budget, UINT64_C(4) << 20);
    for (unsigned k = 0; k < NUM_READERS; k++)
        assert_int_equal(hr__helper_reader_open(&target, &budget, NULL, &readers[k], NULL), HR_OK);
    for (uint64_t at = 0; at < FAKE_SAMPLES; at += STEP) {
        uint32_t rows[STEP];
        assert_int_equal(
            hr__helper_reader_read(readers[at / STEP % NUM_READERS], at, STEP, rows, NULL), HR_OK);
        for (uint32_t i = 0; i < STEP; i++)
            assert_int_equal(rows[i], at + i);
    }
    for (unsigned k = 0; k < NUM_READERS; k++)
        hr__helper_reader_close(readers[k]);
    assert_int_equal(budget.reserved_bytes, 0);
    assert_no_child();
}

/* Wherever it is read from: windows are asked for in turn, from the beginning where that lies
 * behind. */
static void reader__of_a_stream__asks_for_every_window(void **state) {
    (void)state;
    static const uint64_t firsts[] = {FAKE_SAMPLES - 10, 0, 3000, 3500, 100, FAKE_SAMPLES / 2};
    struct hr__helper_target target = {.path = "some.npz",
                                       .field = fake_field(),
                                       .opts = {.zip = true, .timeout_ns = SECOND_NS},
                                       .program = fake_program("stream")};
    target.field.flags = HR__HELPER_STREAM;
    target.field.granule_samples = 1;
    target.field.chunk_bytes = target.field.chunk_row_bytes = 0;
    struct hr__helper_reader *r = NULL;
    struct hr__budget budget;
    hr_error err = {.status = HR_OK};
    hr__budget_init(&budget, 20000);
    assert_int_equal(hr__helper_reader_open(&target, &budget, NULL, &r, &err), HR_OK);
    for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++) {
        uint32_t rows[10];
        if (hr__helper_reader_read(r, firsts[i], 10, rows, &err) != HR_OK)
            fail_msg("%s", err.message);
        for (uint32_t k = 0; k < 10; k++)
            assert_int_equal(rows[k], firsts[i] + k);
    }
    hr__helper_reader_close(r);
    assert_no_child();
}

static void reader__of_an_archive_whose_helper_dies__says_how_to_check_it(void **state) {
    (void)state;
    struct hr__helper_limits limits = {.timeout_ns = SECOND_NS, .zip = true};
    struct hr__helper *h = NULL;
    hr_error err = {.status = HR_OK};
    assert_int_equal(hr__helper_start(fake_program("exit7"), "some.npz", &limits, &h, &err), HR_OK);
    assert_int_equal(hr__helper_greet(h, &err), HR_ERR_HELPER);
    hr__helper_close(h);
    assert_non_null(strstr(err.message, "unzip -t"));
}

static void reader__budget_too_small__is_refused(void **state) {
    (void)state;
    assert_int_equal(read_all("good", 1000, 8192, NULL), HR_ERR_BUDGET);
}

static void reader__memory_is_sealed__resizing_fails(void **state) {
    (void)state;
    assert_int_equal(read_all("resize", 1000, UINT64_C(4) << 20, NULL), HR_OK);
}

static void reader__bad_helpers__are_errors(void **state) {
    (void)state;
    static const struct {
        const char *mode, *says;
        hr_status status;
    } cases[] = {{"die_at_open", "exit code 0", HR_ERR_HELPER},
                 {"other_shape", "changed", HR_ERR_DATA},
                 {"unasked", "unasked", HR_ERR_HELPER},
                 {"die_at_read", "SIGKILL", HR_ERR_HELPER},
                 {"hang_at_read", "said nothing", HR_ERR_HELPER},
                 {"other_slot", "not asked for", HR_ERR_HELPER},
                 {"other_first", "not asked for", HR_ERR_HELPER},
                 {"more_rows", "not asked for", HR_ERR_HELPER},
                 {"bad_chunk", "some.h5:/x: a bad ?[31m chunk", HR_ERR_CORRUPT}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hr_error err = {.status = HR_OK};
        hr_status st = read_all(cases[i].mode, 3000, 40000, &err);
        if (st != cases[i].status || strstr(err.message, cases[i].says) == NULL)
            fail_msg("%s: %d %s", cases[i].mode, st, err.message);
    }
}

static void reader__file_size_limit_too_small__is_an_error_not_a_signal(void **state) {
    (void)state;
    struct rlimit old, small;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    small = old;
    small.rlim_cur = 4096;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    hr_status st = read_all("good", 1000, UINT64_C(4) << 20, NULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(st, HR_ERR_INVALID);
}

int main(int argc, char **argv) {
    if (argc == 5)
        return play(strrchr(argv[0], '/') + 1, atoi(argv[2]));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start__bad_helpers__are_helper_errors_and_leave_nothing),
        cmocka_unit_test(start__missing_program__is_an_error),
        cmocka_unit_test(start__program_ignores_sigchld__still_works_and_still_fails),
        cmocka_unit_test(close__other_children__are_left_alone),
        cmocka_unit_test(failure__every_later_call__returns_the_same),
        cmocka_unit_test(fork__helper_of_the_parent__is_refused_and_survives),
        cmocka_unit_test(reader__good_helper__gives_every_row),
        cmocka_unit_test(reader__several_side_by_side__each_gives_its_rows),
        cmocka_unit_test(reader__of_a_stream__asks_for_every_window),
        cmocka_unit_test(reader__of_an_archive_whose_helper_dies__says_how_to_check_it),
        cmocka_unit_test(reader__budget_too_small__is_refused),
        cmocka_unit_test(reader__memory_is_sealed__resizing_fails),
        cmocka_unit_test(reader__bad_helpers__are_errors),
        cmocka_unit_test(reader__file_size_limit_too_small__is_an_error_not_a_signal),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    made_cleanup();
    return failed;
}
