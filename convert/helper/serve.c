/*
 * The conversation with libheadrace. Messages are untrusted.
 */
#include "helper.h"
#include "npz.h"
#include "serve_read.h"
#include "serve_write.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct server {
    int socket;
    uint32_t num_found;
    struct read_server reader;
    struct write_server writer;
    uint8_t packet[HR__HELPER_MESSAGE_BYTES]; /* of next_message() */
};

/* Ends the process when nobody listens any more. */
static void say(struct server *s, const struct hr__helper_message *m) {
    uint8_t buf[HR__HELPER_MESSAGE_BYTES];
    size_t n_bytes = hr__helper_encode(m, buf, sizeof buf);
    ssize_t rc;
    do
        rc = send(s->socket, buf, n_bytes, MSG_NOSIGNAL);
    while (rc < 0 && errno == EINTR);
    if (n_bytes == 0 || rc < 0)
        _exit(5);
}

static void say_error(struct server *s, const hr_error *err) {
    struct hr__helper_message m = {
        .type = HR__HELPER_ERROR, .status = err->status, .text = err->message};
    say(s, &m);
}

/* In pieces that fit a message. */
static void say_attributes(struct server *s, const char *json) {
    char piece[HR__HELPER_PATH_BYTES + 1];
    for (size_t left = strlen(json); left > 0;) {
        size_t n = left < HR__HELPER_PATH_BYTES ? left : HR__HELPER_PATH_BYTES;
        memcpy(piece, json, n);
        piece[n] = '\0';
        struct hr__helper_message m = {.type = HR__HELPER_ATTRIBUTES, .text = piece};
        say(s, &m);
        json += n;
        left -= n;
    }
}

static hr_status found(void *arg, const struct hr__helper_field *field, const char *attributes,
                       const char *note, hr_error *err) {
    struct server *s = arg;
    (void)err;
    if (attributes != NULL)
        say_attributes(s, attributes);
    if (note != NULL) {
        struct hr__helper_message m = {.type = HR__HELPER_NOTE, .text = note};
        say(s, &m);
    }
    if (field == NULL)
        return HR_OK;
    struct hr__helper_message m = {.type = HR__HELPER_FIELD, .field = *field};
    say(s, &m);
    s->num_found++;
    return HR_OK;
}

static hr_status found_array(void *arg, const struct hr__helper_field *field, hr_error *err) {
    return found(arg, field, NULL, NULL, err);
}

static void refused(void *arg, const char *name, const hr_error *why) {
    struct hr__helper_message m = {
        .type = HR__HELPER_REFUSED, .status = why->status, .member = name, .text = why->message};
    say(arg, &m);
}

static hr_status list_hdf5(struct server *s, const struct hr__helper_message *m, hr_error *err) {
    struct h5_file file;
    bool follow = (m->flags & HR__HELPER_FOLLOW_EXTERNAL) != 0;
    hr_status st = h5_file_open(&file, m->path, follow, 0, 0, err);
    if (st == HR_OK)
        st = h5_list(&file, m->member, m->flags & (HR__HELPER_DENSE | HR__HELPER_ROW_VALUES), found,
                     (m->flags & HR__HELPER_GO_ON) != 0 ? refused : NULL, s, err);
    h5_file_close(&file);
    return st;
}

static hr_status list_npz(struct server *s, const struct hr__helper_message *m, hr_error *err) {
    struct npz_archive archive;
    hr_status st = npz_archive_open(&archive, m->path, err);
    if (st == HR_OK)
        st = npz_list(&archive, m->member, found_array,
                      (m->flags & HR__HELPER_GO_ON) != 0 ? refused : NULL, s, err);
    npz_archive_close(&archive);
    return st;
}

static hr_status do_list(struct server *s, const struct hr__helper_message *m, hr_error *err) {
    s->num_found = 0;
    hr_status st = npz_is_archive(m->path) ? list_npz(s, m, err) : list_hdf5(s, m, err);
    struct hr__helper_message end = {.type = HR__HELPER_LIST_END, .count = s->num_found};
    if (st == HR_OK)
        say(s, &end);
    return st;
}

static hr_status do_open(struct server *s, const struct hr__helper_message *m, int fd,
                         hr_error *err) {
    struct hr__helper_message opened = {.type = HR__HELPER_OPENED};
    limits_set_memory(m->memory_bytes);
    const hr_status st = read_open(&s->reader, m, fd, &opened.field, err);
    opened.field.member = m->member;
    opened.field.name = "";
    if (st == HR_OK)
        say(s, &opened);
    return st;
}

static hr_status do_read(struct server *s, const struct hr__helper_message *m, hr_error *err) {
    struct hr__helper_message rows = *m;
    rows.type = HR__HELPER_ROWS;
    const hr_status st = read_rows(&s->reader, m, &rows.n, err);
    if (st == HR_OK)
        say(s, &rows);
    return st;
}

/* Bytes received, or at most 0 for the end. *fd: what came along, or -1. */
static ssize_t hear(int socket, uint8_t *buf, int *fd) {
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    memset(&control, 0, sizeof control);
    struct iovec part = {.iov_base = buf, .iov_len = HR__HELPER_MESSAGE_BYTES};
    struct msghdr msg = {.msg_iov = &part,
                         .msg_iovlen = 1,
                         .msg_control = &control,
                         .msg_controllen = sizeof control.room};
    *fd = -1;
    ssize_t n;
    do
        n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n > 0 && msg.msg_controllen >= CMSG_LEN(sizeof(int)) &&
        control.head.cmsg_level == SOL_SOCKET && control.head.cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(&control.head), sizeof *fd);
    return n;
}

static void say_done(struct server *s, const struct hr__helper_message *m) {
    struct hr__helper_message done = {
        .type = HR__HELPER_DONE, .slot = m->slot, .first = m->first, .n = m->n};
    say(s, &done);
}

/* Ends the process when there is none. */
static hr_status next_message(void *arg, struct hr__helper_message *m, hr_error *err) {
    struct server *s = arg;
    int fd;
    say_done(s, m);
    ssize_t n = hear(s->socket, s->packet, &fd);
    if (n <= 0)
        _exit(0);
    if (fd >= 0)
        (void)close(fd);
    return hr__helper_decode(s->packet, (size_t)n, m, err);
}

static hr_status do_write(struct server *s, const struct hr__helper_message *m, int fd,
                          hr_error *err) {
    struct hr__helper_message now = *m;
    hr_status st = write_answer(&s->writer, &now, fd, next_message, s, err);
    if (st == HR_OK)
        say_done(s, &now);
    return st;
}

static hr_status answer(struct server *s, const struct hr__helper_message *m, int fd,
                        hr_error *err) {
    switch (m->type) {
    case HR__HELPER_LIST:
        limits_forbid_writing();
        return do_list(s, m, err);
    case HR__HELPER_OPEN:
        limits_forbid_writing();
        return do_open(s, m, fd, err);
    case HR__HELPER_READ:
        return do_read(s, m, err);
    case HR__HELPER_CLOSE:
        read_close(&s->reader, m->array);
        say_done(s, m);
        return HR_OK;
    case HR__HELPER_CREATE:
    case HR__HELPER_ARRAY:
    case HR__HELPER_WRITE:
    case HR__HELPER_BEGIN_VALUES:
    case HR__HELPER_VALUES:
    case HR__HELPER_ATTRIBUTE:
    case HR__HELPER_FINISH:
        return do_write(s, m, fd, err);
    default:
        return hr__error_set(err, HR_ERR_INVALID, "an unexpected message");
    }
}

static void say_hello(struct server *s) {
    char text[64];
    unsigned major = 0, minor = 0, release = 0;
    (void)H5get_libversion(&major, &minor, &release);
    (void)snprintf(text, sizeof text, "HDF5 %u.%u.%u", major, minor, release);
    struct hr__helper_message m = {.type = HR__HELPER_HELLO, .text = text};
    say(s, &m);
}

void serve(int socket) {
    struct server s = {.socket = socket};
    s.writer.npz.fd = -1;
    s.writer.hdf5.file = s.writer.hdf5.dataset = s.writer.hdf5.type = -1;
    uint8_t buf[HR__HELPER_MESSAGE_BYTES];
    say_hello(&s);
    for (;;) {
        int fd;
        ssize_t n = hear(socket, buf, &fd);
        if (n <= 0)
            return;
        hr_error err;
        memset(&err, 0, sizeof err);
        struct hr__helper_message m;
        hr_status st = hr__helper_decode(buf, (size_t)n, &m, &err);
        if (st == HR_OK)
            st = answer(&s, &m, fd, &err);
        if (st != HR_OK)
            say_error(&s, &err);
        if (fd >= 0)
            (void)close(fd);
    }
}
