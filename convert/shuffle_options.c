/*
 * What options say of a shuffle.
 */
#include "shuffle_options.h"

#include "dtype.h"
#include "error.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

hr_status hr__shuffle_options_check(const hr_convert_options *opts, hr_error *err) {
    const char *name = opts->index_field;
    if (name != NULL && !hr__utf8_valid((const uint8_t *)name, strlen(name)))
        return hr__error_set(err, HR_ERR_INVALID,
                             "the index field's name is not UTF-8; give it another");
    if ((opts->flags & HR_CONVERT_SHUFFLE) != 0)
        return HR_OK;
    if (name != NULL)
        return hr__error_set(err, HR_ERR_INVALID,
                             "the index field %s is for samples that are shuffled: ask for that, "
                             "too",
                             name);
    if (opts->shuffle_seed != 0)
        return hr__error_set(err, HR_ERR_INVALID,
                             "shuffle_seed is %" PRIu64
                             " without HR_CONVERT_SHUFFLE; set the flag, or leave "
                             "the seed out",
                             opts->shuffle_seed);
    return HR_OK;
}

hr_status hr__shuffle_check_index(const hr_convert_options *opts, const struct hr__inputs *in,
                                  hr_error *err) {
    for (uint32_t f = 0; opts->index_field != NULL && f < in->num_fields; f++)
        if (strcmp(in->fields[f].name, opts->index_field) == 0)
            return hr__error_set(err, HR_ERR_INVALID,
                                 "%s is a field of the inputs; give the index field another name",
                                 opts->index_field);
    return HR_OK;
}

json_t *hr__shuffle_provenance(const hr_convert_options *opts) {
    char seed[24];
    (void)snprintf(seed, sizeof seed, "%" PRIu64, opts->shuffle_seed);
    return json_pack("{s:s, s:i, s:s, s:s*}", "name", "permutation", "version", 1, "seed", seed,
                     "index_field", opts->index_field);
}
