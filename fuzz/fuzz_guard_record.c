/*
 * Records of guards from any bytes, their hash made right: refused, or told in words that end in
 * their room, and written again as they were read.
 */
#include "bytes.h"
#include "death.h"
#include "hash.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    uint8_t page[HR__RECORD_BYTES] = {0};
    static struct hr__record first, second;
    static hr_death_report report;
    memcpy(page, data, size < sizeof(page) ? size : sizeof(page));
    hr__put_u64(page + sizeof(page) - 8, hr__hash(page, sizeof(page) - 8));
    if (!hr__record_decode(page, &first))
        return 0;
    for (int verdict = HR_DEATH_NO_SIGN; verdict <= HR_DEATH_RESTARTED; verdict++) {
        report = (hr_death_report){.verdict = (hr_death)verdict};
        hr__death_fill(&first, &report);
        hr__death_sentence(&first, &report);
        if (memchr(report.sentence, 0, sizeof(report.sentence)) == NULL ||
            memchr(report.command, 0, sizeof(report.command)) == NULL)
            abort();
    }
    hr__record_encode(&first, page);
    if (!hr__record_decode(page, &second) || memcmp(&first, &second, sizeof(first)) != 0)
        abort();
    return 0;
}
