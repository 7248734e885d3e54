# The tests for a real GPU.
find_package(CUDAToolkit 12.0 REQUIRED)
get_property(finish_kernels GLOBAL PROPERTY HEADRACE_CUDA_KERNELS)
set_source_files_properties(${finish_kernels} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
headrace_cuda_object(test_kernels ${CMAKE_CURRENT_SOURCE_DIR}/gpu_kernels.cu tests/gpu)

function(headrace_gpu_test name)
    add_executable(${name} ${ARGN} ${test_kernels})
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_include_directories(${name} SYSTEM PRIVATE ${CUDAToolkit_INCLUDE_DIRS})
    target_link_libraries(${name} PRIVATE headrace_flags CUDA::cudart_static m)
    add_dependencies(${name} headrace_cuda)
    if(HEADRACE_BUILD_TESTS)
        add_test(NAME ${name} COMMAND ${name})
        set_tests_properties(${name} PROPERTIES TIMEOUT 600 SKIP_RETURN_CODE 77
                             RESOURCE_LOCK gpu)
    endif()
endfunction()

foreach(name gpu_loader gpu_faults gpu_finished)
    headrace_gpu_test(${name} ${${name}})
    target_link_libraries(${name} PRIVATE headrace)
endforeach()
headrace_gpu_test(gpu_finish ${gpu_finish} ${finish_kernels})
target_link_libraries(gpu_finish PRIVATE headrace_internal)

add_executable(gpu_classes gpu_classes.c)
target_link_libraries(gpu_classes PRIVATE headrace headrace_flags)
if(HEADRACE_BUILD_TESTS)
    add_test(NAME gpu_train_cuda
             COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/test_train_cuda.sh ${CMAKE_BINARY_DIR})
    set_tests_properties(gpu_train_cuda PROPERTIES TIMEOUT 120 SKIP_RETURN_CODE 77
                         RESOURCE_LOCK gpu)
endif()
