#!/bin/sh
# train_cuda learns as train_mlp does: the losses of all epochs agree, but for the order of sums and the
# last digits of exp and log; and two runs on the GPU do not differ at all.
# test_train_cuda.sh BUILD; exit 77: there is no GPU.
set -eu

build=$1
"$build/tests/gpu/gpu_loader" --probe || exit $?
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

losses() {
    "$build/bin/examples/$1" "$work/$2.hrd" "$work/$2.hrd" --epochs 4 --batch 60 --window 16 --threads 2 \
        >"$work/$1.$2.txt"
    sed -n 's/^epoch \([0-9]*\)  loss \([0-9.]*\)  held-out right \([0-9.]*\).*/\1 \2 \3/p' \
        "$work/$1.$2.txt"
}

for dtype in float32 uint8; do
    "$build/tests/gpu/gpu_classes" "$work/$dtype.hrd" "$dtype"
    losses train_mlp $dtype >"$work/host"
    losses train_cuda $dtype >"$work/gpu"
    losses train_cuda $dtype >"$work/again"
    echo "$dtype: epoch, loss and share right; on the host, then on the GPU"
    paste -d ' ' "$work/host" "$work/gpu"
    cmp "$work/gpu" "$work/again"
    paste -d ' ' "$work/host" "$work/gpu" | awk '
        $1 != $4 || $2 - $5 > 0.0005 + 0.01 * $2 || $5 - $2 > 0.0005 + 0.01 * $2 ||
            $3 - $6 > 0.5 || $6 - $3 > 0.5 { print "they differ in epoch " $1; bad = 1 }
        END { if (NR != 4) { print NR " epochs, expected 4"; bad = 1 }
              if ($5 > 0.1) { print "nothing was learned"; bad = 1 }
              exit bad }'
done
