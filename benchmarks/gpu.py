"""A GPU against the CPU, and PolyTensor against PyTorch on the same card: alternating processes, CUDA events, medians.

    python benchmarks/gpu.py [--budget 560] [--groups gemm,steps] [--rounds 3] [--out benchmarks/results]
    python benchmarks/gpu.py --device cpu --budget 60 --out benchmarks/out     # without a GPU: the CPU backends and PyTorch
    python benchmarks/gpu.py --check [suite,memcheck] [--out benchmarks/out]   # what must pass, in parts: gpu_check.py

Each process runs all cases of one subject within its share of the budget (seconds); a case that no time is left for is
missing from that round. On a GPU, processes side by side first compile what the cases need. A case that fails, hangs or
ends its process is named and left out, and the others go on. Writes gpu-<card>.json and .md into --out, after each process
anew, and in the end .png (ratios, and steps by batch size). Where PyTorch has no CUDA, only CPU and GPU are compared.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
from gpu_check import WEIGHTS as PARTS  # noqa: E402
from gpu_check import check, environment  # noqa: E402
from gpu_touch import touch  # noqa: E402

Case = Callable[[], Any]
BATCHES = (4, 16, 64, 256, 1024, 4096)
SLOW = {"ResNet": 1024, "Transformer": 1024, "GRU": 1024, "LSTM": 1024}  # largest batch of these
CPU_MOST = 256  # largest batch on the CPU
WEIGHTS = {
    "small ops": 2, "small ops, forward + backward": 1, "large ops": 1, "gemm": 2, "conv": 2, "attention": 2, "bandwidth": 1,
    "steps": 6, "steps, graph replay": 4,
}  # fmt: skip
GOALS = {
    "small ops": 1.0, "small ops, forward + backward": 1.0, "gemm": 1 / 0.95, "conv": 1 / 0.95, "steps, graph replay": 0.7,
}  # fmt: skip
SHARE = 0.8  # of the copy bandwidth
LONGEST = 60  # seconds that a case may take: then its process ends
SLICES = {"cupy": 6, "numba": 4}  # processes that compile what the cases need


# ---- cases: name -> (make, what it counts per call, the unit) -------------------------------------------------------
def half_like(t: Any, *shape: int, dtype: str) -> Any:
    return t.randn(*shape).to(getattr(t, dtype))


def gemms(t: Any, gpu: bool) -> Iterator[tuple[str, Callable[[], Case], float]]:
    """Square products (and a batched one); floating-point operations."""
    sizes = (512, 1024, 2048, 4096, 8192) if gpu else (128, 256)

    def product(n: int, dtype: str, batch: int = 0) -> Case:
        shape = (batch, n, n) if batch else (n, n)
        a, b = (half_like(t, *shape, dtype=dtype) for _ in range(2))
        return lambda: a @ b.transpose(-1, -2)

    for dtype in ("float32", "float64", "float16", "bfloat16") if gpu else ("float32", "float64"):
        for n in sizes:
            if n < 8192 or dtype != "float64":
                yield f"{n} {dtype}", lambda n=n, d=dtype: product(n, d), 2.0 * n**3
        n = sizes[0]
        yield f"32 x {n} {dtype}", lambda n=n, d=dtype: product(n, d, 32), 64.0 * n**3


def attentions(t: Any, gpu: bool) -> Iterator[tuple[str, Callable[[], Case], float]]:
    """Scaled dot product attention, forward and backward; floating-point operations."""

    def case(b: int, h: int, s: int, d: int, dtype: str, causal: bool) -> Case:
        q, k, v = (half_like(t, b, h, s, d, dtype=dtype).requires_grad_() for _ in range(3))
        g = half_like(t, b, h, s, d, dtype=dtype)

        def run() -> None:
            q.grad = k.grad = v.grad = None
            t.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=causal).backward(g)

        return run

    shapes = [(8, 8, 256, 64), (4, 8, 1024, 64), (1, 16, 4096, 64)] if gpu else [(1, 2, 64, 16)]
    for dtype in ("float32", "float16", "bfloat16") if gpu else ("float32",):
        for shape in shapes:
            for causal in (False, True):
                b, h, s, d = shape
                name = f"{b}x{h}x{s}x{d} {dtype}{' causal' if causal else ''}"
                yield name, lambda p=shape, e=dtype, c=causal: case(*p, e, c), 14.0 * b * h * s * s * d / (1 + causal)


def bandwidths(t: Any, gpu: bool) -> Iterator[tuple[str, Callable[[], Case], float]]:
    """What is limited by memory; bytes that must be read and written."""
    rows, width = (16384, 4096) if gpu else (64, 512)
    n, f = rows * width, t.nn.functional

    def copy() -> Case:
        a, b = t.randn(rows, width), t.empty(rows, width)
        return lambda: b.copy_(a)

    def forward(fn: Callable[[Any], Any]) -> Callable[[], Case]:
        def make() -> Case:
            x = t.randn(rows, width)
            return lambda: fn(x)

        return make

    def normed() -> Case:
        x, w, b = t.randn(rows, width), t.ones(width), t.zeros(width)
        return lambda: f.layer_norm(x, (width,), w, b)

    def backward(fn: Callable[[Any], Any]) -> Callable[[], Case]:
        def make() -> Case:
            x, g = t.randn(rows, width).requires_grad_(), t.randn(rows, width)

            def run() -> None:
                x.grad = None
                fn(x).backward(g)

            return run

        return make

    def entropy() -> Case:
        x, y = t.randn(rows, width).requires_grad_(), t.randint(0, width, (rows,))

        def run() -> None:
            x.grad = None
            f.cross_entropy(x, y).backward()

        return run

    def adam() -> Case:
        params = [t.randn(n // 16).requires_grad_() for _ in range(16)]
        for p in params:
            p.grad = t.randn(n // 16)
        return t.optim.Adam(params, lr=1e-3).step

    yield "copy", copy, 8.0 * n
    yield "softmax", forward(lambda x: t.softmax(x, 1)), 8.0 * n
    yield "softmax, forward + backward", backward(lambda x: t.softmax(x, 1)), 20.0 * n
    yield "layer norm", normed, 8.0 * n
    yield "cross-entropy, forward + backward", entropy, 16.0 * n
    yield "Adam", adam, 28.0 * n


def small(t: Any, name: str, device: str) -> Iterator[tuple[str, Callable[[], Case], float]]:
    from cases import GROUPS

    made = GROUPS[name](t)
    if "zeros" in made:
        made["zeros"] = lambda: t.zeros(8, 8, device=device)
    if "randn" in made:
        made["randn"] = lambda: t.randn(1024, 1024, device=device)
    for case, fn in made.items():
        yield case, lambda fn=fn: fn, 0.0


def trainings(t: Any, gpu: bool, graph: bool) -> Iterator[tuple[str, Callable[[], Case], float]]:
    """Training steps by model and batch size; with graph=True as one CUDA graph each."""
    from cases import MODELS

    most = BATCHES[-1] if gpu else CPU_MOST
    sizes = BATCHES if not graph else (4, 64, 256)
    for name, make in MODELS.items():
        for batch in sizes:
            if batch <= min(SLOW.get(name, most), most):
                yield (
                    f"{name} b{batch}",
                    lambda m=make, b=batch: graphed(t, m(t, b)) if graph else m(t, b),
                    float(batch),
                )
    if gpu:
        for batch in (64, 256):
            for name in ("ResNet", "Transformer"):
                case = f"{name} bfloat16 b{batch}"
                yield case, lambda m=MODELS[name], b=batch: cast(t, m(t, b), graph), float(batch)


def cast(t: Any, step: Any, graph: bool) -> Case:
    """A step under autocast to bfloat16."""
    net, loss_fn, opt, x, y = step.net, step.loss_fn, step.opt, step.x, step.y

    def run() -> Any:
        opt.zero_grad()
        with t.autocast("cuda", dtype=t.bfloat16):
            loss = loss_fn(net(x), y)
        loss.backward()
        opt.step()
        return loss

    run.opt = opt  # type: ignore[attr-defined]
    return graphed(t, run) if graph else run


def graphed(t: Any, step: Any) -> Case:
    """A step as a CUDA graph; RuntimeError where it cannot be captured."""
    for group in step.opt.param_groups:
        if "capturable" in group:
            group["capturable"] = True
    side = t.cuda.Stream()
    side.wait_stream(t.cuda.current_stream())
    with t.cuda.stream(side):
        for _ in range(3):
            step()
    t.cuda.current_stream().wait_stream(side)
    made = t.cuda.CUDAGraph()
    with t.cuda.graph(made):
        step()
    return made.replay


def groups(t: Any, gpu: bool, device: str, chosen: list[str]) -> dict[str, Any]:
    from cases import GROUPS

    table = {
        name: lambda name=name: small(t, name, device)
        for name in ("small ops", "small ops, forward + backward", "large ops")
    }
    table["gemm"] = lambda: gemms(t, gpu)
    table["conv"] = lambda: ((n, lambda fn=fn: fn, 0.0) for n, fn in GROUPS["conv"](t).items())
    table["attention"] = lambda: attentions(t, gpu)
    table["bandwidth"] = lambda: bandwidths(t, gpu)
    table["steps"] = lambda: trainings(t, gpu, False)
    if gpu:
        table["steps, graph replay"] = lambda: trainings(t, gpu, True)
    return {k: v for k, v in table.items() if not chosen or any(c in k for c in chosen)}


# ---- a worker process -----------------------------------------------------------------------------------------------
def module(subject: str) -> Any:
    if subject == "pytorch":
        import torch as t

        t.backends.cudnn.allow_tf32 = False  # both compute float32 alike; PolyTensor's is off
    else:
        import polytensor as t

        if subject in ("numpy", "numba"):
            t.set_backend(subject)
    return t


def timer(t: Any, gpu: bool) -> Callable[[Case, int], float]:
    """seconds(fn, count): of one call, by CUDA events on a GPU."""

    def on_gpu(fn: Case, count: int) -> float:
        begin, end = (t.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        for _ in range(count):
            fn()
        end.record()
        end.synchronize()
        return float(begin.elapsed_time(end)) / 1e3 / count

    def on_cpu(fn: Case, count: int) -> float:
        begin = time.perf_counter()
        for _ in range(count):
            fn()
        return (time.perf_counter() - begin) / count

    return on_gpu if gpu else on_cpu


def say(**what: Any) -> None:
    """A line for the process that waits for it, which has it even if this one crashes."""
    print(json.dumps(what), flush=True)


def works(t: Any, gpu: bool) -> bool:
    """Whether the device is still usable after an error."""
    try:
        t.cuda.synchronize() if gpu else None
    except Exception:  # noqa: BLE001 of whatever class
        return False
    return True


def measure(subject: str, device: str, share: float, chosen: list[str], turn: float, skip: list[str]) -> None:
    """Say medians in microseconds of all cases that `share` seconds are enough for; turn: the part of a group to begin
    after; skip: cases to leave out, as group: case."""
    t = module(subject)
    gpu = device == "cuda"
    t.manual_seed(0)
    place, seconds = t.device(device), timer(t, gpu)
    with place:
        table = groups(t, gpu, device, chosen)
    left = sum(WEIGHTS[g] for g in table)
    stop = time.perf_counter() + share
    for group, cases in table.items():
        deadline = time.perf_counter() + (stop - time.perf_counter()) * WEIGHTS[group] / left
        left -= WEIGHTS[group]
        with place:
            made = list(cases())
        first = int(turn * len(made))
        some = any(name.startswith(f"{group}: ") for name in skip)
        for name, make, _ in made[first:] + made[:first]:
            if f"{group}: {name}" in skip:
                continue
            if time.perf_counter() > deadline and some:
                break
            say(at=f"{group}: {name}")
            faulthandler.dump_traceback_later(LONGEST, exit=True)
            try:
                with place:
                    fn = make()
                for _ in range(2):
                    fn()
                once = min(seconds(fn, 1) for _ in range(2))
                count = max(1, min(2000, int(0.01 / max(once, 1e-7))))
                repeats = 5 if once < 0.1 else 2
                say(group=group, case=name, us=statistics.median(seconds(fn, count) for _ in range(repeats)) * 1e6)
                some = True
            except Exception as error:  # noqa: BLE001 a case that fails is told, and the others go on
                say(failed=f"{group}: {name}", why=f"{type(error).__name__}: {error}".partition("\n")[0][:300])
                if not works(t, gpu):
                    os._exit(3)
            faulthandler.cancel_dump_traceback_later()
            fn = None
            gc.collect() if group in ("gemm", "attention", "bandwidth", "steps", "steps, graph replay") else None
            if gpu and group in ("gemm", "bandwidth", "steps"):
                t.cuda.empty_cache()
    say(done=True)


def prepare(subject: str, device: str, chosen: list[str], part: int, parts: int) -> None:
    """Call each of a slice of the cases, so that its kernels are compiled and kept on disk."""
    t = module(subject)
    with t.device(device):
        table = groups(t, device == "cuda", device, chosen)
        for group, cases in table.items():
            for name, make, _ in list(cases())[part::parts]:
                try:
                    fn = make()
                    fn(), fn()
                except Exception as error:  # noqa: BLE001 told by the process that measures
                    print(f"{group}: {name}: {type(error).__name__}", file=sys.stderr)
                    if not works(t, device == "cuda"):
                        return
                fn = None


def machine(subject_card: str) -> dict[str, str]:
    """What the figures are from."""
    from importlib.metadata import PackageNotFoundError, version

    found = {
        "card": subject_card,
        "python": platform.python_version(),
        "processor": platform.processor() or platform.machine(),
    }
    try:
        text = Path("/proc/cpuinfo").read_text()
        found["processor"] = next(
            line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")
        )
    except (OSError, StopIteration):
        pass
    for name in ("numpy", "numba", "torch", "cupy-cuda12x", "cupy-cuda13x", "nvidia-cudnn-frontend"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def card(device: str) -> tuple[str, bool]:
    """(name of the card, whether PyTorch can use it), asked of two fresh processes."""
    ask = "import {0} as t; print(t.cuda.get_device_name() if t.cuda.is_available() else '')"
    names = []
    for package in ("polytensor", "torch"):
        done = subprocess.run(
            [sys.executable, "-c", ask.format(package)], env=environment(), capture_output=True, text=True, check=False
        )
        names.append(done.stdout.strip().splitlines()[-1] if done.returncode == 0 and done.stdout.strip() else "")
    if device == "cpu":
        return "cpu", subprocess.run(
            [sys.executable, "-c", "import torch"], capture_output=True, check=False
        ).returncode == 0
    if not names[0]:
        sys.exit("no CUDA device is usable here: python -m polytensor info says why (--device cpu runs without one)")
    return names[0], bool(names[1])


def worker(*what: Any) -> list[str]:
    return [sys.executable, __file__, "--worker", json.dumps(what)]


def one(words: list[str], patience: float) -> tuple[dict[str, Any], str, str]:
    """(what a worker said, the case that it was at if it did not end well, why)."""
    found: dict[str, Any] = {"times": {}, "failed": {}}
    at, why = "before the first case", ""
    with tempfile.TemporaryFile("w+") as told, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen(words, env=environment(), stdout=told, stderr=errors)
        try:
            status = process.wait(patience)
            why = f"its process ended with {status}: " if status else ""
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            why = f"its process was stopped after {patience:.0f} s: "
        told.seek(0), errors.seek(0)
        for line in told:
            what = json.loads(line) if line.startswith("{") and line.endswith("}\n") else {}
            at = what.get("at", at)
            if "us" in what:
                found["times"].setdefault(what["group"], {})[what["case"]] = what["us"]
            if "failed" in what:
                found["failed"][what["failed"]] = what["why"]
        return found, at if why else "", why + errors.read()[-1500:]


def spawn(
    subject: str, device: str, share: float, chosen: list[str], turn: float, patience: float, skip: list[str]
) -> dict[str, Any]:
    """What workers measured; when one crashes or hangs, another goes on after that case."""
    end = time.perf_counter() + share
    skip, result = list(skip), {"times": {}, "failed": {}}
    while True:
        rest = max(1.0, end - time.perf_counter())
        found, at, why = one(worker(subject, device, rest, chosen, turn, skip), rest + patience)
        for group, cases in found["times"].items():
            result["times"].setdefault(group, {}).update(cases)
            skip += [f"{group}: {case}" for case in cases]
        if at:
            found["failed"].setdefault(at, why)
        result["failed"].update(found["failed"])
        skip += found["failed"]
        if not at or at == "before the first case" or end - time.perf_counter() < 5:
            return result


def compile_all(chosen: list[str], limit: float) -> None:
    """Have processes side by side compile what the cases need."""
    end = time.perf_counter() + limit
    begun = [
        subprocess.Popen(
            worker("prepare", subject, "cuda" if subject == "cupy" else "cpu", chosen, part, parts),
            env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for subject, parts in SLICES.items() for part in range(parts)
    ]  # fmt: skip
    for process in begun:
        try:
            process.wait(max(0.1, end - time.perf_counter()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def run(options: Any) -> dict[str, Any]:
    """All rounds: subjects take turns."""
    begin = time.perf_counter()
    name, torch_too = card(options.device)
    gpu = options.device == "cuda"
    main = ([("cupy", "cuda")] + [("pytorch", "cuda")] * torch_too) if gpu else []
    side = [("numpy", "cpu"), ("numba", "cpu")] + [("pytorch", "cpu")] * (torch_too and not gpu)
    jobs = (main * options.rounds + side) if gpu else side * options.rounds
    if gpu:
        print(f"[0/{len(jobs)}] compiling", file=sys.stderr, flush=True)
        compile_all(options.chosen, min(90.0, 0.2 * options.budget))
        print(f"    {time.perf_counter() - begin:.0f} s", file=sys.stderr, flush=True)
    starting = min(8.0, options.budget / len(jobs) / 4)  # seconds that a process takes to begin
    samples: dict[str, dict[str, dict[str, list[float]]]] = {}
    data = {
        "machine": machine(name), "device": options.device, "rounds": options.rounds, "budget": options.budget,
        "seconds": 0.0, "unit": "microseconds", "groups": {}, "failed": {}, "work": work(options.device),
    }  # fmt: skip
    for k, (subject, device) in enumerate(jobs):
        rest = options.budget - (time.perf_counter() - begin)
        mine = max(1.0, rest / (len(jobs) - k) - starting)
        print(f"[{k + 1}/{len(jobs)}] {subject} on {device}, {mine:.0f} s", file=sys.stderr, flush=True)
        turn = jobs[:k].count((subject, device)) / max(1, jobs.count((subject, device)))
        bad = [key.removeprefix(f"{subject}: ") for key in data["failed"] if key.startswith(f"{subject}: ")]
        result = spawn(subject, device, mine, options.chosen, turn, 30.0, bad)
        for key, text in result["failed"].items():
            data["failed"][f"{subject}: {key}"] = text
            print(f"    {key}: {text.strip()[-300:]}", file=sys.stderr, flush=True)
        for group, cases in result["times"].items():
            for case, value in cases.items():
                samples.setdefault(group, {}).setdefault(case, {}).setdefault(subject, []).append(value)
        data["groups"] = {
            g: {c: {s: statistics.median(v) for s, v in by.items()} for c, by in cases.items()}
            for g, cases in samples.items()
        }
        data["seconds"] = round(time.perf_counter() - begin, 1)
        write(data, options.out, False)
    return data


def work(device: str) -> dict[str, dict[str, float]]:
    """Operations or bytes of each case of the groups where they are known."""

    class Nothing:
        def __getattr__(self, name: str) -> Any:
            return self

    gpu = device == "cuda"
    return {
        g: {name: amount for name, _, amount in cases(Nothing(), gpu)}
        for g, cases in (("gemm", gemms), ("attention", attentions), ("bandwidth", bandwidths))
    }


# ---- reports --------------------------------------------------------------------------------------------------------
def ours(data: dict[str, Any]) -> str:
    return "cupy" if data["device"] == "cuda" else "numba"


def ratio(data: dict[str, Any], by: dict[str, float]) -> float | None:
    mine = by.get(ours(data))
    return mine / by["pytorch"] if mine and "pytorch" in by else None


def geometric(values: list[float]) -> float:
    return math.exp(sum(map(math.log, values)) / len(values)) if values else math.nan


def rate(data: dict[str, Any], group: str, case: str, us: float) -> str:
    """TFLOP/s, or the bandwidth and its share of that of a copy."""
    amount = data["work"].get(group, {}).get(case)
    if not amount:
        return ""
    if group != "bandwidth":
        return f"{amount / us / 1e6:.1f} TFLOP/s"
    copy = data["groups"]["bandwidth"].get("copy", {}).get(ours(data))
    share = f", {amount / us / (data['work'][group]['copy'] / copy):.0%} of a copy" if copy else ""
    return f"{amount / us / 1e3:.0f} GB/s{share}"


def markdown(data: dict[str, Any]) -> str:
    """A summary with the goals, then a table for each group."""
    m = data["machine"]
    versions = ", ".join(f"{k} {v}" for k, v in m.items() if k not in ("card", "processor"))
    subjects = ["cupy", "pytorch", "numpy", "numba"] if data["device"] == "cuda" else ["numpy", "numba", "pytorch"]
    lines = [
        f"# {m['card']}", "", f"{m['processor']}; {versions}. Medians of {data['rounds']} rounds of alternating processes, "
        f"{data['seconds']:.0f} s in all; microseconds. Ratios are PolyTensor's time over PyTorch's: lower is better.", "",
        "| group | cases | ratio (geometric mean) | goal | fastest CPU backend over " + ours(data) + " |", "|---|---|---|---|---|",
    ]  # fmt: skip
    for group, cases in data["groups"].items():
        ratios = [r for by in cases.values() if (r := ratio(data, by))]
        speed = [min(by[s] for s in ("numpy", "numba") if s in by) / by[ours(data)]
                 for by in cases.values() if ours(data) in by and ("numpy" in by or "numba" in by)]  # fmt: skip
        goal = f"{GOALS[group]:.2f}" if group in GOALS else f"{SHARE:.0%} of a copy" if group == "bandwidth" else ""
        lines.append(
            f"| {group} | {len(cases)} | {geometric(ratios):.2f} | {goal} | {geometric(speed):.1f} |".replace("nan", "")
        )
    for group, cases in data["groups"].items():
        lines += ["", f"## {group}", "", "| case | " + " | ".join(subjects) + " | ratio | rate |"]
        lines.append("|---" * (len(subjects) + 3) + "|")
        for case, by in cases.items():
            cells = [f"{by[s]:.2f}" if s in by else "" for s in subjects]
            r = ratio(data, by)
            speed = rate(data, group, case, by[ours(data)]) if ours(data) in by else ""
            lines.append(f"| {case} | {' | '.join(cells)} | {'' if r is None else f'{r:.2f}'} | {speed} |")
    if data["failed"]:
        lines += [
            "",
            "## Failed",
            "",
            *[f"- {k}: {v.strip().splitlines()[-1] if v.strip() else v}" for k, v in data["failed"].items()],
        ]
    return "\n".join(lines) + "\n"


def chart(data: dict[str, Any], path: Path) -> None:
    """Ratios of all cases in a panel for each group; training steps by batch size."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    shown = {g: {c: r for c, by in cases.items() if (r := ratio(data, by))} for g, cases in data["groups"].items()}
    shown = {g: v for g, v in shown.items() if v and not g.startswith("steps")}
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for case, by in data["groups"].get("steps", {}).items():
        name, _, batch = case.rpartition(" b")
        for subject, us in by.items():
            curves.setdefault(name, {}).setdefault(subject, []).append((int(batch), us / 1e3))
    panels = len(shown) + len(curves)
    columns = 4
    figure, axes = plt.subplots(max(1, -(-panels // columns)), columns, figsize=(16, 3.6 * max(1, -(-panels // columns))),
                                squeeze=False, layout="constrained")  # fmt: skip
    flat = iter(axes.flat)
    for group, values in shown.items():
        axis = next(flat)
        axis.barh(range(len(values)), list(values.values()))
        axis.axvline(GOALS.get(group, 1.0), color="black", linewidth=0.8)
        axis.set_yticks(range(len(values)), list(values), fontsize=5)
        axis.invert_yaxis()
        axis.set_title(f"{group}: time over PyTorch's", fontsize=8)
    for name, by in curves.items():
        axis = next(flat)
        for subject, points in by.items():
            axis.loglog(*zip(*sorted(points)), marker="o", markersize=3, label=subject)
        axis.set_title(f"{name}: ms a step by batch size", fontsize=8)
        axis.legend(fontsize=6)
    for axis in flat:
        axis.set_visible(False)
    figure.suptitle(data["machine"]["card"], fontsize=10)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def write(data: dict[str, Any], folder: Path, drawn: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    name = re.sub(r"[^a-z0-9]+", "-", data["machine"]["card"].lower().replace("nvidia", "")).strip("-")
    stem = folder / f"gpu-{name}"
    stem.with_suffix(".json").write_text(json.dumps(data, indent=1) + "\n")
    stem.with_suffix(".md").write_text(markdown(data))
    if drawn:
        try:
            chart(data, stem.with_suffix(".png"))
        except ImportError:
            print("no chart: Matplotlib is not installed", file=sys.stderr)
    return stem


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--budget", type=float, default=560, help="seconds for everything (default: 560)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--groups", default="", help="comma-separated parts of names of groups")
    parser.add_argument(
        "--out", type=Path, help="folder to write to (default: results, with --check out, beside this file)"
    )
    parser.add_argument("--read", type=Path, help="write the table and the chart of a JSON file anew")
    parser.add_argument(
        "--check", nargs="?", const=",".join(PARTS), metavar="PARTS",
        help=f"no figures: run what must pass with a GPU, or these of {', '.join(PARTS)} (logs and check.md go to --out)",
    )  # fmt: skip
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, help="processes of the suite (default: cores)"
    )
    parser.add_argument("--touch", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--worker", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.chosen = [c for c in options.groups.split(",") if c]
    options.out = options.out or HERE / ("out" if options.check else "results")
    if options.worker:
        subject, *rest = json.loads(options.worker)
        prepare(*rest) if subject == "prepare" else measure(subject, *rest)
    elif options.touch:
        touch(options.device)
    elif options.check:
        parts = options.check.split(",")
        if wrong := set(parts) - set(PARTS):
            parser.error(f"--check: {', '.join(sorted(wrong))}: the parts are {', '.join(PARTS)}")
        sys.exit(min(check(parts, options.out, options.device, options.budget, options.workers), 1))
    else:
        data = json.loads(options.read.read_text()) if options.read else run(options)
        stem = write(data, options.out)
        print(stem.with_suffix(".md").read_text())
        print(f"written: {stem}.json, .md, .png", file=sys.stderr)


if __name__ == "__main__":
    main()
