/*
 * The library's version.
 */
#include "headrace/status.h"

const char *hr_version(void) {
    return HEADRACE_VERSION;
}
