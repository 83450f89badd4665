"""Random programs of views, writes and ops, run on PyTorch and on PolyTensor: after each line all tensors agree.

Compared are values, shapes, versions, is_leaf, requires_grad, the name of grad_fn, which tensor is a view of which, the
class of errors and, at the end, the gradients. A failure prints the program.
"""

import random
import warnings

import numpy as np
import pytest

import polytensor

SEEDS = 200
STEPS = 14


def pick_dim(rng, x):
    return rng.randrange(-x.dim(), x.dim()) if x.dim() else 0


def view_lines(rng, x):
    """(text, function) of a random view of a tensor like `x`."""
    n, shape = x.dim(), tuple(x.shape)
    d, e = pick_dim(rng, x), pick_dim(rng, x)
    size = shape[d] if n else 1
    k = rng.randrange(size) if size else 0
    order = list(range(n))
    rng.shuffle(order)
    options = [
        (f"x.unsqueeze({d})", lambda x: x.unsqueeze(d)),
        ("x.squeeze()", lambda x: x.squeeze()),
        ("x.view(-1)", lambda x: x.view(-1)),
        ("x.flatten()", lambda x: x.flatten()),
        ("x.reshape(-1)", lambda x: x.reshape(-1)),
        ("x.view_as(x)", lambda x: x.view_as(x)),
        ("x[...]", lambda x: x[...]),
        ("x[None]", lambda x: x[None]),
        ("x.T", lambda x: x.T),
        ("x.expand(2, *)", lambda x: x.expand(2, *x.shape)),
        ("x.detach()", lambda x: x.detach()),
        ("x.data", lambda x: x.data),
        (f"x.permute({order})", lambda x: x.permute(order)),
    ]
    if x.is_complex():
        options += [("x.real", lambda x: x.real), ("x.imag", lambda x: x.imag)]
        options += [("view_as_real", lambda x: module(x).view_as_real(x))]
    elif n and shape[-1] == 2 and x.is_contiguous() and x.storage_offset() % 2 == 0:
        options += [("view_as_complex", lambda x: module(x).view_as_complex(x))] * 2
    if str(x.dtype) == "torch.float64":
        options += [("x.view(int64)", lambda x: x.view(module(x).int64))]
    if n:
        m = rng.randint(1, max(size, 1))
        step = rng.randint(1, 2)
        options += [
            (f"x.select({d}, {k})", lambda x: x.select(d, k)),
            (f"x[{k}]", lambda x: x[min(k, x.shape[0] - 1)]),
            (f"x.narrow({d}, 0, {m})", lambda x: x.narrow(d, 0, m)),
            (f"x[::{step}]", lambda x: x[::step]),
            (f"x[..., {k}:]", lambda x: x[..., k:]),
            (f"x.transpose({d}, {e})", lambda x: x.transpose(d, e)),
            (f"x.movedim({d}, {e})", lambda x: x.movedim(d, e)),
            (f"x.swapaxes({d}, {e})", lambda x: x.swapaxes(d, e)),
            (f"x.unfold({d}, {m}, {step})", lambda x: x.unfold(d, m, step)),
            (f"x.split({m}, {d})[0]", lambda x: x.split(m, d)[0]),
            (f"x.chunk(2, {d})[-1]", lambda x: x.chunk(2, d)[-1]),
            (f"x.tensor_split(2, {d})[0]", lambda x: x.tensor_split(2, d)[0]),
            (f"x.unbind({d})[-1]", lambda x: x.unbind(d)[-1]),
            (f"x.squeeze({d})", lambda x: x.squeeze(d)),
            (f"x.unflatten({d}, (1, -1))", lambda x: x.unflatten(d, (1, -1))),
        ]
        if x.numel() and x._base is None:  # from a view they may reach beyond it
            options += [(f"x.as_strided(({m},), ({step - 1},))", lambda x: x.as_strided((m,), (step - 1,)))]
    if n >= 2:
        off = rng.randint(-1, 1)
        options += [
            ("x.mT", lambda x: x.mT),
            (f"x.diagonal({off}, {d}, {e})", lambda x: x.diagonal(off, d, e)),
            ("x.flatten(0, 1)", lambda x: x.flatten(0, 1)),
        ]
        if x.numel() and x._base is None:  # from a view they may reach beyond it
            options += [("x.as_strided", lambda x: x.as_strided((2, 1), (1, 1), x.storage_offset()))]
    return rng.choice(options)


def write_lines(rng, x):
    """(text, function of x and of another tensor) that writes into x."""
    v = rng.choice([2.0, 0.5, -1.0])
    n = x.dim()
    mask = rng.random() < 0.5
    options = [
        (f"x.mul_({v})", lambda x, y: x.mul_(v)),
        (f"x.add_({v})", lambda x, y: x.add_(v)),
        ("x += y", lambda x, y: x.__iadd__(y)),
        ("x.mul_(y)", lambda x, y: x.mul_(y)),
        ("x.copy_(y)", lambda x, y: x.copy_(y)),
        ("x.addcmul_(y, y)", lambda x, y: x.addcmul_(y, y, value=v)),
        ("x.lerp_(y, 0.5)", lambda x, y: x.lerp_(y, 0.5)),
        (f"x.fill_({v})", lambda x, y: x.fill_(v)),
        ("x.zero_()", lambda x, y: x.zero_()),
        ("x.neg_()", lambda x, y: x.neg_()),
        ("x.tanh_()", lambda x, y: x.tanh_()),
        ("x.sigmoid_()", lambda x, y: x.sigmoid_()),
        ("x.square_()", lambda x, y: x.square_()),
        ("x.clamp_(-1, 1)", lambda x, y: x.clamp_(-1, 1)),
        ("x.masked_fill_(x > 0, v)", lambda x, y: x.masked_fill_(x.detach() > 0, v)),
        ("x.masked_fill_(y)", lambda x, y: x.masked_fill_(x.detach() > 0, y.sum().detach())),
        ("x[...] = y", lambda x, y: put(x, ..., y)),
        (f"x[...] = {v}", lambda x, y: put(x, ..., v)),
        ("x.data.mul_(2)", lambda x, y: x.data.mul_(v)),
        ("x.detach().mul_(2)", lambda x, y: x.detach().mul_(v)),
        ("no_grad mul_", lambda x, y: quiet(x, lambda: x.mul_(v))),
        ("no_grad view", lambda x, y: quiet(x, lambda: x.view_as(x) if not x.requires_grad else x.clone())),
        ("x.requires_grad_()", lambda x, y: x.requires_grad_()),
        ("x.requires_grad_(False)", lambda x, y: x.requires_grad_(False)),
        ("x.detach_()", lambda x, y: x.detach_()),
    ]
    if n:
        d = pick_dim(rng, x)
        i = rng.randrange(max(x.shape[d], 1))
        options += [
            ("x[0] = y.sum()", lambda x, y: put(x, 0, y.sum())),
            ("x[0:1] = v", lambda x, y: put(x, slice(0, 1), v)),
            ("x[x > 0] = v", lambda x, y: put(x, x.detach() > 0, v if mask else y.sum())),
            ("x[[0]] = y.sum()", lambda x, y: put(x, [0], y.sum())),
            ("x.index_fill_", lambda x, y: x.index_fill_(d, module(x).tensor([i]), v)),
            ("x.index_add_", lambda x, y: x.index_add_(d, module(x).tensor([i]), x.narrow(d, 0, 1).clone())),
            ("x.index_copy_", lambda x, y: x.index_copy_(d, module(x).tensor([i]), x.narrow(d, 0, 1).clone())),
            ("x.scatter_", lambda x, y: x.scatter_(0, module(x).zeros([1] * x.dim(), dtype=module(x).int64), v)),
            ("x.cumsum_", lambda x, y: x.cumsum_(d)),
            ("x.unsqueeze_(0)", lambda x, y: x.unsqueeze_(0)),
            ("x.squeeze_()", lambda x, y: x.squeeze_()),
            ("x.transpose_", lambda x, y: x.transpose_(0, -1)),
        ]
    return rng.choice(options)


def op_lines(rng, x):
    return rng.choice([
        ("x.exp()", lambda x, y: x.exp()),
        ("x.tanh()", lambda x, y: x.tanh()),
        ("x * y", lambda x, y: x * y),
        ("x + y", lambda x, y: x + y),
        ("x * x", lambda x, y: x * x),
        ("x.clone()", lambda x, y: x.clone()),
        ("x.contiguous()", lambda x, y: x.contiguous()),
        ("x.sum(0)", lambda x, y: x.sum(0)),
        ("x.sum()", lambda x, y: x.sum()),
        ("x[[0]]", lambda x, y: dense(x[[0]])),
        ("x * 2", lambda x, y: x * 2),
        ("where", lambda x, y: dense(module(x).where(x.detach().real > 0, x, y))),
        ("no_grad clone", lambda x, y: quiet(x, lambda: x.clone())),
    ])  # fmt: skip


def module(x):
    return polytensor if isinstance(x, polytensor.Tensor) else pytest.importorskip("torch")


def dense(x):
    """A copy in C order: the layout of some results is not PyTorch's."""
    return x.clone(memory_format=module(x).contiguous_format)


def put(x, index, value):
    x[index] = value
    return x


def quiet(x, fn):
    with module(x).no_grad():
        return fn()


def overlaps(x):
    return any(s == 0 and n > 1 for s, n in zip(x.stride(), x.shape, strict=True))


def tangled(x):
    """Whether elements of x may share memory: such writes have no specified result."""
    order = sorted((s, n) for s, n in zip(x.stride(), x.shape, strict=True) if n > 1)
    reach = 0
    for s, n in order:
        if s <= reach:
            return True
        reach += s * (n - 1)
    return False


# errors of PyTorch's own making in backward
ANEW = ("AsStridedBackward0", "ViewAsComplexBackward0", "ViewAsRealBackward0", "SelectBackward0")
QUIRKS = ("returned an invalid gradient", "detached in-place", "torch.LongTensor", "Expected isFloatingType")


class Ended(Exception):
    """Nothing can be compared from here on."""


class Program:
    """The same tensors on both sides, and what was done to them."""

    def __init__(self, seed, oracle):
        self.rng = rng = random.Random(seed)
        self.sides = (polytensor, oracle)
        self.lines = []
        self.pairs = []
        self.leaves = []
        for i in range(3):
            shape = [rng.randint(1, 3) for _ in range(rng.randint(0, 3))]
            values = np.asarray(np.linspace(-1, 1.5, int(np.prod(shape))).reshape(shape) + 0.1 * i)
            pair = tuple(t.from_numpy(np.array(values)) for t in self.sides)
            if i < 2:
                self.leaves.append(tuple(x.requires_grad_() for x in pair))
                if rng.random() < 0.7:
                    pair = tuple(x * 1 for x in self.leaves[-1])
            self.pairs.append(pair)

    def step(self):
        rng = self.rng
        i, j = rng.randrange(len(self.pairs)), rng.randrange(len(self.pairs))
        x = self.pairs[i][1]
        kind = rng.random()
        if kind < 0.45:
            text, fn = view_lines(rng, x)
            call = lambda x, y: fn(x)  # noqa: E731
        elif kind < 0.85:
            if tangled(x.detach()) or (x._base is not None and tangled(x._base.detach())):
                return
            text, call = write_lines(rng, x)
            if ("requires_grad_" in text or "detach_" in text) and (
                x._base is not None or any(t._base is x for _, t in self.pairs)
            ):
                return  # PyTorch's views of it then say that they require grad too, but lead nowhere
            if not (x.is_floating_point() or x.is_complex()) and text != "x.zero_()":
                return
        else:
            text, call = op_lines(rng, x)
        self.lines.append(f"{len(self.pairs)}: x={i} y={j} {text}")
        results = []
        for side in (0, 1):
            a, b = self.pairs[i][side], self.pairs[j][side]
            try:
                # a copy: reading and writing overlapping memory is not specified
                results.append(call(a, b.clone() if 0.45 <= kind < 0.85 else b))
            except Exception as error:  # noqa: BLE001 the class is the result
                results.append(error)
        mine, theirs = results
        if isinstance(theirs, Exception):
            if "setStorage" in str(theirs):  # PyTorch fails to derive an empty view anew
                raise Ended
            assert isinstance(mine, Exception), f"{mine!r}, expected {theirs!r}"
            assert type(mine).__name__ == type(theirs).__name__, f"{mine!r}, expected {theirs!r}"
        else:
            assert not isinstance(mine, Exception), f"{mine!r}"
            if not any(theirs is t for _, t in self.pairs) and len(self.pairs) < 12:
                self.pairs.append((mine, theirs))
        self.check()

    def check(self):
        for k, (mine, theirs) in enumerate(self.pairs):
            try:
                e = self.state(k, 1)
            except RuntimeError as error:
                # PyTorch refuses pieces of split and unbind once their base was written; PolyTensor follows the write
                raise Ended from error
            a = self.state(k, 0)
            # after a write that leaves no history (under no_grad, say) PyTorch derives a view from its base anew
            if e["view"] and e["grad_fn"] != a["grad_fn"] and e["grad_fn"] in ANEW:
                a["grad_fn"] = e["grad_fn"]
            assert a == e, f"tensor {k}: {a}, expected {e}"
            if theirs.dtype == self.sides[1].int64:  # the bits of floats, which may differ in the last
                continue
            a, e = (x.detach().resolve_conj().numpy() for x in (mine, theirs))
            np.testing.assert_allclose(a, e, 1e-9, 1e-12, err_msg=f"tensor {k}")

    def state(self, k, side):
        x = self.pairs[k][side]
        base = x._base
        place = None if base is None else next((i for i, p in enumerate(self.pairs) if p[side] is base), "leaf or gone")
        name = None if x.grad_fn is None else x.grad_fn.name().split("::")[-1]
        return {
            "shape": tuple(x.shape), "version": x._version, "leaf": x.is_leaf, "requires_grad": x.requires_grad, "grad_fn": name,
            "view": x._is_view(), "base": place, "dtype": str(x.dtype),
        }  # fmt: skip

    def finish(self):
        outcomes = []
        for side, t in enumerate(self.sides):
            try:
                roots = [p[side] for p in self.pairs if p[side].requires_grad]
                total = sum(((t.view_as_real(r) if r.is_complex() else r) * (i + 1)).sum() for i, r in enumerate(roots))
                if roots:
                    total.backward()
                outcomes.append(None)
            except Exception as error:  # noqa: BLE001 the class is the result
                outcomes.append(error)
        mine, theirs = outcomes
        if any(s in str(theirs) for s in QUIRKS):
            return
        assert type(mine).__name__ == type(theirs).__name__, f"{mine!r}, expected {theirs!r}"
        if theirs is not None:
            return
        for k, (m, t) in enumerate(self.leaves + self.pairs):
            if t.is_leaf:
                assert (m.grad is None) == (t.grad is None), f"grad of leaf {k}"
                if t.grad is not None:
                    a, e = (x.grad.resolve_conj().numpy() for x in (m, t))
                    np.testing.assert_allclose(a, e, 1e-9, 1e-12, err_msg=f"gradient of {k}")


def run(seed, oracle):
    program = Program(seed, oracle)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program.check()
            for _ in range(STEPS):
                program.step()
            program.finish()
    except Ended:
        return
    except Exception as error:
        raise AssertionError(f"seed {seed}: {str(error).strip()}\n" + "\n".join(program.lines)) from error


def test_random_programs(oracle):
    for seed in range(SEEDS):
        run(seed, oracle)
