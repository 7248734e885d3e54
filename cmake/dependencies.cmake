# What the library is built from. HDF5 is looked for only by the source helper (convert/helper).
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd>=1.4.0)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash>=0.8.0)
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson>=2.11)
pkg_check_modules(URING REQUIRED IMPORTED_TARGET liburing>=2.1)

find_library(AIO_LIBRARY aio REQUIRED)
find_path(AIO_INCLUDE_DIR libaio.h REQUIRED)
add_library(headrace_aio INTERFACE)
target_link_libraries(headrace_aio INTERFACE ${AIO_LIBRARY})
target_include_directories(headrace_aio INTERFACE ${AIO_INCLUDE_DIR})
