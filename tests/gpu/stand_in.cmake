# The stand-in for CUDA as libraries, so that programs for a GPU, and the module that the library opens, are
# on the same machine of it.
get_target_property(fake_sources fake_cuda SOURCES)
list(FILTER fake_sources INCLUDE REGEX "fake_[a-z]+\\.c$")
add_library(fake_cudart SHARED ${fake_sources} fake_machine.c)
target_include_directories(fake_cudart PUBLIC ${PROJECT_SOURCE_DIR}/tests/fake_cuda)
target_link_libraries(fake_cudart PRIVATE headrace_flags PUBLIC Threads::Threads)
set_target_properties(fake_cudart PROPERTIES C_VISIBILITY_PRESET default
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})

set(fake_kernels ${PROJECT_SOURCE_DIR}/tests/fake_cuda/fake_finish.c)
add_library(stand_in_cuda MODULE ${fake_kernels} ${PROJECT_SOURCE_DIR}/gpu/cuda/cuda_module.c)
target_include_directories(stand_in_cuda PRIVATE ${PROJECT_SOURCE_DIR}/gpu/cuda)
target_link_libraries(stand_in_cuda PRIVATE fake_cudart headrace_internal)
target_link_options(stand_in_cuda PRIVATE -Wl,--exclude-libs,ALL)
set_target_properties(stand_in_cuda PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})

# headrace_stand_in(NAME SOURCE... LINKS TARGET... ARGUMENTS ...): NAME_stand_in, a test for some seeds.
function(headrace_stand_in name)
    cmake_parse_arguments(ARG "" "" "LINKS;ARGUMENTS" ${ARGN})
    add_executable(${name}_stand_in ${ARG_UNPARSED_ARGUMENTS})
    target_link_libraries(${name}_stand_in PRIVATE fake_cudart headrace_flags m ${ARG_LINKS})
    add_dependencies(${name}_stand_in stand_in_cuda)
    foreach(seed 1 2 3)
        add_test(NAME ${name}_stand_in_${seed} COMMAND ${name}_stand_in ${ARG_ARGUMENTS})
        set_tests_properties(${name}_stand_in_${seed} PROPERTIES TIMEOUT ${test_timeout_s}
            ENVIRONMENT "FAKE_CUDA_SEED=${seed};HEADRACE_CUDA=$<TARGET_FILE:stand_in_cuda>")
    endforeach()
endfunction()

headrace_stand_in(minimal_cuda ${PROJECT_SOURCE_DIR}/examples/minimal_cuda.c LINKS headrace
                  ARGUMENTS ${PROJECT_BINARY_DIR}/examples/example.hrd)
foreach(seed 1 2 3)
    set_tests_properties(minimal_cuda_stand_in_${seed} PROPERTIES FIXTURES_REQUIRED example_file
        FAIL_REGULAR_EXPRESSION "stand-in for CUDA"
        PASS_REGULAR_EXPRESSION "batch 0 on the GPU begins with label 0\n.*batch 9 on the GPU begins with label 9\n$")
endforeach()

foreach(name gpu_loader gpu_faults gpu_finished)
    headrace_stand_in(${name} ${${name}} fake_gpu_kernels.c LINKS headrace)
    target_include_directories(${name}_stand_in PRIVATE ${PROJECT_SOURCE_DIR}/tests)
endforeach()
headrace_stand_in(gpu_finish ${gpu_finish} fake_gpu_kernels.c ${fake_kernels} LINKS headrace_internal)
target_include_directories(gpu_finish_stand_in PRIVATE ${PROJECT_SOURCE_DIR}/gpu/cuda)
