# The folders together: libheadrace.so for users, and an archive of the same objects for tests,
# fuzzers and benchmarks of internals.
get_property(folders GLOBAL PROPERTY HEADRACE_FOLDERS)
get_property(links GLOBAL PROPERTY HEADRACE_LINKS)
list(REMOVE_DUPLICATES links)
set(objects "")
foreach(folder ${folders})
    list(APPEND objects $<TARGET_OBJECTS:${folder}>)
endforeach()

set(library_version ${PROJECT_VERSION})
if(SKBUILD) # a wheel holds no links: one file, by the name that programs ask for
    set(library_version 0)
endif()
add_library(headrace SHARED ${objects})
set_target_properties(headrace PROPERTIES VERSION ${library_version} SOVERSION 0
                      LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/headrace.map)
target_link_options(headrace PRIVATE
    -Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/headrace.map)
if(NOT HEADRACE_SANITIZE) # clang keeps a sanitizer's symbols in the program
    target_link_options(headrace PRIVATE -Wl,--no-undefined)
endif()
target_include_directories(headrace INTERFACE
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
    $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_link_libraries(headrace PRIVATE ${links} $<BUILD_INTERFACE:headrace_flags>)

add_library(headrace_internal STATIC ${objects})
target_include_directories(headrace_internal PUBLIC ${PROJECT_SOURCE_DIR}/include)
foreach(folder ${folders})
    target_include_directories(headrace_internal PUBLIC
        $<TARGET_PROPERTY:${folder},INTERFACE_INCLUDE_DIRECTORIES>)
endforeach()
target_link_libraries(headrace_internal PUBLIC ${links} headrace_flags m)
