/*
 * A record as bytes. Input of decode is untrusted: the hash says that a page is whole, not that it
 * was written by us.
 */
#include "record.h"

#include "bytes.h"
#include "hash.h"
#include "utf8.h"

#include <stddef.h>
#include <string.h>

#define VERSION     1u
#define FIRST_OFF   16u
#define HASH_OFF    (HR__RECORD_BYTES - 8)
#define EPOCH_BYTES 24u

static const char magic[8] = {'H', 'R', 'D', 'B', 'O', 'X', '1', '\n'};

#define FIGURE(name)                                                                               \
    { offsetof(struct hr__record, name), 0 }
#define TEXT(name)                                                                                 \
    { offsetof(struct hr__record, name), sizeof(((struct hr__record *)0)->name) }

/* What is in the page, in this order. n_bytes 0: a figure of 8 bytes. */
static const struct item {
    size_t off, n_bytes;
} items[] = {
    TEXT(id.boot_id),
    FIGURE(id.pid),
    FIGURE(id.start_ticks),
    FIGURE(id.pid_space),
    FIGURE(ended),
    FIGURE(opened_unix_ns),
    FIGURE(written_unix_ns),
    FIGURE(opened_resident_bytes),
    FIGURE(resident_bytes),
    FIGURE(peak_resident_bytes),
    FIGURE(headrace_bytes),
    FIGURE(limit_kind),
    FIGURE(limit_bytes),
    FIGURE(used_bytes),
    FIGURE(reclaimable_bytes),
    FIGURE(headroom_bytes),
    FIGURE(limit_peak_bytes),
    FIGURE(group_v1),
    FIGURE(group_inode),
    FIGURE(oom_kills_opened),
    FIGURE(oom_kills),
    FIGURE(epoch),
    FIGURE(step),
    FIGURE(batches_delivered),
    FIGURE(rank),
    FIGURE(world_size),
    FIGURE(nan_epoch),
    FIGURE(nan_batch),
    TEXT(limit_name),
    TEXT(group_folder),
    TEXT(host),
    TEXT(command),
};
#define NUM_ITEMS (sizeof(items) / sizeof(items[0]))

_Static_assert(FIRST_OFF + NUM_ITEMS * 8 + HR__BOOT_ID_BYTES + 2 * HR_MEMORY_NAME_BYTES +
                       HR__RECORD_HOST_BYTES + HR__RECORD_COMMAND_BYTES +
                       HR__MOST_EPOCHS * EPOCH_BYTES <=
                   HASH_OFF,
               "a record fits its page");

void hr__record_encode(const struct hr__record *r, uint8_t page[HR__RECORD_BYTES]) {
    uint8_t *at = page + FIRST_OFF;
    memset(page, 0, HR__RECORD_BYTES);
    memcpy(page, magic, sizeof(magic));
    hr__put_u32(page + 8, VERSION);
    hr__put_u32(page + 12, r->epochs.count);
    for (size_t i = 0; i < NUM_ITEMS; i++) {
        const void *from = (const uint8_t *)r + items[i].off;
        uint64_t figure;
        if (items[i].n_bytes != 0) {
            memcpy(at, from, items[i].n_bytes);
            at += items[i].n_bytes;
        } else {
            memcpy(&figure, from, sizeof(figure));
            hr__put_u64(at, figure);
            at += 8;
        }
    }
    for (uint32_t i = 0; i < r->epochs.count; i++, at += EPOCH_BYTES) {
        hr__put_u64(at, r->epochs.at[i].epoch);
        hr__put_u64(at + 8, r->epochs.at[i].resident_bytes);
        hr__put_u64(at + 16, r->epochs.at[i].headrace_bytes);
    }
    hr__put_u64(page + HASH_OFF, hr__hash(page, HASH_OFF));
}

/* Ends in the text's room, and can be shown on a terminal. */
static void make_plain(char *text, size_t n_bytes) {
    text[n_bytes - 1] = 0;
    const bool valid = hr__utf8_valid(text, strlen(text));
    for (; *text != 0; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f || (!valid && (unsigned char)*text > 0x7f))
            *text = '?';
}

bool hr__record_decode(const uint8_t page[HR__RECORD_BYTES], struct hr__record *out) {
    const uint8_t *at = page + FIRST_OFF;
    const uint32_t count = hr__get_u32(page + 12);
    memset(out, 0, sizeof(*out));
    if (memcmp(page, magic, sizeof(magic)) != 0 || hr__get_u32(page + 8) != VERSION ||
        count > HR__MOST_EPOCHS || hr__get_u64(page + HASH_OFF) != hr__hash(page, HASH_OFF))
        return false;
    for (size_t i = 0; i < NUM_ITEMS; i++) {
        uint8_t *to = (uint8_t *)out + items[i].off;
        const uint64_t figure = hr__get_u64(at);
        const size_t n_bytes = items[i].n_bytes;
        memcpy(to, n_bytes != 0 ? (const void *)at : (const void *)&figure,
               n_bytes != 0 ? n_bytes : sizeof(figure));
        if (n_bytes != 0)
            make_plain((char *)to, n_bytes);
        at += n_bytes != 0 ? n_bytes : 8;
    }
    out->epochs.count = count;
    for (uint32_t i = 0; i < count; i++, at += EPOCH_BYTES)
        out->epochs.at[i] =
            (struct hr__epoch_memory){hr__get_u64(at), hr__get_u64(at + 8), hr__get_u64(at + 16)};
    return true;
}
