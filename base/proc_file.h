/*
 * Small files of /proc and /sys, and what stands in them. Nothing is allocated: they are read when
 * memory is short. Files are named by a root ("" for the running system, a folder for tests), a
 * folder and a name. What is missing or strange is UINT64_MAX.
 */
#ifndef HEADRACE_PROC_FILE_H
#define HEADRACE_PROC_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* More than any file read here has; what is longer is cut. */
#define HR__PROC_TEXT_BYTES 8192u

/* As much of a file as fits, and a zero behind it. False: it cannot be read. */
bool hr__proc_text(const char *root, const char *folder, const char *name,
                   char out[HR__PROC_TEXT_BYTES]);

/* The first number in a file; UINT64_MAX for "max", too. */
uint64_t hr__proc_number(const char *root, const char *folder, const char *name);

/* A file to read a number from again and again, which is several times as fast; -1: it cannot be.
 */
int hr__proc_open(const char *root, const char *folder, const char *name);
uint64_t hr__proc_number_at(int fd);

/* Of the line "KEY value" or "KEY: value kB" in a text: the value as it stands. */
uint64_t hr__text_value(const char *text, const char *key);
/* The same of a value in kB, in bytes. */
uint64_t hr__text_kib(const char *text, const char *key);

#endif
