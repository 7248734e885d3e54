/*
 * How a field becomes an array of NumPy's. The field's attributes are untrusted.
 */
#define _GNU_SOURCE
#include "export_values.h"

#include "checked.h"
#include "dtype.h"
#include "error.h"
#include "schema.h"

#include <stdlib.h>
#include <string.h>

/* Characters per element as the converted array had them; else as many as could be there. */
static uint32_t num_chars_of(const hr_field *field) {
    char *text = NULL;
    struct hr__element e;
    uint32_t chars = field->width_bytes;
    if (field->attributes_json == NULL ||
        hr__json_member(field->attributes_json, strlen(field->attributes_json),
                        "headrace:numpy_dtype", &text, NULL) != HR_OK)
        return chars;
    size_t n = strlen(text);
    if (n > 2 && text[0] == '"') {
        text[n - 1] = '\0';
        if (hr__numpy_dtype_parse(text + 1, &e, NULL) == HR_OK && e.ucs4 &&
            e.width_bytes == field->width_bytes)
            chars = e.width_bytes / 4;
    }
    free(text);
    return chars;
}

hr_status hr__export_type_make(const hr_field *field, struct hr__export_type *out, hr_error *err) {
    *out = (struct hr__export_type){.num_elements = 1, .dtype = field->dtype};
    if (hr__dtype_is_variable(field->dtype)) {
        out->variable = true;
        out->dtype = field->element_dtype != 0 ? field->element_dtype : HR_UINT8;
    }
    uint32_t own_bytes = hr_dtype_bytes(out->dtype);
    out->text = field->dtype == HR_FIXED_UTF8;
    out->width_bytes = own_bytes != 0 ? own_bytes : field->width_bytes;
    out->item_bytes = out->width_bytes;
    for (uint32_t i = 0; i < field->rank; i++)
        if (!hr__mul_u64(out->num_elements, field->shape[i], &out->num_elements))
            return hr__error_set(err, HR_ERR_UNSUPPORTED, "the field %s is too large", field->name);
    if (out->text) {
        out->num_chars = num_chars_of(field);
        if (out->num_chars > UINT32_MAX / 4)
            return hr__error_set(err, HR_ERR_UNSUPPORTED,
                                 "the text of the field %s is too wide for .npy", field->name);
        out->item_bytes = out->num_chars * 4;
    }
    hr__numpy_dtype_print(out->dtype, out->width_bytes, out->num_chars, out->descr);
    return HR_OK;
}

char *hr__export_path(const char *folder, const char *name) {
    size_t room = strlen(folder) + 2 * strlen(name) + sizeof "/.npy";
    char *path = malloc(room);
    if (path == NULL)
        return NULL;
    char *to = stpcpy(path, folder);
    if (to > path && to[-1] != '/')
        *to++ = '/';
    for (; *name != '\0'; name++) {
        if (*name == '/')
            *to++ = '_', *to++ = '_';
        else
            *to++ = *name;
    }
    strcpy(to, ".npy");
    return path;
}
