/*
 * The faulty disk.
 *
 * Invariants:
 *  1. the log alone determines the state: names and contents are what replaying it gives;
 *  2. an entry is durable once its file (its folder, for names) was synchronised after it.
 */
#define _GNU_SOURCE
#include "fault_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#define MAX_NAMES 8
#define MAX_NODES 32

/* So that tests write chunks of both kinds: those before it through the page cache. */
#define CACHED_BYTES (UINT64_C(160) << 10)

enum kind { WRITE, TRUNCATE, CREATE, RENAME, UNLINK };

struct entry {
    enum kind kind;
    int node;
    uint64_t off; /* of a write; the size of a truncate */
    size_t n_bytes;
    uint8_t *bytes;
    char from[64];
    char to[64];
    bool durable;
};

struct node {
    uint8_t *bytes;
    uint64_t size;
    uint64_t room;
    bool locked;
};

struct name {
    char text[64];
    int node;
};

struct fault_disk {
    struct hr__folder_ops folder;
    pthread_mutex_t lock;
    struct entry *log;
    size_t num_entries;
    size_t room;
    struct node nodes[MAX_NODES];
    int num_nodes;
    struct name names[MAX_NAMES];
    uint64_t count;
    uint64_t fail_at;
    int fail_errno;
    uint64_t dead_at;
    uint64_t limit_bytes;
};

struct handle {
    struct fault_disk *disk;
    int node;
    bool has_lock;
};

/* ---- state ---- */

static struct name *find_name(struct fault_disk *d, const char *text) {
    for (int i = 0; i < MAX_NAMES; i++)
        if (strcmp(d->names[i].text, text) == 0)
            return &d->names[i];
    return NULL;
}

static void resize(struct node *n, uint64_t size) {
    if (size > n->room) {
        n->room = size * 2;
        n->bytes = realloc(n->bytes, n->room);
    }
    if (size > n->size)
        memset(n->bytes + n->size, 0, size - n->size);
    n->size = size;
}

static void apply(struct fault_disk *d, const struct entry *e) {
    struct name *from = find_name(d, e->from);
    struct name *to = find_name(d, e->to);
    if (e->kind == WRITE) {
        if (e->off + e->n_bytes > d->nodes[e->node].size)
            resize(&d->nodes[e->node], e->off + e->n_bytes);
        memcpy(d->nodes[e->node].bytes + e->off, e->bytes, e->n_bytes);
    } else if (e->kind == TRUNCATE) {
        resize(&d->nodes[e->node], e->off);
    } else if (e->kind == UNLINK) {
        if (from != NULL)
            from->text[0] = '\0';
    } else {
        if (to == NULL)
            to = find_name(d, "");
        memcpy(to->text, e->to, sizeof to->text);
        to->node = e->kind == CREATE ? e->node : from->node;
        if (e->kind == RENAME)
            from->text[0] = '\0';
    }
}

static void record(struct fault_disk *d, struct entry e, const void *bytes) {
    if (d->num_entries == d->room) {
        d->room = d->room * 2 + 64;
        d->log = realloc(d->log, d->room * sizeof *d->log);
    }
    if (e.kind == WRITE) {
        e.bytes = malloc(e.n_bytes + 1);
        memcpy(e.bytes, bytes, e.n_bytes);
    }
    d->log[d->num_entries++] = e;
    apply(d, &d->log[d->num_entries - 1]);
}

/* Counts an operation; 0 or the errno with which it fails. The lock is held. */
static int count_op(struct fault_disk *d) {
    d->count++;
    if (d->dead_at != 0 && d->count >= d->dead_at)
        return EIO;
    return d->count == d->fail_at ? d->fail_errno : 0;
}

/* ---- files ---- */

static int64_t file_read(void *ctx, void *buf, size_t n_bytes, uint64_t off) {
    const struct handle *h = ctx;
    struct fault_disk *d = h->disk;
    const struct node *n = &d->nodes[h->node];
    pthread_mutex_lock(&d->lock);
    int64_t got = -count_op(d);
    if (got == 0 && off < n->size) {
        got = (int64_t)(n_bytes < n->size - off ? n_bytes : n->size - off);
        memcpy(buf, n->bytes + off, (size_t)got);
    }
    pthread_mutex_unlock(&d->lock);
    return got;
}

static bool fits(const struct fault_disk *d, int node, uint64_t end) {
    uint64_t used = 0;
    for (int i = 0; i < d->num_nodes; i++)
        used += i == node && end > d->nodes[i].size ? end : d->nodes[i].size;
    return used <= d->limit_bytes;
}

static int file_write(void *ctx, const void *buf, size_t n_bytes, uint64_t off) {
    const struct handle *h = ctx;
    struct fault_disk *d = h->disk;
    pthread_mutex_lock(&d->lock);
    int rc = count_op(d);
    if (rc == 0 && !fits(d, h->node, off + n_bytes))
        rc = ENOSPC;
    const size_t done = rc == 0                                    ? n_bytes
                        : d->dead_at != 0 && d->count > d->dead_at ? 0
                                                                   : n_bytes / 2;
    if (done > 0 && fits(d, h->node, off + done))
        record(d, (struct entry){.kind = WRITE, .node = h->node, .off = off, .n_bytes = done}, buf);
    pthread_mutex_unlock(&d->lock);
    return -rc;
}

static int file_sync(void *ctx) {
    const struct handle *h = ctx;
    struct fault_disk *d = h->disk;
    pthread_mutex_lock(&d->lock);
    const int rc = count_op(d);
    for (size_t i = 0; rc == 0 && i < d->num_entries; i++)
        if (d->log[i].kind <= TRUNCATE && d->log[i].node == h->node)
            d->log[i].durable = true;
    pthread_mutex_unlock(&d->lock);
    return -rc;
}

static int file_truncate(void *ctx, uint64_t n_bytes) {
    const struct handle *h = ctx;
    struct fault_disk *d = h->disk;
    pthread_mutex_lock(&d->lock);
    const int rc = count_op(d);
    if (rc == 0)
        record(d, (struct entry){.kind = TRUNCATE, .node = h->node, .off = n_bytes}, NULL);
    pthread_mutex_unlock(&d->lock);
    return -rc;
}

static int64_t file_size(void *ctx) {
    const struct handle *h = ctx;
    pthread_mutex_lock(&h->disk->lock);
    const int rc = count_op(h->disk);
    const int64_t size = (int64_t)h->disk->nodes[h->node].size;
    pthread_mutex_unlock(&h->disk->lock);
    return rc != 0 ? -rc : size;
}

static int file_lock(void *ctx) {
    struct handle *h = ctx;
    struct node *n = &h->disk->nodes[h->node];
    pthread_mutex_lock(&h->disk->lock);
    int rc = count_op(h->disk);
    if (rc == 0 && n->locked && !h->has_lock)
        rc = EAGAIN;
    if (rc == 0)
        n->locked = h->has_lock = true;
    pthread_mutex_unlock(&h->disk->lock);
    return -rc;
}

static void file_close(void *ctx) {
    struct handle *h = ctx;
    pthread_mutex_lock(&h->disk->lock);
    if (h->has_lock)
        h->disk->nodes[h->node].locked = false;
    pthread_mutex_unlock(&h->disk->lock);
    free(h);
}

static int file_write_parts(void *ctx, struct iovec *parts, int num_parts, uint64_t off) {
    int rc = 0;
    for (int i = 0; i < num_parts && rc == 0; i++) {
        rc = file_write(ctx, parts[i].iov_base, parts[i].iov_len, off);
        off += parts[i].iov_len;
    }
    return rc;
}

static const struct hr__file_ops direct_ops = {
    .name = "faulty, direct",
    .write_parts = file_write_parts,
    .close = free,
};

static int file_open_direct(void *ctx, struct hr__file *out) {
    const struct handle *h = ctx;
    struct handle *again = calloc(1, sizeof *again);
    *out = (struct hr__file){0};
    if (again == NULL)
        return -ENOMEM;
    *again = (struct handle){.disk = h->disk, .node = h->node};
    *out = (struct hr__file){.ops = &direct_ops, .ctx = again};
    return 0;
}

static uint64_t file_keep_cached(void *ctx, uint64_t off) {
    (void)ctx;
    (void)off;
    return CACHED_BYTES;
}

static const struct hr__file_ops file_ops = {
    .name = "faulty",
    .read = file_read,
    .write = file_write,
    .sync = file_sync,
    .truncate = file_truncate,
    .size = file_size,
    .lock = file_lock,
    .close = file_close,
    .open_direct = file_open_direct,
    .keep_cached = file_keep_cached,
};

/* ---- the folder ---- */

static void copy_text(char out[64], const char *text) {
    memset(out, 0, 64);
    memcpy(out, text, strnlen(text, 63));
}

static int open_node(struct fault_disk *d, const char *path, int flags, int *node) {
    int rc = count_op(d);
    if (rc != 0)
        return rc;
    struct name *name = find_name(d, path);
    if (name == NULL && (flags & O_CREAT) == 0)
        return ENOENT;
    if (name != NULL && (flags & O_EXCL) != 0)
        return EEXIST;
    if (name == NULL) {
        struct entry e = {.kind = CREATE, .node = d->num_nodes++};
        copy_text(e.to, path);
        record(d, e, NULL);
        name = find_name(d, path);
    }
    *node = name->node;
    return 0;
}

static int folder_open(void *ctx, const char *path, int flags, struct hr__file *out) {
    struct fault_disk *d = ctx;
    int node = 0;
    *out = (struct hr__file){0};
    pthread_mutex_lock(&d->lock);
    const int rc = open_node(d, path, flags, &node);
    pthread_mutex_unlock(&d->lock);
    if (rc != 0)
        return -rc;
    struct handle *h = calloc(1, sizeof *h);
    char *copy = strdup(path);
    if (h == NULL || copy == NULL) {
        free(h);
        free(copy);
        return -ENOMEM;
    }
    *h = (struct handle){.disk = d, .node = node};
    *out = (struct hr__file){.ops = &file_ops, .ctx = h, .path = copy};
    return 0;
}

static int folder_rename(void *ctx, const char *from, const char *to, bool replace) {
    struct fault_disk *d = ctx;
    struct entry e = {.kind = RENAME};
    copy_text(e.from, from);
    copy_text(e.to, to);
    pthread_mutex_lock(&d->lock);
    int rc = count_op(d);
    if (rc == 0 && find_name(d, from) == NULL)
        rc = ENOENT;
    if (rc == 0 && !replace && find_name(d, to) != NULL)
        rc = EEXIST;
    if (rc == 0)
        record(d, e, NULL);
    pthread_mutex_unlock(&d->lock);
    return -rc;
}

static int folder_unlink(void *ctx, const char *path) {
    struct fault_disk *d = ctx;
    struct entry e = {.kind = UNLINK};
    copy_text(e.from, path);
    pthread_mutex_lock(&d->lock);
    const int rc = count_op(d);
    if (rc == 0)
        record(d, e, NULL);
    pthread_mutex_unlock(&d->lock);
    return -rc;
}

static int folder_sync_parent(void *ctx, const char *path) {
    struct fault_disk *d = ctx;
    (void)path;
    pthread_mutex_lock(&d->lock);
    const int rc = count_op(d);
    for (size_t i = 0; rc == 0 && i < d->num_entries; i++)
        if (d->log[i].kind > TRUNCATE)
            d->log[i].durable = true;
    pthread_mutex_unlock(&d->lock);
    return -rc;
}

static bool folder_exists(void *ctx, const char *path) {
    return fault_disk_has(ctx, path);
}

/* ---- what tests see ---- */

struct fault_disk *fault_disk_new(void) {
    struct fault_disk *d = calloc(1, sizeof *d);
    pthread_mutex_init(&d->lock, NULL);
    d->limit_bytes = UINT64_MAX;
    d->folder = (struct hr__folder_ops){.name = "faulty",
                                        .open = folder_open,
                                        .rename = folder_rename,
                                        .unlink = folder_unlink,
                                        .sync_parent = folder_sync_parent,
                                        .exists = folder_exists,
                                        .ctx = d};
    return d;
}

void fault_disk_free(struct fault_disk *d) {
    for (size_t i = 0; i < d->num_entries; i++)
        free(d->log[i].bytes);
    for (int i = 0; i < d->num_nodes; i++)
        free(d->nodes[i].bytes);
    free(d->log);
    pthread_mutex_destroy(&d->lock);
    free(d);
}

const struct hr__folder_ops *fault_disk_folder(struct fault_disk *d) {
    return &d->folder;
}

uint64_t fault_disk_count(const struct fault_disk *d) {
    return d->count;
}

void fault_disk_fail(struct fault_disk *d, uint64_t nth, int os_errno) {
    d->fail_at = nth > 0 ? d->count + nth : 0;
    d->fail_errno = os_errno;
}

void fault_disk_cut_power(struct fault_disk *d, uint64_t nth) {
    d->dead_at = d->count + nth;
}

void fault_disk_limit(struct fault_disk *d, uint64_t n_bytes) {
    d->limit_bytes = n_bytes;
}

bool fault_disk_has(struct fault_disk *d, const char *name) {
    pthread_mutex_lock(&d->lock);
    const bool has = find_name(d, name) != NULL;
    pthread_mutex_unlock(&d->lock);
    return has;
}

static uint64_t draw(uint64_t *state) {
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *state >> 33;
}

/* Names change in order, as in a journal: from the first that is lost, all are. */
struct fault_disk *fault_disk_after_power_cut(const struct fault_disk *d, uint64_t seed) {
    struct fault_disk *after = fault_disk_new();
    uint64_t state = seed;
    bool names_lost = false;
    after->num_nodes = d->num_nodes;
    for (size_t i = 0; i < d->num_entries; i++) {
        struct entry e = d->log[i];
        const uint64_t chance = e.durable ? 1 : draw(&state) % 3;
        if (e.kind > TRUNCATE) {
            /* The file itself is synchronised with its first name. */
            names_lost |= !e.durable && e.kind != CREATE && chance == 0;
            if (names_lost && !e.durable)
                continue;
        } else if (chance == 0) {
            continue;
        } else if (chance == 2 && e.kind == WRITE) {
            e.n_bytes = (size_t)(draw(&state) % (e.n_bytes / 512 + 1) * 512);
        }
        e.durable = true;
        record(after, e, e.bytes);
    }
    return after;
}
