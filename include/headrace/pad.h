/*
 * Padding: values of variable length come as arrays of one length, with a mask beside them, as
 * training on a GPU wants them. A loader's options name the fields (loader.h).
 */
#ifndef HEADRACE_PAD_H
#define HEADRACE_PAD_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bits of hr_pad.flags. Unknown bits are refused. */
#define HR_PAD_TRUNCATE                                                                            \
    1u /**< of longer values the first `length` elements come; else an error                       \
        */

/**
 * One field to be padded. The loader then delivers, in its place, a field of the same name:
 * elements (of bytes and text uint8, of a sequence its own) of shape (length), zeros behind the
 * value; and behind it the field "NAME.mask", bool of the same shape, which is 1 where the value
 * is. Text is counted and cut in bytes.
 */
typedef struct hr_pad {
    uint32_t struct_bytes;
    uint32_t flags;
    const char *field; /**< of variable length, that the loader delivers; copied */
    uint64_t length;   /**< elements, 1 or more */
} hr_pad;
#define HR_PAD_INIT                                                                                \
    { sizeof(hr_pad), 0, NULL, 0 }

#ifdef __cplusplus
}
#endif
#endif
