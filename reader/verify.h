/*
 * hr_dataset_verify() through any folder, for tests.
 */
#ifndef HEADRACE_VERIFY_H
#define HEADRACE_VERIFY_H

#include "dataset.h"

hr_status hr__verify_in(const struct hr__folder_ops *folder, const char *path,
                        const hr_verify_options *opts, hr_error *err);

#endif
