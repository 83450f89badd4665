"""What must pass on a machine with a GPU, in parts with a log each: `python benchmarks/gpu.py --check [PARTS]`."""

from __future__ import annotations

import os
import re
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = ("memcheck", "racecheck", "synccheck")  # of compute-sanitizer
# shares of the time
WEIGHTS = {"info": 2, "example": 4, "suite": 14, "oracle": 5, "memcheck": 10, "racecheck": 6, "synccheck": 4}
SUITES = ("suite", "oracle")  # oracle: ops against PyTorch on the same device
GRACE = 15.0  # seconds that a part has to tell what it knows once its time is over
LONGEST = 150  # seconds that a test may take: then its process is replaced
LINES = 40  # of failures, in the summary


def environment() -> dict[str, str]:
    """For processes of our own: this checkout first on the path, output as it comes."""
    env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_") and k != "POLYTENSOR_BACKEND"}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE.parent), env.get("PYTHONPATH"))))
    env["PYTHONUNBUFFERED"] = "1"
    return env


def sanitizer() -> str | None:
    """Where compute-sanitizer is."""
    places = sorted(Path("/usr/local").glob("cuda*/bin/compute-sanitizer"))
    return shutil.which("compute-sanitizer") or (str(places[-1]) if places else None)


def own_kernels() -> str:
    """A regular expression for the names of our CUDA kernels, as C++ has them."""
    sys.path.insert(0, str(HERE.parent))
    from polytensor.backends.cupy import launch

    return f"[0-9]({'|'.join([*sorted(launch.KERNELS), 'rule_'])})"


def command(part: str, out: Path, device: str, workers: int) -> list[str]:
    """The command of a part. FileNotFoundError where its program is not installed."""
    python = sys.executable
    if part == "info":
        return [python, "-m", "polytensor", "info"]
    if part == "example":
        return [python, "examples/train_digits.py", "--compare"]
    if part in SUITES:
        watched = [f"--failures={out.absolute() / f'check-{part}-failures.txt'}", f"--longest={LONGEST}"]
        pytest = [python, "-m", "pytest", "-q", "-n", str(workers), "--tb=short", "--no-summary", *watched]
        ours = ["cupy"] if device == "cuda" else []
        if part == "suite":
            return [*pytest, f"--polytensor-backends={','.join(['numpy', 'numba', *ours])}"]
        return [
            *pytest,
            f"--polytensor-backends={','.join(ours or ['numpy'])}",
            f"--oracle-device={device}",
            "tests/test_ops.py",
        ]
    found = sanitizer()
    if found is None:
        raise FileNotFoundError("compute-sanitizer is not installed")
    options = ["--report-api-errors", "no", "--kernel-name", f"regex={own_kernels()}", "--error-exitcode", "9"]
    options += ["--launch-timeout", "120", "--print-limit", "40", "--num-callers-host", "4"]
    return [found, "--tool", part, *options, python, str(HERE / "gpu.py"), "--touch", "--device", device]


def follow(words: list[str], log: Path, limit: float) -> tuple[int | None, str]:
    """Run a command; its output goes to the log and to ours as it comes. (exit status, None where it was stopped; the end
    of the output)."""
    end, last, told = time.perf_counter() + limit, b"", False
    process = subprocess.Popen(
        words,
        cwd=HERE.parent,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    assert process.stdout is not None
    os.set_blocking(process.stdout.fileno(), False)
    with process.stdout, selectors.DefaultSelector() as waiting, log.open("wb") as file:
        waiting.register(process.stdout, selectors.EVENT_READ)
        while True:
            if waiting.select(max(0.0, min(1.0, end - time.perf_counter()))):
                data = process.stdout.read()
                if data == b"":
                    break
                file.write(data)
                file.flush()
                sys.stdout.buffer.write(data)
                sys.stdout.flush()
                last = (last + data)[-20000:]
            elif process.poll() is not None:  # a child of it still holds the pipe
                break
            if time.perf_counter() > end:
                if told:
                    break
                told, end = True, time.perf_counter() + GRACE
                process.send_signal(signal.SIGINT)  # pytest then says how far it came
    stop(process)
    return None if told else process.wait(), last.decode(errors="replace")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process and what it started."""
    try:
        process.wait(2)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    process.wait()


def summary(part: str, status: int | None, seconds: float, text: str, failures: Path) -> list[str]:
    """A line for a part, and what failed in the suite by kind of error."""
    verdict = "stopped, for its time was over" if status is None else "FAILED" if status else "passed"
    ends = {
        **dict.fromkeys(SUITES, r"^=*\s*(\d+ (?:passed|failed|error).*?)=*$"),
        **dict.fromkeys(TOOLS, r"^=+ ((?:ERROR|RACECHECK) SUMMARY.*)$"),
    }
    found = re.findall(ends[part], text, re.M) if part in ends else []
    lines = [f"{part}: {verdict}, {seconds:.0f} s" + (f": {found[-1].strip()}" if found else "")]
    if part not in SUITES or not failures.exists():
        return lines
    kinds: Counter[str] = Counter()
    first: dict[str, str] = {}
    for name, why in re.findall(r"^(?:FAILED|ERROR) (\S.*?)(?: - (.*))?$", failures.read_text(), re.M):
        kinds[why[:160]] += 1
        first.setdefault(why[:160], name)
    lines += [f"  {n:5} x {why or 'no reason'} | first: {first[why]}" for why, n in kinds.most_common(LINES)]
    return lines + [f"  and {len(kinds) - LINES} kinds more"] * (len(kinds) > LINES)


def check(parts: list[str], out: Path, device: str, budget: float, workers: int) -> int:
    """Run the parts within `budget` seconds; how many did not pass. Logs and check.md go into the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    lines: list[str] = []
    wrong, left, end = 0, sum(WEIGHTS[p] for p in parts), time.perf_counter() + budget
    for part in parts:
        begin = time.perf_counter()
        limit = max(1.0, (end - begin) * WEIGHTS[part] / left - GRACE)
        left -= WEIGHTS[part]
        failures = out / f"check-{part}-failures.txt"
        try:
            words = command(part, out, device, workers)
            print(f"\n== {part}, at most {limit:.0f} s: {' '.join(words)[:600]}", flush=True)
            failures.unlink(missing_ok=True)
            status, text = follow(words, out / f"check-{part}.log", limit)
            wrong += status != 0
            lines += summary(part, status, time.perf_counter() - begin, text, failures)
        except Exception as error:  # noqa: BLE001 the other parts go on
            wrong += 1
            lines.append(f"{part}: could not be run: {type(error).__name__}: {error}")
        (out / "check.md").write_text("\n".join(f"- {line}" if line[0] != " " else line for line in lines) + "\n")
        print(f"== {lines[-1] if lines[-1][0] != ' ' else part + ' is over'}", flush=True)
    print("\n" + "\n".join(lines), flush=True)
    return wrong
