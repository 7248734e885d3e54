/*
 * The two superblock slots from any bytes: which one decides, and what it holds. Input: one byte of
 * flags (1, 2: the hash of slot 0, 1 is made right; 4: its magic and page size too), then the two
 * pages, as far as they are there.
 */
#include "bytes.h"
#include "hash.h"
#include "superblock.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HASH_OFF 4088u

static const uint8_t start[16] = {0x89, 'H', 'R', 'D', '\r', '\n', 0x1a, '\n', 1, 0, 0, 0, 0, 16};

static void page_make(const uint8_t *data, size_t size, size_t at, bool hash, bool magic,
                      uint8_t page[HR__PAGE_BYTES]) {
    size_t n = size > at ? size - at : 0;
    memset(page, 0, HR__PAGE_BYTES);
    memcpy(page, data + (n > 0 ? at : 0), n < HR__PAGE_BYTES ? n : HR__PAGE_BYTES);
    if (magic) {
        memcpy(page, start, 8);
        memcpy(page + 12, start + 12, 4);
    }
    if (hash)
        hr__put_u64(page + HASH_OFF, hr__hash(page, HASH_OFF));
}

/* What a slot says survives being written again. */
static void check(const struct hr__superblock *sb) {
    uint8_t page[HR__PAGE_BYTES];
    struct hr__superblock again;
    if (sb->commit_seq == 0 || sb->footer_off < HR__DATA_OFF || sb->footer_bytes < 128 ||
        sb->footer_off > sb->file_bytes || sb->footer_bytes > sb->file_bytes - sb->footer_off)
        abort();
    hr__superblock_encode(sb, page);
    if (hr__superblock_decode(page, &again, NULL) != HR_OK || memcmp(again.uuid, sb->uuid, 16) ||
        again.commit_seq != sb->commit_seq || again.footer_off != sb->footer_off ||
        again.footer_bytes != sb->footer_bytes || again.footer_hash != sb->footer_hash ||
        again.file_bytes != sb->file_bytes || again.required != sb->required)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t slots[2][HR__PAGE_BYTES];
    struct hr__superblock sb;
    hr_error err = {.status = HR_OK};
    int slot = -1;
    if (size == 0)
        return 0;
    page_make(data, size, 1, data[0] & 1, data[0] & 4, slots[0]);
    page_make(data, size, 1 + HR__PAGE_BYTES, data[0] & 2, data[0] & 4, slots[1]);
    hr_status st = hr__superblock_choose(slots[0], slots[1], &slot, &err);
    if (st == HR_OK && (slot < 0 || slot > 1 || !hr__superblock_slot_valid(slots[slot])))
        abort();
    if (st == HR_OK)
        st = hr__superblock_decode(slots[slot], &sb, &err);
    if (st == HR_OK)
        check(&sb);
    else if (err.status != st || err.message[0] == '\0')
        abort();
    return 0;
}
