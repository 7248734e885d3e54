"""Seeded interleavings of what programs do with loaders and batches, from several threads; every row carries its index.
    python_stress.py FILE FIRST COUNT
In every second one the seed also decides which thread is next; in the others they run freely."""

import gc
import random
import sys
import threading
import time
import traceback

import numpy as np

from python_package import hr, memory_in_use, rows_of

STEPS, THREADS = 60, 3
REFUSED = (hr.BusyError, hr.ClosedError, BufferError)


class Kept:
    """An array, and what is in it for as long as it lives."""

    def __init__(self, array, wanted):
        self.array = array
        self.wanted = wanted

    def check(self):
        assert np.array_equal(self.array, self.wanted), (self.array, self.wanted)


class Source:
    """A loader and its loops, and which batches it has delivered."""

    def __init__(self, data, rng, resume=None, options=None):
        self.options = options or {
            "batch": rng.randint(5, 70),
            "shuffle": rng.random() < 0.6,
            "seed": rng.randint(0, 9),
            "last": rng.choice(("keep", "drop", "pad")),
        }
        self.loader = data.loader(
            **self.options,
            threads=rng.randint(1, 2),
            held=rng.randint(2, 6),
            resume=resume,
            io=rng.choice(("auto", "cached", "threads")),
            writable=True,
        )
        self.iterators = []
        self.seen = set()

    def next(self, rng):
        iterators = list(self.iterators)
        if not iterators or rng.random() < 0.1:
            iterators = [iter(self.loader)]
            self.iterators += iterators
        batch = next(rng.choice(iterators))
        place = (batch.epoch, batch.number)
        assert place not in self.seen, place
        self.seen.add(place)
        return batch


class Program:
    """What the threads share. Lists are popped and appended to without a lock: each entry is one thread's at a time."""

    def __init__(self, path, seed):
        self.path = path
        self.rng = random.Random(seed)
        self.data = hr.open(path)
        self.sources = [Source(self.data, self.rng)]
        self.batches, self.kept, self.failed = [], [], []
        self.turn, self.waiting = threading.Condition(), []

    def take(self, entries, rng):
        """One of them, which is out of the list then."""
        try:
            return entries.pop(rng.randrange(len(entries)))
        except (IndexError, ValueError):
            return None

    def next(self, rng):
        source = rng.choice(list(self.sources))
        try:
            batch = source.next(rng)
        except StopIteration:
            return
        y = batch.copy()["y"]
        assert np.array_equal(batch["X"], rows_of(y)["X"]) and len(y) == batch.num_samples
        self.batches.append((batch, y))

    def view(self, rng):
        entry = self.take(self.batches, rng)
        if entry is not None:
            batch, y = entry
            name = rng.choice(("X", "y"))
            part = slice(*sorted(rng.randrange(len(y) + 1) for _ in range(2)), rng.choice((1, 2)))
            self.kept.append(Kept(batch[name][part], rows_of(y)[name][part]))
            if rng.random() < 0.7:
                self.batches.append(entry)

    def look(self, rng):
        for kept in list(self.kept):
            kept.check()

    def drop_view(self, rng):
        self.take(self.kept, rng)

    def drop_batch(self, rng):
        self.take(self.batches, rng)

    def release(self, rng):
        entry = self.take(self.batches, rng)
        if entry is not None:
            entry[0].release()

    def scribble(self, rng):
        """What the consumer writes is seen nowhere else."""
        entry = self.take(self.batches, rng)
        if entry is not None:
            entry[0].release()  # raises where views of it are kept
        source = rng.choice(list(self.sources))
        batch = next(iter(source.loader), None)
        if batch is not None:
            source.seen.add((batch.epoch, batch.number))
            batch["X"][...] = -1
            batch["y"][...] = -1

    def cycle(self, rng):
        entry = self.take(self.batches, rng)
        if entry is not None:
            made = [entry, entry[0]["X"], iter(rng.choice(list(self.sources)).loader)]
            made.append(made)

    def collect(self, rng):
        gc.collect(rng.randrange(3))

    def close(self, rng):
        source = rng.choice(list(self.sources))
        what = rng.random()
        if what < 0.4:
            iterator = self.take(source.iterators, rng)
            if iterator is not None:
                iterator.close()
        elif what < 0.6:
            source.iterators.clear()
        elif what < 0.9:
            source.loader.close()
        else:
            self.data.close()
            self.data = hr.open(self.path)
            self.sources[:] = [Source(self.data, rng)]

    def resume(self, rng):
        """Another loader goes on where one is; its batches are those that the first would have given."""
        source = rng.choice(list(self.sources))
        if len(self.sources) < 4:
            self.sources.append(Source(self.data, rng, source.loader.state(), source.options))

    def ask(self, rng):
        source = rng.choice(list(self.sources))
        assert source.loader.step >= 0 and len(source.loader) > 0
        if source.seen:
            assert str(source.loader.report()) and source.loader.info()["dataset_samples"] == len(self.data)
        indices = [rng.randrange(len(self.data)) for _ in range(5)]
        assert np.array_equal(self.data["y"][indices], indices)

    ACTIONS = (
        (next,) * 8
        + (view,) * 6
        + (look,) * 3
        + (drop_view,) * 5
        + (drop_batch,) * 4
        + (release,) * 3
        + (scribble, cycle, collect, close, resume, ask)
    )

    def step(self, rng):
        try:
            rng.choice(self.ACTIONS)(self, rng)
        except hr.BusyError:
            self.take(self.kept, rng)
            self.take(self.batches, rng)
        except REFUSED:
            pass

    def run(self, number, in_turn):
        rng = random.Random(self.rng.random() * 1000 + number)
        try:
            for _ in range(STEPS):
                if in_turn:
                    with self.turn:
                        self.turn.wait_for(lambda: self.failed or self.waiting[0] == number)
                        self.step(rng)
                        self.waiting.pop(0)
                        self.turn.notify_all()
                else:
                    self.step(rng)
        except BaseException:
            self.failed.append(traceback.format_exc())
            self.waiting.insert(0, None)

    def end(self):
        self.look(self.rng)
        self.data.close()
        for kept in self.kept:
            kept.check()  # also when all is closed


def interleave(path, seed):
    program = Program(path, seed)
    program.waiting = [number for number in range(THREADS) for _ in range(STEPS)]
    program.rng.shuffle(program.waiting)
    threads = [threading.Thread(target=program.run, args=(number, seed % 2 == 0)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if program.failed:
        sys.exit(f"seed {seed}: {program.failed[0]}")
    program.end()


def main(path, first, count, seconds):
    sys.setswitchinterval(1e-4)
    gc.collect()
    before, began, done = memory_in_use(), time.monotonic(), 0
    for seed in range(first, first + count):
        interleave(path, seed)
        gc.collect()
        if memory_in_use() != before:
            sys.exit(f"seed {seed}: {memory_in_use() - before} bytes are still in use")
        done += 1
        if time.monotonic() - began > seconds:
            break
    print(done)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
