"""PolyTensor against PyTorch eager: alternating fresh processes, equal threads, ratios of medians.

    python benchmarks/compare.py [--quick] [--threads 1,4] [--rounds 3] [--groups large,matmul] [--out folder]
    python benchmarks/compare.py --read benchmarks/results/NAME.json --publish NAME

Ratios are our time over PyTorch's: lower is better. OPENBLAS_* is dropped from the environment, so that a machine's own
settings do not decide. Seconds that Numba spends before a case runs for the first time are reported apart. Writes
bench.json, bench.png (the ratio of each case) and bench.txt; with --publish also README.md's table and
benchmarks/results/NAME.*.
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

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
SUBJECTS = ("pytorch", "numpy", "numba")
OURS = SUBJECTS[1:]
PEAKS = ("ResNet b32", "Transformer encoder b16x64")
FIRST = "MLP 784-512-512-10 SGD b64"
PROCESSES = ("peak memory", "import", "first training step")  # groups in which each case is a process of its own
UNITS = {"peak memory": "MB", "import": "ms", "first training step": "ms"}
MARKS = ("<!-- benchmark table -->", "<!-- end of benchmark table -->")


def module(subject: str):
    if subject == "pytorch":
        import torch as t
    else:
        import polytensor as t

        if subject == "numba":
            t.set_backend(subject)
    return t


def seconds(fn, count: int = 1) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        fn()
    return (time.perf_counter() - begin) / count


def measure(subject: str, threads: int, group: str) -> dict:
    """Time the cases of a group in this process: case -> microseconds, and the seconds of all first calls."""
    t = module(subject)
    from cases import GROUPS

    t.set_num_threads(threads)
    t.manual_seed(0)
    times, first = {}, 0.0
    for name, fn in GROUPS[group](t).items():
        first += seconds(fn)
        once = min(seconds(fn), seconds(fn))
        count = max(1, min(2000, int(0.02 / max(once, 1e-7))))
        times[name] = statistics.median(seconds(fn, count) for _ in range(7 if once < 0.3 else 3)) * 1e6
    return {"times": times, "first": first}


def resident() -> float:
    """Megabytes that this process holds now."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6 if pages.exists() else 0.0


def peak(subject: str, threads: int, name: str) -> dict:
    """Megabytes at most, of the process and above what it held before the model was built, in five steps."""
    import resource

    t = module(subject)
    from cases import STEPS

    t.set_num_threads(threads)
    before = resident()
    step = STEPS[name](t)
    for _ in range(5):
        step()
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6
    return {"times": {name: most, f"{name}, above import": most - before}}


def start(subject: str, threads: int, name: str) -> dict:
    """Milliseconds from nothing imported to the module, or to the end of a first training step; numba: its backend too."""
    begin = time.perf_counter()
    t = module(subject)
    if name != "import":
        t.set_num_threads(threads)
        from cases import STEPS

        STEPS[name](t)()
    return {"times": {name: (time.perf_counter() - begin) * 1e3}}


def worker(subject: str, threads: int, group: str, case: str) -> dict:
    if group == "peak memory":
        return peak(subject, threads, case)
    return start(subject, threads, case) if group in PROCESSES else measure(subject, threads, group)


def environment(threads: int) -> dict[str, str]:
    dropped = ("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX")  # or each start would compile our modules anew
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_") and k not in dropped}
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        env[name] = str(threads)
    env["PYTHONPATH"] = str(HERE.parent)
    return env


def spawn(subject: str, threads: int, group: str, case: str) -> dict:
    done = subprocess.run(
        [sys.executable, __file__, "--worker", json.dumps([subject, threads, group, case])],
        env=environment(threads), capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"{subject}, {group} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def jobs(chosen: list[str]) -> list[tuple[str, str]]:
    """(group, case) of each process; the case is '' where a process measures its whole group."""
    from cases import GROUPS

    found = [(group, "") for group in GROUPS]
    found += [("peak memory", name) for name in PEAKS] + [("import", "import"), ("first training step", FIRST)]
    return [job for job in found if not chosen or any(c in job[0] for c in chosen)]


def compare(threads: int, rounds: int, chosen: list[str], progress) -> dict:
    """Medians over rounds of alternating processes."""
    samples: dict = {}
    first = dict.fromkeys(OURS, 0.0)
    for group, case in jobs(chosen):
        for _ in range(rounds):
            for subject in SUBJECTS:
                if group == "loader" and subject == "numba":
                    continue  # loaders do not use its kernels
                progress.set_description(f"{threads} thread(s), {group}, {subject}")
                result = spawn(subject, threads, group, case)
                progress.update()
                for name, value in result["times"].items():
                    samples.setdefault(group, {}).setdefault(name, {}).setdefault(subject, []).append(value)
                if subject in first:
                    first[subject] += result.get("first", 0.0) / rounds
    medians = {
        group: {case: {s: statistics.median(v) for s, v in by.items()} for case, by in cases.items()}
        for group, cases in samples.items()
    }
    return {"threads": threads, "rounds": rounds, "groups": medians, "first call seconds": first}


# ---- reports ------------------------------------------------------------------------------------------------------
def geometric(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def ratios(cases: dict, subject: str) -> list[float]:
    """Of each case; `subject` may be 'better', the backend that is faster there."""
    names = OURS if subject == "better" else (subject,)
    return [min(v[s] for s in names if s in v) / v["pytorch"] for v in cases.values() if any(s in v for s in names)]


def goal(group: str) -> str:
    from cases import GOALS

    return f"{GOALS[group]:.2f}" if group in GOALS else ""


def report(data: dict) -> str:
    lines = [data["machine"]]
    for result in data["results"]:
        lines.append(
            f"\n{result['threads']} thread(s), {result['rounds']} rounds; our value over PyTorch's: lower is better"
        )
        for group, cases in result["groups"].items():
            unit = UNITS.get(group, "us")
            lines.append(f"\n{group + ', ' + unit:40} {'PyTorch':>11} {'numpy':>11} {'numba':>11}  numpy/P numba/P")
            for case, v in cases.items():
                values = "".join(f" {v[s]:11.2f}" if s in v else f" {'':11}" for s in SUBJECTS)
                shares = "".join(f" {v[s] / v['pytorch']:7.2f}" if s in v else f" {'':7}" for s in OURS)
                lines.append(f"  {case:38}{values} {shares}")
            means = ", ".join(f"{s} {geometric(ratios(cases, s)):.2f}" for s in (*OURS, "better") if ratios(cases, s))
            lines.append(f"  geometric mean: {means}" + (f" (goal {goal(group)})" if goal(group) else ""))
        slower = [
            f"{case} ({group}) {v['numba'] / v['numpy']:.2f}"
            for group, cases in result["groups"].items()
            if group not in PROCESSES
            for case, v in cases.items()
            if "numba" in v and v["numba"] > 1.1 * v["numpy"]
        ]
        lines.append(f"\nnumba over numpy above 1.10: {'; '.join(slower) or 'nowhere'}")
        spent = ", ".join(f"{s} {v:.1f}" for s, v in result["first call seconds"].items())
        lines.append(f"\nfirst calls, seconds in all (loading or compiling kernels is in here): {spent}")
    return "\n".join(lines) + "\n"


def table(data: dict) -> str:
    """Markdown: a row for each group and each training step, a column for each backend and number of threads."""
    columns = [(r, s) for r in data["results"] for s in OURS]
    heads = [f"{s}, {r['threads']} thread{'s' * (r['threads'] > 1)}" for r, s in columns]
    lines = ["| group (geometric mean) or step | " + " | ".join(heads) + " | goal |", "|---" * (len(columns) + 2) + "|"]

    def row(name: str, cells: list[list[float]], last: str) -> None:
        shown = [f"{geometric(c):.2f}" if c else "" for c in cells]
        lines.append(f"| {name} | " + " | ".join(shown) + f" | {last} |")

    for group, cases in data["results"][0]["groups"].items():
        count = f" ({len(cases)})" if group not in PROCESSES else ""
        row(f"**{group}**{count}", [ratios(r["groups"][group], s) for r, s in columns], goal(group))
        if group.startswith("steps"):
            for case in cases:
                row(case, [ratios({case: r["groups"][group][case]}, s) for r, s in columns], "")
    return "\n".join(lines)


def chart(data: dict, path: Path) -> None:
    """A bar for each case, the better backend's ratio, in a panel for each group; threads side by side."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    results = data["results"]
    groups = list(results[0]["groups"])
    heights = [len(results[0]["groups"][g]) + 2 for g in groups]
    halves: list[list[str]] = [[], []]
    for g in sorted(groups, key=lambda g: -heights[groups.index(g)]):
        min(halves, key=lambda h: sum(heights[groups.index(x)] for x in h)).append(g)
    tall = max(sum(heights[groups.index(g)] for g in h) for h in halves)
    figure = plt.figure(figsize=(11, 0.16 * tall + 1), layout="constrained")
    for part, half in zip(figure.subfigures(1, 2), halves):
        if not half:
            continue
        axes = part.subplots(len(half), 1, squeeze=False, height_ratios=[heights[groups.index(g)] for g in half])
        for g, axis in zip(half, axes[:, 0]):
            names = list(results[0]["groups"][g])
            width = 0.8 / len(results)
            for k, r in enumerate(results):
                where = [i + (k - (len(results) - 1) / 2) * width for i in range(len(names))]
                label = f"{r['threads']} thread{'s' * (r['threads'] > 1)}"
                axis.barh(where, ratios(r["groups"][g], "better"), width, label=label)
            axis.axvline(1, color="black", linewidth=0.8)
            if goal(g):
                axis.axvline(float(goal(g)), color="tab:green", linewidth=0.8, linestyle="--")
            axis.set_yticks(range(len(names)), names, fontsize=6)
            axis.tick_params(axis="x", labelsize=6)
            axis.set_title(g, fontsize=7)
            axis.invert_yaxis()
    figure.axes[0].legend(fontsize=6)
    figure.suptitle("Our time over PyTorch's (better CPU backend; dashed: the goal)", fontsize=9)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def write(data: dict, stem: Path) -> None:
    stem.parent.mkdir(parents=True, exist_ok=True)
    stem.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
    stem.with_suffix(".txt").write_text(report(data))
    chart(data, stem.with_suffix(".png"))


def publish(data: dict, name: str) -> None:
    """README.md's table between its marks, and the figures and the chart in benchmarks/results."""
    write(data, HERE / "results" / name)
    readme = HERE.parent / "README.md"
    before, rest = readme.read_text().split(MARKS[0])
    _, after = rest.split(MARKS[1])
    text = f"{data['machine']}; medians of alternating processes, in {data['results'][0]['rounds']} rounds. In brackets: cases."
    readme.write_text(f"{before}{MARKS[0]}\n{text}\n\n{table(data)}\n{MARKS[1]}{after}")


def machine() -> str:
    """The processor and what ran on it, in one line."""
    try:
        text = Path("/proc/cpuinfo").read_text()
        cpu = next(line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor()
    from importlib.metadata import version

    return (
        f"{cpu}, {os.cpu_count()} cores, Python {platform.python_version()}, NumPy {version('numpy')}, PyTorch {version('torch')}, "
        f"load {os.getloadavg()[0]:.2f} at the start"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", default=None, help="comma-separated thread counts (default: 1 and all cores)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one round, on all cores")
    parser.add_argument("--groups", default="", help="comma-separated parts of names of groups")
    parser.add_argument("--out", type=Path, default=HERE / "out", help="folder to write to (default: benchmarks/out)")
    parser.add_argument("--read", type=Path, help="report on figures measured before")
    parser.add_argument("--publish", metavar="NAME", help="also write README.md's table and benchmarks/results/NAME.*")
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(worker(*json.loads(options.worker))))
        return
    if options.read:
        data = json.loads(options.read.read_text())
    else:
        try:
            from tqdm import tqdm

            data = {"machine": machine(), "results": []}
        except ImportError as error:
            sys.exit(f"{error}: pip install -e '.[numba,examples,oracle]'")
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        threads = options.threads or (str(cores) if options.quick or cores == 1 else f"1,{cores}")
        counts = [int(n) for n in threads.split(",")]
        rounds = 1 if options.quick else options.rounds
        chosen = [c for c in options.groups.split(",") if c]
        skipped = sum(g == "loader" for g, _ in jobs(chosen))
        total = (len(jobs(chosen)) * len(SUBJECTS) - skipped) * rounds * len(counts)
        with tqdm(total=total) as progress:
            data["results"] = [compare(n, rounds, chosen, progress) for n in counts]
    print(report(data))
    write(data, options.out / "bench")
    if options.publish:
        publish(data, options.publish)


if __name__ == "__main__":
    main()
