"""CuPy without a GPU: every CUDA source compiles, every name that is used exists, and absence is told clearly."""

import ast
import ctypes
import dataclasses
import hashlib
import importlib.util
import inspect
import os
import re
import sys
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import test_ops

import polytensor
from polytensor import devices
from polytensor.backends.base import UFUNCS
from polytensor.backends.cupy import CupyBackend, launch
from polytensor.backends.cupy.norms import resident
from polytensor.ops.rows import written

BACKENDS = Path(devices.__file__).parent / "backends"
FILES = [str(p.relative_to(BACKENDS)) for d in (".", "cupy") for p in sorted((BACKENDS / d).glob("*.py"))]


@pytest.fixture(scope="module")
def cupy():
    return pytest.importorskip("cupy")


# Kernels that may use local memory, and how many bytes of it: a thread's registers do not hold all that it needs.
LOCAL = {
    "norm_rows_backward<__half, 8, 4>": 192,  # rows of 8193 to 16384: two sums for each of 32 columns
    "norm_rows_backward<__nv_bfloat16, 8, 4>": 192,
    "norm_rows_backward<double, 1, 8>": 16,
}


@pytest.mark.parametrize("arch", ["sm_80", "sm_90"])
@pytest.mark.parametrize("name", launch.KERNELS)
def test_source_compiles(cupy, name, arch, request):
    """To machine code in which a thread's values stay in registers, and packs are stored whole.

    Once for each text, set of types and release of NVRTC: what compiled in an earlier run is not compiled again.
    """
    nvrtc = cupy.cuda.nvrtc
    try:
        program = nvrtc.createProgram(launch.code(name), f"{name}.cu", (), ())
    except (RuntimeError, ImportError, OSError) as error:
        pytest.skip(f"NVRTC is not installed: {error}")
    known = getattr(request.config, "cache", None)
    parts = (launch.code(name), launch.KERNELS[name].types, launch.OPTIONS, arch, nvrtc.getVersion(), LOCAL)
    key = f"cuda/{hashlib.sha256(repr(parts).encode()).hexdigest()}"
    if known is not None and known.get(key, False):
        return
    for types in launch.KERNELS[name].types:
        nvrtc.addNameExpression(program, launch.expression(name, types))
    try:
        flags = (f"-arch={arch}", "-ftz=true", "--ptxas-options=-v")  # the second as CuPy gives it
        nvrtc.compileProgram(program, (*flags, *launch.OPTIONS, *cuda_headers()))
    except nvrtc.NVRTCError:
        log = nvrtc.getProgramLog(program)
        if "could not open source file" in log:
            pytest.skip(f"the CUDA headers are not installed: {log}")
        pytest.fail(log, pytrace=False)
    names = [launch.expression(name, types) for types in launch.KERNELS[name].types]
    told = used_memory(nvrtc.getProgramLog(program))
    used = {n: told[lowered_name(nvrtc, program, n)] for n in names}
    assert {n: local for n, (local, _) in used.items() if local > LOCAL.get(n, 0)} == {}
    if name == "norm_rows_backward":  # its grid is as large as runs at a time
        for n, (c, v, held) in zip(names, launch.KERNELS[name].types, strict=True):
            assert (
                -(-used[n][1] // 8) * 8 * resident(int(v), held, np.float64 if c == "double" else np.float32) <= 65536
            )
    if known is not None:
        known.set(key, True)


def used_memory(log):
    """(Bytes of local memory, that is of stack and of spilled registers, and registers) of each function, from ptxas."""
    form = r"Function properties for (\S+)\n.*?(\d+) bytes stack frame, (\d+) bytes spill stores.*\n(?:.*Used (\d+) registers)?"
    return {name: (max(int(stack), int(spilled)), int(r or 0)) for name, stack, spilled, r in re.findall(form, log)}


def lowered_name(nvrtc, program, name):
    found = nvrtc.getLoweredName(program, name)
    return found.decode() if isinstance(found, bytes) else found


def test_local_memory_is_seen(cupy):
    nvrtc = cupy.cuda.nvrtc
    text = """extern "C" __global__ void f(int* x, int n) {
        int a[64];
        for (int i = 0; i < 64; ++i) a[x[i] & 63] = i;
        x[n] = a[x[n] & 63];
    }"""
    try:
        program = nvrtc.createProgram(text, "f.cu", (), ())
    except (RuntimeError, ImportError, OSError) as error:
        pytest.skip(f"NVRTC is not installed: {error}")
    nvrtc.compileProgram(program, ("-arch=sm_90", "--ptxas-options=-v"))
    assert used_memory(nvrtc.getProgramLog(program))["f"][0] == 256


@cache
def cuda_headers():
    """Options that name the folders with cuda_fp16.h, of a toolkit or of the package nvidia-cuda-runtime."""
    roots = [Path(p) for p in (os.environ.get("CUDA_PATH"), "/usr/local/cuda") if p]
    spec = importlib.util.find_spec("nvidia")
    roots += [p for base in (spec.submodule_search_locations if spec else ()) for p in Path(base).glob("c*")]
    return tuple(f"-I{r / 'include'}" for r in roots if (r / "include" / "cuda_fp16.h").exists())[:1]


def used_names(path):
    """Dotted names that a file reads from xp, self.xp or np (in the CuPy backend np is cupy)."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Attribute):
            continue
        parts = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        root = node.id if isinstance(node, ast.Name) else None
        parts.reverse()
        if root == "self" and parts[0] == "xp":
            found.add(tuple(parts[1:]))
        elif root in ("xp", "cupy"):
            found.add(tuple(parts))
    return {p for p in found if p}


@pytest.mark.parametrize("file", FILES)
def test_every_name_exists_in_cupy(cupy, file):
    missing = []
    for parts in used_names(BACKENDS / file):
        obj = cupy
        for part in parts:
            if not hasattr(obj, part):
                missing.append(".".join(parts))
                break
            obj = getattr(obj, part)
            if not (isinstance(obj, type(cupy)) or isinstance(obj, type)):
                break
    assert not missing


def called(node):
    """('xp', dotted name) of a function of the library that a call names, ('array', name) of a method, or None."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Call) and ast.unparse(node) == "super()":  # a backend's own
        return None
    root = node.id if isinstance(node, ast.Name) else None
    parts.reverse()
    if root == "self" and parts[:1] == ["xp"]:
        return "xp", parts[1:]
    if root in ("xp", "cupy"):
        return "xp", parts
    return ("array", parts[-1:]) if parts and root not in ("self", "np", "math") else None


SAFE = {"copy", "sort", "fill", "view"}  # Python's containers have such methods too


def signature_of(cupy, kind, parts):
    """What CuPy takes, or None where that is not known."""
    from cupy_twin import METHODS, signature_in_doc

    if kind == "array":
        known = parts[0] in METHODS - SAFE and signature_in_doc(getattr(cupy.ndarray, parts[0]))
        return bound(known) if known else None
    obj = cupy
    for part in parts:
        obj = getattr(obj, part)
    if isinstance(obj, cupy.ufunc):
        inputs = [inspect.Parameter(f"x{i}", inspect.Parameter.POSITIONAL_ONLY) for i in range(obj.nin)]
        options = [
            inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, default=None) for n in ("out", "dtype", "casting")
        ]
        return inspect.Signature(inputs + options)
    try:
        return inspect.signature(obj)
    except (TypeError, ValueError):  # compiled
        known = signature_in_doc(obj)
        return bound(known) if known else None


def bound(known):
    """A method's signature without self."""
    return known.replace(parameters=[p for p in known.parameters.values() if p.name != "self"])


@pytest.mark.parametrize("file", FILES)
def test_every_call_fits_cupys_signature(cupy, file):
    """The number of arguments and the keywords of each call of the library and of each array method."""
    wrong, seen = [], 0
    for node in ast.walk(ast.parse((BACKENDS / file).read_text())):
        if not isinstance(node, ast.Call) or (found := called(node.func)) is None or not found[1]:
            continue
        if any(isinstance(a, ast.Starred) for a in node.args) or any(k.arg is None for k in node.keywords):
            continue
        known = signature_of(cupy, *found)
        if known is None:
            continue
        seen += 1
        try:
            known.bind(*node.args, **{k.arg: k.value for k in node.keywords})
        except TypeError as error:
            wrong.append(f"{file}:{node.lineno}: {ast.unparse(node)}: {error}")
    assert not wrong
    assert seen or not used_names(BACKENDS / file)


def test_a_call_that_does_not_fit_is_seen(cupy):
    call = ast.parse("self.xp.sum(x, axis=0, where=mask)").body[0].value
    with pytest.raises(TypeError, match="where"):
        signature_of(cupy, *called(call.func)).bind(*call.args, **{k.arg: k.value for k in call.keywords})
    call = ast.parse("x.sum(axis=0, initial=1)").body[0].value
    with pytest.raises(TypeError, match="initial"):
        signature_of(cupy, *called(call.func)).bind(*call.args, **{k.arg: k.value for k in call.keywords})
    assert signature_of(cupy, "xp", ["exp"]).bind(1, out=2)


def test_every_kernel_is_bound(twin):
    """Each primitive of the op table has its kernel on CupyBackend."""
    from polytensor.ops.table import ROWS

    backend = devices.get_backend("twin")
    assert [name for name in ROWS if not callable(getattr(backend, name, None))] == []


def test_every_ufunc_exists_in_cupy(cupy):
    assert [u for u in UFUNCS.values() if not hasattr(cupy, u)] == []


@pytest.fixture(scope="module")
def twin(cupy):
    """A function: what a sample gives on CupyBackend's own code over arrays that refuse what CuPy's refuse."""
    from cupy_twin import TwinBackend

    devices.register_backend("twin", TwinBackend)
    yield lambda sample: test_ops.on("twin", sample)
    devices._factories.pop("twin")


QUIET = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning")  # NumPy's, not given by CuPy


def check(run, sample):
    """A sample on the twin against NumPy."""
    actual, expected = run(sample), test_ops.on("numpy", sample)
    if expected[-1] == "ZeroDivisionError":  # of integers: on CUDA any value comes out, as in PyTorch
        assert actual[0] == "values"
    else:
        test_ops.compare(sample, actual, expected, exact_layout=False, exact_bfloat16=False)


def in_half(sample, dtype):
    """A sample of float32 tensors in a 16-bit dtype."""

    def fn(t, *xs):
        return sample.fn(t, *[x.to(getattr(t, dtype)) if x.dtype is t.float32 else x for x in xs])

    return dataclasses.replace(sample, fn=fn)


FAMILIES: dict[str, list] = {}
for _sample in test_ops.SAMPLES:
    if not _sample.host:
        FAMILIES.setdefault(_sample.name.partition("[")[0], []).append(_sample)


@QUIET
@pytest.mark.parametrize("family", FAMILIES)
def test_samples_on_the_twin(twin, family):
    """All cases of an op; those of float32 in float16 and bfloat16 too."""
    wrong = []
    for sample in FAMILIES[family]:
        halves = ("float16", "bfloat16") if "[f32" in sample.name else ()
        if "0df64" in sample.name:  # a number in a tensor of the CPU stays wide, one on CUDA is rounded, as in PyTorch
            halves = ()
        for dtype, case in [("", sample), *((d, in_half(sample, d)) for d in halves)]:
            try:
                check(twin, case)
            except AssertionError as error:
                wrong.append(f"{sample.name} {dtype}: {error}")
    if wrong:
        pytest.fail("\n".join(wrong), pytrace=False)


def test_cupys_own_names_that_launches_use(cupy):
    """They have no underscore-free form: a release that drops or changes one must be told of here."""
    from cupy._core.core import _ndarray_base
    from cupy.cuda.function import CNumpyArray, CPointer, Function

    assert "_init(self, shape, dtype=float," in _ndarray_base._init.__doc__
    assert inspect.isdatadescriptor(_ndarray_base._c_contiguous)
    assert issubclass(cupy.ndarray, _ndarray_base) and issubclass(CNumpyArray, CPointer)
    kinds = "size_t size, args, size_t shared_mem=0, size_t block_max_size"
    assert f"linear_launch(self, {kinds}" in Function.linear_launch.__doc__
    assert callable(Function.__call__) and inspect.isdatadescriptor(cupy.RawKernel.kernel)
    value = np.array(np.int64(3))
    held = sys.getrefcount(value)
    parameter = launch._parameter()(value)  # lives as long as its number
    assert isinstance(parameter, CPointer) and parameter.value is value and sys.getrefcount(value) > held


def test_what_an_op_calls_may_import():
    """CuPy's ufuncs do at a first launch: the code of Python that runs must know __builtins__ then."""
    load = ctypes.pythonapi.PyImport_Import
    load.restype, load.argtypes = ctypes.py_object, [ctypes.py_object]
    assert written("f", lambda: ["def f(name): return load(name)"], {"load": load})("ast") is ast


def test_an_old_cupy_says_that_it_has_no_bfloat16(twin, cupy, monkeypatch):
    from cupy_twin import TwinBackend

    with devices.use_backend("twin"):
        assert polytensor.ones(2, dtype=polytensor.bfloat16).sum().item() == 2
    monkeypatch.setattr(TwinBackend, "capability", classmethod(lambda cls, d: without_loops(cupy, cls, d)))
    devices.register_backend("twin", TwinBackend)
    with devices.use_backend("twin"):
        assert polytensor.ones(2).to(polytensor.float16).sum().item() == 2
        for make in (lambda: polytensor.ones(2, dtype=polytensor.bfloat16), lambda: polytensor.ones(2).bfloat16()):
            with pytest.raises(
                RuntimeError, match=r"bfloat16 on twin needs CuPy 14 and NumPy 2.1.2, .*capabilities\(\)"
            ):
                make()


def without_loops(cupy, cls, d):
    """The capability under a CuPy whose loops know no bfloat16."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cupy, "add", SimpleNamespace(types=["ff->f", "ee->e"]))
        return CupyBackend.__dict__["capability"].__func__(cls, d)


def test_absence_is_told_in_one_line(cupy):
    if cupy.cuda.is_available():
        pytest.skip("a CUDA device is usable here")
    with pytest.raises(RuntimeError, match="backend 'cupy' cannot run here: .*CUDA device or driver") as caught:
        devices.get_backend("cupy")
    assert "\n" not in str(caught.value)
