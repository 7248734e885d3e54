/*
 * Elements as JSON values: numbers, [real, imaginary], bools, texts; null for NaN and infinities.
 */
#include "head_json.h"

#include "json_out.h"
#include "value_text.h"

#include <string.h>

uint64_t head_elements(const hr_field *field) {
    uint64_t n = 1;
    for (uint32_t i = 0; i < field->rank; i++) {
        n *= field->shape[i];
    }
    return n;
}

/* Texts as they are; what is no UTF-8 as it would be printed. */
static json_t *text_json(const hr_field *field, uint32_t width, const uint8_t *element) {
    const bool fixed = field->dtype == HR_FIXED_UTF8 || field->dtype == HR_FIXED_BYTES;
    const bool utf8 = field->dtype == HR_FIXED_UTF8 || field->dtype == HR_VAR_UTF8;
    size_t n = width;
    while (fixed && n > 0 && element[n - 1] == 0) {
        n--;
    }
    json_t *text = utf8 ? json_stringn((const char *)element, n) : NULL;
    return text != NULL
               ? text
               : json_string(value_text_of(field->dtype, width, element, true, VALUE_EXACT).text);
}

static json_t *integer_json(const hr_field *field, uint32_t width, const uint8_t *element) {
    uint64_t bits = 0;
    memcpy(&bits, element, width);
    if (field->dtype >= HR_INT8 && field->dtype <= HR_INT64) {
        const unsigned up = 64 - 8 * width;
        return json_out_int((int64_t)(bits << up) >> up);
    }
    return json_out_uint(bits);
}

static json_t *element_json(const hr_field *field, uint32_t width, const uint8_t *element) {
    switch (field->dtype) {
    case HR_FIXED_BYTES:
    case HR_FIXED_UTF8:
    case HR_VAR_BYTES:
    case HR_VAR_UTF8:
        return text_json(field, width, element);
    case HR_BOOL:
        return json_boolean(element[0] != 0);
    case HR_FLOAT16:
    case HR_BFLOAT16:
    case HR_FLOAT32:
    case HR_FLOAT64:
        return json_out_real(value_real(field->dtype, element, 0));
    case HR_COMPLEX64:
    case HR_COMPLEX128:
        return json_pack("[o, o]", json_out_real(value_real(field->dtype, element, 0)),
                         json_out_real(value_real(field->dtype, element, 1)));
    default:
        return integer_json(field, width, element);
    }
}

json_t *head_sample_json(const hr_field *field, const uint8_t *sample) {
    const uint32_t width = value_width(field);
    uint64_t n = head_elements(field);
    json_t *list = json_array();
    n = n < HEAD_JSON_ELEMENTS ? n : HEAD_JSON_ELEMENTS;
    for (uint64_t i = 0; i < n; i++) {
        json_array_append_new(list, element_json(field, width, sample + i * width));
    }
    return list;
}
