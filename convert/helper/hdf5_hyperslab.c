/*
 * The spaces of a hyperslab.
 */
#include "helper.h"

bool h5_hyperslab_open(hid_t dataset, int rank, const hsize_t *start, const hsize_t *count,
                       struct h5_hyperslab *out) {
    out->file_space = H5Dget_space(dataset);
    out->memory_space = H5Screate_simple(rank, count, NULL);
    return out->file_space >= 0 && out->memory_space >= 0 &&
           H5Sselect_hyperslab(out->file_space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0;
}

void h5_hyperslab_close(struct h5_hyperslab *slab) {
    if (slab->file_space >= 0)
        (void)H5Sclose(slab->file_space);
    if (slab->memory_space >= 0)
        (void)H5Sclose(slab->memory_space);
}
