"""Hypothesis state machines: random views and writes against NumPy twins, with autograd against PyTorch."""

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

import polytensor

SETTINGS = settings(
    max_examples=500, stateful_step_count=15, deadline=None, database=None, derandomize=True,
    suppress_health_check=list(HealthCheck), phases=(Phase.explicit, Phase.generate, Phase.shrink),
)  # fmt: skip
PICK = st.integers(0, 10**6)
VALUE = st.sampled_from([-2.0, -0.5, 0.25, 1.0, 3.0])


def view_spec(shape, kind, a, b):
    """One view of a tensor of `shape`, as (name, arguments), chosen by a and b; None where impossible."""
    n = len(shape)
    if kind == "unsqueeze":
        return ("unsqueeze", a % (n + 1)) if n < 4 else None
    if n == 0:
        return None
    d = a % n
    if kind == "slice":
        start = b % (shape[d] + 1)
        return "slice", d, start, start + (a // 7) % 4, 1 + (b // 5) % 2
    if kind == "select":
        return ("select", d, b % (2 * shape[d]) - shape[d]) if shape[d] else None
    if kind == "transpose":
        return "transpose", d, b % n
    if kind == "squeeze":
        return "squeeze", d
    if kind == "expand":
        return "expand", tuple(1 + b % 3 if s == 1 else s for s in shape)
    if kind == "view":
        return "view", (-1,) if all(shape) else tuple(shape)
    return "permute", tuple(np.roll(np.arange(n), b % n).tolist())


KINDS = st.sampled_from(["slice", "select", "transpose", "squeeze", "unsqueeze", "expand", "view", "permute"])


def tensor_view(x, spec):
    name, *args = spec
    if name == "slice":
        d, start, stop, step = args
        return x[(slice(None),) * d + (slice(start, stop, step),)]
    return getattr(x, name)(*args)


def array_view(a, spec):
    """The same view of a NumPy array; ValueError where the strides do not allow `view`."""
    name, *args = spec
    if name == "slice":
        d, start, stop, step = args
        return a[(slice(None),) * d + (slice(start, stop, step),)]
    if name == "select":
        return a[(slice(None),) * args[0] + (args[1], ...)]
    if name == "transpose":
        return a.swapaxes(*args)
    if name == "squeeze":
        return a.squeeze(args[0]) if a.shape[args[0]] == 1 else a[...]
    if name == "unsqueeze":
        return a[(slice(None),) * args[0] + (None, ...)]
    if name == "expand":
        return np.lib.stride_tricks.as_strided(a, args[0], [
            0 if s != n else st for s, n, st in zip(a.shape, args[0], a.strides, strict=True)])  # fmt: skip
    if name == "view":
        made = a.reshape(args[0])  # copy=False is NumPy 2.1's
        if made.size and not np.may_share_memory(made, a):
            raise ValueError("a copy")
        return made
    return a.transpose(args[0])


def overlaps(a):
    return any(s == 0 and n > 1 for s, n in zip(a.strides, a.shape, strict=True)) and a.size > 0


class Views(RuleBasedStateMachine):
    """Tensors and NumPy twins: after every step pairs are equal, so a write through one view shows in all."""

    device = None

    @initialize(shape=st.lists(st.integers(0, 4), max_size=3))
    def start(self, shape):
        self.count = 0
        values = np.arange(float(np.prod(shape))).reshape(shape)
        self.pairs = [(polytensor.from_numpy(values.copy()).to(self.device), values)]

    def pick(self, number):
        return self.pairs[number % len(self.pairs)]

    def writable(self, number):
        x, a = self.pick(number)
        if overlaps(a):
            with pytest.raises(RuntimeError, match="single memory location"):
                x.add_(1)
            return None
        return x, a

    @rule(which=PICK, kind=KINDS, a=PICK, b=PICK)
    def view(self, which, kind, a, b):
        x, array = self.pick(which)
        spec = view_spec(array.shape, kind, a, b)
        if spec is None or len(self.pairs) > 12:
            return
        try:
            twin = array_view(array, spec)
        except ValueError:
            with pytest.raises(RuntimeError, match="view size is not compatible"):
                tensor_view(x, spec)
            return
        y = tensor_view(x, spec)
        assert tuple(y.shape) == twin.shape
        self.pairs.append((y, twin))

    @rule(
        which=PICK,
        value=VALUE,
        op=st.sampled_from(["add_", "mul_", "fill_", "setitem", "neg_", "iadd", "clamp_"]),
    )
    def write(self, which, value, op):
        pair = self.writable(which)
        if pair is None:
            return
        x, a = pair
        version = x._version
        if op == "setitem":
            x[...] = value
            a[...] = value
        elif op == "iadd":
            x += value
            a += value
        elif op == "neg_":
            x.neg_()
            np.negative(a, out=a)
        elif op == "clamp_":
            x.clamp_(-4, 4)
            np.clip(a, -4, 4, out=a)
        else:
            getattr(x, op)(value)
            a[...] = {"add_": a + value, "mul_": a * value, "fill_": value}[op]
        assert x._version > version

    @rule(which=PICK, other=PICK, op=st.sampled_from(["copy_", "add_", "mul_"]))
    def write_tensor(self, which, other, op):
        pair = self.writable(which)
        source, twin = self.pick(other)
        if pair is None:
            return
        x, a = pair
        if np.may_share_memory(a, twin):  # what a partly overlapping read gives is not specified
            source, twin = source.clone(), twin.copy()
        try:
            shape = np.broadcast_shapes(a.shape, twin.shape)
        except ValueError:
            shape = None
        if shape != a.shape:
            with pytest.raises(RuntimeError):
                getattr(x, op)(source)
            return
        getattr(x, op)(source)
        with np.errstate(over="ignore", invalid="ignore"):
            a[...] = {"copy_": twin, "add_": a + twin, "mul_": a * twin}[op]

    @rule(which=PICK, seed=PICK, value=VALUE, mask=st.booleans())
    def write_indexed(self, which, seed, value, mask):
        pair = self.writable(which)
        if pair is None or pair[1].ndim == 0 or pair[1].shape[0] == 0:
            return
        x, a = pair
        rng = np.random.default_rng(seed)
        index = rng.random(a.shape) < 0.5 if mask else rng.integers(-a.shape[0], a.shape[0], 2)
        x[polytensor.from_numpy(index).to(self.device)] = value
        a[index] = value

    @rule(which=PICK)
    def detach(self, which):
        x, a = self.pick(which)
        if len(self.pairs) <= 12:
            self.pairs.append((x.detach(), a))

    @invariant()
    def equal(self):
        for x, a in self.pairs:
            np.testing.assert_array_equal(x.cpu().numpy(), a)
            assert x.is_contiguous() == (a.flags.c_contiguous or a.size == 0)


class Autograd(RuleBasedStateMachine):
    """One program on PolyTensor and on PyTorch: values, requires_grad, gradients and error classes agree."""

    device = None
    oracle = None

    @initialize(shape=st.lists(st.integers(1, 3), min_size=1, max_size=3))
    def start(self, shape):
        values = np.linspace(-1, 1, int(np.prod(shape))).reshape(shape)
        self.leaves, self.pairs = [], []
        for grad in (True, True, False):
            values = values + 0.3
            mine = polytensor.from_numpy(values.copy()).to(self.device).requires_grad_(grad)
            theirs = self.oracle.from_numpy(values.copy()).requires_grad_(grad)
            self.leaves.append((mine, theirs))
            self.pairs += [(mine, theirs), (mine * 1, theirs * 1)]

    def both(self, fn, *numbers):
        """fn on picked tensors on both sides: the same outcome; the results join the pairs."""
        results = []
        for side in (0, 1):
            try:
                results.append(fn(*(self.pairs[n % len(self.pairs)][side] for n in numbers)))
            except Exception as error:  # noqa: BLE001 the class is the result
                results.append(error)
        mine, theirs = results
        if isinstance(theirs, Exception):
            assert type(mine) is type(theirs), f"{mine!r}, expected {theirs!r}"
            return
        assert not isinstance(mine, Exception), f"{mine!r}, expected {theirs!r}"
        assert mine.requires_grad == theirs.requires_grad
        if not any(mine is m for m, _ in self.pairs) and len(self.pairs) < 14:
            self.pairs.append((mine, theirs))

    @rule(which=PICK, kind=KINDS, a=PICK, b=PICK)
    def view(self, which, kind, a, b):
        spec = view_spec(tuple(self.pairs[which % len(self.pairs)][1].shape), kind, a, b)
        if spec is not None:
            self.both(lambda x: tensor_view(x, spec), which)

    @rule(which=PICK, op=st.sampled_from(["exp", "tanh", "neg", "clone", "detach", "sigmoid", "contiguous"]))
    def unary(self, which, op):
        self.both(lambda x: getattr(x, op)(), which)

    @rule(which=PICK, other=PICK, op=st.sampled_from(["add", "mul", "sub"]))
    def binary(self, which, other, op):
        self.both(lambda x, y: getattr(x, op)(y), which, other)

    @rule(which=PICK, op=st.sampled_from(["mul_", "add_", "fill_"]), value=VALUE)
    def write(self, which, op, value):
        if op != "fill_" or not self.overlapping(which):
            self.both(lambda x: getattr(x, op)(value), which)

    @rule(which=PICK, op=st.sampled_from(["tanh_", "neg_", "sigmoid_", "zero_"]))
    def write_unary(self, which, op):
        if op != "zero_" or not self.overlapping(which):
            self.both(lambda x: getattr(x, op)(), which)

    def overlapping(self, which):
        """Whether elements share memory. PyTorch then lets zero_ and fill_ pass, only to fail in backward."""
        return overlaps(self.pairs[which % len(self.pairs)][1].detach().numpy())

    @rule(which=PICK, other=PICK, op=st.sampled_from(["mul_", "add_", "copy_"]))
    def write_tensor(self, which, other, op):
        # a copy, since reading and writing overlapping memory is not specified
        self.both(lambda x, y: getattr(x, op)(y.clone()), which, other)

    @rule(which=PICK, value=VALUE)
    def write_no_grad(self, which, value):
        def run(x):
            module = polytensor if isinstance(x, polytensor.Tensor) else self.oracle
            with module.no_grad():
                return x.mul_(value)

        self.both(run, which)

    @rule(which=PICK, other=PICK, mask=st.booleans(), number=st.booleans())
    def assign_indexed(self, which, other, mask, number):
        def run(x, y):
            module = polytensor if isinstance(x, polytensor.Tensor) else self.oracle
            index = x.detach() > 0 if mask else module.tensor([0], device=x.device)
            x[index] = 0.5 if number else y.clone().sum()
            return x

        if not self.overlapping(which) and self.pairs[which % len(self.pairs)][1].numel():
            self.both(run, which, other)

    @rule(which=PICK, value=VALUE)
    def write_data(self, which, value):
        if not self.overlapping(which):
            self.both(lambda x: x.data.mul_(value), which)

    @rule(which=PICK, other=PICK)
    def assign(self, which, other):
        def run(x, y):
            x[0] = y.clone().sum()
            return x

        self.both(run, which, other)

    @invariant()
    def equal(self):
        for mine, theirs in getattr(self, "pairs", ()):
            close(mine, theirs)
            assert mine._version == theirs._version
            assert mine.is_leaf == theirs.is_leaf

    def teardown(self):
        """Backward through everything at once, then the leaves' gradients."""
        if not getattr(self, "pairs", None):
            return
        outcomes = []
        for side in (0, 1):
            try:
                roots = [p[side] for p in self.pairs if p[side].requires_grad]
                total = sum((r * (i + 1)).sum() for i, r in enumerate(roots))
                total.backward()
                outcomes.append(None)
            except Exception as error:  # noqa: BLE001 the class is the result
                outcomes.append(error)
        mine, theirs = outcomes
        assert type(mine) is type(theirs), f"{mine!r}, expected {theirs!r}"
        if theirs is None:
            for m, t in self.leaves:
                # the third one stops being a leaf when something that needs grad is written into it
                if t.is_leaf:
                    assert (m.grad is None) == (t.grad is None)
                    if t.grad is not None:
                        close(m.grad, t.grad)


def close(mine, theirs):
    a, e = (x.detach().cpu().numpy() for x in (mine, theirs))
    assert a.shape == e.shape
    np.testing.assert_allclose(a, e, 1e-9, 1e-12)


def run(machine, examples=500):
    machine.TestCase.settings = chosen = settings(SETTINGS, max_examples=examples)
    run_state_machine_as_test(machine, settings=chosen)


def test_views_and_writes(device):
    run(type("ViewsHere", (Views,), {"device": device}))


def test_views_and_writes_under_autograd(device, oracle):
    # test_programs.py runs many more on the default backend
    run(type("AutogradHere", (Autograd,), {"device": device, "oracle": oracle}), 150)
