/*
 * Appends leave dead bytes behind, and no byte that a footer ever referred to is overwritten: a
 * reader may hold the oldest of commits. So where more than half of a file is dead, the same commit
 * is written once more without, as TARGET.partial, and takes the target's name. Whoever has the old
 * file open keeps it.
 *
 * Invariants:
 *  1. the target's name stands for a whole file of this commit at any instant;
 *  2. a copy is made with the locks of the target and of TARGET.partial held, so that it replaces
 *     nothing but the file that it is a copy of;
 *  3. chunks, job record, schema and commit number are those of the old file: only places differ;
 *  4. what hinders the copy is no failure: the old file is as good, and the next append tries
 * again.
 */
#ifndef HEADRACE_COMPACT_H
#define HEADRACE_COMPACT_H

#include "commit.h"
#include "partial_file.h"

/* c is committed in target's file. target then holds the file that has the name, locked; whether it
 * is a new one: c->end_off and dead_bytes are then those of it. buf is lent; a page at least. */
bool hr__compact(struct hr__commit *c, struct hr__partial_file *target, struct hr__budget *budget,
                 uint8_t *buf, size_t buf_bytes);

#endif
