#!/bin/bash
#SBATCH --job-name=headrace-join
#SBATCH --cpus-per-task=4
#SBATCH --mem=2G
#SBATCH --requeue
#
# Joins what the tasks of slurm_parts.sh wrote: slurm_join.sh PARTS OUT.hrd, when all of them are done.
set -euo pipefail

parts=$1
out=$2

shopt -s nullglob
found=("$parts"/part-*-of-*.hrd)
if ((${#found[@]} == 0)); then
    echo "$parts has no parts" >&2
    exit 1
fi
count=${found[0]##*-of-}
count=$((10#${count%.hrd}))
if ((${#found[@]} != count)); then
    echo "$parts has ${#found[@]} of $count parts; run the tasks of the missing ones again" >&2
    exit 1
fi
exec headrace join "$parts/part-*-of-*.hrd" -o "$out" --resume --threads "${SLURM_CPUS_PER_TASK:-1}"
