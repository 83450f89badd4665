"""Samples of control functions, files and capsules, of the library's settings, and of random numbers by their range."""

import tempfile
from pathlib import Path

import numpy as np
from ops_table import UNARY, add, arr, family
from ops_table_functions import pick, text

# ---- control, files, capsules --------------------------------------------------------------------------------------------


def file_of(t, x, shared):
    """Write a file, map it, write through the map, read the file again."""
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "data.bin")
        Path(path).write_bytes(x.detach().numpy().tobytes())
        y = t.from_file(path, shared, x.numel(), dtype=x.dtype)
        before = y.clone()
        y[0] = 7
        after = t.tensor(np.frombuffer(Path(path).read_bytes(), x.detach().numpy().dtype).copy())
        del y
    return before, after


for shared in (True, False):
    add(f"fn.from_file.{shared}", lambda t, x, shared=shared: file_of(t, x.cpu(), shared), arr(6), grad=False)
add("fn.from_file.missing", lambda t: t.from_file("/nowhere/at/all", False, 3), grad=False)
add(
    "fn.to_dlpack",
    lambda t, x: [t.from_dlpack(t.to_dlpack(x.cpu())), type(t.to_dlpack(x.cpu())).__name__],
    arr(3, 2),
    grad=False,
)

# ---- state of the library: what is set is read back, and put back ---------------------------------------------------------


def restored(read, write, *values):
    """What `read` gives after each value is written; then the first state is written again."""

    def fn(t):
        old, found = read(t), []
        try:
            for value in values:
                write(t, value(t) if callable(value) else value)
                found.append(text(read(t)))
        finally:
            write(t, old)
        return [text(old), *found]

    return fn


for name, fn in {
    "default_dtype": restored(
        lambda t: t.get_default_dtype(), lambda t, d: t.set_default_dtype(d), lambda t: t.float64, lambda t: t.float16
    ),
    "default_dtype.int": lambda t: t.set_default_dtype(t.int32),
    "default_tensor_type": restored(
        lambda t: t.get_default_dtype(),
        lambda t, d: t.set_default_tensor_type(d) if isinstance(d, str) else t.set_default_dtype(d),
        "torch.DoubleTensor",
        "torch.FloatTensor",
    ),
    "deterministic_debug_mode": restored(
        lambda t: t.get_deterministic_debug_mode(), lambda t, v: t.set_deterministic_debug_mode(v), "warn", "error", 0
    ),
    "deterministic_algorithms": restored(
        lambda t: t.are_deterministic_algorithms_enabled(),
        lambda t, v: t.use_deterministic_algorithms(v, warn_only=v),
        True,
    ),
    "deterministic_warn_only": restored(
        lambda t: t.is_deterministic_algorithms_warn_only_enabled(),
        lambda t, v: t.use_deterministic_algorithms(v, warn_only=v),
        True,
    ),
    "float32_matmul_precision": restored(
        lambda t: t.get_float32_matmul_precision(), lambda t, v: t.set_float32_matmul_precision(v), "high", "medium"
    ),
    "warn_always": restored(lambda t: t.is_warn_always_enabled(), lambda t, v: t.set_warn_always(v), True),
    "anomaly": restored(lambda t: t.is_anomaly_enabled(), lambda t, v: t.set_anomaly_enabled(v), True),
    "anomaly.nan": lambda t: (t.set_anomaly_enabled(True, False), t.is_anomaly_check_nan_enabled(), t.set_anomaly_enabled(False, True)),
    "grad_enabled": restored(lambda t: t.is_grad_enabled(), lambda t, v: t.set_grad_enabled(v), False),
    "inference_mode": lambda t: [t.is_inference_mode_enabled(), inside(t.inference_mode(), t.is_inference_mode_enabled)],
    "num_threads": restored(lambda t: t.get_num_threads(), lambda t, v: t.set_num_threads(v), 1),
    "num_threads.0": lambda t: t.set_num_threads(0),
    "num_interop_threads": lambda t: t.get_num_interop_threads() > 0,
    "num_interop_threads.0": lambda t: t.set_num_interop_threads(0),
    "flush_denormal": lambda t: t.set_flush_denormal(False),
    "is_distributed": lambda t: t.is_distributed(t.ones(2)),
    "is_storage": lambda t: [t.is_storage(t.ones(2).untyped_storage()), t.is_storage(t.ones(2)), t.is_storage(3)],
    "is_tensor": lambda t: [t.is_tensor(t.ones(2)), t.is_tensor(3)],
    "typename": lambda t: [t.typename(3), t.typename([]), t.typename("x"), t.typename(t.ones(2).cpu())],
    "compile": lambda t: callable(t.compile(lambda x: x + 1)),
    "printoptions": lambda t: printed(t, precision=2, threshold=2, edgeitems=1),
    "printoptions.sci": lambda t: printed(t, sci_mode=True),
    "printoptions.short": lambda t: printed(t, profile="short"),
    "initial_seed": lambda t: seeded(t, lambda: [t.initial_seed(), t.manual_seed(11).initial_seed(), t.initial_seed()]),
    "seed": lambda t: seeded(t, lambda: [isinstance(t.seed(), int), t.initial_seed() != 5]),
    "rng_state": lambda t: seeded(t, lambda: replay(t)),
    "vmap": lambda t: t.vmap(lambda x: x.sum(), in_dims=1)(t.ones(3, 2)),
}.items():  # fmt: skip
    add(f"fn.{name}", fn, grad=False)


def inside(context, read):
    with context:
        return read()


def printed(t, **options):
    t.set_printoptions(**options)
    try:
        return repr(t.tensor([1.23456, 1e-3, 1000.5, 7.0], device="cpu")).replace(", device='cpu')", ")")
    finally:
        t.set_printoptions(profile="default")


def seeded(t, run):
    """What `run` gives with seed 5, and the generator as it was."""
    state = t.get_rng_state()
    t.manual_seed(5)
    try:
        return run()
    finally:
        t.set_rng_state(state)


def replay(t):
    """The same numbers from the same state; its dtype and dimensions."""
    state = t.get_rng_state()
    a = t.rand(5)
    t.set_rng_state(state)
    return [bool((a == t.rand(5)).all()), text(state.dtype), state.ndim]


def default_device(t):
    old = t.get_default_device()
    t.set_default_device("cpu")
    try:
        return [text(t.get_default_device()), text(t.empty(1).device)]
    finally:
        # in PyTorch a default device is a mode, under which l1_loss forgets its weight: None takes it off
        t.set_default_device(None if getattr(t, "__name__", "") == "torch" else old)


def saved(t, x):
    with tempfile.TemporaryDirectory() as folder:
        t.save({"x": x.detach().cpu(), "n": 3}, f"{folder}/a.pt")
        back = t.load(f"{folder}/a.pt")
    return back["x"], back["n"]


add("fn.default_device", default_device, grad=False)
family("fn.save", saved, pick(UNARY, "c", "t", "0d", "empty", "i64", "bool"), grad=False)

for name, fn in {
    "autocast_dtype": restored(
        lambda t: t.get_autocast_dtype("cpu"), lambda t, d: t.set_autocast_dtype("cpu", d), lambda t: t.float16
    ),
    "autocast_cpu_dtype": restored(
        lambda t: t.get_autocast_cpu_dtype(), lambda t, d: t.set_autocast_cpu_dtype(d), lambda t: t.float16
    ),
    "autocast_gpu_dtype": restored(
        lambda t: t.get_autocast_gpu_dtype(), lambda t, d: t.set_autocast_gpu_dtype(d), lambda t: t.bfloat16
    ),
    "autocast_enabled": restored(
        lambda t: t.is_autocast_enabled("cpu"), lambda t, v: t.set_autocast_enabled("cpu", v), True
    ),
    "autocast_cpu_enabled": restored(
        lambda t: t.is_autocast_cpu_enabled(), lambda t, v: t.set_autocast_cpu_enabled(v), True
    ),
    "autocast_cache": restored(
        lambda t: t.is_autocast_cache_enabled(), lambda t, v: t.set_autocast_cache_enabled(v), False
    ),
    "autocast_nesting": lambda t: [
        t.autocast_increment_nesting(), t.autocast_decrement_nesting(), t.clear_autocast_cache()
    ],
}.items():  # fmt: skip
    add(f"fn.{name}", fn, grad=False)


# ---- functions of random numbers: shape, dtype and range ------------------------------------------------------------------


def moments(t, y, low, high):
    """Dtype, shape, and whether all lies in [low, high]."""
    return [text(y.dtype), tuple(y.shape), bool(((y >= low) & (y <= high)).all())]


for name, fn in {
    "rand": lambda t: moments(t, t.rand(40, 100), 0, 1),
    "randn": lambda t: moments(t, t.randn(40, 100, dtype=t.float64), -9, 9),
    "randint": lambda t: moments(t, t.randint(-3, 9, (40, 100)), -3, 8),
    "randperm": lambda t: t.randperm(50).sort()[0],
    "rand_like": lambda t: moments(t, t.rand_like(t.ones(3, 4)), 0, 1),
    "randn_like": lambda t: moments(t, t.randn_like(t.ones(3, 4)), -9, 9),
    "randint_like": lambda t: moments(t, t.randint_like(t.ones(3, 4), 2, 7), 2, 6),
    "normal": lambda t: moments(t, t.normal(2.0, 0.1, (30,)), 0, 4),
    "bernoulli": lambda t: moments(t, t.bernoulli(t.full((30,), 0.5)), 0, 1),
    "poisson": lambda t: moments(t, t.poisson(t.full((30,), 2.0)), 0, 40),
    "binomial": lambda t: moments(t, t.binomial(t.full((30,), 9.0), t.full((30,), 0.5)), 0, 9),
    "multinomial": lambda t: moments(t, t.multinomial(t.tensor([0.2, 0.0, 0.8]), 40, True), 0, 2),
    "gumbel_softmax": lambda t: moments(t, t.nn.functional.gumbel_softmax(t.zeros(5, 3), 0.7, hard=True), 0, 1),
    "rrelu.random": lambda t: moments(t, t.rrelu(-t.ones(30), 0.1, 0.3, True), -0.3, -0.1),
    "rrelu.generator": lambda t: moments(t, t.rrelu(-t.ones(30), 0.1, 0.3, True, t.Generator()), -0.3, -0.1),
    "dropout.random": lambda t: moments(t, t.dropout(t.ones(30), 0.5, True), 0, 2),
    "feature_alpha_dropout.random": lambda t: text(t.feature_alpha_dropout(t.ones(3, 4, 5), 0.5, True).dtype),
}.items():
    add(f"fn.{name}.draws", fn, grad=False)
