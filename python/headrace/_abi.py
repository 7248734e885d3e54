"""The C API as ctypes sees it: constants, structs and prototypes of include/headrace/*.h, by the names that they have
there, where each is explained. tests/test_python_abi.py compares all of them with the headers."""

from ctypes import (
    CFUNCTYPE,
    POINTER,
    Structure,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint8,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any

ABI_VERSION = "0"  # of libheadrace.so: its soname


HR_OK = 0
HR_ERR_INVALID = 1
HR_ERR_NO_MEMORY = 2
HR_ERR_BUDGET = 3
HR_ERR_IO = 4
HR_ERR_CORRUPT = 5
HR_ERR_UNSUPPORTED = 6
HR_ERR_EXISTS = 7
HR_ERR_NOT_FOUND = 8
HR_ERR_BUSY = 9
HR_ERR_CANCELLED = 10
HR_ERR_NO_SPACE = 11
HR_ERR_MISMATCH = 12
HR_ERR_FORKED = 13
HR_ERR_HELPER = 14
HR_ERR_UNCERTAIN = 15
HR_ERR_DATA = 16
HR_ERR_NO_DEVICE_MODULE = 17
HR_ERR_NO_DRIVER = 18
HR_ERR_DRIVER_TOO_OLD = 19
HR_ERR_NO_DEVICE = 20
HR_ERR_DEVICE_MEMORY = 21
HR_ERR_DEVICE = 22
HR_ERR_NOT_DATASET = 23
HR_TIMEOUT = 100
HR_END_OF_EPOCH = 101
HR_ERROR_MESSAGE_BYTES = 512

HR_BOOL = 1
HR_INT8 = 2
HR_INT16 = 3
HR_INT32 = 4
HR_INT64 = 5
HR_UINT8 = 6
HR_UINT16 = 7
HR_UINT32 = 8
HR_UINT64 = 9
HR_FLOAT16 = 10
HR_BFLOAT16 = 11
HR_FLOAT32 = 12
HR_FLOAT64 = 13
HR_COMPLEX64 = 14
HR_COMPLEX128 = 15
HR_FIXED_BYTES = 16
HR_FIXED_UTF8 = 17
HR_VAR_BYTES = 18
HR_VAR_UTF8 = 19
HR_MAX_RANK = 32
HR_MAX_NAME_BYTES = 255

HR_IO_AUTO = 0
HR_IO_DIRECT = 1
HR_IO_CACHED = 2
HR_IO_THREADS = 3
HR_IO_LIBAIO = 4
HR_SPLIT_CONTIGUOUS = 1
HR_FINISH_CHW = 1
HR_PAD_TRUNCATE = 1
HR_FINISH_STANDARDIZE = 2
HR_FINISH_CHECK_FINITE = 4
HR_LOADER_SHUFFLE = 1
HR_LOADER_DROP_LAST = 2
HR_LOADER_PAD_LAST = 4
HR_LOADER_NUMA_OFF = 8
HR_LOADER_PAGEABLE = 16
HR_DEVICE_HOST = 0
HR_LOADER_STATE_BYTES = 256
HR_DLPACK_STREAM_NONE = -1
HR_DLPACK_STREAM_DEFAULT = 0
HR_DLPACK_STREAM_LEGACY = 1
HR_DLPACK_STREAM_PER_THREAD = 2

HR_MEMORY_LIMIT_NONE = 0
HR_MEMORY_LIMIT_CGROUP_V2 = 1
HR_MEMORY_LIMIT_CGROUP_V1 = 2
HR_MEMORY_LIMIT_RLIMIT_AS = 3
HR_MEMORY_LIMIT_RLIMIT_DATA = 4
HR_MEMORY_LIMIT_MACHINE = 5
HR_MEMORY_NAME_BYTES = 384

HR_LIMIT_UNKNOWN = 0
HR_LIMIT_DISK = 1
HR_LIMIT_DECODING = 2
HR_LIMIT_THREADS = 3
HR_LIMIT_BUDGET = 4
HR_LIMIT_CONSUMER = 5
HR_LIMIT_UPLOAD = 6
HR_LIMIT_COMPUTE = 7
HR_LOCAL_RANK_UNKNOWN = 0xFFFFFFFF
HR_LATENCY_BUCKETS = 40

HR_CODEC_AUTO = 0
HR_CODEC_RAW = 1
HR_CODEC_ZSTD = 2

HR_FILTER_AUTO = 0
HR_FILTER_NONE = 1
HR_FILTER_BYTE_SHUFFLE = 2
HR_FILTER_BIT_SHUFFLE = 3
HR_FILTER_DELTA = 4
HR_FILTER_DELTA_BYTE_SHUFFLE = 5
HR_FILTER_DELTA_BIT_SHUFFLE = 6

HR_OPTIMIZE_SPEED = 0
HR_OPTIMIZE_BALANCED = 1
HR_OPTIMIZE_SIZE = 2

HR_SPARSE_REFUSE = 0
HR_SPARSE_DENSE = 1
HR_SPARSE_VARLEN = 2
HR_WRITER_REPLACE = 1
HR_WRITER_RESUME = 2
HR_WRITER_APPEND = 4
HR_CONVERT_REPLACE = 1
HR_CONVERT_RESUME = 2
HR_CONVERT_FOLLOW_EXTERNAL = 4
HR_CONVERT_NO_SPACE_CHECK = 8
HR_CONVERT_SHUFFLE = 16
HR_CONVERT_APPEND = 32
HR_JOIN_REPLACE = 1
HR_JOIN_RESUME = 2
HR_JOIN_NO_SPACE_CHECK = 4
HR_JOIN_FIRST_ATTRIBUTES = 8
HR_SALVAGE_REPLACE = 1
HR_SALVAGE_NO_SPACE_CHECK = 2

HR_BENCH_DECODE = 0
HR_BENCH_READ_SEQUENTIAL = 1
HR_BENCH_READ_SHUFFLED = 2
HR_BENCH_MEMORY_SEQUENTIAL = 3
HR_BENCH_MEMORY_SHUFFLED = 4
HR_BENCH_DISK_SEQUENTIAL = 5
HR_BENCH_DISK_SHUFFLED = 6
HR_BENCH_NUM_KINDS = 7
HR_BENCH_MAX_KINDS = 16
HR_BENCH_REASON_BYTES = 192

HR_DEATH_NO_SIGN = 0
HR_DEATH_LIKELY = 1
HR_DEATH_KILLED = 2
HR_DEATH_RESTARTED = 3
HR_GUARD_HARD = 1
HR_GUARD_MAX_LOADERS = 16
HR_WHY_MARK_TOLD = 1


def HR_DEVICE_CUDA(index: int) -> int:
    return 0x100 + index


class hr_error(Structure):
    _fields_ = (
        ("status", c_int),
        ("os_errno", c_int32),
        ("file_off", c_uint64),
        ("message", c_char * HR_ERROR_MESSAGE_BYTES),
    )


class hr_field(Structure):
    _fields_ = (
        ("name", c_char_p),
        ("dtype", c_int),
        ("width_bytes", c_uint32),
        ("rank", c_uint32),
        ("shape", POINTER(c_uint64)),
        ("attributes_json", c_char_p),
        ("element_dtype", c_int),
        ("reserved32", c_uint32),
        ("reserved", c_uint64 * 3),
    )


class hr_statistics(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("valid", c_uint32),
        ("has_moments", c_uint32),
        ("has_labels", c_uint32),
        ("num_values", c_uint64),
        ("num_zeros", c_uint64),
        ("num_nan", c_uint64),
        ("num_inf", c_uint64),
        ("first_nan_sample", c_uint64),
        ("first_inf_sample", c_uint64),
        ("min", c_double),
        ("max", c_double),
        ("mean", c_double),
        ("std", c_double),
        ("min_int", c_int64),
        ("max_int", c_int64),
        ("min_uint", c_uint64),
        ("max_uint", c_uint64),
        ("longest_run_samples", c_uint64),
        ("num_runs", c_uint64),
        ("num_distinct", c_uint64),
        ("distinct_overflow", c_uint32),
        ("looks_sorted", c_uint32),
    )


class hr_length_statistics(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("valid", c_uint32),
        ("num_values", c_uint64),
        ("num_empty", c_uint64),
        ("total_bytes", c_uint64),
        ("min_bytes", c_uint64),
        ("max_bytes", c_uint64),
        ("mean_bytes", c_double),
        ("std_bytes", c_double),
    )


class hr_open_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("budget_bytes", c_uint64),
    )


class hr_dataset_info(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("samples_per_chunk", c_uint32),
        ("uuid", c_uint8 * 16),
        ("commit_seq", c_uint64),
        ("num_samples", c_uint64),
        ("num_chunks", c_uint64),
        ("num_segments", c_uint64),
        ("decoded_bytes", c_uint64),
        ("file_bytes", c_uint64),
        ("dead_bytes", c_uint64),
        ("max_chunk_bytes", c_uint64),
        ("index_bytes", c_uint64),
        ("index_loaded_bytes", c_uint64),
        ("num_files", c_uint32),
        ("reserved", c_uint32),
    )


class hr_file_info(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("reserved", c_uint32),
        ("path", c_char_p),
        ("uuid", c_uint8 * 16),
        ("commit_seq", c_uint64),
        ("first_sample", c_uint64),
        ("num_samples", c_uint64),
        ("num_chunks", c_uint64),
        ("num_segments", c_uint64),
        ("file_bytes", c_uint64),
        ("dead_bytes", c_uint64),
    )


class hr_damage(Structure):
    _fields_ = (
        ("what", c_char_p),
        ("detail", c_char_p),
        ("file_off", c_uint64),
        ("chunk", c_uint64),
        ("field", c_uint32),
        ("first_sample", c_uint64),
        ("num_samples", c_uint64),
    )


class hr_verify_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("num_threads", c_uint32),
        ("reserved", c_uint32),
        ("budget_bytes", c_uint64),
        ("user", c_void_p),
        ("on_damage", CFUNCTYPE(None, c_void_p, POINTER(hr_damage))),
        ("on_progress", CFUNCTYPE(c_int, c_void_p, c_uint64, c_uint64)),
    )


class hr_split_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("seed", c_uint64),
        ("fractions", POINTER(c_double)),
        ("num_fractions", c_uint32),
        ("reserved", c_uint32),
        ("stratify_field", c_char_p),
        ("budget_bytes", c_uint64),
    )


class hr_finish(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("field", c_char_p),
        ("dtype", c_int),
        ("num_channels", c_uint32),
        ("scale", POINTER(c_float)),
        ("shift", POINTER(c_float)),
    )


class hr_bad_values(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("checked", c_uint32),
        ("num_nan", c_uint64),
        ("num_inf", c_uint64),
        ("first_epoch", c_uint64),
        ("first_batch", c_uint64),
        ("first_row", c_uint32),
        ("reserved", c_uint32),
        ("first_sample", c_uint64),
    )


class hr_pad(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("field", c_char_p),
        ("length", c_uint64),
    )


class hr_loader_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("batch_samples", c_uint32),
        ("window_visits", c_uint32),
        ("seed", c_uint64),
        ("first_epoch", c_uint64),
        ("num_epochs", c_uint64),
        ("num_streams", c_uint32),
        ("rank", c_uint32),
        ("world_size", c_uint32),
        ("max_held_batches", c_uint32),
        ("budget_bytes", c_uint64),
        ("num_threads", c_uint32),
        ("io", c_int),
        ("fields", POINTER(c_char_p)),
        ("num_fields", c_uint32),
        ("io_depth", c_uint32),
        ("resume_state", c_void_p),
        ("resume_state_bytes", c_size_t),
        ("subset", c_void_p),
        ("finish", POINTER(hr_finish)),
        ("num_finish", c_uint32),
        ("device", c_uint32),
        ("device_slots", c_uint32),
        ("device_budget_bytes", c_uint64),
        ("trace_events", c_uint64),
        ("max_value_bytes", c_uint64),
        ("pads", POINTER(hr_pad)),
        ("num_pads", c_uint32),
        ("reserved", c_uint32),
    )


class hr_loader_info(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("window_visits", c_uint32),
        ("num_streams", c_uint32),
        ("num_threads", c_uint32),
        ("batch_samples", c_uint32),
        ("local_batch_samples", c_uint32),
        ("io", c_int),
        ("io_depth", c_uint32),
        ("io_backend", c_char * 32),
        ("batches_per_epoch", c_uint64),
        ("samples_per_epoch", c_uint64),
        ("dropped_samples", c_uint64),
        ("budget_bytes", c_uint64),
        ("reserved_bytes", c_uint64),
        ("ring_bytes", c_uint64),
        ("inflation", c_double),
        ("batches_delivered", c_uint64),
        ("samples_delivered", c_uint64),
        ("delivered_bytes", c_uint64),
        ("read_bytes", c_uint64),
        ("wait_io_ns", c_int64),
        ("decode_ns", c_int64),
        ("wait_consumer_ns", c_int64),
        ("wait_batch_ns", c_int64),
        ("first_batch_ns", c_int64),
        ("num_read_threads", c_uint32),
        ("reserved", c_uint32),
        ("padded_samples", c_uint64),
        ("num_nodes", c_uint32),
        ("ring_interleaved", c_uint32),
        ("numa_os_errno", c_int32),
        ("reserved2", c_uint32),
        ("order_samples", c_uint64),
        ("dataset_samples", c_uint64),
        ("finish_ns", c_int64),
        ("device", c_uint32),
        ("device_slots", c_uint32),
        ("device_bytes", c_uint64),
        ("device_name", c_char * 64),
        ("pinned", c_uint32),
        ("reserved3", c_uint32),
    )


class hr_loader_plan(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("window_visits", c_uint32),
        ("batches_per_epoch", c_uint64),
        ("samples_per_epoch", c_uint64),
        ("dropped_samples", c_uint64),
        ("peak_bytes", c_uint64),
        ("budget_bytes", c_uint64),
        ("smallest_budget_bytes", c_uint64),
        ("largest_window_visits", c_uint32),
        ("fits", c_uint32),
        ("read_amplification", c_double),
        ("inflation", c_double),
        ("labels_sorted", c_uint32),
        ("labels_field", c_uint32),
        ("padded_samples", c_uint64),
        ("io", c_int),
        ("io_depth", c_uint32),
        ("io_backend", c_char * 32),
        ("smallest_reopen_bytes", c_uint64),
        ("num_streams", c_uint32),
        ("local_batch_samples", c_uint32),
        ("order_samples", c_uint64),
        ("dataset_samples", c_uint64),
        ("device_bytes", c_uint64),
    )


class hr_gpu_memory(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("index", c_uint32),
        ("total_bytes", c_uint64),
        ("used_bytes", c_uint64),
        ("free_bytes", c_uint64),
        ("process_bytes", c_uint64),
        ("name", c_char * 64),
    )


class hr_taken_batch(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("num_data", c_uint32),
        ("data", POINTER(c_void_p)),
        ("batch", c_void_p),
        ("epoch", c_uint64),
        ("number", c_uint64),
        ("num_samples", c_uint32),
        ("num_padding", c_uint32),
        ("num_held", c_uint32),
        ("reserved", c_uint32),
    )


class hr_process_memory(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("limit_kind", c_int),
        ("resident_bytes", c_uint64),
        ("anonymous_bytes", c_uint64),
        ("peak_resident_bytes", c_uint64),
        ("headrace_bytes", c_uint64),
        ("limit_bytes", c_uint64),
        ("used_bytes", c_uint64),
        ("reclaimable_bytes", c_uint64),
        ("headroom_bytes", c_uint64),
        ("oom_kills", c_uint64),
        ("machine_bytes", c_uint64),
        ("machine_available_bytes", c_uint64),
        ("limit_name", c_char * HR_MEMORY_NAME_BYTES),
    )


class hr_rank_info(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("rank", c_uint32),
        ("world_size", c_uint32),
        ("local_rank", c_uint32),
        ("launcher", c_char * 16),
    )


class hr_loader_report_info(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("limit", c_int),
        ("num_threads", c_uint32),
        ("num_cores", c_uint32),
        ("io_depth", c_uint32),
        ("wanted_threads", c_uint32),
        ("wanted_io_depth", c_uint32),
        ("window_visits", c_uint32),
        ("num_slots", c_uint64),
        ("wanted_slots", c_uint64),
        ("budget_bytes", c_uint64),
        ("ample_bytes", c_uint64),
        ("batches_delivered", c_uint64),
        ("delivered_bytes", c_uint64),
        ("read_bytes", c_uint64),
        ("wanted_bytes", c_uint64),
        ("visits", c_uint64),
        ("elapsed_ns", c_int64),
        ("first_batch_ns", c_int64),
        ("wait_batch_ns", c_int64),
        ("thread_ns", c_int64),
        ("wait_io_ns", c_int64),
        ("copy_ns", c_int64),
        ("decode_ns", c_int64),
        ("scatter_ns", c_int64),
        ("wait_ring_ns", c_int64),
        ("wait_consumer_ns", c_int64),
        ("other_ns", c_int64),
        ("busy_share", c_double),
        ("waiting_share", c_double),
        ("faster", c_double),
        ("larger", c_double),
        ("other_storage", c_char * 96),
        ("sentence", c_char * 320),
        ("latency_counts", c_uint64 * HR_LATENCY_BUCKETS),
        ("num_nodes", c_uint32),
        ("reserved", c_uint32),
        ("order_samples", c_uint64),
        ("dataset_samples", c_uint64),
        ("finish_ns", c_int64),
        ("device", c_uint32),
        ("pinned", c_uint32),
        ("uploads", c_uint64),
        ("uploaded_bytes", c_uint64),
        ("upload_ns", c_int64),
        ("upload_thread_ns", c_int64),
        ("upload_wait_batch_ns", c_int64),
        ("upload_wait_slot_ns", c_int64),
        ("upload_wait_device_ns", c_int64),
        ("stalled_ns", c_int64),
        ("overlap_share", c_double),
        ("overlap_known", c_uint32),
        ("reserved2", c_uint32),
    )


class hr_varlen_column(Structure):
    _fields_ = (
        ("offsets", POINTER(c_int64)),
        ("values", c_void_p),
        ("values_bytes", c_uint64),
    )


class hr_source_fingerprint(Structure):
    _fields_ = (
        ("path", c_char_p),
        ("size_bytes", c_uint64),
        ("mtime_ns", c_int64),
    )


class hr_writer_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("budget_bytes", c_uint64),
        ("num_threads", c_uint32),
        ("samples_per_chunk", c_uint32),
        ("chunk_bytes", c_uint64),
        ("codec", c_int32),
        ("filter", c_int32),
        ("level", c_int32),
        ("num_sources", c_uint32),
        ("sources", POINTER(hr_source_fingerprint)),
        ("attributes_json", c_char_p),
        ("provenance_json", c_char_p),
        ("user", c_void_p),
        ("on_resume", CFUNCTYPE(c_int, c_void_p, c_uint64)),
        ("optimize", c_int32),
        ("reserved", c_uint32),
        ("disk_bytes_per_s", c_uint64),
    )


class hr_writer_info(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("samples_per_chunk", c_uint32),
        ("num_samples", c_uint64),
        ("resumed_samples", c_uint64),
        ("decoded_bytes", c_uint64),
        ("stored_bytes", c_uint64),
        ("budget_bytes", c_uint64),
        ("reserved_bytes", c_uint64),
        ("codecs_chosen", c_uint32),
        ("trial_ratio", c_double),
    )


class hr_progress(Structure):
    _fields_ = (
        ("done_samples", c_uint64),
        ("total_samples", c_uint64),
        ("done_bytes", c_uint64),
        ("total_bytes", c_uint64),
    )


class hr_convert_field(Structure):
    _fields_ = (
        ("name", c_char_p),
        ("source", c_char_p),
    )


class hr_convert_rename(Structure):
    _fields_ = (
        ("old_name", c_char_p),
        ("new_name", c_char_p),
    )


class hr_convert_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("inputs", POINTER(c_char_p)),
        ("num_inputs", c_uint32),
        ("num_fields", c_uint32),
        ("fields", POINTER(hr_convert_field)),
        ("output", c_char_p),
        ("budget_bytes", c_uint64),
        ("num_threads", c_uint32),
        ("num_helpers", c_uint32),
        ("chunk_bytes", c_uint64),
        ("codec", c_int32),
        ("filter", c_int32),
        ("level", c_int32),
        ("raw_dtype", c_char_p),
        ("raw_shape", POINTER(c_uint64)),
        ("raw_rank", c_uint32),
        ("raw_skip_bytes", c_uint32),
        ("helper_timeout_ns", c_int64),
        ("helper_memory_bytes", c_uint64),
        ("user", c_void_p),
        ("on_progress", CFUNCTYPE(c_int, c_void_p, POINTER(hr_progress))),
        ("on_note", CFUNCTYPE(None, c_void_p, c_char_p)),
        ("optimize", c_int32),
        ("reserved", c_uint32),
        ("disk_bytes_per_s", c_uint64),
        ("shuffle_seed", c_uint64),
        ("index_field", c_char_p),
        ("kept_fields", POINTER(c_char_p)),
        ("num_kept_fields", c_uint32),
        ("num_renames", c_uint32),
        ("renames", POINTER(hr_convert_rename)),
        ("first_sample", c_uint64),
        ("end_sample", c_uint64),
        ("sample_axis", c_int32),
        ("sparse", c_int32),
    )


class hr_convert_result(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("num_fields", c_uint32),
        ("num_samples", c_uint64),
        ("resumed_samples", c_uint64),
        ("decoded_bytes", c_uint64),
        ("stored_bytes", c_uint64),
        ("elapsed_ns", c_int64),
        ("num_nan", c_uint64),
        ("num_inf", c_uint64),
        ("old_samples", c_uint64),
    )


class hr_join_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("parts", POINTER(c_char_p)),
        ("num_parts", c_uint32),
        ("num_threads", c_uint32),
        ("output", c_char_p),
        ("budget_bytes", c_uint64),
        ("user", c_void_p),
        ("on_progress", CFUNCTYPE(c_int, c_void_p, POINTER(hr_progress))),
        ("on_note", CFUNCTYPE(None, c_void_p, c_char_p)),
    )


class hr_join_result(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("num_parts", c_uint32),
        ("num_samples", c_uint64),
        ("num_chunks", c_uint64),
        ("num_segments", c_uint64),
        ("resumed_samples", c_uint64),
        ("stored_bytes", c_uint64),
        ("elapsed_ns", c_int64),
    )


class hr_lost(Structure):
    _fields_ = (
        ("first_chunk", c_uint64),
        ("num_chunks", c_uint64),
        ("first_sample", c_uint64),
        ("num_samples", c_uint64),
        ("fields", POINTER(c_char_p)),
        ("num_fields", c_uint32),
        ("reserved", c_uint32),
        ("reason", c_char_p),
    )


class hr_salvage_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("path", c_char_p),
        ("output", c_char_p),
        ("budget_bytes", c_uint64),
        ("user", c_void_p),
        ("on_lost", CFUNCTYPE(None, c_void_p, POINTER(hr_lost))),
        ("on_progress", CFUNCTYPE(c_int, c_void_p, POINTER(hr_progress))),
        ("on_note", CFUNCTYPE(None, c_void_p, c_char_p)),
    )


class hr_salvage_result(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("end_known", c_uint32),
        ("num_samples", c_uint64),
        ("num_chunks", c_uint64),
        ("num_segments", c_uint64),
        ("lost_samples", c_uint64),
        ("lost_chunks", c_uint64),
        ("stored_bytes", c_uint64),
        ("elapsed_ns", c_int64),
    )


HR_EXPORT_AUTO = 0
HR_EXPORT_NPY = 1
HR_EXPORT_NPZ = 2
HR_EXPORT_HDF5 = 3
HR_EXPORT_NO_GZIP = -1


class hr_export_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("folder", c_char_p),
        ("fields", POINTER(c_char_p)),
        ("num_fields", c_uint32),
        ("num_threads", c_uint32),
        ("first_sample", c_uint64),
        ("end_sample", c_uint64),
        ("budget_bytes", c_uint64),
        ("user", c_void_p),
        ("on_progress", CFUNCTYPE(c_int, c_void_p, POINTER(hr_progress))),
        ("on_note", CFUNCTYPE(None, c_void_p, c_char_p)),
        ("path", c_char_p),
        ("kind", c_int32),
        ("gzip_level", c_int32),
        ("helper_timeout_ns", c_int64),
        ("helper_memory_bytes", c_uint64),
    )


HR_DIFFERS_VALUES = 1
HR_DIFFERS_DTYPE = 2
HR_DIFFERS_SHAPE = 4
HR_DIFFERS_SAMPLES = 8
HR_DIFFERS_ONLY_A = 16
HR_DIFFERS_ONLY_B = 32
HR_DIFFERENCE_BYTES = 64


class hr_difference(Structure):
    _fields_ = (
        ("sample", c_uint64),
        ("element", c_uint64),
        ("first_byte", c_uint64),
        ("a_bytes", c_uint32),
        ("b_bytes", c_uint32),
        ("a", c_uint8 * HR_DIFFERENCE_BYTES),
        ("b", c_uint8 * HR_DIFFERENCE_BYTES),
    )


class hr_compared_field(Structure):
    _fields_ = (
        ("differs", c_uint32),
        ("num_differences", c_uint32),
        ("a", POINTER(hr_field)),
        ("b", POINTER(hr_field)),
        ("num_samples_a", c_uint64),
        ("num_samples_b", c_uint64),
        ("compared_samples", c_uint64),
        ("num_elements", c_uint64),
        ("num_different", c_uint64),
        ("differences", POINTER(hr_difference)),
    )


class hr_compare_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("a", c_char_p),
        ("b", c_char_p),
        ("fields", POINTER(c_char_p)),
        ("num_fields", c_uint32),
        ("num_threads", c_uint32),
        ("num_helpers", c_uint32),
        ("max_differences", c_uint32),
        ("budget_bytes", c_uint64),
        ("helper_timeout_ns", c_int64),
        ("helper_memory_bytes", c_uint64),
        ("user", c_void_p),
        ("on_progress", CFUNCTYPE(c_int, c_void_p, POINTER(hr_progress))),
        ("on_field", CFUNCTYPE(None, c_void_p, POINTER(hr_compared_field))),
    )


class hr_compare_result(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("equal", c_uint32),
        ("num_fields", c_uint32),
        ("num_different", c_uint32),
        ("compared_bytes", c_uint64),
        ("elapsed_ns", c_int64),
    )


class hr_bench_progress(Structure):
    _fields_ = (
        ("kind", c_int),
        ("round", c_uint32),
        ("num_rounds", c_uint32),
        ("done_measures", c_uint32),
        ("all_measures", c_uint32),
    )


class hr_bench_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("measures", c_uint32),
        ("batch_samples", c_uint32),
        ("window_visits", c_uint32),
        ("num_threads", c_uint32),
        ("num_rounds", c_uint32),
        ("seed", c_uint64),
        ("budget_bytes", c_uint64),
        ("run_ns", c_int64),
        ("user", c_void_p),
        ("on_progress", CFUNCTYPE(c_int, c_void_p, POINTER(hr_bench_progress))),
    )


class hr_bench_spread(Structure):
    _fields_ = (
        ("median", c_double),
        ("lowest", c_double),
        ("highest", c_double),
    )


class hr_bench_measure(Structure):
    _fields_ = (
        ("kind", c_uint32),
        ("num_runs", c_uint32),
        ("num_epochs", c_uint32),
        ("reserved", c_uint32),
        ("bytes_per_s", hr_bench_spread),
        ("limit_bytes_per_s", hr_bench_spread),
        ("share", hr_bench_spread),
        ("io_part", c_double),
        ("decode_part", c_double),
        ("consumer_part", c_double),
        ("first_batch_ns", c_int64),
        ("reason", c_char * HR_BENCH_REASON_BYTES),
    )


class hr_bench_result(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("num_rounds", c_uint32),
        ("num_threads", c_uint32),
        ("batch_samples", c_uint32),
        ("window_visits", c_uint32),
        ("read_depth", c_uint32),
        ("ratio", c_double),
        ("decoded_bytes", c_uint64),
        ("file_bytes", c_uint64),
        ("num_chunks", c_uint64),
        ("held_chunks", c_uint64),
        ("held_bytes", c_uint64),
        ("budget_bytes", c_uint64),
        ("measures", hr_bench_measure * HR_BENCH_MAX_KINDS),
    )


class hr_probe_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("limit_ns", c_int64),
        ("user", c_void_p),
        ("on_progress", CFUNCTYPE(c_int, c_void_p)),
    )


class hr_probe_result(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("limit", c_int),
        ("sentence", c_char * 320),
        ("first_batch_ns", c_int64),
        ("epoch_ns", c_int64),
        ("later_epoch_ns", c_int64),
        ("bytes_per_s", c_double),
        ("samples_per_s", c_double),
        ("later_bytes_per_s", c_double),
        ("decode_bytes_per_s", c_double),
        ("read_bytes_per_s", c_double),
        ("ratio", c_double),
        ("cached_share", c_double),
        ("visits", c_uint64),
        ("took_ns", c_int64),
    )


class hr_guard_options(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("flags", c_uint32),
        ("limit_bytes", c_uint64),
        ("hard_bytes", c_uint64),
        ("interval_ns", c_int64),
        ("on_low", CFUNCTYPE(c_int, c_void_p)),
        ("user", c_void_p),
        ("post", c_void_p),
        ("record_folder", c_char_p),
    )


class hr_guard_info(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("limit_kind", c_int),
        ("num_looks", c_uint64),
        ("last_look_ns", c_int64),
        ("resident_bytes", c_uint64),
        ("anonymous_bytes", c_uint64),
        ("headrace_bytes", c_uint64),
        ("limit_bytes", c_uint64),
        ("used_bytes", c_uint64),
        ("reclaimable_bytes", c_uint64),
        ("headroom_bytes", c_uint64),
        ("oom_kills", c_uint64),
        ("level_bytes", c_uint64),
        ("resident_growth_bytes", c_int64),
        ("used_growth_bytes", c_int64),
        ("num_low", c_uint64),
        ("low_resident_bytes", c_uint64),
        ("low_used_bytes", c_uint64),
        ("low_limit_bytes", c_uint64),
        ("low_headrace_bytes", c_uint64),
        ("low_ns", c_int64),
        ("hard_rlimit_bytes", c_uint64),
        ("low_now", c_uint32),
        ("record_kept", c_uint32),
        ("num_records_written", c_uint64),
        ("limit_name", c_char * HR_MEMORY_NAME_BYTES),
        ("record_path", c_char * HR_MEMORY_NAME_BYTES),
        ("note", c_char * 384),
    )


class hr_death_report(Structure):
    _fields_ = (
        ("struct_bytes", c_uint32),
        ("verdict", c_int),
        ("told", c_uint32),
        ("limit_kind", c_int),
        ("pid", c_int64),
        ("opened_unix_ns", c_int64),
        ("last_seen_unix_ns", c_int64),
        ("limit_bytes", c_uint64),
        ("used_bytes", c_uint64),
        ("reclaimable_bytes", c_uint64),
        ("headroom_bytes", c_uint64),
        ("resident_bytes", c_uint64),
        ("opened_resident_bytes", c_uint64),
        ("peak_resident_bytes", c_uint64),
        ("headrace_bytes", c_uint64),
        ("oom_kills_opened", c_uint64),
        ("oom_kills_last", c_uint64),
        ("oom_kills_now", c_uint64),
        ("epoch", c_uint64),
        ("step", c_uint64),
        ("batches_delivered", c_uint64),
        ("growth_bytes_per_epoch", c_int64),
        ("growth_since_epoch", c_uint64),
        ("nan_epoch", c_uint64),
        ("nan_batch", c_uint64),
        ("rank", c_uint32),
        ("world_size", c_uint32),
        ("sentence", c_char * 512),
        ("host", c_char * 64),
        ("command", c_char * 208),
        ("limit_name", c_char * HR_MEMORY_NAME_BYTES),
        ("record_path", c_char * HR_MEMORY_NAME_BYTES),
    )


# Result, then arguments.
PROTOTYPES: dict[str, tuple[Any, ...]] = {
    "hr_status_name": (c_char_p, c_int),
    "hr_version": (c_char_p,),
    "hr_dtype_name": (c_char_p, c_int),
    "hr_dtype_from_name": (c_int, c_char_p, POINTER(c_int), POINTER(hr_error)),
    "hr_dtype_bytes": (c_uint32, c_int),
    "hr_dataset_open": (c_int, c_char_p, POINTER(hr_open_options), POINTER(c_void_p), POINTER(hr_error)),
    "hr_dataset_open_many": (
        c_int,
        POINTER(c_char_p),
        c_size_t,
        POINTER(hr_open_options),
        POINTER(c_void_p),
        POINTER(hr_error),
    ),
    "hr_dataset_close": (None, c_void_p),
    "hr_dataset_num_samples": (c_uint64, c_void_p),
    "hr_dataset_num_fields": (c_uint32, c_void_p),
    "hr_dataset_field": (c_int, c_void_p, c_uint32, POINTER(hr_field), POINTER(hr_error)),
    "hr_dataset_find_field": (c_int, c_void_p, c_char_p, POINTER(c_uint32), POINTER(hr_error)),
    "hr_dataset_sample_bytes": (c_uint64, c_void_p, c_uint32),
    "hr_dataset_statistics": (c_int, c_void_p, c_uint32, POINTER(hr_statistics), POINTER(hr_error)),
    "hr_dataset_length_statistics": (c_int, c_void_p, c_uint32, POINTER(hr_length_statistics), POINTER(hr_error)),
    "hr_dataset_read_values": (
        c_int,
        c_void_p,
        c_uint32,
        c_uint64,
        c_uint64,
        POINTER(c_int64),
        c_void_p,
        c_uint64,
        POINTER(c_uint64),
        POINTER(hr_error),
    ),
    "hr_dataset_gather_values": (
        c_int,
        c_void_p,
        c_uint32,
        POINTER(c_uint64),
        c_size_t,
        POINTER(c_int64),
        c_void_p,
        c_uint64,
        POINTER(c_uint64),
        POINTER(hr_error),
    ),
    "hr_dataset_describe": (c_int, c_void_p, POINTER(hr_dataset_info), POINTER(hr_error)),
    "hr_dataset_num_files": (c_uint32, c_void_p),
    "hr_dataset_file": (c_int, c_void_p, c_uint32, POINTER(hr_file_info), POINTER(hr_error)),
    "hr_dataset_json": (c_char_p, c_void_p),
    "hr_dataset_path": (c_char_p, c_void_p),
    "hr_dataset_read": (c_int, c_void_p, c_uint32, c_uint64, c_uint64, c_void_p, c_size_t, POINTER(hr_error)),
    "hr_dataset_gather": (
        c_int,
        c_void_p,
        c_uint32,
        POINTER(c_uint64),
        c_size_t,
        c_void_p,
        c_size_t,
        POINTER(hr_error),
    ),
    "hr_dataset_verify": (c_int, c_char_p, POINTER(hr_verify_options), POINTER(hr_error)),
    "hr_default_budget": (c_uint64,),
    "hr_subset_from_range": (c_int, c_void_p, c_uint64, c_uint64, c_uint64, POINTER(c_void_p), POINTER(hr_error)),
    "hr_subset_from_indices": (c_int, c_void_p, POINTER(c_uint64), c_uint64, POINTER(c_void_p), POINTER(hr_error)),
    "hr_subset_from_npy": (c_int, c_void_p, c_char_p, POINTER(c_void_p), POINTER(hr_error)),
    "hr_split": (c_int, c_void_p, POINTER(hr_split_options), POINTER(c_void_p), POINTER(hr_error)),
    "hr_subset_num_samples": (c_uint64, c_void_p),
    "hr_subset_indices": (c_int, c_void_p, c_uint64, c_uint64, POINTER(c_uint64), POINTER(hr_error)),
    "hr_subset_free": (None, c_void_p),
    "hr_loader_open": (c_int, c_void_p, POINTER(hr_loader_options), POINTER(c_void_p), POINTER(hr_error)),
    "hr_loader_next": (c_int, c_void_p, c_int64, POINTER(c_void_p), POINTER(hr_error)),
    "hr_loader_close": (None, c_void_p),
    "hr_loader_state": (c_int, c_void_p, c_void_p, c_size_t, POINTER(c_size_t), POINTER(hr_error)),
    "hr_loader_state_at": (
        c_int,
        c_void_p,
        c_uint64,
        c_uint64,
        c_void_p,
        c_size_t,
        POINTER(c_size_t),
        POINTER(hr_error),
    ),
    "hr_loader_describe": (c_int, c_void_p, POINTER(hr_loader_info), POINTER(hr_error)),
    "hr_loader_bad_values": (c_int, c_void_p, c_uint32, POINTER(hr_bad_values), POINTER(hr_error)),
    "hr_loader_plan_make": (c_int, c_void_p, POINTER(hr_loader_options), POINTER(hr_loader_plan), POINTER(hr_error)),
    "hr_batch_release": (None, c_void_p),
    "hr_batch_num_samples": (c_uint32, c_void_p),
    "hr_batch_epoch": (c_uint64, c_void_p),
    "hr_batch_number": (c_uint64, c_void_p),
    "hr_batch_data": (c_void_p, c_void_p, c_uint32),
    "hr_batch_data_by_name": (c_void_p, c_void_p, c_char_p),
    "hr_batch_offsets": (POINTER(c_int64), c_void_p, c_uint32),
    "hr_batch_field": (c_int, c_void_p, c_uint32, POINTER(hr_field), POINTER(hr_error)),
    "hr_batch_bad_values": (c_int, c_void_p, c_uint32, POINTER(hr_bad_values), POINTER(hr_error)),
    "hr_batch_num_fields": (c_uint32, c_void_p),
    "hr_batch_num_padding": (c_uint32, c_void_p),
    "hr_batch_padding": (c_int, c_void_p, POINTER(c_uint8), POINTER(hr_error)),
    "hr_batch_indices": (c_int, c_void_p, POINTER(c_uint64), POINTER(hr_error)),
    "hr_batch_device": (c_uint32, c_void_p),
    "hr_batch_wait_on": (c_int, c_void_p, c_void_p, POINTER(hr_error)),
    "hr_batch_release_on": (c_int, c_void_p, c_void_p, POINTER(hr_error)),
    "hr_gpu_memory_read": (c_int, c_uint32, POINTER(hr_gpu_memory), POINTER(hr_error)),
    "hr_batch_hold": (c_int, c_void_p, POINTER(hr_error)),
    "hr_batch_let_go": (None, c_void_p),
    "hr_loader_take": (c_int, c_void_p, c_int64, POINTER(hr_taken_batch), POINTER(hr_error)),
    "hr_batch_dlpack": (c_int, c_void_p, c_uint32, c_int64, c_void_p, POINTER(hr_error)),
    "hr_batch_dlpack_legacy": (c_int, c_void_p, c_uint32, c_int64, c_void_p, POINTER(hr_error)),
    "hr_dlpack_delete": (None, c_void_p),
    "hr_dlpack_delete_legacy": (None, c_void_p),
    "hr_memory_set_cap": (None, c_uint64),
    "hr_memory_cap": (c_uint64,),
    "hr_memory_in_use": (c_uint64,),
    "hr_process_memory_read": (c_int, POINTER(hr_process_memory), POINTER(hr_error)),
    "hr_memory_limit_kind_name": (c_char_p, c_int),
    "hr_rank_from_environment": (c_int, c_char_p, POINTER(hr_rank_info), POINTER(hr_error)),
    "hr_loader_report": (c_int, c_void_p, POINTER(hr_loader_report_info), POINTER(hr_error)),
    "hr_loader_report_text": (c_size_t, POINTER(hr_loader_report_info), c_char_p, c_size_t),
    "hr_limit_name": (c_char_p, c_int),
    "hr_loader_trace_write": (c_int, c_void_p, c_char_p, POINTER(hr_error)),
    "hr_writer_open": (
        c_int,
        c_char_p,
        POINTER(hr_field),
        c_uint32,
        POINTER(hr_writer_options),
        POINTER(c_void_p),
        POINTER(hr_error),
    ),
    "hr_writer_num_samples": (c_uint64, c_void_p),
    "hr_writer_append": (c_int, c_void_p, c_uint64, POINTER(c_void_p), POINTER(hr_error)),
    "hr_writer_commit": (c_int, c_void_p, POINTER(hr_error)),
    "hr_writer_close": (None, c_void_p),
    "hr_writer_describe": (c_int, c_void_p, POINTER(hr_writer_info), POINTER(hr_error)),
    "hr_convert": (c_int, POINTER(hr_convert_options), POINTER(hr_convert_result), POINTER(hr_error)),
    "hr_join": (c_int, POINTER(hr_join_options), POINTER(hr_join_result), POINTER(hr_error)),
    "hr_compare": (c_int, POINTER(hr_compare_options), POINTER(hr_compare_result), POINTER(hr_error)),
    "hr_salvage": (c_int, POINTER(hr_salvage_options), POINTER(hr_salvage_result), POINTER(hr_error)),
    "hr_export": (c_int, c_void_p, POINTER(hr_export_options), POINTER(hr_error)),
    "hr_export_npy": (c_int, c_void_p, POINTER(hr_export_options), POINTER(hr_error)),
    "hr_bench": (c_int, c_void_p, POINTER(hr_bench_options), POINTER(hr_bench_result), POINTER(hr_error)),
    "hr_bench_kind_name": (c_char_p, c_uint32),
    "hr_probe": (
        c_int,
        c_void_p,
        POINTER(hr_loader_options),
        POINTER(hr_probe_options),
        POINTER(hr_probe_result),
        POINTER(hr_error),
    ),
    "hr_guard_open": (c_int, POINTER(hr_guard_options), POINTER(c_void_p), POINTER(hr_error)),
    "hr_guard_close": (None, c_void_p),
    "hr_guard_state": (c_int, c_void_p, POINTER(hr_guard_info), POINTER(hr_error)),
    "hr_guard_watch": (c_int, c_void_p, c_void_p, POINTER(hr_error)),
    "hr_guard_unwatch": (None, c_void_p, c_void_p),
    "hr_guard_step": (None, c_void_p, c_uint64, c_uint64),
    "hr_default_record_folder": (c_size_t, c_char_p, c_size_t),
    "hr_why_died": (c_int, c_char_p, c_uint32, POINTER(hr_death_report), POINTER(hr_error)),
    "hr_death_name": (c_char_p, c_int),
}
