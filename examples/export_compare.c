/*
 * A data set becomes one HDF5 file, and the two are compared, bit for bit.
 */
#include <headrace/headrace.h>

#include <stdio.h>

static void print_field(void *user, const hr_compared_field *field) {
    (void)user;
    printf("%s: %llu of %llu elements differ\n", field->a != NULL ? field->a->name : field->b->name,
           (unsigned long long)field->num_different, (unsigned long long)field->num_elements);
}

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "train.hrd";
    hr_export_options export = HR_EXPORT_OPTIONS_INIT;
    hr_compare_options compare = HR_COMPARE_OPTIONS_INIT;
    hr_compare_result result = {.struct_bytes = sizeof result};
    hr_dataset *data = NULL;
    hr_error err = {0};

    export.path = argc > 2 ? argv[2] : "train.h5"; /* its end says what is made */
    export.flags = HR_CONVERT_REPLACE;
    compare.a = path;
    compare.b = export.path;
    compare.on_field = print_field;

    hr_status st = hr_dataset_open(path, NULL, &data, &err);
    if (st == HR_OK)
        st = hr_export(data, &export, &err);
    if (st == HR_OK)
        st = hr_compare(&compare, &result, &err);
    hr_dataset_close(data);

    if (st == HR_OK)
        printf("%s\n", result.equal ? "equal" : "different");
    else
        fprintf(stderr, "%s\n", err.message);
    return st == HR_OK ? 0 : 1;
}
