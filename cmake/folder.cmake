# headrace_folder(NAME SOURCES ... USES FOLDERS ... LINKS TARGETS ...)
# One folder of the library as an OBJECT target. Its include path is itself, the public headers,
# and the folders named in USES (with what those use in turn).
add_library(headrace_flags INTERFACE)
target_compile_options(headrace_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes
    -Wvla -Wno-sign-conversion -fno-strict-aliasing -fno-omit-frame-pointer
    $<$<C_COMPILER_ID:Clang>:-Wconditional-uninitialized> $<$<BOOL:${HEADRACE_WERROR}>:-Werror>)
if(HEADRACE_SANITIZE)
    target_compile_options(headrace_flags INTERFACE -fsanitize=${HEADRACE_SANITIZE}
                           -fno-sanitize-recover=all)
    target_link_options(headrace_flags INTERFACE -fsanitize=${HEADRACE_SANITIZE})
endif()
if(HEADRACE_BUILD_FUZZERS)
    target_compile_options(headrace_flags INTERFACE -fsanitize=fuzzer-no-link)
    target_link_options(headrace_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

function(headrace_folder name)
    cmake_parse_arguments(ARG "" "" "SOURCES;USES;LINKS" ${ARGN})
    add_library(headrace_${name} OBJECT ${ARG_SOURCES})
    target_include_directories(headrace_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}
                               ${PROJECT_SOURCE_DIR}/include)
    foreach(used ${ARG_USES})
        target_include_directories(headrace_${name} PUBLIC
            $<TARGET_PROPERTY:headrace_${used},INTERFACE_INCLUDE_DIRECTORIES>)
    endforeach()
    target_link_libraries(headrace_${name} PRIVATE headrace_flags ${ARG_LINKS})
    set_property(GLOBAL APPEND PROPERTY HEADRACE_FOLDERS headrace_${name})
    set_property(GLOBAL APPEND PROPERTY HEADRACE_LINKS ${ARG_LINKS})
endfunction()
