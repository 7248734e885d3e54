/*
 * Half blocks: the upper half of a character has the colour of the letter, the lower half that of
 * its background.
 */
#include "terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define UPPER_HALF "\xe2\x96\x80"
#define RESET      "\033[0m"

static terminal_colour colour_of(void) {
    const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");
    const char *more = getenv("COLORTERM");
    if ((no_colour != NULL && no_colour[0] != '\0') || term == NULL || term[0] == '\0' ||
        strcmp(term, "dumb") == 0) {
        return TERMINAL_NO_COLOUR;
    }
    if (more != NULL && (strcmp(more, "truecolor") == 0 || strcmp(more, "24bit") == 0)) {
        return TERMINAL_24_BIT;
    }
    return strstr(term, "256color") != NULL ? TERMINAL_256 : TERMINAL_NO_COLOUR;
}

terminal terminal_look(void) {
    struct winsize size = {0};
    terminal t = {.colour = TERMINAL_NO_COLOUR, .utf8 = true, .columns = 80};
    if (isatty(STDOUT_FILENO) != 1) {
        return t;
    }
    t.there = true;
    t.colour = colour_of();
    t.utf8 = setlocale(LC_CTYPE, "") != NULL && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        t.columns = size.ws_col;
    }
    return t;
}

bool terminal_shows_images(const terminal *t) {
    return t->colour != TERMINAL_NO_COLOUR && t->utf8;
}

/* The nearest of the 256: the greys, or the cube of six steps each. */
static int of_256(const uint8_t *c) {
    if (c[0] == c[1] && c[1] == c[2]) {
        return c[0] < 4 ? 16 : c[0] > 246 ? 231 : 232 + (c[0] - 4) * 24 / 243;
    }
    return 16 + 36 * ((c[0] * 5 + 127) / 255) + 6 * ((c[1] * 5 + 127) / 255) +
           (c[2] * 5 + 127) / 255;
}

/* layer: 38 for the letter, 48 for the background. */
static void set_colour(const terminal *t, int layer, const uint8_t *c) {
    if (t->colour == TERMINAL_24_BIT) {
        printf("\033[%d;2;%d;%d;%dm", layer, c[0], c[1], c[2]);
    } else {
        printf("\033[%d;5;%dm", layer, of_256(c));
    }
}

static bool same(const uint8_t *a, const uint8_t *b) {
    return a != NULL && memcmp(a, b, 3) == 0;
}

/* Two rows of pixels; below the last one it is black. */
static void print_row(const terminal *t, const image *i, uint64_t y) {
    static const uint8_t black[3];
    const uint8_t *was_up = NULL, *was_down = NULL;
    for (uint64_t x = 0; x < i->width; x++) {
        const uint8_t *up = i->rgb + 3 * (y * i->width + x);
        const uint8_t *down = y + 1 < i->height ? up + 3 * i->width : black;
        if (!same(was_up, up)) {
            set_colour(t, 38, up);
        }
        if (!same(was_down, down)) {
            set_colour(t, 48, down);
        }
        fputs(UPPER_HALF, stdout);
        was_up = up;
        was_down = down;
    }
    fputs(RESET, stdout);
}

static void print_line(const terminal *t, const image *images, const char *const *captions,
                       uint32_t count) {
    for (uint64_t y = 0; y < images[0].height; y += 2) {
        for (uint32_t i = 0; i < count; i++) {
            print_row(t, &images[i], y);
            putchar(i + 1 < count ? ' ' : '\n');
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        const int width = (int)images[i].width;
        printf("%-*.*s%s", width, width, captions[i], i + 1 < count ? " " : "\n");
    }
}

void terminal_print_images(const terminal *t, const image *images, const char *const *captions,
                           uint32_t count) {
    if (count == 0) {
        return;
    }
    const uint32_t wide = (uint32_t)images[0].width + 1;
    const uint32_t fit = (t->columns + 1) / wide > 0 ? (t->columns + 1) / wide : 1;
    for (uint32_t i = 0; i < count; i += fit) {
        print_line(t, images + i, captions + i, count - i < fit ? count - i : fit);
    }
}
