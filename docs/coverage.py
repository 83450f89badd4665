"""What of PyTorch's public API is here and agrees with it, found by running the samples of the tests on both.

    python docs/coverage.py [--write]      # needs PyTorch (the extra `oracle`)

A function counts as done if a sample of tests/ops_table*.py runs it on PyTorch and PolyTensor gives the same values,
dtype, shape and gradients; for those of nn, optim and amp see coverage_nn.py. --write puts the tables into docs/ops.md and docs/missing.md.
"""

from __future__ import annotations

import argparse
import inspect
import re
import subprocess
import sys
import warnings
from collections import defaultdict
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode, resolve_name
from tqdm import tqdm

ROOT = Path(__file__).resolve().parent.parent

# Numba looks for a module called coverage, and must not find this one
sys.path[:] = [str(ROOT), str(ROOT / "tests"), *(p for p in sys.path if Path(p).resolve() != ROOT / "docs")]

import test_ops  # noqa: E402
from ops_table import Sample  # noqa: E402

import polytensor  # noqa: E402
from polytensor import devices  # noqa: E402

NAMESPACES = ("", "Tensor", "linalg", "fft", "special", "nn.functional")
# what is not compared, and why; the first pattern that fits a name gives the reason
ASIDE = {
    r"sparse|coalesce|(ccol|col|crow|row)_indices|^(indices|values)(_copy)?$|dense_dim|to_dense|^(hspmm|spmm|smm|sspaddmm|saddmm)"
    r"|^(ds|hs)mm$|to_padded_tensor": "sparse and nested tensors",
    r"quantize|quantized|^q_|qscheme|int_repr|fused_moving|choose_qparams|fbgemm": "quantized tensors",
    r"^scaled_(grouped_)?mm$": "8-bit floating point numbers",
    r"cudnn|miopen|mkldnn|vulkan|(^|_)(ipu|xla|maia|mtia|xpu)(_|$)|chalf|cxx11|get_device_module":
        "one vendor's device or library",
    r"^(fork|wait|import_ir_module.*|parse_ir|parse_schema|parse_type_comment|merge_type.*|unify_type_list|profiler_.*"
    r"|thread_safe_generator|get_file_path|prepare_multiprocessing_environment|classproperty|while_loop|slice_inverse"
    r"|init_num_threads|sym_.*)$": "internals of the compiler and of PyTorch's own build",
    r"^native_|^batch_norm_.|^_": "internal halves of public functions",
    r"^index$": "first-class dimensions",
    r"^(align_|rename|refine_names|names$|has_names)": "named tensors",
    r"^(volatile|reinforce|resize|resize_as|new|module_load|storage_type)$": "removed or deprecated in PyTorch itself",
    r"assert_int|has_torch_function|boolean_dispatch|handle_torch|^(Tensor|Optional|Union|TYPE_CHECKING|Callable)$":
        "names that PyTorch's modules import for themselves",
}  # fmt: skip
DTYPES = [
    "bool",
    "uint8",
    "int8",
    "int16",
    "int32",
    "int64",
    "float16",
    "bfloat16",
    "float32",
    "float64",
    "complex64",
    "complex128",
]


class Names(TorchFunctionMode):
    """Collects the names of the PyTorch functions that run inside it."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = resolve_name(func)
        if name:
            self.names.add(re.sub(r"\.__(get|set)__$", "", name))
        return func(*args, **(kwargs or {}))


class Module:
    """A module that notes which of its names are asked for."""

    def __init__(self, module: Any, prefix: str, names: set[str]) -> None:
        self.__dict__.update(_module=module, _prefix=prefix, _names=names)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._module, name)
        if isinstance(value, ModuleType):
            return Module(value, f"{self._prefix}.{name}", self._names)
        self._names.add(f"{self._prefix}.{name}")
        return value


def public(space: str) -> dict[str, Any]:
    """PyTorch's public functions (methods and properties of Tensor) in a namespace."""
    home = torch
    for part in space.split(".") if space else ():
        home = getattr(home, part)
    result = {}
    for name in dir(home):
        value = getattr(home, name, None) if space != "Tensor" else inspect.getattr_static(home, name)
        if name.startswith("_") or inspect.ismodule(value):
            continue
        if space != "Tensor" and (not callable(value) or inspect.isclass(value)):
            continue
        result[name] = value
    return result


def run(sample: Any) -> tuple[Any, set[str]]:
    """(PyTorch's outcome, names of what ran)."""
    mode = Names()
    with mode:
        expected = test_ops.outcome(Module(torch, "torch", mode.names), sample, grad=sample.grad)
    if expected[0] == "error":  # some of PyTorch's functions refuse to be watched
        expected = test_ops.outcome(Module(torch, "torch", mode.names), sample, grad=sample.grad)
    return expected, mode.names


def agrees(sample: Any, expected: Any, backend: str = "numpy") -> bool:
    with devices.use_backend(backend):
        actual = test_ops.outcome(polytensor, sample, devices.backend_device(backend), sample.grad)
    try:
        test_ops.compare(sample, actual, expected, exact_layout=False)
    except AssertionError:
        return False
    return True


# PyTorch keeps these names only to say, in an error, which function replaced them
GONE = {"symeig", "eig", "lstsq", "matrix_rank", "solve"}


def aside(name: str, space: str = "") -> str:
    if space in ("", "Tensor") and name in GONE:
        return "removed in PyTorch itself"
    return next((why for pattern, why in ASIDE.items() if re.search(pattern, name)), "")


def main_dtype(sample: Any) -> Any:
    """The dtype of the sample's numbers: float64 if one is, else float32, complex128, int64 or bool; None if there are none."""
    have = {a.dtype for a in sample.inputs(np.random.default_rng(0))}
    return next((np.dtype(d) for d in ("f8", "f4", "c16", "i8", "?") if np.dtype(d) in have), None)


def converted(sample: Any, dtype: str) -> Any:
    """`sample` with the inputs of its main dtype in another one."""
    main = main_dtype(sample)

    def inputs(rng: Any) -> tuple[Any, ...]:
        result = []
        for a in sample.inputs(rng):
            if a.dtype == main:
                if dtype in ("bool", "uint8"):
                    a = np.asarray(np.abs(a))
                kind = np.float32 if dtype == "bfloat16" else dtype
                a = np.asarray(a).astype(kind)
            result.append(a)
        return tuple(result)

    def fn(t: Any, *xs: Any) -> Any:
        if dtype == "bfloat16":
            xs = tuple(x.to(t.bfloat16) if x.dtype == t.float32 else x for x in xs)
            out = sample.fn(t, *xs)
            flat = test_ops.flat(out)
            return [y.to(t.float32) if isinstance(y, t.Tensor) and y.dtype == t.bfloat16 else y for y in flat]
        return sample.fn(t, *xs)

    return Sample(sample.name, fn, inputs, grad=False)


def orders(sample: Any) -> int:
    """How many times the sample's gradient can be taken and agrees with PyTorch's (0 to 2)."""
    results = []
    for module in (torch, polytensor):
        found: list[Any] = []
        try:
            arrays = sample.inputs(np.random.default_rng(0))
            xs = [module.from_numpy(a.copy()) for a in arrays]
            wanted = [x.requires_grad_() for x in xs if x.dtype == module.float64]
            ys = [y for y in test_ops.flat(sample.fn(module, *xs)) if isinstance(y, module.Tensor) and y.requires_grad]
            for _ in range(2):
                total = sum((y * y).sum() for y in ys if y.is_floating_point())
                ys = [
                    g
                    for g in module.autograd.grad(total, wanted, create_graph=True, allow_unused=True)
                    if g is not None
                ]
                found.append([y.detach().numpy() for y in ys])
                ys = [y for y in ys if y.requires_grad]
        except Exception:  # noqa: BLE001 any error ends the orders
            pass
        results.append(found)
    count = 0
    for theirs, ours in zip(*results, strict=False):
        if len(theirs) != len(ours) or not theirs:
            break
        if not all(np.allclose(a, b, 1e-6, 1e-9, equal_nan=True) for a, b in zip(theirs, ours, strict=True)):
            break
        count += 1
    return count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--write", action="store_true", help="write docs/ops.md and docs/missing.md")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    done: dict[str, list[Any]] = defaultdict(list)
    wrong: dict[str, list[str]] = defaultdict(list)
    for sample in tqdm(test_ops.SAMPLES, desc="samples"):
        expected, names = run(sample)
        if expected[0] == "error":
            continue
        method = re.match(r"Tensor\.(\w+)", sample.name)  # PyTorch does not report all of its methods
        if method and hasattr(torch.Tensor, method[1]):
            names.add(f"torch.{method[0]}")
        good = agrees(sample, expected)
        for name in names:
            (done[name].append(sample) if good else wrong[name].append(sample.name))
    lines = [
        "# What of PyTorch's API is not here",
        "",
        "Made by `python docs/coverage.py --write`; see its text for what counts.",
        "",
    ]
    total = have = 0
    for space in NAMESPACES:
        title = f"torch.{space}" if space else "torch"
        names = {n: v for n, v in public(space).items()}
        kept = [n for n in names if not aside(n, space)]
        missing, untested = [], []
        for n in kept:
            full = f"{title}.{n}"
            if full in done:
                continue
            home = polytensor
            for part in space.split(".") if space else ():
                home = getattr(home, part, None)
            (untested if home is not None and hasattr(home, n) else missing).append(n)
        count = len(kept) - len(missing) - len(untested)
        total, have = total + len(kept), have + count
        percent = 100 * count / max(len(kept), 1)
        print(
            f"{title}: {count} of {len(kept)} run and agree ({percent:.1f} %), {len(untested)} there without a sample, {len(missing)} missing"
        )
        if untested or missing:
            print("  no sample:", ", ".join(untested) or "none", "| missing:", ", ".join(missing) or "none")
        lines += [f"## {title}", "", f"{count} of {len(kept)} run in a sample and agree with PyTorch.", ""]
        lines += [
            f"There, but no sample runs it: {', '.join(untested) or 'none'}.",
            "",
            f"Missing: {', '.join(missing) or 'none'}.",
            "",
        ]
        reasons = defaultdict(list)
        for n in names:
            if aside(n, space):
                reasons[aside(n, space)].append(n)
        lines += [f"Left aside, {why}: {', '.join(found)}.\n" for why, found in reasons.items()]
    print(f"all: {have} of {total} ({100 * have / total:.1f} %)")
    for name, samples in sorted(wrong.items()):
        if name not in done:
            print("differs:", name, samples[:3])
    if options.write:
        write_ops(done)
    layers = subprocess.run(
        [sys.executable, str(ROOT / "docs" / "coverage_nn.py")], stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    figures, section = layers.split("\n## ", 1)
    print(figures)
    lines += ["## " + section]
    if options.write:
        (ROOT / "docs" / "missing.md").write_text("\n".join(lines))


def write_ops(done: dict[str, list[Any]]) -> None:
    backends = [b for b in ("numpy", "numba", "cupy") if devices.backend_status()[b][0]]
    lines = [
        "# Operations",
        "",
        f"Made by `python docs/coverage.py --write` on the backends {', '.join(backends)}: every line was run, on PyTorch",
        f"{torch.__version__.split('+')[0]} and here, and gave the same values, dtypes, shapes and gradients. [missing.md](missing.md)",
        "lists what is not here.",
        "",
        "- samples: how many calls of the test tables run the function and agree",
        "- backends: where one of them agrees, when it is not on all of the above",
        "- dtypes: of the inputs, in which a call agrees with PyTorch. *int* is uint8, int8, int16, int32, int64; *float* is",
        "  float16, bfloat16, float32, float64; *complex* is complex64, complex128; *all* is these and bool. A dash: no tensor",
        "  of numbers goes in",
        "- differs: dtypes that PyTorch takes in that call too, and PolyTensor refuses or answers otherwise",
        "- grad: how many orders of derivatives were compared (2 at most)",
        "",
    ]
    table = {}
    for space in NAMESPACES:
        title = f"torch.{space}" if space else "torch"
        ours = [k for k in public(space) if f"{title}.{k}" in done]
        table[space] = {k: facts(done[f"{title}.{k}"], backends) for k in tqdm(ours, desc=title)}
    for space, found in table.items():
        title = f"torch.{space}" if space else "torch"
        lines += [f"## {title}", ""]
        same = [k for k, row in found.items() if space == "Tensor" and row[1:] == table[""].get(k, (0,))[1:]]
        if same:
            lines += [f"As the functions of torch of the same name: {', '.join(f'`{k}`' for k in same)}.", ""]
        lines += [
            "| op | samples | backends | dtypes | differs | grad | notes |",
            "|---|---|---|---|---|---|---|",
        ]
        for k, (count, able, yes, no, order) in found.items():
            if k not in same:
                where = "" if able == tuple(backends) else " ".join(able) or "none"
                cells = (f"`{k}`", count, where, short(yes), short(no), order or "", notes(f"{title}.{k}"))
                lines.append("|" + "|".join(str(c) for c in cells) + "|")
        lines.append("")
    (ROOT / "docs" / "ops.md").write_text("\n".join(lines))


def facts(samples: list[Any], backends: list[str]) -> tuple[Any, ...]:
    """(how many samples, backends, dtypes that agree, dtypes that PyTorch has besides, orders of derivatives)."""
    ordered = sorted(samples, key=lambda s: (not s.grad, len(s.name)))
    sample = next((s for s in ordered if main_dtype(s) == np.float64), ordered[0])
    expected, _ = run(sample)
    able = tuple(b for b in backends if agrees(sample, expected, b))
    yes, no = [], []
    for d in DTYPES if main_dtype(sample) is not None else ():
        other = converted(sample, d)
        try:
            theirs, _ = run(other)
            if theirs[0] == "values":
                (yes if near(other, theirs, HALVES.get(d)) else no).append(d)
        except (TypeError, ValueError):  # a dtype that NumPy cannot show, or a sample that is about one dtype
            continue
    return len(samples), able, yes, no, orders(sample) if sample.grad else 0


# PyTorch rounds halves at other places within a function: what two of their roundings allow
HALVES = {"float16": 4e-3, "bfloat16": 3e-2}


def near(sample: Any, expected: Any, tolerance: float | None) -> bool:
    """agrees, with a tolerance of its own for halves."""
    if tolerance is None:
        return agrees(sample, expected)
    actual = test_ops.outcome(polytensor, sample, devices.backend_device("numpy"), False)
    if actual[0] != "values" or len(actual[1]) != len(expected[1]):
        return False
    for a, e in zip(actual[1], expected[1], strict=True):
        if not isinstance(e, tuple):
            if a != e:
                return False
        elif a[1:3] != e[1:3] or not np.allclose(a[0], e[0], tolerance, tolerance, equal_nan=True):
            return False
    return True


KINDS = {
    "all": DTYPES,
    "float": ["float16", "bfloat16", "float32", "float64"],
    "int": ["uint8", "int8", "int16", "int32", "int64"],
    "complex": ["complex64", "complex128"],
}


def short(names: list[str]) -> str:
    """A set of dtypes by the names of whole kinds."""
    words, left = [], list(names)
    for kind, members in KINDS.items():
        if left and all(m in left for m in members):
            words.append(kind)
            left = [n for n in left if n not in members]
    return " ".join(words + left) or ("" if names else "-")


def notes(name: str) -> str:
    """Sentences of the docstring that tell a difference from PyTorch."""
    home: Any = polytensor
    for part in name.split(".")[1:]:
        home = getattr(home, part, None)
    text = " ".join((getattr(home, "__doc__", None) or "").split())
    told = r"[Uu]nlike PyTorch|\((in )?PyTorch |PyTorch's `|(is|are) not there"
    return " ".join(s for s in re.split(r"(?<=[.)]) (?=[A-Z])", text) if re.search(told, s)).replace("|", "\\|")


if __name__ == "__main__":
    main()
