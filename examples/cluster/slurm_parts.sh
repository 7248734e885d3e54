#!/bin/bash
#SBATCH --job-name=headrace-parts
#SBATCH --array=0-15
#SBATCH --cpus-per-task=4
#SBATCH --mem=4G
#SBATCH --requeue
#
# Each task of a job array converts its share of the source files into a part; slurm_join.sh makes one data set of them:
#
#   job=$(sbatch --parsable slurm_parts.sh shards parts)
#   sbatch --dependency=afterok:"$job" slurm_join.sh parts train.hrd
#
# SOURCES is a folder of .npz, .npy or HDF5 files, each of which has all fields; PARTS a folder that all nodes see. To be
# adapted: the lines above, and the options of `headrace convert`, which must be the same for all tasks.
set -euo pipefail

sources=$1
parts=$2
task=$((SLURM_ARRAY_TASK_ID - ${SLURM_ARRAY_TASK_MIN:-0}))
count=$SLURM_ARRAY_TASK_COUNT

mapfile -t files < <(find "$sources" -maxdepth 1 -type f ! -name '.*' | sort -V)
first=$((${#files[@]} * task / count))
end=$((${#files[@]} * (task + 1) / count))
if ((first == end)); then
    echo "task $task of $count has no file: there are ${#files[@]}, so give the array at most as many tasks" >&2
    exit 1
fi

mkdir -p "$parts"
part=$(printf '%s/part-%05d-of-%05d.hrd' "$parts" "$task" "$count")
if [ -e "$part" ]; then # a part has its name only when it is complete: the task ran before
    exit 0
fi
# A task that is requeued goes on where it was.
exec headrace convert "${files[@]:first:end - first}" -o "$part" --resume --chunk-bytes 256K \
    --threads "${SLURM_CPUS_PER_TASK:-1}" --budget 2G --quiet
