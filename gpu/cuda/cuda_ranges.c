/*
 * Ranges by NVTX, which is headers only. A tool puts itself behind these calls when the first of
 * them is made, if it does at all; where none did, a domain is NULL.
 */
#include "cuda_ranges.h"

#include <nvtx3/nvToolsExt.h>
#include <stddef.h>

void *hr__cuda_ranges_open(void) {
    return nvtxDomainCreateA("Headrace");
}

void hr__cuda_ranges_close(void *ranges) {
    if (ranges != NULL)
        nvtxDomainDestroy(ranges);
}

void hr__cuda_range_begin(void *ranges, const char *name) {
    nvtxEventAttributes_t attributes = {0};
    attributes.version = NVTX_VERSION;
    attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
    attributes.messageType = NVTX_MESSAGE_TYPE_ASCII;
    attributes.message.ascii = name;
    (void)nvtxDomainRangePushEx(ranges, &attributes);
}

void hr__cuda_range_end(void *ranges) {
    (void)nvtxDomainRangePop(ranges);
}
