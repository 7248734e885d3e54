/*
 * Cells of a line.
 */
#include "csv_cells.h"

#include <string.h>

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

void hr__csv_cells_begin(struct hr__csv_cells *c, const char *line, size_t n, char separator) {
    *c = (struct hr__csv_cells){.at = line, .end = line + n, .separator = separator, .more = true};
}

/* A tab that divides cells is no space. */
static void skip_spaces(struct hr__csv_cells *c) {
    while (c->at < c->end && is_space(*c->at) && *c->at != c->separator)
        c->at++;
}

static void end_cell(struct hr__csv_cells *c) {
    c->more = c->at < c->end;
    if (c->more)
        c->at++;
}

static bool next_quoted(struct hr__csv_cells *c, struct hr__csv_cell *out) {
    const char *begin = ++c->at;
    for (; c->at < c->end; c->at++) {
        if (*c->at != '"')
            continue;
        if (c->at + 1 < c->end && c->at[1] == '"')
            c->at++;
        else
            break;
    }
    c->damaged = c->at == c->end;
    if (c->damaged)
        return false;
    *out = (struct hr__csv_cell){begin, (size_t)(c->at - begin)};
    c->at++;
    skip_spaces(c);
    c->damaged = c->at < c->end && *c->at != c->separator;
    end_cell(c);
    return !c->damaged;
}

bool hr__csv_cells_next(struct hr__csv_cells *c, struct hr__csv_cell *out) {
    if (!c->more || c->damaged)
        return false;
    skip_spaces(c);
    if (c->at < c->end && *c->at == '"')
        return next_quoted(c, out);
    const char *begin = c->at;
    const char *found =
        begin < c->end ? memchr(begin, c->separator, (size_t)(c->end - begin)) : NULL;
    const char *last = found != NULL ? found : c->end;
    c->at = last;
    while (last > begin && is_space(last[-1]))
        last--;
    *out = (struct hr__csv_cell){begin, (size_t)(last - begin)};
    end_cell(c);
    return true;
}

char hr__csv_separator(const char *line, size_t n) {
    static const char candidates[] = {'\t', ';', ','};
    for (size_t k = 0; k < sizeof candidates; k++) {
        bool quoted = false;
        for (size_t i = 0; i < n; i++) {
            if (line[i] == '"')
                quoted = !quoted;
            if (!quoted && line[i] == candidates[k])
                return candidates[k];
        }
    }
    return ',';
}

bool hr__csv_is_blank(const char *line, size_t n, char separator) {
    for (size_t i = 0; i < n; i++)
        if (!is_space(line[i]) || line[i] == separator)
            return false;
    return true;
}
