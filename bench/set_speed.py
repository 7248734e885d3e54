"""How fast epochs are, by `headrace bench`, as shares of what the machine could do at best: over the standard sets,
and over windows of different size."""

import programs
import standard_sets
from programs import say

EPOCHS = ("memory-sequential", "memory-shuffled", "disk-sequential", "disk-shuffled")


def describe(path):
    info = programs.run_json(programs.HEADRACE, "info", path, "--json")
    storage = info["fields"][0]["storage"]
    return {
        "decoded_bytes": info["decoded_bytes"],
        "file_bytes": info["file_bytes"],
        "ratio": info["ratio"],
        "codec": storage["codec"],
        "level": storage.get("level", 0),
        "filter": storage["filter"],
        "chunk_decoded_bytes": info["decoded_bytes"] // info["chunks"],
    }


def window_of(file, mib):
    """Visits whose chunks are so large together."""
    return max(1, (mib << 20) // file["chunk_decoded_bytes"])


def promised(chosen, name):
    return chosen.promised_memory if name.startswith("memory") else standard_sets.PROMISED_DISK


def one_run(chosen, path, file, mib, folder, rounds, seconds):
    """mib: of the window; None: the default."""
    options = ["--batch", chosen.batch, "--rounds", rounds, "--seconds", seconds]
    if mib is not None:
        options += ["--window", window_of(file, mib)]
    picture = folder / (chosen.file + (f"-{mib}" if mib else "") + ".svg")
    got = programs.bench(path, *options, "--svg", picture, "--force")
    return {
        "window_mib": mib,
        "window": got["window"],
        "picture": str(picture),
        "threads": got["threads"],
        "read_depth": got["read_depth"],
        "measures": got["measures"],
        "promised": {name: promised(chosen, name) for name in EPOCHS},
    }


def measure(folder, size_bytes, rounds, seconds):
    results = []
    for chosen in standard_sets.SETS:
        path = standard_sets.make_hrd(chosen, folder, size_bytes)
        file = describe(path)
        runs = []
        for mib in chosen.windows_mib or (None,):
            say(f"epochs of {chosen.name}" + (f", a window of {mib} MiB" if mib else ""))
            runs.append(one_run(chosen, path, file, mib, folder, rounds, seconds))
        results.append({"name": chosen.name, "batch": chosen.batch, "file": file, "runs": runs})
    return {"rounds": rounds, "sets": results}
