"""Runs that end themselves with SIGKILL in the middle of an epoch and go on from their checkpoint; prints what differs.

python resumed_runs.py FOLDER
"""

import hashlib
import itertools
import json
import os
import random
import signal
import sys
import warnings

import polytensor as pt
from polytensor.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    WeightedRandomSampler,
    get_worker_info,
)
from polytensor.utils.snapshots import Checkpoints, Resumable

METHODS = ("multiprocessing", "thread")
STEPS = 17  # of 7 batches an epoch
warnings.filterwarnings("ignore", "This DataLoader will create")


def noise():
    """From the default generator and from Python's, which threads share: there a worker has its own."""
    info = get_worker_info()
    own = random if info is None or info.rng is None else info.rng.random_generator
    return pt.rand(3) + own.random()


class Rows(Dataset):
    def __len__(self):
        return 20

    def __getitem__(self, i):
        return i + noise()


class Stream(IterableDataset):
    def __iter__(self):
        info = get_worker_info()
        for i in itertools.islice(range(20), info.id if info else 0, None, info.num_workers if info else 1):
            yield i + noise()


def loader(kind, workers, method, persistent):
    g = pt.Generator().manual_seed(5)
    options = {"num_workers": workers, "worker_method": method, "persistent_workers": persistent}
    if kind == "stream":
        return DataLoader(Stream(), 3, **options)
    if kind == "shuffled":  # from the default generator
        return DataLoader(Rows(), 3, shuffle=True, **options)
    if kind == "weighted":
        return DataLoader(Rows(), 3, sampler=WeightedRandomSampler(range(1, 21), 20, generator=g), **options)
    if kind == "drawn":  # lazily, so a loader that fetches ahead has drawn more
        return DataLoader(Rows(), 3, sampler=RandomSampler(range(20), True, 20, generator=g), generator=g, **options)
    return DataLoader(Rows(), batch_sampler=BatchSampler(RandomSampler(range(20), generator=g), 3, False), **options)


def train(folder, kind, workers, method, persistent, deaths, every):
    """Writes one line for each batch: its step and digest. Dies right before the steps in `deaths` end."""
    pt.manual_seed(1)
    random.seed(1)
    batches = Resumable(loader(kind, workers, method, persistent))
    saved, step = Checkpoints(folder), 0
    if found := saved.restore(loader=batches):
        step = found["step"]
    with open(os.path.join(folder, "log"), "a") as log:
        while step < STEPS:
            for x in batches:
                drawn = pt.nn.functional.dropout(x + random.random(), 0.5)  # the run's own draws
                step += 1
                bits = x.numpy().tobytes() + drawn.numpy().tobytes() + bytes([batches.epoch, batches.batch])
                print(step, hashlib.sha256(bits).hexdigest(), file=log, flush=True)
                if step in deaths:
                    os.kill(os.getpid(), signal.SIGKILL)
                if step % every == 0:
                    saved.save(step, loader=batches)
                if step == STEPS:
                    break


def run(folder, *case, deaths=(), every=1):
    """{step: digest}, over as many processes as it takes."""
    os.makedirs(folder)
    for left in [[d for d in deaths if d >= after] for after in [0, *[d + 1 for d in deaths]]]:
        child = os.fork()
        if child == 0:
            try:
                train(folder, *case, left, every)
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(child, 0)[1] == (signal.SIGKILL if left else 0)
    seen = {}
    for line in open(os.path.join(folder, "log")):
        step, digest = line.split()
        assert seen.setdefault(int(step), digest) == digest, f"step {step} is another one the second time"
    return seen


def main(folder):
    wrong, runs, whole = [], 0, {}
    cases = [("shuffled", *w) for w in ((0, "multiprocessing"), *itertools.product((1, 2, 4), METHODS))]
    cases += [(kind, *w) for kind in ("weighted", "drawn", "batches") for w in ((2, METHODS[0]), (4, METHODS[1]))]
    cases += [("stream", 2, method) for method in METHODS]
    for kind, workers, method in cases:
        case = (kind, workers, method, workers > 1)
        runs += 1
        at = os.path.join(folder, "-".join(map(str, case)))
        try:
            expected = run(at, *case, every=STEPS)
            found = run(at + "-killed", *case, deaths=(3, 10, 14), every=1 + workers % 3)
            same = kind == "stream" or whole.setdefault(kind, expected) == expected
            if len(expected) != STEPS or found != expected or not same:
                wrong.append([*case, [s for s in expected if found.get(s) != expected[s]], same])
        except AssertionError as error:
            wrong.append([*case, str(error)])
    print(json.dumps({"runs": runs, "wrong": wrong}))


if __name__ == "__main__":
    main(sys.argv[1])
