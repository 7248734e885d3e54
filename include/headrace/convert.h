/*
 * Conversion: files of arrays (.npy, .npz, IDX, CSV, raw, HDF5), and other data sets, become one
 * .hrd file, and back.
 */
#ifndef HEADRACE_CONVERT_H
#define HEADRACE_CONVERT_H

#include "dataset.h"
#include "writer.h"

#ifdef __cplusplus
extern "C" {
#endif

/** Bits of hr_convert_options.flags. Unknown bits are refused. */
#define HR_CONVERT_REPLACE 1u /**< replace an existing output */
#define HR_CONVERT_RESUME  2u /**< go on with an interrupted conversion, if there is one */
#define HR_CONVERT_FOLLOW_EXTERNAL                                                                 \
    4u /**< HDF5 links that leave the input's own folder are followed, parts there are read */
#define HR_CONVERT_NO_SPACE_CHECK 8u  /**< do not estimate and check free disk space first */
#define HR_CONVERT_SHUFFLE        16u /**< permute all samples once, by shuffle_seed */
#define HR_CONVERT_APPEND         32u /**< put the inputs' samples behind those of the output */

/** What a progress callback is told. */
typedef struct hr_progress {
    /** Of a shuffle, half of those read and half of those written. */
    uint64_t done_samples, total_samples;
    uint64_t done_bytes, total_bytes; /**< decoded */
} hr_progress;

/** One field said outright: NAME=SOURCE. */
typedef struct hr_convert_field {
    const char *name;   /**< of the field */
    const char *source; /**< a path, FILE:/path/in/file for HDF5 and .npz, or FILE.hrd:field */
} hr_convert_field;

/** A field that gets another name. */
typedef struct hr_convert_rename {
    const char *old_name; /**< as the inputs, or hr_convert_field, name it */
    const char *new_name;
} hr_convert_rename;

/** What becomes of a sparse matrix in an HDF5 file. The numbers are frozen. */
typedef enum hr_sparse {
    HR_SPARSE_REFUSE = 0, /**< refused: the message says how large these would be */
    HR_SPARSE_DENSE = 1,  /**< its rows with their zeros, as one field */
    HR_SPARSE_VARLEN = 2  /**< what its rows hold, as two fields of variable length: NAME/indices,
                             the columns, and NAME/data, the values there; both have the number of
                             columns as the attribute headrace:sparse_columns */
} hr_sparse;

/** Options of hr_convert(). Zero means default. */
typedef struct hr_convert_options {
    uint32_t struct_bytes;
    uint32_t flags;
    /** Files, folders, patterns, FILE:/path/in/file (HDF5), FILE:/NAME (.npz, or a
     * member of a structured .npy; FILE:/NAME/MEMBER: of one in a .npz), or FILE.hrd:field. */
    const char *const *inputs;
    uint32_t num_inputs;
    uint32_t num_fields;
    const hr_convert_field *fields; /**< instead of, or besides, inputs */
    const char *output;             /**< the .hrd file */
    uint64_t budget_bytes;          /**< 0: default */
    uint32_t num_threads;           /**< compression workers, at most 1,024; 0: one per core */
    uint32_t num_helpers; /**< helper processes for one HDF5 file, at most 64 are used; 0: as many
                             as threads */
    uint64_t chunk_bytes; /**< decoded; 0: 256 KiB */
    int32_t codec, filter, level; /**< as hr_writer_options */
    const char *raw_dtype;        /**< for raw binary inputs: "float32", "<f4", ...; and for CSV */
    const uint64_t *raw_shape;    /**< of one sample */
    uint32_t raw_rank;
    uint32_t raw_skip_bytes;   /**< header to skip in each raw file */
    int64_t helper_timeout_ns; /**< longest silence of a helper; 0: 60 s */
    uint64_t
        helper_memory_bytes; /**< address space of a helper; 0: what it is to hold and 512 MiB */
    void *user;              /**< handed to the callbacks */
    /** Called about ten times a second on the calling thread, also while what an interrupted
     * conversion left is read again; non-zero stops with HR_ERR_CANCELLED. May be NULL. */
    int (*on_progress)(void *user, const hr_progress *progress);
    /** A line for people, on the calling thread: files found and their order, NaN found, notes. May
     * be NULL. */
    void (*on_note)(void *user, const char *line);
    int32_t optimize;          /**< hr_optimize, as hr_writer_options */
    uint32_t reserved;         /**< 0 */
    uint64_t disk_bytes_per_s; /**< as hr_writer_options */
    /** With HR_CONVERT_SHUFFLE: the same seed and number of samples give the same order
     * (docs/order.md, 3.1), whatever the budget and the threads. */
    uint64_t shuffle_seed;
    /** With HR_CONVERT_SHUFFLE: an int64 field of this name, the last one, keeps each sample's
     * index before it; NULL: there is none. */
    const char *index_field;
    /** Only these, in this order; others of HDF5 and .npz files need not be convertible. NULL: all
     */
    const char *const *kept_fields;
    uint32_t num_kept_fields;
    uint32_t num_renames;
    const hr_convert_rename *renames;  /**< kept_fields names fields as they are called before */
    uint64_t first_sample, end_sample; /**< only samples first .. end - 1; end 0: to the last */
    int32_t sample_axis; /**< of arrays that have several; negative: from the last; 0: the first */
    int32_t sparse;      /**< hr_sparse, of HDF5 files */
} hr_convert_options;
#define HR_CONVERT_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(hr_convert_options), 0, NULL, 0, 0, NULL, NULL, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, 0, \
            0, 0, 0, NULL, NULL, NULL, 0, 0, 0, 0, NULL, NULL, 0, 0, NULL, 0, 0, 0, 0              \
    }

/** What a conversion did. Of an append, samples, bytes, NaN and Inf are those of the whole output.
 */
typedef struct hr_convert_result {
    uint32_t struct_bytes; /**< set by the caller */
    uint32_t num_fields;
    uint64_t num_samples;
    uint64_t resumed_samples; /**< kept from an interrupted conversion */
    uint64_t decoded_bytes;
    uint64_t stored_bytes;
    int64_t elapsed_ns;
    uint64_t num_nan, num_inf; /**< over all fields */
    uint64_t old_samples;      /**< of num_samples, those that the output had before an append */
} hr_convert_result;

/**
 * Convert. Blocks; starts and joins its own threads and helper processes; leaves SIGCHLD and
 * SIGPIPE alone. On failure the target is as it was, unless the new one was already in its place:
 * HR_ERR_UNCERTAIN, or a message that says so. An interrupted job leaves TARGET.partial for
 * HR_CONVERT_RESUME; going on with one first decodes what it holds.
 *
 * With HR_CONVERT_SHUFFLE all inputs are read before anything is written, also when it is resumed.
 * Samples that do not fit the budget wait in a temporary file, OUTPUT.shuffle, as large as they are
 * decoded; it is unlinked as soon as it is made, so that nothing is left of it. The same is true of
 * OUTPUT.axis, where arrays whose samples are not one after the other (Fortran order, sample_axis)
 * may wait.
 *
 * Values of variable length, of .hrd and HDF5 files, are not shuffled (HR_ERR_UNSUPPORTED). About a
 * quarter of the budget is for reading them: HR_ERR_BUDGET names a longer one.
 *
 * With HR_CONVERT_APPEND the output is there, and is appended to as by HR_WRITER_APPEND; codec,
 * filter, level, optimize, disk_bytes_per_s and chunk_bytes stay unset. It can be neither resumed
 * nor shuffled: an append that fails or is stopped leaves the output as it was, for the same call.
 *
 * @param result  NULL, or struct_bytes set by the caller and filled on HR_OK
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_NOT_FOUND, HR_ERR_UNSUPPORTED (a source that cannot be
 *         converted: the message says why and what can be done), HR_ERR_DATA, HR_ERR_CORRUPT (an
 *         input, or the temporary file), HR_ERR_EXISTS (the output, or a file where the temporary
 *         one would be), HR_ERR_HELPER, HR_ERR_CANCELLED, or as hr_writer_open() and
 *         hr_writer_commit()
 * Threads: any. Fork: works in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_convert(const hr_convert_options *opts, hr_convert_result *result,
                                         hr_error *err);

/** What an export makes. The numbers are frozen. */
typedef enum hr_export_kind {
    HR_EXPORT_AUTO = 0, /**< by the end of the path: .h5, .hdf5, .npz, else a folder of .npy */
    HR_EXPORT_NPY = 1,  /**< a folder, FIELD.npy for each field */
    HR_EXPORT_NPZ = 2,  /**< an archive of FIELD.npy, as numpy.savez_compressed() makes it */
    HR_EXPORT_HDF5 = 3  /**< a file with a data set for each field; a '/' in its name: groups */
} hr_export_kind;

/** hr_export_options.gzip_level for data that are not compressed. */
#define HR_EXPORT_NO_GZIP (-1)

/** Options of hr_export() and hr_export_npy(). Zero means default. */
typedef struct hr_export_options {
    uint32_t struct_bytes;
    uint32_t flags;            /**< HR_CONVERT_REPLACE */
    const char *folder;        /**< where FIELD.npy files go; made if missing */
    const char *const *fields; /**< names; NULL, or num_fields 0: all */
    uint32_t num_fields;
    uint32_t num_threads; /**< that read and decode; 0: one per core; at most 16 are used */
    uint64_t first_sample, end_sample; /**< only samples first .. end - 1; end 0: to the last */
    uint64_t budget_bytes;             /**< 0: default */
    void *user;                        /**< handed to the callbacks */
    /** Called about ten times a second on the calling thread; non-zero stops with HR_ERR_CANCELLED.
     * A sample counts once for each field. May be NULL. */
    int (*on_progress)(void *user, const hr_progress *progress);
    /** A line for people, on the calling thread: what the kind of file cannot hold. May be NULL. */
    void (*on_note)(void *user, const char *line);
    const char *path;             /**< of hr_export(), instead of folder: the file or folder */
    int32_t kind;                 /**< hr_export_kind, of hr_export() */
    int32_t gzip_level;           /**< 1 to 9, HR_EXPORT_NO_GZIP; 0: 4 */
    int64_t helper_timeout_ns;    /**< longest silence of the helper; 0: 60 s */
    uint64_t helper_memory_bytes; /**< address space of the helper; 0: what it is to hold and
                                   * 512 MiB */
} hr_export_options;
#define HR_EXPORT_OPTIONS_INIT                                                                     \
    { sizeof(hr_export_options), 0, NULL, NULL, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, 0, 0, 0, 0 }

/**
 * Write fields as .npy files, each complete or not there at all. A '/' in a field's name becomes
 * "__" in the file's. Values of variable length are refused (HR_ERR_UNSUPPORTED). Blocks.
 * @return HR_OK, HR_ERR_INVALID, HR_ERR_NOT_FOUND, HR_ERR_EXISTS, HR_ERR_IO, HR_ERR_NO_SPACE,
 *         HR_ERR_CORRUPT, HR_ERR_CANCELLED, HR_ERR_NO_MEMORY, HR_ERR_BUDGET, HR_ERR_BUSY,
 *         HR_ERR_UNSUPPORTED (a field that the kind of file cannot hold), HR_ERR_UNCERTAIN
 * Threads: any. Fork: works in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_export_npy(hr_dataset *ds, const hr_export_options *opts,
                                            hr_error *err);

/**
 * Write fields as .npy files (as hr_export_npy(), into the folder `path`), as one .npz file, or as
 * one HDF5 file. A file is made as PATH.partial by a helper process, and has its name when it is
 * complete; else nothing is left of it. HDF5: data sets in chunks of about 128 KiB, byte shuffle
 * and gzip, or contiguous where they are not compressed; elements as h5py writes them, bfloat16 as
 * a floating-point type of that layout; attributes of fields and of the data set, as far as HDF5
 * holds them. Values of variable length: in HDF5 strings of UTF-8 (HR_ERR_UNSUPPORTED: with a zero
 * in one), or sequences, of uint8 for bytes, not compressed; in .npz FIELD.offsets, int64, one more
 * than there are samples, and FIELD.values, of which value i is values[offsets[i]:offsets[i + 1]].
 * Each value is held whole: HR_ERR_BUDGET names the longest. Blocks; starts and joins its own
 * threads and the helper; leaves SIGCHLD and SIGPIPE alone.
 * @return HR_OK, or as hr_export_npy(), and HR_ERR_HELPER
 * Threads: any. Fork: works in a child. @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_export(hr_dataset *ds, const hr_export_options *opts,
                                        hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
