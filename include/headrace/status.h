/*
 * Statuses and errors. Every function that can fail returns an hr_status and fills a caller-owned
 * hr_error. The library never prints, never ends the process, and keeps no error of its own.
 */
#ifndef HEADRACE_STATUS_H
#define HEADRACE_STATUS_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define HR_API       __attribute__((visibility("default")))
#define HR_NODISCARD __attribute__((warn_unused_result))
#else
#define HR_API
#define HR_NODISCARD
#endif

/** The values are frozen: new statuses get new numbers. */
typedef enum hr_status {
    HR_OK = 0,
    HR_ERR_INVALID = 1,   /**< an argument is wrong */
    HR_ERR_NO_MEMORY = 2, /**< the system refused an allocation or a thread */
    HR_ERR_BUDGET =
        3,         /**< it cannot work within the memory budget; the message names one that can */
    HR_ERR_IO = 4, /**< reading or writing failed; see hr_error.os_errno */
    HR_ERR_CORRUPT = 5,     /**< stored data are damaged or truncated */
    HR_ERR_UNSUPPORTED = 6, /**< well-formed, but not something this version reads */
    HR_ERR_EXISTS = 7,      /**< the output exists and replacing it was not asked for */
    HR_ERR_NOT_FOUND = 8,   /**< no such file, field or member */
    HR_ERR_BUSY = 9,        /**< another writer has the file, or the consumer holds every batch */
    HR_ERR_CANCELLED = 10,  /**< the progress callback asked to stop */
    HR_ERR_NO_SPACE = 11,   /**< the disk is full, or would be */
    HR_ERR_MISMATCH = 12,   /**< a saved state or partial file belongs to other data or options */
    HR_ERR_FORKED = 13,    /**< the object was made before fork() and cannot be used in the child */
    HR_ERR_HELPER = 14,    /**< the source helper died, hung, or broke its protocol */
    HR_ERR_UNCERTAIN = 15, /**< fsync failed: whether the data are on disk is unknown */
    HR_ERR_DATA = 16,      /**< the source holds a value that cannot be converted */
    HR_ERR_NO_DEVICE_MODULE = 17, /**< headrace-cuda.so is not there, or of another version */
    HR_ERR_NO_DRIVER = 18,        /**< the GPU's driver is not installed or not running */
    HR_ERR_DRIVER_TOO_OLD = 19,   /**< for the CUDA runtime in headrace-cuda.so */
    HR_ERR_NO_DEVICE = 20,        /**< no such GPU */
    HR_ERR_DEVICE_MEMORY = 21,    /**< the GPU's memory, or its budget, does not suffice */
    HR_ERR_DEVICE = 22,           /**< a call of the GPU's runtime failed */
    HR_ERR_NOT_DATASET = 23,      /**< the file does not begin as a Headrace data set */
    HR_TIMEOUT = 100,             /**< nothing was lost, call again */
    HR_END_OF_EPOCH = 101         /**< the epoch is over; the next call begins the next one */
} hr_status;

#define HR_ERROR_MESSAGE_BYTES 512

/** Owned by the caller; filled on failure only (HR_TIMEOUT and HR_END_OF_EPOCH are none). Any
 * hr_error pointer may be NULL. */
typedef struct hr_error {
    hr_status status;
    int32_t os_errno;  /**< errno of the failed system call, or 0 */
    uint64_t file_off; /**< position in bytes the message is about, or UINT64_MAX */
    char message[HR_ERROR_MESSAGE_BYTES]; /**< UTF-8: what, where, found, expected, what to do */
} hr_error;

/**
 * Name of a status, such as "HR_ERR_CORRUPT". Never NULL; valid for ever.
 * Threads: any. Fork: works in the child. @since 0.1
 */
HR_API const char *hr_status_name(hr_status status);

/**
 * The library's version, such as "0.1.0". Valid for ever.
 * Threads: any. Fork: works. @since 0.1
 */
HR_API const char *hr_version(void);

#ifdef __cplusplus
}
#endif
#endif
