/*
 * Attributes from several sources as one object. The texts are untrusted.
 */
#include "attributes.h"

#include "error.h"
#include "json_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Moves what differs between two objects out of `all` and into `differing`. */
static int merge(json_t *all, json_t *differing, json_t *other) {
    const char *key;
    json_t *value;
    int bad = 0;
    json_object_foreach(other, key, value) {
        json_t *known = json_object_get(all, key);
        if (json_object_get(differing, key) != NULL)
            continue;
        if (known == NULL)
            bad |= json_object_set(all, key, value);
        else if (!json_equal(known, value)) {
            bad |= json_object_set_new(differing, key, json_null());
            bad |= json_object_del(all, key);
        }
    }
    return bad;
}

static void print_names(const json_t *object, char *out, size_t room) {
    const char *key;
    json_t *value;
    size_t used = 0;
    out[0] = '\0';
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        int n = snprintf(out + used, room - used, "%s%s", used > 0 ? ", " : "", key);
        used += n > 0 ? (size_t)n : 0;
        if (used >= room)
            break;
    }
    if (used >= room)
        memcpy(out + room - 4, "...", 4);
}

static hr_status merge_all(const char *const *texts, uint32_t n, json_t *all, json_t *differing,
                           hr_error *err) {
    for (uint32_t i = 0; i < n; i++) {
        json_t *object = NULL;
        if (texts[i] == NULL)
            continue;
        hr_status st = hr__json_parse(texts[i], strlen(texts[i]), &object, err);
        if (st != HR_OK)
            return st;
        int bad = merge(all, differing, object);
        json_decref(object);
        if (bad != 0)
            return hr__error_no_memory(err, strlen(texts[i]), "attributes");
    }
    return HR_OK;
}

hr_status hr__attributes_join(const char *const *texts, uint32_t n, char **out, char *differing,
                              size_t room, hr_error *err) {
    json_t *all = json_object(), *apart = json_object();
    hr_status st = HR_OK;
    *out = NULL;
    differing[0] = '\0';
    if (all == NULL || apart == NULL)
        st = hr__error_no_memory(err, 0, "attributes");
    if (st == HR_OK)
        st = merge_all(texts, n, all, apart, err);
    if (st == HR_OK && json_object_size(all) > 0) {
        *out = json_dumps(all, JSON_COMPACT);
        if (*out == NULL)
            st = hr__error_no_memory(err, 0, "attributes");
    }
    if (st == HR_OK)
        print_names(apart, differing, room);
    json_decref(apart);
    json_decref(all);
    return st;
}

hr_status hr__attributes_own(const char *text, char **out, hr_error *err) {
    json_t *all = NULL;
    const char *key;
    json_t *value;
    void *next;
    *out = NULL;
    if (text == NULL)
        return HR_OK;
    hr_status st = hr__json_parse(text, strlen(text), &all, err);
    if (st != HR_OK)
        return st;
    json_object_foreach_safe(all, next, key, value) {
        if (strncmp(key, "headrace:", strlen("headrace:")) != 0)
            (void)json_object_del(all, key);
    }
    if (json_object_size(all) > 0) {
        *out = json_dumps(all, JSON_COMPACT);
        if (*out == NULL)
            st = hr__error_no_memory(err, strlen(text), "attributes");
    }
    json_decref(all);
    return st;
}
