/*
 * Running a kernel of a test, and where it may look.
 */
#ifndef FAKE_KERNELS_H
#define FAKE_KERNELS_H

#include "fake_state.h"

struct fake_scratch { /* handed out for what a kernel did not declare */
    struct fake_scratch *next;
    size_t n_bytes;
    unsigned char *bytes;
};

/* This thread runs a kernel, and so holds the lock. */
bool fake__in_kernel(void);
void fake__kernel_run(struct fake_op *op);

#endif
