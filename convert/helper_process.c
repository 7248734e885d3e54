/*
 * Starting, talking to, and ending a source helper. What it sends is untrusted.
 */
#define _GNU_SOURCE
#include "helper_process.h"

#include "clock.h"
#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_TIMEOUT_NS (INT64_C(60) * 1000000000)
#define LAST_WORDS_MS      1000 /* from the end of file to the end of the process */
#define CHILD_SOCKET       3
#define EXIT_NOT_LOADED    127 /* of ld.so */

/* Numbers the same on every architecture that has them; older headers lack the names. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
#define WAIT_PIDFD ((idtype_t)3) /* P_PIDFD */

static const char *signal_name(int number) {
    static const struct {
        int number;
        const char *name;
    } names[] = {{SIGSEGV, "SIGSEGV"}, {SIGBUS, "SIGBUS"},   {SIGABRT, "SIGABRT"},
                 {SIGFPE, "SIGFPE"},   {SIGILL, "SIGILL"},   {SIGKILL, "SIGKILL"},
                 {SIGTERM, "SIGTERM"}, {SIGXCPU, "SIGXCPU"}, {SIGTRAP, "SIGTRAP"},
                 {SIGSYS, "SIGSYS"},   {SIGPIPE, "SIGPIPE"}, {SIGXFSZ, "SIGXFSZ"},
                 {SIGINT, "SIGINT"},   {SIGHUP, "SIGHUP"}};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (names[i].number == number)
            return names[i].name;
    }
    return "signal";
}

static void kill_child(const struct hr__helper *h) {
    if (h->pidfd >= 0 &&
        (syscall(SYS_pidfd_send_signal, h->pidfd, SIGKILL, NULL, 0) == 0 || errno == ESRCH))
        return;
    (void)kill(h->pid, SIGKILL); /* a helper that lives on would be waited for without end */
}

/* True when the child has ended within the time. */
static bool ended_within(const struct hr__helper *h, int ms) {
    if (h->pidfd >= 0) {
        struct pollfd p = {.fd = h->pidfd, .events = POLLIN};
        return poll(&p, 1, ms) > 0;
    }
    siginfo_t info;
    const int step_ms = 5;
    for (int waited = 0; waited <= ms; waited += step_ms) {
        memset(&info, 0, sizeof info);
        if (waitid(P_PID, (id_t)h->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0)
            return true;
        if (info.si_pid == h->pid)
            return true;
        (void)poll(NULL, 0, step_ms);
    }
    return false;
}

/* A number may come to mean another process, a pidfd never. */
static int wait_end(const struct hr__helper *h, siginfo_t *info, int options) {
    int rc = -1;
    errno = EINVAL;
    if (h->pidfd >= 0)
        rc = waitid(WAIT_PIDFD, (id_t)h->pidfd, info, options);
    if (rc != 0 && errno == EINVAL) /* Linux before 5.4 */
        rc = waitid(P_PID, (id_t)h->pid, info, options);
    return rc;
}

/* Waits for the child's end and says how it ended. Where the program ignores SIGCHLD, or waits for
 * any child, the system has no answer left. */
static void reap(struct hr__helper *h, char *how, size_t how_bytes) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    int rc;
    do
        rc = wait_end(h, &info, WEXITED);
    while (rc != 0 && errno == EINTR);
    h->pid = -1;
    h->not_begun =
        rc == 0 && info.si_code == CLD_EXITED && !h->greeted &&
        (info.si_status == EXIT_NOT_LOADED || info.si_status == HR__HELPER_EXIT_NO_THREAD ||
         info.si_status == HR__HELPER_EXIT_NO_HDF5);
    if (rc != 0 || info.si_pid == 0)
        (void)snprintf(how, how_bytes, "ended");
    else if (info.si_code == CLD_EXITED)
        (void)snprintf(how, how_bytes, "ended with exit code %d", info.si_status);
    else
        (void)snprintf(how, how_bytes, "was ended by signal %d (%s)%s", info.si_status,
                       signal_name(info.si_status),
                       info.si_status == SIGKILL ? ", perhaps by the system for want of memory"
                                                 : "");
}

static void close_fd(int *fd) {
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

/* Kills if asked or if the child does not end by itself, reaps, and closes both descriptors. */
static void finish(struct hr__helper *h, bool kill_now, char *how, size_t how_bytes) {
    if (h->pid > 0 && h->owner == getpid()) {
        if (kill_now || !ended_within(h, LAST_WORDS_MS))
            kill_child(h);
        reap(h, how, how_bytes);
    }
    close_fd(&h->socket);
    close_fd(&h->pidfd);
}

enum advice { ADVICE_DAMAGED, ADVICE_SLOW };

static const char *advice_of(const struct hr__helper *h, enum advice advice) {
    static const char *const texts[2][2] = {
        {"the file may be damaged: check it with h5dump, or write it anew with h5repack",
         "allow more time if the disk is slow; else the file may be damaged: check it with h5dump"},
        {"the file may be damaged: check it with unzip -t, or save it again",
         "allow more time if the disk is slow; else the file may be damaged: check it with unzip "
         "-t"}};
    if (h->not_begun)
        return "it could not begin, or load its libraries: allow it more memory (that of a helper, "
               "or ulimit -v), or install Headrace with its helper again";
    if (h->limits.writes)
        return "nothing was made: export again, or allow a helper more time and memory";
    return texts[h->limits.zip][advice];
}

/* what: NULL for how the process ended. */
static hr_status fail(struct hr__helper *h, bool kill_now, const char *what, enum advice advice,
                      hr_error *err) {
    char how[128] = "ended";
    finish(h, kill_now, how, sizeof how);
    h->failed = hr__error_set(&h->failure, HR_ERR_HELPER, "%s: the helper that %s this file %s; %s",
                              h->subject, h->limits.writes ? "writes" : "reads",
                              what != NULL ? what : how, advice_of(h, advice));
    if (err != NULL)
        *err = h->failure;
    return h->failed;
}

static hr_status fail_silent(struct hr__helper *h, hr_error *err) {
    char text[96];
    (void)snprintf(text, sizeof text, "said nothing for %" PRId64 ".%" PRId64 " s and was stopped",
                   h->limits.timeout_ns / 1000000000, h->limits.timeout_ns / 100000000 % 10);
    return fail(h, true, text, ADVICE_SLOW, err);
}

/* The helper may be well: the system refused to carry a message. */
static hr_status fail_os(struct hr__helper *h, int os_errno, hr_error *err) {
    char how[128];
    finish(h, true, how, sizeof how);
    h->failed = hr__error_os(&h->failure, os_errno,
                             "%s: the system does not carry messages to and from the helper that "
                             "%s this file, which was stopped; try again, or with fewer helpers",
                             h->subject, h->limits.writes ? "writes" : "reads");
    if (err != NULL)
        *err = h->failure;
    return h->failed;
}

hr_status hr__helper_lied(struct hr__helper *h, const char *what, hr_error *err) {
    if (h->failed != HR_OK) {
        if (err != NULL)
            *err = h->failure;
        return h->failed;
    }
    char text[256];
    (void)snprintf(text, sizeof text, "broke its protocol (%s) and was stopped", what);
    return fail(h, true, text, ADVICE_DAMAGED, err);
}

static hr_status usable(const struct hr__helper *h, hr_error *err) {
    if (h->failed != HR_OK) {
        if (err != NULL)
            *err = h->failure;
        return h->failed;
    }
    if (h->owner != getpid())
        return hr__error_set(err, HR_ERR_FORKED,
                             "%s: its helper belongs to the process before fork(); open it anew",
                             h->subject);
    return HR_OK;
}

void hr__helper_set_subject(struct hr__helper *h, const char *subject) {
    h->subject = subject != NULL ? subject : h->file;
}

hr_status hr__helper_send(struct hr__helper *h, const struct hr__helper_message *m, int fd,
                          hr_error *err) {
    hr_status st = usable(h, err);
    if (st != HR_OK)
        return st;
    uint8_t buf[HR__HELPER_MESSAGE_BYTES];
    size_t n_bytes = hr__helper_encode(m, buf, sizeof buf);
    if (n_bytes == 0)
        return hr__error_set(err, HR_ERR_INVALID, "%s: a path is longer than %u bytes", h->subject,
                             HR__HELPER_PATH_BYTES);
    struct iovec part = {.iov_base = buf, .iov_len = n_bytes};
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr msg = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        msg.msg_control = &control;
        msg.msg_controllen = sizeof control.room;
        control.head.cmsg_level = SOL_SOCKET;
        control.head.cmsg_type = SCM_RIGHTS;
        control.head.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    }
    /* Never more than a few small questions are open: a full socket means that nobody reads it. */
    ssize_t rc;
    do
        rc = sendmsg(h->socket, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    while (rc < 0 && errno == EINTR);
    /* That it has died is for who receives to say, as what it said before comes first. */
    if (rc == (ssize_t)n_bytes || (rc < 0 && (errno == EPIPE || errno == ECONNRESET)))
        return HR_OK;
    if (rc < 0 && errno != EAGAIN)
        return fail_os(h, errno, err);
    return fail(h, true, NULL, ADVICE_DAMAGED, err);
}

/* Waits until there is something to receive: 0, or an errno, ETIMEDOUT when the time is over. */
static int wait_readable(const struct hr__helper *h) {
    int64_t deadline = hr__now_ns() + h->limits.timeout_ns;
    for (;;) {
        int64_t left_ns = deadline - hr__now_ns();
        if (left_ns < 0)
            left_ns = 0;
        int64_t left_ms = left_ns / 1000000 + (left_ns % 1000000 != 0);
        /* The process is watched beside its socket: a child that the program forked at a bad
         * moment may hold a copy of the helper's end, and the end of file then never comes. */
        struct pollfd p[2] = {{.fd = h->socket, .events = POLLIN},
                              {.fd = h->pidfd, .events = POLLIN}};
        int rc = poll(p, 2, left_ms > 60000 ? 60000 : (int)left_ms);
        if (rc > 0)
            return 0;
        if (rc < 0 && errno != EINTR)
            return errno;
        if (left_ns == 0)
            return ETIMEDOUT;
    }
}

/* Without room for control data, descriptors that a helper sends along are dropped. */
static ssize_t receive_packet(struct hr__helper *h) {
    ssize_t n;
    do
        n = recv(h->socket, h->packet, HR__HELPER_MESSAGE_BYTES, MSG_DONTWAIT | MSG_TRUNC);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Any message. */
static hr_status receive(struct hr__helper *h, struct hr__helper_message *out, hr_error *err) {
    hr_status st = usable(h, err);
    if (st != HR_OK)
        return st;
    int rc = wait_readable(h);
    if (rc == ETIMEDOUT)
        return fail_silent(h, err);
    if (rc != 0)
        return fail_os(h, rc, err);
    ssize_t n = receive_packet(h);
    if (n < 0 && errno == ECONNRESET) /* told once: what it said before it died is still there */
        n = receive_packet(h);
    if (n == 0 || (n < 0 && (errno == ECONNRESET || errno == EAGAIN)))
        return fail(h, false, NULL, ADVICE_DAMAGED, err);
    if (n < 0)
        return fail_os(h, errno, err);
    hr_error why;
    memset(&why, 0, sizeof why);
    if (hr__helper_decode(h->packet, (size_t)n, out, &why) != HR_OK)
        return hr__helper_lied(h, why.message, err);
    return HR_OK;
}

void hr__helper_plain_text(const char *text, char *out, size_t room) {
    size_t n = 0;
    for (; text[n] != '\0' && n + 1 < room; n++)
        out[n] = (unsigned char)text[n] < 0x20 || text[n] == 0x7f ? '?' : text[n];
    out[n] = '\0';
}

hr_status hr__helper_said(const char *subject, const struct hr__helper_message *m, hr_error *err) {
    char text[HR_ERROR_MESSAGE_BYTES];
    hr__helper_plain_text(m->text, text, sizeof text);
    return hr__error_set(err, m->status, "%s: %s", subject, text);
}

static hr_status expect(struct hr__helper *h, const struct hr__helper_message *m,
                        enum hr__helper_type type, const char *lie, hr_error *err) {
    if (m->type == HR__HELPER_ERROR)
        return hr__helper_said(h->subject, m, err);
    return m->type == type ? HR_OK : hr__helper_lied(h, lie, err);
}

hr_status hr__helper_greet(struct hr__helper *h, hr_error *err) {
    struct hr__helper_message m;
    if (h->greeted)
        return HR_OK;
    hr_status st = receive(h, &m, err);
    if (st == HR_OK)
        st = expect(h, &m, HR__HELPER_HELLO, "no greeting", err);
    h->greeted = st == HR_OK;
    return st;
}

hr_status hr__helper_receive(struct hr__helper *h, struct hr__helper_message *out, hr_error *err) {
    memset(out, 0, sizeof *out);
    const hr_status st = hr__helper_greet(h, err);
    return st == HR_OK ? receive(h, out, err) : st;
}

hr_status hr__helper_answer(struct hr__helper *h, enum hr__helper_type type,
                            struct hr__helper_message *out, hr_error *err) {
    const hr_status st = hr__helper_receive(h, out, err);
    return st == HR_OK ? expect(h, out, type, "an unasked answer", err) : st;
}

/* The environment of a helper: nothing of the program's but where libraries are found. */
struct child_environment {
    char *library_path;
    const char *entries[6];
};

static hr_status make_environment(struct child_environment *e, hr_error *err) {
    memset(e, 0, sizeof *e);
    size_t n = 0;
    e->entries[n++] = "LC_ALL=C";
    e->entries[n++] = "HDF5_USE_FILE_LOCKING=FALSE";
    e->entries[n++] = "HDF5_PLUGIN_PATH=::";
    const char *path = secure_getenv("LD_LIBRARY_PATH");
    if (path == NULL)
        return HR_OK;
    if (asprintf(&e->library_path, "LD_LIBRARY_PATH=%s", path) < 0) {
        e->library_path = NULL;
        return hr__error_no_memory(err, strlen(path), "the helper's environment");
    }
    e->entries[n++] = e->library_path;
    return HR_OK;
}

/* posix_spawn of `program`, socket as descriptor 3, the others on /dev/null, signals as at birth,
 * but that those are held back from the first moment which a terminal sends to all programs of a
 * job: what they mean is for this program to say. 0 or an errno. */
static int spawn(pid_t *pid, const char *program, int socket, const struct hr__helper_limits *lim,
                 const struct child_environment *environment) {
    char version[16], memory[32], parent[16], fd[16];
    (void)snprintf(version, sizeof version, "%u", HR__HELPER_VERSION);
    (void)snprintf(fd, sizeof fd, "%d", CHILD_SOCKET);
    (void)snprintf(memory, sizeof memory, "%" PRIu64, lim->memory_bytes);
    (void)snprintf(parent, sizeof parent, "%ld", (long)getpid());
    const char *argv[] = {program, version, fd, memory, parent, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    sigset_t held_back, all;
    (void)sigemptyset(&held_back);
    (void)sigaddset(&held_back, SIGINT);
    (void)sigaddset(&held_back, SIGTERM);
    (void)sigaddset(&held_back, SIGHUP);
    (void)sigfillset(&all);
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc != 0)
        return rc;
    rc = posix_spawnattr_init(&attr);
    if (rc != 0) {
        (void)posix_spawn_file_actions_destroy(&actions);
        return rc;
    }
    /* The socket first: it may itself be one of the descriptors below 3. */
    rc = posix_spawn_file_actions_adddup2(&actions, socket, CHILD_SOCKET);
    for (int i = 0; rc == 0 && i < 3; i++)
        rc = posix_spawn_file_actions_addopen(&actions, i, "/dev/null", O_RDWR, 0);
    if (rc == 0)
        rc = posix_spawnattr_setsigmask(&attr, &held_back);
    if (rc == 0)
        rc = posix_spawnattr_setsigdefault(&attr, &all);
    if (rc == 0)
        rc = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (rc == 0)
        rc = posix_spawn(pid, program, &actions, &attr, (char *const *)(uintptr_t)argv,
                         (char *const *)(uintptr_t)environment->entries);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static hr_status start_child(struct hr__helper *h, const char *program, hr_error *err) {
    int pair[2] = {-1, -1};
    struct child_environment environment;
    hr_status st = make_environment(&environment, err);
    if (st != HR_OK)
        return st;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0) {
        st = hr__error_os(err, errno, "a socket pair for the helper");
        goto done;
    }
    h->socket = pair[0];
    int rc = spawn(&h->pid, program, pair[1], &h->limits, &environment);
    close_fd(&pair[1]);
    if (rc != 0) {
        h->pid = -1;
        st = hr__error_os(err, rc, "cannot start %s", program);
        goto done;
    }
    h->pidfd = (int)syscall(SYS_pidfd_open, h->pid, 0);
done:
    free(environment.library_path);
    return st;
}

hr_status hr__helper_start(const char *program, const char *file,
                           const struct hr__helper_limits *limits, struct hr__helper **out,
                           hr_error *err) {
    hr_status st = HR_OK;
    char *found = NULL;
    *out = NULL;
    struct hr__helper *h = calloc(1, sizeof *h);
    if (h == NULL)
        return hr__error_no_memory(err, sizeof *h, "a helper");
    h->socket = h->pidfd = -1;
    h->pid = -1;
    h->owner = getpid();
    h->limits = *limits;
    if (h->limits.timeout_ns <= 0)
        h->limits.timeout_ns = DEFAULT_TIMEOUT_NS;
    h->file = strdup(file);
    h->subject = h->file;
    h->packet = malloc(HR__HELPER_MESSAGE_BYTES);
    if (h->file == NULL || h->packet == NULL) {
        st = hr__error_no_memory(err, HR__HELPER_MESSAGE_BYTES, "a helper");
        goto done;
    }
    if (program == NULL) {
        HR_TRY(hr__helper_find(&found, err));
        program = found;
    }
    HR_TRY(start_child(h, program, err));
    *out = h;
    h = NULL;
done:
    if (st != HR_OK)
        hr__error_name_file(err, file);
    free(found);
    hr__helper_close(h);
    return st;
}

void hr__helper_close(struct hr__helper *h) {
    if (h == NULL)
        return;
    char how[128];
    finish(h, true, how, sizeof how);
    free(h->file);
    free(h->packet);
    free(h);
}
