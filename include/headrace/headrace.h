/*
 * Headrace: streams training data too large for memory. This header is all of the C API.
 *
 * A pointer must not be NULL unless the function's comment says what NULL means.
 */
#ifndef HEADRACE_H
#define HEADRACE_H

#include "bench.h"
#include "compare.h"
#include "convert.h"
#include "dataset.h"
#include "dlpack.h"
#include "finish.h"
#include "gpu.h"
#include "guard.h"
#include "hold.h"
#include "join.h"
#include "loader.h"
#include "memory.h"
#include "pad.h"
#include "ranks.h"
#include "report.h"
#include "salvage.h"
#include "status.h"
#include "subset.h"
#include "trace.h"
#include "types.h"
#include "writer.h"

#endif
