/*
 * Ranks by the environment (include/headrace/ranks.h). Its values are untrusted: others wrote them,
 * and they may be left over from another run.
 */
#include "headrace/ranks.h"

#include "error.h"
#include "options.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct launcher {
    const char *name, *rank, *world_size, *local_rank;
};

enum { HEADRACE, TORCHRUN, OPENMPI, SLURM, NUM_LAUNCHERS };

/* The order of precedence. */
static const struct launcher launchers[NUM_LAUNCHERS] = {
    {"headrace", "HR_RANK", "HR_WORLD_SIZE", "HR_LOCAL_RANK"},
    {"torchrun", "RANK", "WORLD_SIZE", "LOCAL_RANK"},
    {"openmpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_RANK"},
    {"slurm", "SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID"},
};

static bool is_set(const char *name) {
    return getenv(name) != NULL;
}

/* Digits only: strtoul() alone would take signs and spaces, and stop at the first letter. */
static hr_status read_number(const char *name, uint32_t *out, hr_error *err) {
    const char *text = getenv(name);
    const size_t digits = strspn(text, "0123456789");
    uint64_t value = 0;
    for (size_t i = 0; i < digits && value <= UINT32_MAX; i++)
        value = value * 10 + (uint64_t)(text[i] - '0');
    if (digits == 0 || text[digits] != '\0' || value > UINT32_MAX)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s is '%.40s', expected a whole number from 0 to %" PRIu32
                             "; correct or unset it",
                             name, text, UINT32_MAX);
    *out = (uint32_t)value;
    return HR_OK;
}

/* srun -E keeps the job's SLURM_NTASKS in a step of another size. */
static hr_status check_step_size(uint32_t world_size, hr_error *err) {
    uint32_t tasks = 0;
    if (!is_set("SLURM_STEP_NUM_TASKS"))
        return HR_OK;
    hr_status st = read_number("SLURM_STEP_NUM_TASKS", &tasks, err);
    if (st == HR_OK && tasks != world_size)
        return hr__error_set(err, HR_ERR_INVALID,
                             "SLURM_NTASKS is %" PRIu32 ", but SLURM_STEP_NUM_TASKS is %" PRIu32
                             "; run srun without --preserve-env, or set HR_RANK and HR_WORLD_SIZE",
                             world_size, tasks);
    return st;
}

static hr_status check_figures(const struct launcher *from, const hr_rank_info *info,
                               hr_error *err) {
    if (info->rank >= info->world_size)
        return hr__error_set(err, HR_ERR_INVALID,
                             "%s is %" PRIu32 ", but %s is %" PRIu32
                             "; ranks are counted from 0 and are below the world size: correct or "
                             "unset them",
                             from->rank, info->rank, from->world_size, info->world_size);
    if (info->local_rank != HR_LOCAL_RANK_UNKNOWN && info->local_rank >= info->world_size)
        return hr__error_set(
            err, HR_ERR_INVALID, "%s is %" PRIu32 ", but %s is %" PRIu32 "; correct or unset them",
            from->local_rank, info->local_rank, from->world_size, info->world_size);
    return from == &launchers[SLURM] ? check_step_size(info->world_size, err) : HR_OK;
}

/* What a launcher says of whose variables at least one is set. */
static hr_status read_launcher(const struct launcher *from, hr_rank_info *out, hr_error *err) {
    hr_status st;
    *out = (hr_rank_info){.struct_bytes = sizeof(*out), .local_rank = HR_LOCAL_RANK_UNKNOWN};
    if (!is_set(from->rank) || !is_set(from->world_size))
        return hr__error_set(
            err, HR_ERR_INVALID, "%s is set, but %s is not; set both %s and %s, or unset it",
            is_set(from->rank)         ? from->rank
            : is_set(from->world_size) ? from->world_size
                                       : from->local_rank,
            is_set(from->rank) ? from->world_size : from->rank, from->rank, from->world_size);
    snprintf(out->launcher, sizeof(out->launcher), "%s", from->name);
    HR_TRY(read_number(from->rank, &out->rank, err));
    HR_TRY(read_number(from->world_size, &out->world_size, err));
    if (is_set(from->local_rank))
        HR_TRY(read_number(from->local_rank, &out->local_rank, err));
    st = check_figures(from, out, err);
done:
    return st;
}

/* In a Slurm job, but not by srun: one process, with variables that speak of the whole job. */
static bool outside_srun(void) {
    return is_set("SLURM_JOB_ID") && !is_set("SLURM_STEP_ID");
}

static bool speaks(const struct launcher *l) {
    if (l == &launchers[SLURM] && outside_srun())
        return false;
    return is_set(l->rank) || is_set(l->world_size) || is_set(l->local_rank);
}

/* Was `inner` started inside the job of `outer`, whose variables are then those of its starter? */
static bool is_nested(const struct launcher *inner, const struct launcher *outer) {
    return outer == &launchers[SLURM] &&
           (inner == &launchers[OPENMPI] ||
            (inner == &launchers[TORCHRUN] && is_set("TORCHELASTIC_RUN_ID")));
}

static hr_status check_others(const struct launcher *chosen, const hr_rank_info *info,
                              hr_error *err) {
    for (const struct launcher *other = chosen + 1; other < launchers + NUM_LAUNCHERS; other++) {
        hr_rank_info said;
        if (!speaks(other) || is_nested(chosen, other))
            continue;
        hr_status st = read_launcher(other, &said, err);
        if (st != HR_OK)
            return st;
        if (said.rank != info->rank || said.world_size != info->world_size)
            return hr__error_set(
                err, HR_ERR_INVALID,
                "%s and %s say rank %" PRIu32 " of %" PRIu32 ", but %s and %s say rank %" PRIu32
                " of %" PRIu32 "; unset those that are wrong, name the launcher that is right "
                "(%s or %s), or set HR_RANK and HR_WORLD_SIZE",
                chosen->rank, chosen->world_size, info->rank, info->world_size, other->rank,
                other->world_size, said.rank, said.world_size, chosen->name, other->name);
    }
    return HR_OK;
}

static hr_status refuse_none(hr_error *err) {
    uint32_t tasks = 1;
    if (outside_srun() && is_set("SLURM_NTASKS")) {
        hr_status st = read_number("SLURM_NTASKS", &tasks, err);
        if (st != HR_OK)
            return st;
    }
    if (tasks > 1)
        return hr__error_set(err, HR_ERR_INVALID,
                             "SLURM_NTASKS is %" PRIu32
                             ", but SLURM_STEP_ID is not set: this process was not started by "
                             "srun; start it with srun, or set HR_RANK and HR_WORLD_SIZE (to 0 "
                             "and 1 for a process on its own)",
                             tasks);
    return hr__error_set(err, HR_ERR_NOT_FOUND,
                         "no launcher has told this process its rank: neither HR_RANK and "
                         "HR_WORLD_SIZE nor the variables of torchrun, Open MPI or Slurm are set; "
                         "start it with one of them, set HR_RANK and HR_WORLD_SIZE, or ask for no "
                         "rank to run alone");
}

static hr_status find_any(hr_rank_info *out, hr_error *err) {
    for (const struct launcher *l = launchers; l < launchers + NUM_LAUNCHERS; l++) {
        if (!speaks(l))
            continue;
        hr_status st = read_launcher(l, out, err);
        if (st == HR_OK && l != &launchers[HEADRACE])
            st = check_others(l, out, err);
        return st;
    }
    return refuse_none(err);
}

static hr_status find_named(const char *name, hr_rank_info *out, hr_error *err) {
    for (const struct launcher *l = launchers; l < launchers + NUM_LAUNCHERS; l++) {
        if (strcmp(l->name, name) != 0)
            continue;
        if (is_set(l->rank) || is_set(l->world_size))
            return read_launcher(l, out, err);
        return hr__error_set(err, HR_ERR_NOT_FOUND,
                             "%s and %s are not set: this process was not started by %s", l->rank,
                             l->world_size, name);
    }
    return hr__error_set(err, HR_ERR_INVALID,
                         "'%.40s' is no launcher; they are headrace, torchrun, openmpi and slurm",
                         name);
}

hr_status hr_rank_from_environment(const char *launcher, hr_rank_info *out, hr_error *err) {
    hr_rank_info info;
    hr_status st = hr__result_check(out, offsetof(hr_rank_info, launcher) + sizeof(out->launcher),
                                    sizeof(*out), "hr_rank_info", err);
    if (st != HR_OK)
        return st;
    st = launcher == NULL ? find_any(&info, err) : find_named(launcher, &info, err);
    if (st == HR_ERR_NOT_FOUND)
        info = (hr_rank_info){sizeof(info), 0, 1, HR_LOCAL_RANK_UNKNOWN, "none"};
    if (st == HR_OK || st == HR_ERR_NOT_FOUND)
        hr__result_copy(out, &info, sizeof(info));
    return st;
}
