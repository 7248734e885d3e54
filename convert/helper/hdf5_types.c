/*
 * Which HDF5 types of one value are ours. Types are untrusted.
 */
#include "helper.h"

#include <stdlib.h>
#include <string.h>

static hr_status refuse(hr_error *err, const char *what, const char *remedy) {
    return hr__error_set(err, HR_ERR_UNSUPPORTED, "it holds %s, which cannot be converted; %s",
                         what, remedy);
}

static hr_status accept(hid_t memory_type, hid_t *out, hr_error *err) {
    *out = memory_type;
    return memory_type >= 0 ? HR_OK : h5_error(err, HR_ERR_NO_MEMORY, "a type");
}

/* In the order of dtypes: HR_INT8 to HR_UINT64. */
static hid_t integer_type_of(hr_dtype dtype) {
    const hid_t types[] = {H5T_STD_I8LE, H5T_STD_I16LE, H5T_STD_I32LE, H5T_STD_I64LE,
                           H5T_STD_U8LE, H5T_STD_U16LE, H5T_STD_U32LE, H5T_STD_U64LE};
    return H5Tcopy(types[dtype - HR_INT8]);
}

/* The binary logarithm of the bytes that an integer is widened to, which hold every value of one of
 * an odd size or with unused bits; 4: there is none. */
static unsigned log2_bytes(size_t size) {
    unsigned log2 = 0;
    while (log2 < 4 && size > (size_t)1 << log2)
        log2++;
    return size >= 1 ? log2 : 4;
}

static hr_status integer_type(hid_t type, hr_dtype *dtype, hid_t *memory, hr_error *err) {
    const H5T_sign_t sign = H5Tget_sign(type);
    const unsigned log2 = log2_bytes(H5Tget_size(type));
    if (log2 == 4 || (sign != H5T_SGN_2 && sign != H5T_SGN_NONE))
        return refuse(err, "integers of more than 8 bytes", "write it anew as integers of 8 bytes");
    *dtype = (hr_dtype)((sign == H5T_SGN_2 ? HR_INT8 : HR_UINT8) + log2);
    return accept(integer_type_of(*dtype), memory, err);
}

/* Bits without a meaning of their own are unsigned integers. */
static hr_status bitfield_type(hid_t type, hr_dtype *dtype, hid_t *memory, hr_error *err) {
    const hid_t types[] = {H5T_STD_B8LE, H5T_STD_B16LE, H5T_STD_B32LE, H5T_STD_B64LE};
    const unsigned log2 = log2_bytes(H5Tget_size(type));
    if (log2 == 4)
        return refuse(err, "bit fields of more than 8 bytes", "write it anew as unsigned integers");
    *dtype = (hr_dtype)(HR_UINT8 + log2);
    return accept(H5Tcopy(types[log2]), memory, err);
}

/* The type where it was made whole, else none. */
static hid_t whole_or_none(hid_t t, bool whole) {
    if (whole)
        return t;
    if (t >= 0)
        (void)H5Tclose(t);
    return -1;
}

/* An IEEE-like type of two bytes, little-endian; HDF5 before 1.14.4 has none by name. */
static hid_t two_byte_float(size_t exponent_bits, size_t mantissa_bits, size_t bias) {
    hid_t t = H5Tcopy(H5T_IEEE_F32LE);
    return whole_or_none(
        t, t >= 0 && H5Tset_fields(t, 15, mantissa_bits, exponent_bits, 0, mantissa_bits) >= 0 &&
               H5Tset_size(t, 2) >= 0 && H5Tset_ebias(t, bias) >= 0);
}

static hid_t float_type_of(hr_dtype dtype) {
    switch (dtype) {
    case HR_FLOAT16:
        return two_byte_float(5, 10, 15);
    case HR_BFLOAT16:
        return two_byte_float(8, 7, 127);
    case HR_FLOAT32:
        return H5Tcopy(H5T_IEEE_F32LE);
    default:
        return H5Tcopy(H5T_IEEE_F64LE);
    }
}

/* The same but for byte order. */
static bool same_float(hid_t type, hid_t little) {
    bool same = H5Tequal(type, little) > 0;
    hid_t big = same ? -1 : H5Tcopy(little);
    if (big >= 0) {
        same = H5Tset_order(big, H5T_ORDER_BE) >= 0 && H5Tequal(type, big) > 0;
        (void)H5Tclose(big);
    }
    return same;
}

/* Every number of the type is one of the IEEE type with so many bits, too. */
static bool float_fits(hid_t type, size_t exponent_bits, size_t mantissa_bits) {
    size_t sign, exponent, e_bits = 0, mantissa, m_bits = 0;
    if (H5Tget_fields(type, &sign, &exponent, &e_bits, &mantissa, &m_bits) < 0 ||
        H5Tget_norm(type) != H5T_NORM_IMPLIED || e_bits < 2 || e_bits > exponent_bits ||
        m_bits > mantissa_bits)
        return false;
    size_t bias = H5Tget_ebias(type), largest = ((size_t)1 << (exponent_bits - 1)) - 1;
    return bias <= largest && ((size_t)1 << e_bits) - 2 <= largest + bias;
}

static hr_status float_type(hid_t type, hr_dtype *dtype, hid_t *memory, hr_error *err) {
    static const hr_dtype dtypes[] = {HR_FLOAT32, HR_FLOAT64, HR_FLOAT16, HR_BFLOAT16};
    for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
        hid_t little = float_type_of(dtypes[i]);
        if (little >= 0 && same_float(type, little)) {
            *dtype = dtypes[i];
            return accept(little, memory, err);
        }
        if (little >= 0)
            (void)H5Tclose(little);
    }
    /* Formats of one byte disagree on what their largest exponent means. */
    if (H5Tget_size(type) >= 2 && float_fits(type, 8, 23))
        *dtype = HR_FLOAT32;
    else if (H5Tget_size(type) >= 2 && float_fits(type, 11, 52))
        *dtype = HR_FLOAT64;
    else
        return refuse(err, "floating-point numbers that neither float32 nor float64 can hold",
                      "write it anew as float32 or float64");
    return accept(float_type_of(*dtype), memory, err);
}

static bool member_is(hid_t type, unsigned index, const char *name) {
    char *found = H5Tget_member_name(type, index);
    bool same = found != NULL && strcmp(found, name) == 0;
    (void)H5free_memory(found);
    return same;
}

/* The kind of both members, or 0: not {r, i} of equal float32 or float64. */
static hr_dtype complex_part(hid_t type) {
    if (H5Tget_nmembers(type) != 2 || !member_is(type, 0, "r") || !member_is(type, 1, "i"))
        return (hr_dtype)0;
    hr_dtype part[2] = {(hr_dtype)0, (hr_dtype)0};
    for (unsigned i = 0; i < 2; i++) {
        hid_t member = H5Tget_member_type(type, i), memory = -1;
        if (member >= 0 && H5Tget_class(member) == H5T_FLOAT &&
            float_type(member, &part[i], &memory, NULL) == HR_OK)
            (void)H5Tclose(memory);
        if (member >= 0)
            (void)H5Tclose(member);
    }
    bool ok = part[0] == part[1] && (part[0] == HR_FLOAT32 || part[0] == HR_FLOAT64);
    return ok ? part[0] : (hr_dtype)0;
}

bool h5_is_complex(hid_t type) {
    return H5Tget_class(type) == H5T_COMPOUND && complex_part(type) != (hr_dtype)0;
}

static hid_t complex_type_of(hid_t part, size_t part_bytes) {
    hid_t t = H5Tcreate(H5T_COMPOUND, 2 * part_bytes);
    return whole_or_none(t, t >= 0 && H5Tinsert(t, "r", 0, part) >= 0 &&
                                H5Tinsert(t, "i", part_bytes, part) >= 0);
}

static hr_status complex_type(hid_t type, hr_dtype *dtype, hid_t *memory, hr_error *err) {
    const bool single = complex_part(type) == HR_FLOAT32;
    *dtype = single ? HR_COMPLEX64 : HR_COMPLEX128;
    return accept(complex_type_of(single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, single ? 4 : 8), memory,
                  err);
}

static bool enum_value_is(hid_t type, const char *name, uint8_t expected) {
    uint8_t value = 0;
    return H5Tenum_valueof(type, name, &value) >= 0 && value == expected;
}

bool h5_is_bool(hid_t type) {
    bool is_bool = H5Tget_class(type) == H5T_ENUM && H5Tget_size(type) == 1 &&
                   H5Tget_nmembers(type) == 2 && enum_value_is(type, "FALSE", 0) &&
                   enum_value_is(type, "TRUE", 1);
    (void)H5Eclear2(H5E_DEFAULT);
    return is_bool;
}

/* Read as what it is: a conversion by names would hide values that have none. */
static hr_status enum_type(hid_t type, hr_dtype *dtype, hid_t *memory, hr_error *err) {
    if (h5_is_bool(type)) {
        *dtype = HR_BOOL;
        return accept(H5Tcopy(type), memory, err);
    }
    hid_t base = H5Tget_super(type);
    if (base < 0)
        return h5_error(err, HR_ERR_CORRUPT, "its enumeration cannot be read");
    hr_status st = integer_type(base, dtype, memory, err);
    (void)H5Tclose(base);
    return st;
}

static hr_status opaque_type(hid_t type, hr_dtype *dtype, uint32_t *width, hid_t *memory,
                             hr_error *err) {
    size_t n_bytes = H5Tget_size(type);
    if (n_bytes == 0 || n_bytes > INT32_MAX)
        return refuse(err, "opaque bytes without end", "write it anew as uint8");
    *dtype = HR_FIXED_BYTES;
    *width = (uint32_t)n_bytes;
    return accept(H5Tcopy(type), memory, err);
}

static hid_t text_type(H5T_cset_t charset, size_t width_bytes) {
    hid_t t = H5Tcopy(H5T_C_S1);
    return whole_or_none(t, t >= 0 && H5Tset_size(t, width_bytes > 0 ? width_bytes : 1) >= 0 &&
                                H5Tset_strpad(t, H5T_STR_NULLPAD) >= 0 &&
                                H5Tset_cset(t, charset) >= 0);
}

/* HDF5 then cuts at the terminator, or the spaces, and pads with zeros. */
static hr_status string_type(hid_t type, hr_dtype *dtype, uint32_t *width, hid_t *memory,
                             hr_error *err) {
    size_t n_bytes = H5Tget_size(type);
    H5T_cset_t charset = H5Tget_cset(type);
    if ((charset != H5T_CSET_ASCII && charset != H5T_CSET_UTF8) || n_bytes > INT32_MAX)
        return refuse(err, "strings of an unknown character set, or too long ones",
                      "write it anew as UTF-8");
    *dtype = charset == H5T_CSET_UTF8 ? HR_FIXED_UTF8 : HR_FIXED_BYTES;
    *width = (uint32_t)n_bytes;
    return accept(n_bytes > 0 ? text_type(charset, n_bytes) : -1, memory, err);
}

hr_status h5_type(hid_t type, hr_dtype *dtype, uint32_t *width_bytes, hid_t *memory_type,
                  hr_error *err) {
    *width_bytes = 0;
    *memory_type = -1;
    switch (H5Tget_class(type)) {
    case H5T_INTEGER:
        return integer_type(type, dtype, memory_type, err);
    case H5T_FLOAT:
        return float_type(type, dtype, memory_type, err);
    case H5T_STRING:
        return string_type(type, dtype, width_bytes, memory_type, err);
    case H5T_COMPOUND: /* others were taken apart */
        return complex_type(type, dtype, memory_type, err);
    case H5T_ENUM:
        return enum_type(type, dtype, memory_type, err);
    case H5T_OPAQUE:
        return opaque_type(type, dtype, width_bytes, memory_type, err);
    case H5T_BITFIELD:
        return bitfield_type(type, dtype, memory_type, err);
    case H5T_REFERENCE:
        return refuse(err, "references to other objects", "leave it out");
    case H5T_TIME:
        return refuse(err, "times", "write it anew as int64");
    default:
        return refuse(err, "a type that this version does not know", "write it anew as numbers");
    }
}

static hid_t bool_type(void) {
    const int8_t no = 0, yes = 1;
    hid_t t = H5Tenum_create(H5T_STD_I8LE);
    return whole_or_none(t, t >= 0 && H5Tenum_insert(t, "FALSE", &no) >= 0 &&
                                H5Tenum_insert(t, "TRUE", &yes) >= 0);
}

hid_t h5_type_make(hr_dtype dtype, uint32_t width_bytes) {
    switch (dtype) {
    case HR_BOOL:
        return bool_type();
    case HR_FLOAT16:
    case HR_BFLOAT16:
    case HR_FLOAT32:
    case HR_FLOAT64:
        return float_type_of(dtype);
    case HR_COMPLEX64:
        return complex_type_of(H5T_IEEE_F32LE, 4);
    case HR_COMPLEX128:
        return complex_type_of(H5T_IEEE_F64LE, 8);
    case HR_FIXED_BYTES:
        return text_type(H5T_CSET_ASCII, width_bytes);
    case HR_FIXED_UTF8:
        return text_type(H5T_CSET_UTF8, width_bytes);
    default:
        return dtype >= HR_INT8 && dtype <= HR_UINT64 ? integer_type_of(dtype) : -1;
    }
}
