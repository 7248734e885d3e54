"""What test_python_torch.py starts with torchrun: DATA FOLDER. Each rank logs the samples that it got, and all wait for
each other at each batch. Rank 0 saves the place after each; one in the folder above is where it begins."""

import json
import os
import pathlib
import sys
import time

import torch

from python_package import check, hr

path, folder = sys.argv[1], pathlib.Path(sys.argv[2])
torch.distributed.init_process_group("gloo")
rank = torch.distributed.get_rank()
batches = hr.torch(hr.open(path), 64, shuffle=True, seed=5, window=8, streams=4, last="drop", epochs=2)
assert (rank, os.environ["RANK"]) == (batches._made_of[4]["rank"], str(rank))
(folder / f"{rank}.pid").write_text(str(os.getpid()))
begin = folder.parent / "state.json"
if begin.exists():
    batches.load_state_dict(json.loads(begin.read_text()))
with open(folder / f"{rank}.log", "w", buffering=1) as log:
    for _ in range(2):
        for batch in batches:
            check({name: tensor.numpy() for name, tensor in batch.items()})
            log.write(" ".join(map(str, batch["y"].tolist())) + "\n")
            torch.distributed.barrier()
            if rank == 0:
                (folder / "state.partial").write_text(json.dumps(batches.state_dict()))
                (folder / "state.partial").rename(folder / "state.json")
            if not begin.exists():
                time.sleep(0.1)  # so that there is time for being killed
