/*
 * The place of this process among those that a launcher started: its rank, and how many there are.
 * Loaders never look for it themselves; who wants it asks here, and puts it into the options.
 */
#ifndef HEADRACE_RANKS_H
#define HEADRACE_RANKS_H

#include "status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define HR_LOCAL_RANK_UNKNOWN UINT32_MAX

/** What hr_rank_from_environment() found. */
typedef struct hr_rank_info {
    uint32_t struct_bytes; /**< set by the caller */
    uint32_t rank;         /**< 0 .. world_size - 1 */
    uint32_t world_size;   /**< 1 or more */
    uint32_t local_rank;   /**< among those on this machine; HR_LOCAL_RANK_UNKNOWN: not told */
    char launcher[16];     /**< whose variables were used: "headrace", "torchrun", "openmpi",
                            * "slurm", or "none" */
} hr_rank_info;

/**
 * Rank and world size as the launcher told them to this process, by variables of its environment.
 * Reads nothing else, changes nothing, and never fills a gap with a guess.
 *
 * | launcher   | rank, world size                           | local rank (may be missing) |
 * | ---------- | ------------------------------------------ | --------------------------- |
 * | `headrace` | HR_RANK, HR_WORLD_SIZE                     | HR_LOCAL_RANK               |
 * | `torchrun` | RANK, WORLD_SIZE                           | LOCAL_RANK                  |
 * | `openmpi`  | OMPI_COMM_WORLD_RANK, OMPI_COMM_WORLD_SIZE | OMPI_COMM_WORLD_LOCAL_RANK  |
 * | `slurm`    | SLURM_PROCID, SLURM_NTASKS                 | SLURM_LOCALID               |
 *
 * With launcher NULL, the first row that is set counts. HR_RANK and HR_WORLD_SIZE overrule all
 * others. Otherwise every row that is set must say the same, or the call fails, with one
 * exception: torchrun (seen by TORCHELASTIC_RUN_ID) and mpirun are themselves started inside Slurm
 * jobs, whose variables their processes inherit, so these are then not asked. Slurm counts only in
 * processes that srun started: SLURM_JOB_ID without SLURM_STEP_ID is a batch script or an
 * allocation's shell, whose variables speak of the whole job.
 *
 * @param launcher  NULL: as above; or a name of the table: its row only, whatever else is set
 * @param out       struct_bytes set by the caller; the rest filled on HR_OK, and on
 *                  HR_ERR_NOT_FOUND with rank 0 of 1 of "none", for callers that go on alone
 * @return HR_OK; HR_ERR_NOT_FOUND (no launcher's variables are set); HR_ERR_INVALID (one of a pair
 *         is missing, a value is no number, the rank is not below the world size, two launchers
 *         disagree, srun was forgotten, or an unknown launcher's name: the message names the
 *         variables, and what to do)
 * Threads: any, while none changes the environment. Fork: works. Does not block.
 * @since 0.1
 */
HR_API HR_NODISCARD hr_status hr_rank_from_environment(const char *launcher, hr_rank_info *out,
                                                       hr_error *err);

#ifdef __cplusplus
}
#endif
#endif
