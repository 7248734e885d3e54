/*
 * Natural order of names. The locale plays no part: the order of files decides the order of
 * samples, so it is the same everywhere.
 */
#include "natural_order.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static size_t count_digits(const char *p) {
    size_t n = 0;
    while (is_digit(p[n]))
        n++;
    return n;
}

/* Compares the numbers at *a and *b by value and moves behind them. */
static int compare_numbers(const char **a, const char **b) {
    while (**a == '0')
        ++*a;
    while (**b == '0')
        ++*b;
    size_t na = count_digits(*a), nb = count_digits(*b);
    int order = na != nb ? (na < nb ? -1 : 1) : memcmp(*a, *b, na);
    *a += na;
    *b += nb;
    return order;
}

int hr__natural_compare(const char *a, const char *b) {
    const char *p = a, *q = b;
    while (*p != '\0' && *q != '\0') {
        if (is_digit(*p) && is_digit(*q)) {
            int order = compare_numbers(&p, &q);
            if (order != 0)
                return order;
        } else if (*p != *q) {
            return (unsigned char)*p < (unsigned char)*q ? -1 : 1;
        } else {
            p++, q++;
        }
    }
    if (*p != *q)
        return *p == '\0' ? -1 : 1;
    return strcmp(a, b); /* they differ in leading zeros at most */
}

static int compare_entries(const void *a, const void *b) {
    return hr__natural_compare(*(char *const *)a, *(char *const *)b);
}

void hr__natural_sort(char **names, size_t n) {
    if (n > 1)
        qsort(names, n, sizeof *names, compare_entries);
}
