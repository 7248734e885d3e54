/*
 * What test programs that play the source helper themselves have in common: a file with one data
 * set, whose values are its indices; with records of two members, whose values likewise, where its
 * name says "records"; or where it says "sequences" with sequences, in which sample i has its index
 * i % FAKE_LENGTHS times, or "columns" with a matrix by columns, which are such sequences, as are
 * what the rows hold.
 */
#ifndef HEADRACE_FAKE_HELPER_H
#define HEADRACE_FAKE_HELPER_H

#include "helper_protocol.h"

#define FAKE_SAMPLES   100000u
#define FAKE_SEQUENCES 5000u
#define FAKE_LENGTHS   5u

/* This program under the name of the mode that it is to play, for made_path(); until the next call
 * of either. */
const char *fake_program(const char *mode);
/* Ends the process where it cannot be sent. */
void fake_say(int socket, const struct hr__helper_message *m);
/* Ends the process when there is no more. *fd: the descriptor that came along, or unchanged. */
void fake_hear(int socket, struct hr__helper_message *m, int *fd);
struct hr__helper_field fake_field(void);
/* Maps what OPEN brought; ends the process where it cannot. */
uint32_t *fake_map(int fd, uint64_t slot_bytes);
/* The rows of a READ, into their slot. */
void fake_fill(uint32_t *rows, uint64_t slot_bytes, const struct hr__helper_message *m);
/* The whole conversation, for a program that is started as a helper. */
int fake_serve(int socket);

#endif
