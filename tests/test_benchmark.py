"""torch.utils.benchmark: the texts of measurements and tables as PyTorch prints them; timers and random inputs."""

import importlib
import pickle
import random
import re

import pytest

import polytensor as pt
from polytensor.utils import benchmark


def measurement(B, times, number=10, stmt="x.add(1)", setup="pass", **spec):
    return B.Measurement(number, times, B.TaskSpec(stmt=stmt, setup=setup, **spec))


def grid(B):
    """Two thread counts, two rows, three columns, one of them with a hole; some times vary much."""
    out = []
    for i in range(12):
        threads, row, column = 1 + 3 * (i // 6), i // 3 % 2, i % 3
        if row or column < 2:
            t = 1e-5 * (i + 1) ** 2
            times = [t, 1.1 * t, 1.02 * t, 1.001 * t, (1.5 if i % 2 else 1.0) * t]
            names = {"label": "Dot", "sub_label": f"[{10**row}]", "description": ["sum", "bmm", "long name"][column]}
            out.append(measurement(B, times, num_threads=threads, **names))
    return out


def envs(B):
    spec = {"label": "L", "description": "d"}
    runs = [
        measurement(B, [1e-3 * k] * 3, env=env, sub_label=f"r{k}", **spec) for env in ("base", "new") for k in (1, 20)
    ]
    return [*runs, measurement(B, [2e-6], label="other", description="x")]


def table(make, *calls, **options):
    def text(B):
        compare = B.Compare(make(B))
        for name in calls:
            getattr(compare, name)(**options)
        return str(compare)

    return text


TEXTS = {
    "wide": lambda B: measurement(B, [1e-4] * 5 + [3e-4]),
    "one": lambda B: measurement(B, [1e-4], label="L", sub_label="s", description="d", setup="a=1\nb=2", num_threads=4),
    "lines": lambda B: measurement(B, [1e-7, 1.01e-7, 1.02e-7, 1.05e-7, 9e-8], stmt="a\nb", sub_label="q"),
    "setup": lambda B: measurement(B, [1.0, 1.01, 1.02, 1.03], setup="x = 1"),
    "fluctuating": lambda B: measurement(B, [1.0, 1.0, 1.15, 1.15]),
    "table": table(grid),
    "trimmed": table(grid, "trim_significant_figures"),
    "colours": table(grid, "colorize"),
    "colours by row": table(grid, "colorize", rowwise=True),
    "warnings": table(grid, "highlight_warnings"),
    "all": table(grid, "trim_significant_figures", "highlight_warnings", "colorize"),
    "envs": table(envs),
    "envs trimmed": table(envs, "trim_significant_figures"),
    "units": lambda B: [B.select_unit(t) for t in (3e-9, 2e-4, 0.5, 5, 5000)] + [B.unit_to_english("us")],
    "figures": lambda B: [f"{B.trim_sigfig(x, n):.6g}" for x, n in ((3.14159, 2), (31415.9, 3), (0.001234, 1))],
    "numbers": lambda B: [
        [f"{getattr(m, name):.6g}" for name in ("median", "mean", "iqr", "significant_figures")]
        for m in B.Measurement.merge(grid(B) + grid(B))
    ],
    "no measurement": lambda B: B.Compare([1]),
    "no text": lambda B: B.Timer(3),
    "no language": lambda B: B.Timer("x", language="java"),
    "global_setup": lambda B: B.Timer("x", global_setup="y"),
    "repeat": lambda B: B.Timer("x").repeat(),
    "no distribution": lambda B: B.FuzzedParameter("x", 1, 2, "normal"),
    "same names": lambda B: B.Fuzzer([B.FuzzedParameter("x", 1, 2, "uniform")], [B.FuzzedTensor("x", ("x",))]),
    "no figures": lambda B: B.trim_sigfig(1.0, 1.5),
}


def outcome(fn, module):
    try:
        return re.sub("0x[0-9a-f]+", "0x", str(fn(importlib.import_module(f"{module}.utils.benchmark"))))
    except Exception as error:
        return type(error).__name__, re.sub(r"'\w+\.", "'torch.", str(error))


@pytest.mark.parametrize("name", TEXTS)
def test_texts(name, oracle):
    assert outcome(TEXTS[name], "polytensor") == outcome(TEXTS[name], "torch")


def test_timer():
    timer = benchmark.Timer("""
        y = x + k
        seen.append(torch.exp(y))
    """, "x = torch.ones(3)", globals={"k": 2, "seen": (seen := [])}, label="l", num_threads=1)  # fmt: skip
    m = timer.timeit(300)
    assert (m.number_per_run, len(m.raw_times), m.num_threads, m.label) == (300, 1, 1, "l")
    assert m.stmt == "y = x + k\nseen.append(torch.exp(y))"
    assert len(seen) == 303 and isinstance(seen[0], pt.Tensor)
    calls = []
    m = benchmark.Timer("pass").blocked_autorange(lambda n, seconds: calls.append(n), min_run_time=0.002)
    assert sum(m.raw_times) >= 0.002 and calls == [m.number_per_run] * len(m.raw_times)
    assert len(benchmark.Timer("pass").adaptive_autorange(threshold=100.0, min_run_time=1e-4).raw_times) == 4
    m = benchmark.Timer("pass").adaptive_autorange(threshold=-1.0, max_run_time=0.002)
    assert sum(m.raw_times) > 0.002
    again = pickle.loads(pickle.dumps(m))
    assert again.times == m.times and again.task_spec == m.task_spec
    before = pt.get_num_threads()
    counts = []
    benchmark.Timer("note(torch.get_num_threads())", globals={"note": counts.append}, num_threads=1).timeit(2)
    assert set(counts) == {1} and pt.get_num_threads() == before
    with pytest.raises(NotImplementedError, match="PolyTensor"):
        timer.collect_callgrind()
    with pytest.raises(NotImplementedError, match="PolyTensor"):
        benchmark.Timer("1;", language="cpp")
    with pytest.raises(AttributeError, match="nothing"):
        _ = m.nothing


def test_fuzzer():
    P, T, alias = benchmark.FuzzedParameter, benchmark.FuzzedTensor, benchmark.ParameterAlias
    rules = [
        P("a", 1, 60, "loguniform"),
        [P("b", 1, 9, "uniform"), P("c", distribution={alias("a"): 0.5, 1: 0.5})],
        P("x", 0.0, 1.0, "uniform", strict=True),
    ]
    tensors = [
        T("t", ("a", "b", "c"), min_elements=10, max_elements=4000, probability_contiguous=0.3),
        T("u", ("b", 2), steps=(3,), probability_contiguous=1.0, dtype=pt.int32, max_allocation_bytes=200),
    ]
    fuzzer = benchmark.Fuzzer(rules, tensors, [lambda p: p["b"] > 1], seed=3)
    taken = list(fuzzer.take(20))
    orders = set()
    for made, said, p in taken:
        t, u = made["t"], made["u"]
        assert t.shape == (p["a"], p["b"], p["c"]) and p["c"] in (1, p["a"]) and 0 <= p["x"] <= 1
        assert 1 < p["b"] <= 8 and 10 <= t.numel() <= 4000
        assert u.shape == (p["b"], 2) and u.stride() == (6, 1) and u.dtype is pt.int32
        assert said["t"]["is_contiguous"] == t.is_contiguous() and said["t"]["numel"] == t.numel()
        orders.add(tuple(said["t"]["order"]))
    assert len(orders) > 2 and 0 < fuzzer.rejection_rate < 1
    again = next(benchmark.Fuzzer(rules, tensors, [lambda p: p["b"] > 1], seed=3).take(1))
    assert pt.equal(again[0]["t"], taken[0][0]["t"]) and again[2] == taken[0][2]
    with pytest.raises(ValueError, match="cycle"):
        next(benchmark.Fuzzer([P("a", distribution={alias("a"): 1.0})], []).take(1))
    with pytest.raises(ValueError, match="valid"):
        next(benchmark.Fuzzer([P("a", 1, 2, "uniform")], [], [lambda p: False]).take(1))
    with pytest.raises(AssertionError, match="negative"):
        P("a", distribution={1: -1.0, 2: 2.0})
    with pytest.raises(AssertionError, match="minval"):
        P("a", 1, distribution={1: 1.0})


def test_ready_made_fuzzers():
    from polytensor.utils.benchmark.op_fuzzers import binary, unary

    for fuzzer in (unary.UnaryOpFuzzer(seed=1), binary.BinaryOpFuzzer(seed=0, dtype=pt.int8)):
        params = [fuzzer._generate(random.Random(k)) for k in range(5)]
        for p in params:
            shape, steps, _ = fuzzer._tensors[0]._sizes(p)
            assert len(shape) == p["dim"] and all(n <= 8192 for n in shape) and max(steps) <= 16
            if len(fuzzer._tensors) == 2:
                other = fuzzer._tensors[1]._sizes(p)[0]
                assert all(m in (1, n) for n, m in zip(shape, other, strict=True))
