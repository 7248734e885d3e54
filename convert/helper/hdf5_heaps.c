/*
 * What HDF5 keeps in memory of the heaps of a file.
 */
#include "helper.h"

bool h5_bound_heaps(hid_t file) {
    H5AC_cache_config_t c = {.version = H5AC__CURR_CACHE_CONFIG_VERSION};
    if (H5Fget_mdc_config(file, &c) < 0)
        return false;
    c.set_initial_size = true;
    c.initial_size = c.max_size = HR__HELPER_HEAP_BYTES;
    c.incr_mode = H5C_incr__off;
    c.flash_incr_mode = H5C_flash_incr__off;
    return H5Fset_mdc_config(file, &c) >= 0;
}
