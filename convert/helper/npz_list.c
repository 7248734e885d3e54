/*
 * The arrays of an archive. Names and headers are untrusted.
 */
#include "npz.h"

#include <stdlib.h>
#include <string.h>

#define SUFFIX_BYTES 4u /* of ".npy" */

static bool is_array(const char *name) {
    size_t n = strlen(name);
    return n > SUFFIX_BYTES && strcmp(name + n - SUFFIX_BYTES, ".npy") == 0;
}

static bool is_folder(const char *name) {
    size_t n = strlen(name);
    return n > 0 && name[n - 1] == '/';
}

/* What `member` means of this array, by its name, or with the suffix: "" for all of it, or a member
 * of its records; NULL: nothing. */
static const char *rest_of(const char *name, const char *member) {
    const size_t n = strlen(name) - SUFFIX_BYTES;
    if (member[0] == '\0' || strcmp(name, member) == 0)
        return "";
    if (strncmp(name, member, n) != 0 || (member[n] != '\0' && member[n] != '/'))
        return NULL;
    return member + n + (member[n] == '/');
}

static int compare(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One name, one array: of two, programs disagree about which is meant. */
static hr_status check_unique(const struct npz_archive *a, zip_uint64_t num_entries,
                              hr_error *err) {
    hr_status st = HR_OK;
    const char **names = calloc(num_entries + 1, sizeof *names);
    if (names == NULL)
        return hr__error_no_memory(err, num_entries * sizeof *names, "the names of members");
    for (zip_uint64_t i = 0; i < num_entries; i++) {
        const char *name = zip_get_name(a->zip, i, 0);
        names[i] = name != NULL ? name : "";
    }
    qsort(names, num_entries, sizeof *names, compare);
    for (zip_uint64_t i = 1; st == HR_OK && i < num_entries; i++)
        if (strcmp(names[i], names[i - 1]) == 0)
            st = hr__error_set(err, HR_ERR_UNSUPPORTED,
                               "two members of the archive have the name %.200s; save it again",
                               names[i]);
    free(names);
    return st;
}

hr_status npz_describe(const struct hr__npy_header *header, struct hr__helper_field *out,
                       hr_error *err) {
    *out = (struct hr__helper_field){.dtype = header->element.dtype,
                                     .rank = header->rank,
                                     .flags = HR__HELPER_STREAM |
                                              (header->fortran ? HR__HELPER_FORTRAN : 0),
                                     .num_samples = header->num_samples,
                                     .sample_bytes = header->sample_bytes,
                                     .granule_samples = 1};
    if (hr_dtype_bytes(out->dtype) == 0)
        out->width_bytes = header->element.width_bytes;
    memcpy(out->shape, header->shape, sizeof out->shape);
    if (!hr__helper_field_valid(out))
        return hr__error_set(err, HR_ERR_UNSUPPORTED,
                             "one sample is larger than 16 GiB, or all are larger than 8 EiB");
    return HR_OK;
}

/* Of an array that is refused for what it is. */
static hr_status name_way_out(hr_status st, hr_error *err) {
    const size_t n = strlen(err->message);
    if (st == HR_ERR_UNSUPPORTED)
        (void)snprintf(err->message + n, sizeof err->message - n,
                       "; or choose the other arrays (--fields)");
    return st;
}

static hr_status tell_array(const struct npz_stream *s, const char *name, const char *rest,
                            struct npz_teller *t, hr_error *err) {
    struct hr__helper_field field;
    if (s->header.members_at != 0)
        return npz_records_tell(s, name, rest, t, err);
    if (rest[0] != '\0')
        return HR_OK;
    const hr_status st = npz_describe(&s->header, &field, err);
    if (st != HR_OK)
        return name_way_out(st, err);
    field.member = field.name = name;
    t->num_found++;
    return t->found(t->arg, &field, err);
}

static hr_status list_array(const struct npz_archive *a, const struct npz_entry *entry,
                            const char *rest, struct npz_teller *t, hr_error *err) {
    struct npz_stream stream;
    char name[HR__HELPER_PATH_BYTES + 1];
    const size_t n = strlen(entry->name) - SUFFIX_BYTES;
    if (n >= sizeof name)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "its name is too long");
    memcpy(name, entry->name, n);
    name[n] = '\0';
    hr_status st = name_way_out(npz_stream_open(&stream, a, entry, err), err);
    if (st == HR_OK)
        st = tell_array(&stream, name, rest, t, err);
    npz_stream_close(&stream);
    return st;
}

static hr_status list_entry(const struct npz_archive *a, zip_uint64_t index, const char *name,
                            const char *rest, struct npz_teller *t, hr_error *err) {
    struct npz_entry entry;
    hr_status st;
    if (is_array(name)) {
        st = npz_archive_entry(a, index, &entry, err);
        if (st == HR_OK)
            st = list_array(a, &entry, rest, t, err);
    } else {
        st = hr__error_set(err, HR_ERR_UNSUPPORTED,
                           "it is no array (NAME.npy); name the arrays of the archive that are "
                           "wanted: FILE:/NAME");
    }
    if (st != HR_OK)
        hr__error_prefix(err, "/%.200s", name);
    return st;
}

/* By the name of its field. */
static void tell_refused(struct npz_teller *t, const char *name, const hr_error *why) {
    char field[HR__HELPER_PATH_BYTES + 1];
    const size_t n = strlen(name) - (is_array(name) ? SUFFIX_BYTES : 0);
    (void)snprintf(field, sizeof field, "%.*s", (int)(n < sizeof field ? n : sizeof field - 1),
                   name);
    t->num_found++;
    t->refused(t->arg, field, why);
}

hr_status npz_list(const struct npz_archive *a, const char *member, npz_found found,
                   npz_refused refused, void *arg, hr_error *err) {
    struct npz_teller t = {.found = found, .refused = refused, .arg = arg};
    zip_int64_t n = zip_get_num_entries(a->zip, 0);
    hr_status st = HR_OK;
    member += strspn(member, "/");
    if (n > (zip_int64_t)HR__HELPER_MAX_FIELDS)
        return hr__error_set(err, HR_ERR_UNSUPPORTED, "the archive has %lld members; %u are read",
                             (long long)n, HR__HELPER_MAX_FIELDS);
    HR_TRY(check_unique(a, (zip_uint64_t)n, err));
    for (zip_int64_t i = 0; i < n; i++) {
        const char *name = zip_get_name(a->zip, (zip_uint64_t)i, 0);
        if (name == NULL || is_folder(name))
            continue;
        const char *rest = is_array(name) ? rest_of(name, member) : member[0] == '\0' ? "" : NULL;
        if (rest == NULL)
            continue;
        st = list_entry(a, (zip_uint64_t)i, name, rest, &t, err);
        if (st == HR_ERR_UNSUPPORTED && refused != NULL)
            tell_refused(&t, name, err);
        else if (st != HR_OK)
            goto done;
        st = HR_OK;
    }
    if (t.num_found == 0 && member[0] != '\0')
        st = hr__error_set(
            err, HR_ERR_NOT_FOUND,
            "there is no array %.200s, or no member of one; unzip -l lists the arrays", member);
done:
    return st;
}
