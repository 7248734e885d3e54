/*
 * One of the processes of a training, started by torchrun, mpirun or srun: each reads its share of
 * every batch, and all go on from one checkpoint, with any number of processes that divides 8.
 *     mpirun -n 4 ranks train.hrd first.state
 *     mpirun -n 2 ranks train.hrd second.state first.state
 */
#include <headrace/headrace.h>

#include <stdio.h>

/* Whole, or an error. A training reads and writes its weights with it. */
static int transfer(const char *path, const char *mode, unsigned char *state) {
    FILE *file = fopen(path, mode);
    const size_t done = file == NULL     ? 0
                        : mode[0] == 'r' ? fread(state, HR_LOADER_STATE_BYTES, 1, file)
                                         : fwrite(state, HR_LOADER_STATE_BYTES, 1, file);
    return file != NULL && fclose(file) == 0 && done == 1;
}

int main(int argc, char **argv) {
    unsigned char state[HR_LOADER_STATE_BYTES];
    size_t used = 0;
    hr_dataset *data = NULL;
    hr_loader *loader = NULL;
    hr_batch *batch = NULL;
    hr_error err = {.message = "ranks FILE STATE-TO-WRITE [STATE-TO-GO-ON-FROM]"};
    hr_rank_info me = {.struct_bytes = sizeof me};
    if (argc < 3 || (argc > 3 && !transfer(argv[3], "rb", state)))
        return fprintf(stderr, "%s\n", err.message), 2;
    hr_status st = hr_rank_from_environment(NULL, &me, &err);
    const int alone = st == HR_ERR_NOT_FOUND; /* no launcher: me says rank 0 of 1 */

    hr_loader_options opts = HR_LOADER_OPTIONS_INIT;
    opts.flags = HR_LOADER_SHUFFLE;
    opts.batch_samples = 256; /* of all ranks together */
    opts.num_streams = 8;     /* fixed for the run; the number of ranks is not */
    opts.rank = me.rank;
    opts.world_size = me.world_size;
    opts.resume_state = argc > 3 ? state : NULL;
    opts.resume_state_bytes = argc > 3 ? sizeof state : 0;
    if (st == HR_OK || alone)
        st = hr_dataset_open(argv[1], NULL, &data, &err);
    if (st == HR_OK)
        st = hr_loader_open(data, &opts, &loader, &err);
    for (int i = 0; i < 5 && st == HR_OK; i++) { /* a training would go on to the end */
        if ((st = hr_loader_next(loader, -1, &batch, &err)) == HR_OK)
            printf("rank %u of %u: batch %llu, %u samples of 256\n", me.rank, me.world_size,
                   (unsigned long long)hr_batch_number(batch), hr_batch_num_samples(batch));
        hr_batch_release(batch);
    }
    if (st == HR_OK && me.rank == 0) /* the state of all ranks is the same */
        st = hr_loader_state(loader, state, sizeof state, &used, &err);
    const int saved = st != HR_OK || me.rank != 0 || transfer(argv[2], "wb", state);
    hr_loader_close(loader);
    hr_dataset_close(data);
    if (st != HR_OK || !saved)
        fprintf(stderr, "%s\n", st != HR_OK ? err.message : "the state cannot be written");
    return st == HR_OK && saved ? 0 : 1;
}
