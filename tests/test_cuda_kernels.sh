#!/bin/sh
# The kernels as PTX, where there is an nvcc: products and sums are not fused, arrays stay in registers,
# and memory is read and written 16 bytes at a time. Exit 77: no nvcc.
set -eu

if [ -n "${HEADRACE_SANITIZE:-}" ]; then
    echo "a sanitizer changes nothing here"
    exit 77
fi
nvcc=$(command -v nvcc || true)
[ -n "$nvcc" ] || nvcc=/usr/local/cuda/bin/nvcc
if ! [ -x "$nvcc" ]; then
    echo "no nvcc: the kernels are not compiled here"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

"$nvcc" -std=c++17 -O3 --fmad=false -arch=compute_75 -ptx -Werror all-warnings \
    -I"$HEADRACE_SOURCE/include" -I"$HEADRACE_SOURCE/gpu" \
    "$HEADRACE_SOURCE/gpu/cuda/finish_kernels.cu" -o "$work/kernels.ptx"

count() {
    grep -cE "$1" "$work/kernels.ptx" || true
}

if [ "$(count '\b(fma|mad)\.[a-z.]*f(32|64)')" -ne 0 ]; then
    echo "a product and a sum are fused: the host rounds twice"
    exit 1
fi
if [ "$(count '\.local\b')" -ne 0 ]; then
    echo "an array lies in local memory: a loop over it was not unrolled"
    exit 1
fi
if [ "$(count 'ld\.global\.v4')" -eq 0 ] || [ "$(count 'st\.global\.v4')" -eq 0 ]; then
    echo "nothing is read and written 16 bytes at a time"
    exit 1
fi
kernels=$(count '^\.visible \.entry|^\.entry')
# 15 casts: two that stay in place, two that make planes; four widths of moves: one and two.
[ "$kernels" -eq 72 ] || { echo "$kernels kernels, expected 72"; exit 1; }
echo "$kernels kernels"
