"""Loaders against PyTorch's: alternating fresh processes, ratios of medians. One pass over the dataset per sample.

    python benchmarks/loader.py [--rounds 3] [--threads 4]

Ratios are our time over PyTorch's: lower is better.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from compare import environment

SUBJECTS = ("numpy", "pytorch")


def cases(t) -> dict:
    """Name -> a function that reads the dataset once."""
    data = t.utils.data
    rows = data.TensorDataset(t.rand(4096, 784), t.arange(4096) % 10)

    def read(**options):
        loader = data.DataLoader(rows, batch_size=64, shuffle=True, **options)

        def run() -> None:
            for x, y in loader:
                assert x.shape[0] == y.shape[0] == 64

        return run

    return {
        "4096 x 784, 0 workers": read(),
        "4096 x 784, 2 workers": read(num_workers=2),
        "4096 x 784, 2 persistent": read(num_workers=2, persistent_workers=True),
    }


def worker(subject: str) -> None:
    """Time every case in this process; print JSON: case -> milliseconds."""
    if subject == "pytorch":
        import torch as t
    else:
        import polytensor as t
    t.manual_seed(0)
    result = {}
    for name, run in cases(t).items():
        run()
        samples = []
        for _ in range(5):
            begin = time.perf_counter()
            run()
            samples.append((time.perf_counter() - begin) * 1e3)
        result[name] = statistics.median(samples)
    print(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker)
        return
    runs: dict[str, list] = {s: [] for s in SUBJECTS}
    for _ in range(options.rounds):
        for s in SUBJECTS:
            done = subprocess.run(
                [sys.executable, __file__, "--worker", s],
                env=environment(options.threads), capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                sys.exit(f"{s} failed:\n{done.stderr[-2000:]}")
            runs[s].append(json.loads(done.stdout.splitlines()[-1]))
    print(
        f"milliseconds a pass, load {os.getloadavg()[0]:.2f}\n  {'case':28} {'PyTorch':>9} {'numpy':>9}  {'ratio':>6}"
    )
    for name in runs["pytorch"][0]:
        theirs, ours = (statistics.median(r[name] for r in runs[s]) for s in ("pytorch", "numpy"))
        print(f"  {name:28} {theirs:9.2f} {ours:9.2f}  {ours / theirs:6.2f}")


if __name__ == "__main__":
    main()
