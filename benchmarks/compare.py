"""PolyTensor against PyTorch eager: alternating fresh processes, equal threads, ratios of medians.

    python benchmarks/compare.py [--threads 1] [--rounds 3] [--json out.json]

Ratios are our time over PyTorch's: lower is better. OPENBLAS_* is dropped from the environment, so that a machine's own
settings do not decide. Seconds that Numba spends before a case runs for the first time are reported apart.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
SUBJECTS = ("numpy", "numba", "pytorch")


def worker(subject: str, threads: int) -> None:
    """Time every case in this process; print JSON: group -> case -> microseconds, and seconds of the first calls."""
    if subject == "pytorch":
        import torch as t
    else:
        import polytensor as t

        t.set_backend(subject)
    from cases import GROUPS

    t.set_num_threads(threads)
    t.manual_seed(0)
    result: dict = {}
    first = 0.0
    for group, make in GROUPS.items():
        result[group] = {}
        for name, fn in make(t).items():
            begin = time.perf_counter()
            fn()
            first += time.perf_counter() - begin
            begin = time.perf_counter()
            fn()
            once = time.perf_counter() - begin
            count = max(3, min(2000, int(0.02 / max(once, 1e-7))))
            samples = []
            for _ in range(7):
                begin = time.perf_counter()
                for _ in range(count):
                    fn()
                samples.append((time.perf_counter() - begin) / count * 1e6)
            result[group][name] = statistics.median(samples)
    print(json.dumps({"times": result, "first": first}))


def environment(threads: int) -> dict[str, str]:
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        env[name] = str(threads)
    env["PYTHONPATH"] = str(Path(__file__).parent.parent)
    return env


def compare(threads: int, rounds: int) -> dict:
    """Medians over rounds of alternating processes."""
    runs: dict[str, list] = {s: [] for s in SUBJECTS}
    for _ in range(rounds):
        for subject in SUBJECTS:
            done = subprocess.run(
                [sys.executable, __file__, "--worker", subject, "--threads", str(threads)],
                env=environment(threads), capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                sys.exit(f"{subject} failed:\n{done.stderr[-2000:]}")
            runs[subject].append(json.loads(done.stdout.splitlines()[-1]))
    out: dict = {"threads": threads, "rounds": rounds, "groups": {}, "first call seconds": {}}
    for s in SUBJECTS:
        out["first call seconds"][s] = [round(r["first"], 2) for r in runs[s]]
    for group, cases in runs["pytorch"][0]["times"].items():
        out["groups"][group] = {
            case: {s: statistics.median(r["times"][group][case] for r in runs[s]) for s in SUBJECTS} for case in cases
        }
    return out


def geometric(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values))


def report(result: dict) -> None:
    print(f"\n{result['threads']} thread(s), {result['rounds']} rounds; microseconds, and our time over PyTorch's")
    for group, cases in result["groups"].items():
        print(f"\n{group}\n  {'case':28} {'PyTorch':>9} {'numpy':>9} {'numba':>9}  {'numpy/P':>7} {'numba/P':>7}")
        for case, v in cases.items():
            p = v["pytorch"]
            print(
                f"  {case:28} {p:9.2f} {v['numpy']:9.2f} {v['numba']:9.2f}  {v['numpy'] / p:7.2f} {v['numba'] / p:7.2f}"
            )
        means = {s: geometric([v[s] / v["pytorch"] for v in cases.values()]) for s in ("numpy", "numba")}
        best = geometric([min(v["numpy"], v["numba"]) / v["pytorch"] for v in cases.values()])
        print(
            f"  geometric mean: numpy {means['numpy']:.2f}, numba {means['numba']:.2f}, better of the two per case {best:.2f}"
        )
    print(f"\nfirst calls, seconds (Numba's compilation or cache loading is in here): {result['first call seconds']}")


def cpu() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text()
        return next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default="1,4", help="comma-separated thread counts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", help="write the figures here")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(options.worker, int(options.threads))
        return
    print(f"{cpu()}, {os.cpu_count()} cores, Python {platform.python_version()}, load {os.getloadavg()[0]:.2f}")
    results = []
    for threads in options.threads.split(","):
        results.append(compare(int(threads), options.rounds))
        report(results[-1])
    if options.json:
        Path(options.json).write_text(json.dumps({"cpu": cpu(), "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    main()
