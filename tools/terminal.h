/*
 * What the terminal behind stdout can show, and images on it.
 */
#ifndef HEADRACE_TERMINAL_H
#define HEADRACE_TERMINAL_H

#include "head_image.h"

/** Colours that the terminal is known to have. */
typedef enum terminal_colour { TERMINAL_NO_COLOUR, TERMINAL_256, TERMINAL_24_BIT } terminal_colour;

typedef struct terminal {
    terminal_colour colour; /* none where stdout is no terminal, or NO_COLOR is set */
    bool utf8;              /* characters beyond ASCII can be shown; true where it is no terminal */
    bool there;             /* stdout is a terminal */
    uint32_t columns;
} terminal;

/** Looks at stdout, TERM, COLORTERM, NO_COLOR and the locale (which it sets for characters). */
terminal terminal_look(void);

/** Whether images can be shown. */
bool terminal_shows_images(const terminal *t);

/** Images of one size side by side, two pixels in a character; captions[i] under each. */
void terminal_print_images(const terminal *t, const image *images, const char *const *captions,
                           uint32_t count);

#endif
