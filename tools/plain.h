/*
 * Texts that name files, fields and what is in them, on a terminal: they may hold anything.
 */
#ifndef HEADRACE_PLAIN_H
#define HEADRACE_PLAIN_H

#include <stdio.h>

/** Prints a text. What a terminal would take for a command (control characters of ASCII and of
 * Latin-1, and bytes that are no UTF-8) is shown as \xNN. */
void plain_put(const char *text, FILE *f);

/** The same for a text of several lines: newlines are printed as such. */
void plain_put_lines(const char *text, FILE *f);

/** printf() of one line, shown as plain_put() does. Only newlines that the format begins with, and
 * one that ends it, are printed as such. */
void plain_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
