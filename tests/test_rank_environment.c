/*
 * Ranks by the environment (reader/rank_environment.c): what each launcher sets, and what nobody
 * would want to be guessed. Real launchers: test_ranks.py.
 */
#define _GNU_SOURCE
#include "headrace/ranks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const known[] = {
    "HR_RANK",
    "HR_WORLD_SIZE",
    "HR_LOCAL_RANK",
    "RANK",
    "WORLD_SIZE",
    "LOCAL_RANK",
    "TORCHELASTIC_RUN_ID",
    "OMPI_COMM_WORLD_RANK",
    "OMPI_COMM_WORLD_SIZE",
    "OMPI_COMM_WORLD_LOCAL_RANK",
    "SLURM_PROCID",
    "SLURM_NTASKS",
    "SLURM_LOCALID",
    "SLURM_JOB_ID",
    "SLURM_STEP_ID",
    "SLURM_STEP_NUM_TASKS",
};

/* "A=1 B=2": these and no other of the known ones. */
static void environment(const char *assignments) {
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        unsetenv(known[i]);
    char *text = strdup(assignments), *rest = NULL;
    assert_non_null(text);
    for (char *word = strtok_r(text, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        setenv(word, value, 1);
    }
    free(text);
}

static void expect(const char *assignments, const char *launcher, const char *found, uint32_t rank,
                   uint32_t world_size, uint32_t local_rank) {
    hr_rank_info info = {.struct_bytes = sizeof(info)};
    hr_error err = {0};
    environment(assignments);
    hr_status st = hr_rank_from_environment(launcher, &info, &err);
    if (st != HR_OK)
        fail_msg("%s: %s", assignments, err.message);
    assert_string_equal(info.launcher, found);
    assert_int_equal(info.rank, rank);
    assert_int_equal(info.world_size, world_size);
    assert_int_equal(info.local_rank, local_rank);
}

/* Refused, with a message that has all these words (up to a NULL). */
static void refused(const char *assignments, const char *launcher, hr_status status, ...) {
    hr_rank_info info = {.struct_bytes = sizeof(info), .rank = 77};
    hr_error err = {0};
    environment(assignments);
    hr_status st = hr_rank_from_environment(launcher, &info, &err);
    if (st != status)
        fail_msg("%s: status %s: %s", assignments, hr_status_name(st), err.message);
    va_list words;
    va_start(words, status);
    for (const char *word; (word = va_arg(words, const char *)) != NULL;)
        if (strstr(err.message, word) == NULL)
            fail_msg("%s: '%s' is not in: %s", assignments, word, err.message);
    va_end(words);
    assert_int_equal(hr_rank_from_environment(launcher, &info, NULL), status);
    if (status == HR_ERR_INVALID)
        assert_int_equal(info.rank, 77);
}

#define NOBODY HR_LOCAL_RANK_UNKNOWN

static void rank__of_each_launcher__is_found(void **state) {
    (void)state;
    expect("HR_RANK=3 HR_WORLD_SIZE=4", NULL, "headrace", 3, 4, NOBODY);
    expect("HR_RANK=3 HR_WORLD_SIZE=4 HR_LOCAL_RANK=1", NULL, "headrace", 3, 4, 1);
    expect("RANK=0 WORLD_SIZE=2 LOCAL_RANK=0", NULL, "torchrun", 0, 2, 0);
    expect("RANK=0 WORLD_SIZE=2", NULL, "torchrun", 0, 2, NOBODY);
    expect("OMPI_COMM_WORLD_RANK=5 OMPI_COMM_WORLD_SIZE=8 OMPI_COMM_WORLD_LOCAL_RANK=1", NULL,
           "openmpi", 5, 8, 1);
    expect("SLURM_JOB_ID=9 SLURM_STEP_ID=0 SLURM_PROCID=7 SLURM_NTASKS=8 SLURM_LOCALID=3 "
           "SLURM_STEP_NUM_TASKS=8",
           NULL, "slurm", 7, 8, 3);
    expect("SLURM_PROCID=1 SLURM_NTASKS=2", NULL, "slurm", 1, 2, NOBODY);
    expect("RANK=4294967294 WORLD_SIZE=4294967295", NULL, "torchrun", 4294967294u, 4294967295u,
           NOBODY);
    expect("HR_RANK=007 HR_WORLD_SIZE=8", NULL, "headrace", 7, 8, NOBODY);
}

static void rank__of_headrace__overrules_all_others(void **state) {
    (void)state;
    expect("HR_RANK=1 HR_WORLD_SIZE=2 RANK=0 WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=x SLURM_PROCID=1",
           NULL, "headrace", 1, 2, NOBODY);
}

static void rank__of_nobody__is_not_found_and_says_0_of_1(void **state) {
    (void)state;
    hr_rank_info info = {.struct_bytes = sizeof(info), .rank = 77};
    refused("", NULL, HR_ERR_NOT_FOUND, "HR_RANK", "torchrun", "Slurm", NULL);
    assert_int_equal(hr_rank_from_environment(NULL, &info, NULL), HR_ERR_NOT_FOUND);
    assert_string_equal(info.launcher, "none");
    assert_int_equal(info.rank, 0);
    assert_int_equal(info.world_size, 1);
    assert_int_equal(info.local_rank, NOBODY);
}

static void rank__half_a_pair__names_the_other_half(void **state) {
    (void)state;
    refused("HR_RANK=1", NULL, HR_ERR_INVALID, "HR_RANK is set", "HR_WORLD_SIZE is not", NULL);
    refused("HR_WORLD_SIZE=1", NULL, HR_ERR_INVALID, "HR_WORLD_SIZE is set", "HR_RANK is not",
            NULL);
    refused("HR_LOCAL_RANK=1 RANK=0 WORLD_SIZE=1", NULL, HR_ERR_INVALID, "HR_LOCAL_RANK is set",
            NULL);
    refused("RANK=1", NULL, HR_ERR_INVALID, "RANK is set", "WORLD_SIZE is not", NULL);
    refused("OMPI_COMM_WORLD_SIZE=4", NULL, HR_ERR_INVALID, "OMPI_COMM_WORLD_RANK is not", NULL);
    refused("SLURM_STEP_ID=0 SLURM_NTASKS=4", NULL, HR_ERR_INVALID, "SLURM_PROCID is not", NULL);
    refused("WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=0 OMPI_COMM_WORLD_SIZE=4", NULL, HR_ERR_INVALID,
            "WORLD_SIZE is set", "RANK is not", NULL);
}

static void rank__garbage__is_shown(void **state) {
    (void)state;
    const char *const bad[] = {"",
                               "-1",
                               "+1",
                               "1.0",
                               "0x1",
                               "one",
                               "1,",
                               "1a",
                               "NaN",
                               "4294967296",
                               "99999999999999999999999999"};
    char text[100], shown[60];
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(shown, sizeof(shown), "is '%s'", bad[i]);
        snprintf(text, sizeof(text), "HR_RANK=%s HR_WORLD_SIZE=4", bad[i]);
        refused(text, NULL, HR_ERR_INVALID, "HR_RANK", shown, "whole number", NULL);
        snprintf(text, sizeof(text), "RANK=0 WORLD_SIZE=%s", bad[i]);
        refused(text, NULL, HR_ERR_INVALID, "WORLD_SIZE", shown, NULL);
        snprintf(text, sizeof(text), "SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_LOCALID=%s", bad[i]);
        refused(text, NULL, HR_ERR_INVALID, "SLURM_LOCALID", shown, NULL);
    }
    environment("HR_WORLD_SIZE=4");
    setenv("HR_RANK", " 1", 1);
    hr_rank_info info = {.struct_bytes = sizeof(info)};
    assert_int_equal(hr_rank_from_environment(NULL, &info, NULL), HR_ERR_INVALID);
}

static void rank__not_below_the_world_size__is_refused(void **state) {
    (void)state;
    refused("HR_RANK=4 HR_WORLD_SIZE=4", NULL, HR_ERR_INVALID, "HR_RANK is 4", "HR_WORLD_SIZE is 4",
            NULL);
    refused("RANK=0 WORLD_SIZE=0", NULL, HR_ERR_INVALID, "WORLD_SIZE is 0", NULL);
    refused("RANK=0 WORLD_SIZE=2 LOCAL_RANK=2", NULL, HR_ERR_INVALID, "LOCAL_RANK is 2", NULL);
}

static void rank__two_launchers_that_disagree__are_both_named(void **state) {
    (void)state;
    const char *mixed = "RANK=0 WORLD_SIZE=4 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=4";
    refused(mixed, NULL, HR_ERR_INVALID, "RANK and WORLD_SIZE say rank 0 of 4",
            "OMPI_COMM_WORLD_RANK and OMPI_COMM_WORLD_SIZE say rank 1 of 4",
            "HR_RANK and HR_WORLD_SIZE", NULL);
    expect(mixed, "torchrun", "torchrun", 0, 4, NOBODY);
    expect(mixed, "openmpi", "openmpi", 1, 4, NOBODY);
    refused("RANK=1 WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=4", NULL,
            HR_ERR_INVALID, "of 2", "of 4", NULL);
    /* RANK was set in the batch script, once for all processes. */
    refused("RANK=0 WORLD_SIZE=4 SLURM_JOB_ID=1 SLURM_STEP_ID=0 SLURM_PROCID=2 SLURM_NTASKS=4",
            NULL, HR_ERR_INVALID, "SLURM_PROCID", "rank 2 of 4", NULL);
}

static void rank__two_launchers_that_agree__is_the_first(void **state) {
    (void)state;
    expect("RANK=2 WORLD_SIZE=4 LOCAL_RANK=2 SLURM_STEP_ID=0 SLURM_PROCID=2 SLURM_NTASKS=4", NULL,
           "torchrun", 2, 4, 2);
    expect("RANK=1 WORLD_SIZE=2 OMPI_COMM_WORLD_RANK=1 OMPI_COMM_WORLD_SIZE=2", NULL, "torchrun", 1,
           2, NOBODY);
}

static void rank__launchers_inside_a_slurm_job__are_not_measured_by_it(void **state) {
    (void)state;
    /* srun starts one torchrun, or one daemon of Open MPI, on each of two machines. */
    expect("TORCHELASTIC_RUN_ID=x RANK=5 WORLD_SIZE=8 LOCAL_RANK=1 SLURM_JOB_ID=1 SLURM_STEP_ID=0 "
           "SLURM_PROCID=1 SLURM_NTASKS=2",
           NULL, "torchrun", 5, 8, 1);
    expect("OMPI_COMM_WORLD_RANK=5 OMPI_COMM_WORLD_SIZE=8 SLURM_JOB_ID=1 SLURM_STEP_ID=0 "
           "SLURM_PROCID=1 SLURM_NTASKS=2",
           NULL, "openmpi", 5, 8, NOBODY);
    /* Started by the batch script itself. */
    expect("RANK=5 WORLD_SIZE=8 SLURM_JOB_ID=1 SLURM_PROCID=0 SLURM_NTASKS=2", NULL, "torchrun", 5,
           8, NOBODY);
}

static void rank__in_a_batch_script_without_srun__is_not_that_of_the_job(void **state) {
    (void)state;
    refused("SLURM_JOB_ID=1 SLURM_PROCID=0 SLURM_NTASKS=4 SLURM_LOCALID=0", NULL, HR_ERR_INVALID,
            "SLURM_NTASKS is 4", "srun", NULL);
    refused("SLURM_JOB_ID=1 SLURM_NTASKS=x", NULL, HR_ERR_INVALID, "SLURM_NTASKS", "'x'", NULL);
    refused("SLURM_JOB_ID=1 SLURM_PROCID=0 SLURM_NTASKS=1", NULL, HR_ERR_NOT_FOUND, NULL);
    refused("SLURM_JOB_ID=1 SLURM_PROCID=0 SLURM_LOCALID=0", NULL, HR_ERR_NOT_FOUND, NULL);
    expect("SLURM_JOB_ID=1 SLURM_PROCID=0 SLURM_NTASKS=4", "slurm", "slurm", 0, 4, NOBODY);
}

static void rank__of_a_step_of_another_size_than_the_job__is_refused(void **state) {
    (void)state;
    refused("SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_NTASKS=8 SLURM_STEP_NUM_TASKS=2", NULL,
            HR_ERR_INVALID, "SLURM_NTASKS is 8", "SLURM_STEP_NUM_TASKS is 2", NULL);
}

static void rank__of_a_named_launcher__is_not_found_elsewhere(void **state) {
    (void)state;
    refused("HR_RANK=0 HR_WORLD_SIZE=1", "slurm", HR_ERR_NOT_FOUND, "SLURM_PROCID", "slurm", NULL);
    refused("HR_RANK=0 HR_WORLD_SIZE=1", "mpich", HR_ERR_INVALID, "'mpich'", "torchrun", NULL);
    refused("OMPI_COMM_WORLD_RANK=0 RANK=0 WORLD_SIZE=1", "openmpi", HR_ERR_INVALID,
            "OMPI_COMM_WORLD_SIZE", NULL);
}

static void rank__result_not_initialised__is_refused(void **state) {
    (void)state;
    hr_rank_info info = {0};
    hr_error err = {0};
    environment("HR_RANK=0 HR_WORLD_SIZE=1");
    assert_int_equal(hr_rank_from_environment(NULL, &info, &err), HR_ERR_INVALID);
    assert_int_equal(hr_rank_from_environment(NULL, NULL, &err), HR_ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rank__of_each_launcher__is_found),
        cmocka_unit_test(rank__of_headrace__overrules_all_others),
        cmocka_unit_test(rank__of_nobody__is_not_found_and_says_0_of_1),
        cmocka_unit_test(rank__half_a_pair__names_the_other_half),
        cmocka_unit_test(rank__garbage__is_shown),
        cmocka_unit_test(rank__not_below_the_world_size__is_refused),
        cmocka_unit_test(rank__two_launchers_that_disagree__are_both_named),
        cmocka_unit_test(rank__two_launchers_that_agree__is_the_first),
        cmocka_unit_test(rank__launchers_inside_a_slurm_job__are_not_measured_by_it),
        cmocka_unit_test(rank__in_a_batch_script_without_srun__is_not_that_of_the_job),
        cmocka_unit_test(rank__of_a_step_of_another_size_than_the_job__is_refused),
        cmocka_unit_test(rank__of_a_named_launcher__is_not_found_elsewhere),
        cmocka_unit_test(rank__result_not_initialised__is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
