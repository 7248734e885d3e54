#!/usr/bin/env bash
# For script/test-gpu and script/bench-gpu, from the root of the sources: builds the programs for the
# GPU that is here. GPU_BUILD is then the folder that they are in.
GPU_BUILD=$PWD/build/gpu
GPU_TARGETS=(headrace headrace_cuda headrace_command write_arrays train_mlp train_cuda minimal_cuda
    gpu_loader gpu_faults gpu_finish gpu_finished gpu_classes upload_bench
    finish_bench)

gpu_say() {
    printf '%s: %s\n' "$(basename "$0")" "$*"
}

# A driver is loaded; whether there is a GPU that CUDA can use is for a program to say.
gpu_is_here() {
    [ -e /dev/nvidiactl ] || [ -e /proc/driver/nvidia/version ] || [ -e /dev/dxg ] ||
        nvidia-smi -L >/dev/null 2>&1
}

# The path of a program of the CUDA toolkit, or nothing.
gpu_tool() {
    local folder
    command -v "$1" && return
    for folder in "${CUDA_HOME:-/usr/local/cuda}/bin" /usr/local/cuda/compute-sanitizer; do
        if [ -x "$folder/$1" ]; then
            echo "$folder/$1"
            return
        fi
    done
}

# What building needs and is not here, in words.
gpu_missing() {
    local program
    for program in cc cmake; do
        command -v $program >/dev/null || echo "$program"
    done
    command -v ninja >/dev/null || command -v make >/dev/null || echo "ninja or make"
    [ -n "$(gpu_tool nvcc)" ] || echo "nvcc (of a CUDA toolkit, 12.0 or later)"
}

# "90", or "80;90" where there are several kinds of cards; empty: not known.
gpu_architectures() {
    nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | tr -d '. ' |
        grep -E '^[0-9]+$' | sort -un | paste -sd ';'
}

gpu_configure() {
    local options=(-DCMAKE_BUILD_TYPE=RelWithDebInfo -DHEADRACE_BUILD_TESTS=OFF
        -DHEADRACE_BUILD_HELPER=OFF "-DHEADRACE_CUDA_ARCHITECTURES=$(gpu_architectures)")
    command -v ninja >/dev/null && options+=(-G Ninja)
    [ -d deps ] && options+=("-DCMAKE_PREFIX_PATH=$PWD/deps" -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON)
    local nvcc
    nvcc=$(gpu_tool nvcc)
    CUDACXX=${CUDACXX:-$nvcc} cmake -S . -B "$GPU_BUILD" "${options[@]}" --log-level=WARNING
}

gpu_use_prebuilt() {
    GPU_BUILD=$PWD/prebuilt
    export LD_LIBRARY_PATH=$GPU_BUILD/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
    gpu_say "programs that were built beforehand are used"
}

gpu_build() {
    local missing
    missing=$(gpu_missing | paste -sd ',' | sed 's/,/, /g')
    if [ -n "$missing" ]; then
        gpu_say "these are missing to build with: $missing"
        [ -d prebuilt ] || return 1
        gpu_use_prebuilt
        return
    fi
    gpu_say "building for compute capability $(gpu_architectures) with $(gpu_tool nvcc)"
    gpu_configure && cmake --build "$GPU_BUILD" --parallel "$(nproc)" --target "${GPU_TARGETS[@]}" &&
        return
    gpu_say "the build failed; what it lacks is said above (Debian: libzstd-dev libxxhash-dev" \
        "libjansson-dev libaio-dev liburing-dev zlib1g-dev; or take what script/gpu-bundle packs)"
    return 1
}
