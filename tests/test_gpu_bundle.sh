#!/bin/sh
# What script/gpu-bundle packs has what it takes to build elsewhere, and no more than may be; its
# script/test-gpu says in words that it skips where there is no GPU.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! git -C "$HEADRACE_SOURCE" rev-parse --git-dir >/dev/null 2>&1; then
    echo "not a checkout: nothing can be packed"
    exit 77
fi

"$HEADRACE_SOURCE/script/gpu-bundle" "$work/bundle.tar.gz" --no-prebuilt
tar -xf "$work/bundle.tar.gz" -C "$work"
for name in CMakeLists.txt gpu/cuda/finish_kernels.cu tests/gpu/gpu_loader.c examples/write_arrays.c \
    tests/gpu/gpu_frameworks.py tests/dlpack_loader.py bench/gpu_picture.py \
    script/test-gpu deps/include/zstd.h deps/include/liburing/io_uring.h deps/lib/libzstd.a \
    deps/lib/libxxhash.a deps/lib/liburing.a deps/lib/libjansson.so deps/lib/libaio.so; do
    [ -f "$work/headrace-gpu/$name" ] || { echo "$name was not packed"; exit 1; }
done
[ "$(find "$work/headrace-gpu" -type d \( -name build -o -name .git \) | wc -l)" -eq 0 ] ||
    { echo "too much was packed"; exit 1; }

if [ -e /dev/nvidiactl ] || [ -e /proc/driver/nvidia/version ] || [ -e /dev/dxg ]; then
    echo "there is a GPU here: script/test-gpu is run by itself"
    exit 0
fi
status=0
"$work/headrace-gpu/script/test-gpu" --junit "$work/gpu.xml" >"$work/said" || status=$?
cat "$work/said"
[ $status -eq 77 ] || { echo "test-gpu ended with $status, expected 77"; exit 1; }
grep -q 'skipped: there is no NVIDIA driver' "$work/said"
grep -q '<skipped message="there is no NVIDIA driver' "$work/gpu.xml"
