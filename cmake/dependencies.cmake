# What the library is built from. HDF5 and libzip are looked for only by the source helper
# (convert/helper).
find_package(Threads REQUIRED)
find_package(PkgConfig QUIET)

# headrace_dependency(NAME MODULE>=VERSION HEADER LIBRARY): the target PkgConfig::NAME. Where there is no
# pkg-config, by header and library alone, also below CMAKE_PREFIX_PATH; of any version then.
macro(headrace_dependency name module header library)
    if(PKG_CONFIG_FOUND)
        pkg_check_modules(${name} REQUIRED IMPORTED_TARGET ${module})
    else()
        find_path(${name}_HEADERS ${header} REQUIRED)
        find_library(${name}_FILE ${library} REQUIRED)
        add_library(PkgConfig::${name} INTERFACE IMPORTED)
        target_include_directories(PkgConfig::${name} INTERFACE ${${name}_HEADERS})
        target_link_libraries(PkgConfig::${name} INTERFACE ${${name}_FILE})
    endif()
endmacro()
headrace_dependency(ZSTD libzstd>=1.4.0 zstd.h zstd)
headrace_dependency(XXHASH libxxhash>=0.8.0 xxhash.h xxhash)
headrace_dependency(JANSSON jansson>=2.11 jansson.h jansson)
headrace_dependency(URING liburing>=2.1 liburing.h uring)
headrace_dependency(ZLIB zlib>=1.2.11 zlib.h z)

find_library(AIO_LIBRARY aio REQUIRED)
find_path(AIO_INCLUDE_DIR libaio.h REQUIRED)
add_library(headrace_aio INTERFACE)
target_link_libraries(headrace_aio INTERFACE ${AIO_LIBRARY})
target_include_directories(headrace_aio INTERFACE ${AIO_INCLUDE_DIR})
