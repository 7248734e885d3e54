/*
 * The contrast: train on arrays that are read whole.
 */
#ifndef TRAIN_WHOLE_H
#define TRAIN_WHOLE_H

#include "train_options.h"

/* 0: trained; -1: a message was printed. */
int train_whole(const struct train_options *opts);

#endif
