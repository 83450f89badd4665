"""Which public classes and functions of nn, optim and amp a passing test builds and runs on PyTorch and on PolyTensor.

    python docs/coverage_nn.py     # needs PyTorch; docs/coverage.py includes the same list

The tests run under a profiler. A module counts when its forward ran, an optimizer or scheduler when it stepped, another class
when it was made, a function when it was called; in both libraries, in one test, which passed.
"""

from __future__ import annotations

import importlib
import inspect
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent
# without this folder: Numba looks for a module called coverage, and must not find the script beside this one
sys.path[:] = [str(ROOT), str(ROOT / "tests"), *(p for p in sys.path if Path(p).resolve() != ROOT / "docs")]

NN_NAMESPACES = (
    "nn", "nn.parameter", "nn.init", "nn.attention", "nn.utils", "nn.utils.rnn", "nn.utils.parametrize",
    "nn.utils.parametrizations", "nn.utils.prune", "nn.utils.stateless", "optim", "optim.lr_scheduler", "optim.swa_utils", "amp",
)  # fmt: skip
# what is not compared, and why; the first pattern that fits "namespace.name" gives the reason
NN_ASIDE = {
    r"^nn\.init\.(?!calculate_gain).*[a-z]$|^nn\.(Container|NLLLoss2d)$|nn.utils.clip_grad_norm$|NormStateDictHook": "deprecated in PyTorch itself",
    r"factory_kwargs|PackedSequence_|rnn\.bind$|LinearCrossEntropyOptions|swap_in_optimizer|^nn\.init\.(Callable|Literal)":
        "internals that PyTorch's modules happen to show",
    r"SparseAdam$": "sparse gradients",
    r"flash_attention_impl|^nn\.attention\.SDPBackend$": "choice of one vendor's attention kernels",
}  # fmt: skip
# bases: what inherits them is tested
BASES = r"^nn\.(RNNBase|RNNCellBase)$|^optim\.Optimizer$|LRScheduler$|UninitializedTensorMixin$|BasePruningMethod$"
NN_ASIDE[BASES] = "bases of other classes, which are tested"
# the method that shows a class at work, by what it inherits; other classes: __init__
WORK = {"Module": "forward", "Optimizer": "step", "LRScheduler": "step", "BasePruningMethod": "compute_mask"}
METHODS = {"__init__", "__new__", *WORK.values()}
# tests that have nothing to say about layers, or run elsewhere
OTHERS = re.compile(
    "gradcheck|cupy|cuda|cublas|cudnn|gpu|numba|views|examples|tutorials|documents|special|promotion|package|autograd|func|data"
    "|inplace|random|reference|vision|files|sharing|tensorboard|benchmark|hub|safetensors|snapshots|namespaces|library|surface"
    "|signatures|distributions|capabilities|overrides|subclasses|printing|progress|serialization|testing|lifetimes|meta"
)


def names(space: str) -> dict[str, Any]:
    """PyTorch's public classes and functions that a namespace defines."""
    home = importlib.import_module(f"torch.{space}")
    found = {n: getattr(home, n) for n in dir(home) if not n.startswith("_")}
    return {
        n: v for n, v in found.items() if callable(v) and str(getattr(v, "__module__", "")).startswith(f"torch.{space}")
    }


def ours(space: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(f"polytensor.{space}"), name, None)
    except ImportError:
        return None


def aside(full: str) -> str:
    return next((why for pattern, why in NN_ASIDE.items() if re.search(pattern, full)), "")


def work_of(value: Any) -> str:
    """The method of PyTorch's class that shows it at work; containers only hold, a lazy layer turns into another class."""
    bases = {b.__name__ for b in value.__mro__} if inspect.isclass(value) else set()
    work = next((method for base, method in WORK.items() if base in bases), "__init__")
    idle = work == "forward" and ("unimplemented" in value.forward.__name__ or "Lazy" in value.__name__)
    return "__init__" if idle else work


class Recorder:
    """A pytest plugin: `done` has the full names that a passing test ran in both libraries."""

    def __init__(self) -> None:
        self.done: set[str] = set()
        self.functions: dict[CodeType, list[tuple[int, str]]] = defaultdict(list)
        self.classes: dict[type, list[tuple[int, str, str]]] = defaultdict(list)
        self.seen: tuple[set[str], set[str]] = (set(), set())
        self.work: dict[str, str] = {}
        self.terminal = os.fdopen(os.dup(2), "w")  # pytest takes the other one
        for space in NN_NAMESPACES:
            for name, theirs in names(space).items():
                self.work[f"{space}.{name}"] = work_of(theirs)
                for side, value in enumerate((theirs, ours(space, name))):
                    self.watch(side, f"{space}.{name}", value)

    def watch(self, side: int, full: str, value: Any) -> None:
        if inspect.isclass(value):
            self.classes[value].append((side, full, self.work[full]))
            return
        code = getattr(inspect.unwrap(value), "__code__", None) if value is not None else None
        if code is not None:
            self.functions[code].append((side, full))

    def trace(self, frame: Any, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        for side, full in self.functions.get(code, ()):
            self.seen[side].add(full)
        if code.co_name in METHODS and code.co_argcount:
            first = frame.f_locals.get(code.co_varnames[0])
            kind = first if code.co_name == "__new__" else type(first)
            for base in kind.__mro__ if isinstance(kind, type) else ():
                for side, full, work in self.classes.get(base, ()):
                    if code.co_name == work or (work == "__init__" and code.co_name == "__new__"):
                        self.seen[side].add(full)
                if base in self.classes:
                    break

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        """Of the many samples of test_ops, those whose text names a class."""
        known = {c.__name__ for c in self.classes}
        items[:] = [i for i in items if "sample" not in getattr(i, "fixturenames", ()) or named(i) & known]
        self.bar = tqdm(total=len(items), desc="tests of layers", file=self.terminal)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[Any]:
        self.seen = (set(), set())
        sys.setprofile(self.trace)
        try:
            result = yield
        finally:
            sys.setprofile(None)
            self.bar.update()
        self.done |= self.seen[0] & self.seen[1]
        return result

    def pytest_sessionfinish(self) -> None:
        self.bar.close()


def named(item: Any) -> set[str]:
    """The attributes that a sample's function, or its name, mentions."""
    sample = item.callspec.params["sample"]
    codes, found = [sample.fn.__code__], set(re.findall(r"^nn\.(\w+)", sample.name))
    while codes:
        code = codes.pop()
        found |= set(code.co_names)
        codes += [c for c in code.co_consts if isinstance(c, CodeType)]
    return found


def coverage() -> list[str]:
    """Run the tests; print the figures; the section of docs/missing.md."""
    recorder = Recorder()
    files = sorted(str(f) for f in (ROOT / "tests").glob("test_*.py") if not OTHERS.search(f.stem))
    quiet = [
        "-q",
        "--tb=no",
        "--no-header",
        "-p",
        "no:cacheprovider",
        "-W",
        "ignore::pytest.PytestAssertRewriteWarning",
    ]
    pytest.main([*quiet, "--polytensor-backends=numpy", *files], [recorder])
    lines = []
    for space in NN_NAMESPACES:
        found = {n: aside(f"{space}.{n}") for n in names(space)}
        kept = [n for n, why in found.items() if not why]
        done = [n for n in kept if f"{space}.{n}" in recorder.done]
        missing = [n for n in kept if n not in done and ours(space, n) is None]
        untested = [n for n in kept if n not in done and n not in missing]
        print(
            f"torch.{space}: {len(done)} of {len(kept)} run on both, {len(untested)} there untested, {len(missing)} missing"
        )
        lines += [f"## torch.{space}", "", f"{len(done)} of {len(kept)} are built and run on both by a test.", ""]
        lines += [f"There, but no test runs it on both: {', '.join(untested) or 'none'}.", ""]
        lines += [f"Missing: {', '.join(missing) or 'none'}.", ""]
        reasons = defaultdict(list)
        for n, why in found.items():
            if why:
                reasons[why].append(n)
        lines += [f"Left aside, {why}: {', '.join(group)}.\n" for why, group in reasons.items()]
    return lines


if __name__ == "__main__":
    print("\n".join(coverage()))
