/*
 * Which HDF5 types of variable length are ours: strings, and sequences of numbers. Types are
 * untrusted.
 */
#include "helper.h"

bool h5_is_variable(hid_t type) {
    const H5T_class_t kind = H5Tget_class(type);
    return kind == H5T_VLEN || (kind == H5T_STRING && H5Tis_variable_str(type) > 0);
}

static hr_status text_type(hid_t type, struct h5_leaf *leaf, hr_error *err) {
    const H5T_cset_t charset = H5Tget_cset(type);
    if (charset != H5T_CSET_ASCII && charset != H5T_CSET_UTF8)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "it holds strings of an unknown character set, which cannot be "
                             "converted; write it anew as UTF-8");
    leaf->dtype = charset == H5T_CSET_UTF8 ? HR_VAR_UTF8 : HR_VAR_BYTES;
    leaf->value_type = H5Tcopy(type);
    leaf->memory_type = H5Tcopy(H5T_C_S1);
    if (leaf->value_type < 0 || leaf->memory_type < 0 ||
        H5Tset_size(leaf->memory_type, H5T_VARIABLE) < 0 ||
        H5Tset_cset(leaf->memory_type, charset) < 0)
        return h5_error(err, HR_ERR_NO_MEMORY, "a type");
    return HR_OK;
}

/* What elements are, but for their dtype. */
static hr_status check_element(hid_t element, hr_error *err) {
    const H5T_class_t kind = H5Tget_class(element);
    const char *what = h5_is_variable(element)   ? "variable-length values"
                       : kind == H5T_STRING      ? "strings"
                       : kind == H5T_OPAQUE      ? "opaque bytes"
                       : kind == H5T_ARRAY       ? "arrays"
                       : kind != H5T_COMPOUND    ? NULL
                       : !h5_is_complex(element) ? "records"
                                                 : NULL;
    if (what == NULL)
        return HR_OK;
    return hr__error_set(err, HR_ERR_UNSUPPORTED,
                         "it holds variable-length sequences of %s, which cannot be converted; "
                         "write sequences of numbers, one data set for each",
                         what);
}

static hr_status sequence_type(hid_t element, struct h5_leaf *leaf, hr_error *err) {
    uint32_t width = 0;
    hid_t memory = -1;
    hr_status st = check_element(element, err);
    if (st == HR_OK)
        st = h5_type(element, &leaf->dtype, &width, &memory, err);
    if (st != HR_OK)
        return st;
    if (leaf->dtype == HR_BOOL) { /* sequences of these there are none of */
        (void)H5Tclose(memory);
        leaf->dtype = HR_UINT8;
        memory = H5Tcopy(element);
    }
    leaf->value_type = H5Tcopy(element);
    leaf->memory_type = H5Tvlen_create(memory);
    (void)H5Tclose(memory);
    return leaf->value_type >= 0 && leaf->memory_type >= 0
               ? HR_OK
               : h5_error(err, HR_ERR_NO_MEMORY, "a type");
}

hr_status h5_variable_type(hid_t type, struct h5_leaf *leaf, hr_error *err) {
    if (leaf->rank != 0)
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "it holds arrays of variable-length values, which cannot be "
                             "converted; write one value for each sample");
    leaf->variable = true;
    if (H5Tget_class(type) == H5T_STRING)
        return text_type(type, leaf, err);
    hid_t element = H5Tget_super(type);
    if (element < 0)
        return h5_error(err, HR_ERR_CORRUPT, "the elements of its sequences cannot be read");
    hr_status st = sequence_type(element, leaf, err);
    (void)H5Tclose(element);
    return st;
}
