/*
 * Which bytes of an allocation were ever written: sorted intervals with gaps between them.
 */
#include "fake_state.h"

#include <string.h>

void fake__written_add(struct fake_allocation *a, uintptr_t begin, uintptr_t end) {
    size_t first = 0;
    while (first < a->num_written && a->written[first].end < begin)
        first++;
    size_t past = first;
    for (; past < a->num_written && a->written[past].begin <= end; past++) {
        begin = a->written[past].begin < begin ? a->written[past].begin : begin;
        end = a->written[past].end > end ? a->written[past].end : end;
    }
    a->written = fake__grown(a->written, a->num_written, &a->room_written, sizeof *a->written);
    memmove(a->written + first + 1, a->written + past,
            (a->num_written - past) * sizeof *a->written);
    a->written[first] = (struct fake_interval){begin, end};
    a->num_written = a->num_written - (past - first) + 1;
}

uintptr_t fake__written_gap(const struct fake_allocation *a, uintptr_t begin, uintptr_t end) {
    for (size_t i = 0; i < a->num_written; i++)
        if (a->written[i].begin <= begin && begin < a->written[i].end)
            return a->written[i].end < end ? a->written[i].end : end;
    return begin == end ? end : begin;
}
