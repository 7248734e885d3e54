# What nvcc compiles: the nvcc of the toolkit that find_package(CUDAToolkit) has found. CMake's own CUDA
# language would compile and run programs of its own at every configuration, to find out what is known here.
set(HEADRACE_CUDA_ARCHITECTURES "" CACHE STRING
    "What kernels are compiled for: 75;90;120, or all; empty: the oldest, 90 and the newest of the toolkit")

# headrace_cuda_code(OUT TEXT): the options of nvcc that choose architectures, and which these are.
function(headrace_cuda_code out text)
    execute_process(COMMAND ${CUDAToolkit_NVCC_EXECUTABLE} --list-gpu-code
                    OUTPUT_VARIABLE listed OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
    string(REGEX MATCHALL "[0-9]+" known "${listed}")
    list(FILTER known EXCLUDE REGEX "^[1-6].$") # older than Volta
    list(GET known 0 oldest)
    list(GET known -1 newest)
    set(wanted ${HEADRACE_CUDA_ARCHITECTURES})
    if(wanted STREQUAL "all")
        set(wanted ${known})
    elseif(NOT wanted)
        set(wanted ${oldest} 90 ${newest})
        if(HEADRACE_SANITIZE) # nothing will run them
            set(wanted ${oldest})
        endif()
    endif()
    list(GET wanted 0 first)
    # Whatever is not in the list translates the PTX of its first entry when it is first used.
    set(code "-gencode=arch=compute_${first},code=compute_${first}")
    foreach(arch ${wanted})
        list(APPEND code "-gencode=arch=compute_${arch},code=sm_${arch}")
    endforeach()
    set(${out} ${code} PARENT_SCOPE)
    set(${text} ${wanted} PARENT_SCOPE)
endfunction()

# headrace_cuda_object(OUT SOURCE FOLDER...): the object file of a .cu file; FOLDERs of the project are where
# it includes from, besides include/. Products and sums are not fused: the host rounds twice.
function(headrace_cuda_object out source)
    headrace_cuda_code(code wanted)
    set(includes -I${PROJECT_SOURCE_DIR}/include)
    foreach(folder ${ARGN})
        list(APPEND includes -I${PROJECT_SOURCE_DIR}/${folder})
    endforeach()
    # What nvcc makes is C++ for the host, too: this keeps it from needing a C++ runtime.
    set(host_flags -fPIC,-fvisibility=hidden,-fno-exceptions,-fno-rtti,-fno-threadsafe-statics)
    get_filename_component(name ${source} NAME_WE)
    set(object ${CMAKE_CURRENT_BINARY_DIR}/${name}.o)
    add_custom_command(
        OUTPUT ${object}
        COMMAND ${CMAKE_C_COMPILER_LAUNCHER} ${CUDAToolkit_NVCC_EXECUTABLE} -std=c++17 -O3
                --fmad=false --threads 2 ${code} -Xcompiler=${host_flags} ${includes}
                -MD -MF ${object}.d -MT ${object} -c ${source} -o ${object}
        DEPENDS ${source} DEPFILE ${object}.d
        COMMENT "Compiling ${name}.cu for ${wanted}" VERBATIM COMMAND_EXPAND_LISTS)
    set_source_files_properties(${object} PROPERTIES EXTERNAL_OBJECT ON GENERATED ON)
    set(${out} ${object} PARENT_SCOPE)
endfunction()
