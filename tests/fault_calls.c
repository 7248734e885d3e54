/*
 * The calls that fail in turn.
 */
#define _GNU_SOURCE
#include "fault_calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

static atomic_int armed_kind;
static atomic_long left = -1; /* so many more succeed, then one fails; negative: none does */
static _Atomic(const char *) hit;
static const char *spawn_instead;

void fault_arm(enum fault_kind kind, long nth) {
    atomic_store(&hit, NULL);
    atomic_store(&armed_kind, (int)kind);
    atomic_store(&left, nth);
}

void fault_disarm(void) {
    atomic_store(&left, -1);
}

const char *fault_hit(void) {
    return atomic_load(&hit);
}

void fault_spawn_instead(const char *program) {
    spawn_instead = program;
}

static bool fails(enum fault_kind kind, const char *name) {
    if (atomic_load(&armed_kind) != (int)kind || atomic_load(&left) < 0 ||
        atomic_fetch_sub(&left, 1) != 0)
        return false;
    atomic_store(&hit, name);
    return true;
}

/* A call of the system: false with errno set where this one fails. */
static bool goes_on(const char *name, int os_errno) {
    if (!fails(FAULT_SYSTEM, name))
        return true;
    errno = os_errno;
    return false;
}

/* As goes_on(), of a call that a signal may interrupt. */
static bool goes_on_uninterrupted(const char *name, int os_errno) {
    if (!fails(FAULT_INTERRUPT, name))
        return goes_on(name, os_errno);
    errno = EINTR;
    return false;
}

static size_t transfer(const char *name, size_t n) {
    return n > 1 && fails(FAULT_SHORT, name) ? 1 : n;
}

/* The real function and the one in its place. */
#define WRAPPED(type, name, ...)                                                                   \
    type __real_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__);                                                               \
    type __wrap_##name(__VA_ARGS__)

/* ---- files ---- */

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? (mode_t)va_arg(args, unsigned) : 0;
    va_end(args);
    return goes_on("open", EMFILE) ? __real_open(path, flags, mode) : -1;
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, ...) {
    va_list args;
    va_start(args, command);
    void *arg = va_arg(args, void *);
    va_end(args);
    return goes_on("fcntl", ENOLCK) ? __real_fcntl(fd, command, arg) : -1;
}

WRAPPED(ssize_t, pread, int fd, void *buf, size_t n, off_t off) {
    return goes_on_uninterrupted("pread", EIO) ? __real_pread(fd, buf, transfer("pread", n), off)
                                               : -1;
}

WRAPPED(ssize_t, pwrite, int fd, const void *buf, size_t n, off_t off) {
    return goes_on_uninterrupted("pwrite", EIO) ? __real_pwrite(fd, buf, transfer("pwrite", n), off)
                                                : -1;
}

WRAPPED(int, ftruncate, int fd, off_t n) {
    return goes_on_uninterrupted("ftruncate", EIO) ? __real_ftruncate(fd, n) : -1;
}

WRAPPED(int, fallocate, int fd, int mode, off_t off, off_t n) {
    return goes_on_uninterrupted("fallocate", ENOSPC) ? __real_fallocate(fd, mode, off, n) : -1;
}

WRAPPED(int, fsync, int fd) {
    return goes_on("fsync", EIO) ? __real_fsync(fd) : -1;
}

WRAPPED(int, fstat, int fd, struct stat *out) {
    return goes_on("fstat", EIO) ? __real_fstat(fd, out) : -1;
}

WRAPPED(int, stat, const char *path, struct stat *out) {
    return goes_on("stat", EACCES) ? __real_stat(path, out) : -1;
}

WRAPPED(int, statvfs, const char *path, struct statvfs *out) {
    return goes_on_uninterrupted("statvfs", EIO) ? __real_statvfs(path, out) : -1;
}

WRAPPED(int, access, const char *path, int mode) {
    return goes_on("access", EACCES) ? __real_access(path, mode) : -1;
}

WRAPPED(int, mkdir, const char *path, mode_t mode) {
    return goes_on("mkdir", EACCES) ? __real_mkdir(path, mode) : -1;
}

WRAPPED(int, rename, const char *from, const char *to) {
    return goes_on("rename", EIO) ? __real_rename(from, to) : -1;
}

WRAPPED(int, renameat2, int from_fd, const char *from, int to_fd, const char *to, unsigned flags) {
    return goes_on("renameat2", EIO) ? __real_renameat2(from_fd, from, to_fd, to, flags) : -1;
}

WRAPPED(DIR *, opendir, const char *path) {
    return goes_on("opendir", EMFILE) ? __real_opendir(path) : NULL;
}

WRAPPED(struct dirent *, readdir, DIR *dir) {
    return goes_on("readdir", EIO) ? __real_readdir(dir) : NULL;
}

/* ---- the helper's transport ---- */

WRAPPED(int, memfd_create, const char *name, unsigned flags) {
    return goes_on("memfd_create", EMFILE) ? __real_memfd_create(name, flags) : -1;
}

WRAPPED(void *, mmap, void *at, size_t n, int prot, int flags, int fd, off_t off) {
    return goes_on("mmap", ENOMEM) ? __real_mmap(at, n, prot, flags, fd, off) : MAP_FAILED;
}

WRAPPED(int, socketpair, int domain, int type, int protocol, int pair[2]) {
    return goes_on("socketpair", EMFILE) ? __real_socketpair(domain, type, protocol, pair) : -1;
}

WRAPPED(ssize_t, sendmsg, int socket, const struct msghdr *message, int flags) {
    return goes_on_uninterrupted("sendmsg", ENOBUFS) ? __real_sendmsg(socket, message, flags) : -1;
}

WRAPPED(ssize_t, recv, int socket, void *buf, size_t n, int flags) {
    return goes_on_uninterrupted("recv", ENOBUFS) ? __real_recv(socket, buf, n, flags) : -1;
}

WRAPPED(int, poll, struct pollfd *fds, nfds_t n, int timeout_ms) {
    return goes_on_uninterrupted("poll", ENOMEM) ? __real_poll(fds, n, timeout_ms) : -1;
}

WRAPPED(int, waitid, idtype_t type, id_t id, siginfo_t *info, int options) {
    return goes_on_uninterrupted("waitid", EINVAL) ? __real_waitid(type, id, info, options) : -1;
}

WRAPPED(int, posix_spawn, pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
        const posix_spawnattr_t *attr, char *const argv[], char *const environment[]) {
    if (!goes_on("posix_spawn", EAGAIN))
        return EAGAIN;
    return __real_posix_spawn(pid, spawn_instead != NULL ? spawn_instead : path, actions, attr,
                              argv, environment);
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...) {
    long arg[6];
    va_list args;
    va_start(args, number);
    for (int i = 0; i < 6; i++)
        arg[i] = va_arg(args, long);
    va_end(args);
    return goes_on("syscall", ENOSYS)
               ? __real_syscall(number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5])
               : -1;
}

/* ---- memory and threads ---- */

WRAPPED(void *, malloc, size_t n) {
    return fails(FAULT_MEMORY, "malloc") ? NULL : __real_malloc(n);
}

WRAPPED(void *, calloc, size_t n, size_t size) {
    return fails(FAULT_MEMORY, "calloc") ? NULL : __real_calloc(n, size);
}

WRAPPED(void *, realloc, void *p, size_t n) {
    return fails(FAULT_MEMORY, "realloc") ? NULL : __real_realloc(p, n);
}

WRAPPED(void *, aligned_alloc, size_t align, size_t n) {
    return fails(FAULT_MEMORY, "aligned_alloc") ? NULL : __real_aligned_alloc(align, n);
}

WRAPPED(char *, strdup, const char *s) {
    return fails(FAULT_MEMORY, "strdup") ? NULL : __real_strdup(s);
}

WRAPPED(char *, strndup, const char *s, size_t n) {
    return fails(FAULT_MEMORY, "strndup") ? NULL : __real_strndup(s, n);
}

WRAPPED(char *, realpath, const char *path, char *resolved) {
    errno = ENOMEM;
    return fails(FAULT_MEMORY, "realpath") ? NULL : __real_realpath(path, resolved);
}

int __wrap_asprintf(char **out, const char *format, ...);
int __wrap_asprintf(char **out, const char *format, ...) {
    va_list args;
    *out = NULL;
    if (fails(FAULT_MEMORY, "asprintf"))
        return -1;
    va_start(args, format);
    int n = vasprintf(out, format, args);
    va_end(args);
    return n;
}

WRAPPED(int, posix_spawn_file_actions_init, posix_spawn_file_actions_t *actions) {
    return fails(FAULT_MEMORY, "posix_spawn_file_actions_init")
               ? ENOMEM
               : __real_posix_spawn_file_actions_init(actions);
}

WRAPPED(int, posix_spawn_file_actions_adddup2, posix_spawn_file_actions_t *actions, int from,
        int to) {
    return fails(FAULT_MEMORY, "posix_spawn_file_actions_adddup2")
               ? ENOMEM
               : __real_posix_spawn_file_actions_adddup2(actions, from, to);
}

WRAPPED(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
        void *arg) {
    return fails(FAULT_MEMORY, "pthread_create") ? EAGAIN
                                                 : __real_pthread_create(thread, attr, run, arg);
}
