"""Module, containers, hooks, state and lazy parameters: one text on PolyTensor and on PyTorch, step by step."""

import copy
import io
import pickle
import warnings
from collections import OrderedDict

import pytest
from same import same

import polytensor


def net(t):
    return t.nn.Sequential(t.nn.Linear(2, 3), t.nn.ReLU(), t.nn.Sequential(t.nn.Linear(3, 1, bias=False)))


def fixed(t, m):
    """`m` with parameters 0.1, 0.2, ... in place of random ones."""
    with t.no_grad():
        k = 0
        for p in m.parameters():
            p.copy_((t.arange(p.numel(), dtype=p.dtype).reshape(p.shape) + k) / 10)
            k += p.numel()
    return m


def custom(t):
    """A module with everything: parameters, buffers, a shared child, a None."""

    class Block(t.nn.Module):
        def __init__(self, child):
            super().__init__()
            self.w = t.nn.Parameter(t.ones(2))
            self.register_parameter("none", None)
            self.register_buffer("count", t.zeros(1))
            self.register_buffer("scratch", t.ones(3), persistent=False)
            self.register_buffer("empty", None)
            self.inner = child
            self.plain = 3

        def forward(self, x, scale=1.0):
            return self.inner(x) * self.w * scale

        def extra_repr(self):
            return "plain=3"

    shared = t.nn.Linear(2, 2)
    return t.nn.ModuleDict({"a": Block(shared), "b": Block(shared), "c": t.nn.ModuleList([Block(t.nn.Identity())] * 3)})


def names(it):
    return [n for n, _ in it]


def tried(fn):
    try:
        return fn()
    except Exception as e:
        text = str(e).replace("polytensor.nn.containers.", "torch.nn.modules.container.")
        return type(e).__name__, text.replace("polytensor.nn.module.", "torch.nn.modules.module.")


def attributes(t):
    m, out = custom(t), []
    b = m["a"]
    for name, value in (
        ("w", t.ones(2)), ("w", None), ("w", t.nn.Parameter(t.zeros(1))), ("count", 3), ("count", t.ones(1)), ("inner", 3),
        ("inner", None), ("inner", t.nn.ReLU()), ("w", t.nn.Identity()), ("plain", t.nn.Parameter(t.ones(1))),
        ("count", t.nn.Parameter(t.ones(1))), ("scratch", t.nn.Identity()), ("inner", t.nn.Parameter(t.ones(1))),
        ("inner", t.nn.Buffer(t.ones(1))), ("other", t.nn.Buffer(t.ones(1), persistent=False)),
    ):  # fmt: skip
        out.append(tried(lambda name=name, value=value: setattr(b, name, value)))
        out.append(
            [names(b.named_parameters()), names(b.named_buffers()), names(b.named_children()), list(b.state_dict())]
        )
    del b.plain
    del b.inner
    out.append(tried(lambda: delattr(b, "nothing")))
    out.append(tried(lambda: b.plain))
    out.append([n for n in dir(b) if n in ("w", "count", "other", "forward", "plain")])
    return out


def registering(t):
    m, P = t.nn.Module(), t.nn.Parameter
    m.register_buffer("there", None)
    return [
        tried(f)
        for f in (
            lambda: m.register_buffer(3, None), lambda: m.register_buffer("a.b", None), lambda: m.register_buffer("", None),
            lambda: m.register_buffer("forward", None), lambda: m.register_buffer("x", 3), lambda: m.register_buffer("there", t.ones(1)),
            lambda: m.register_parameter(3, None), lambda: m.register_parameter("a.b", None), lambda: m.register_parameter("", None),
            lambda: m.register_parameter("forward", None), lambda: m.register_parameter("x", t.ones(1)), lambda: m.register_parameter("x", 3),
            lambda: m.add_module(3, None), lambda: m.add_module("a.b", t.nn.ReLU()), lambda: m.add_module("", None),
            lambda: m.add_module("forward", None), lambda: m.add_module("x", 3), lambda: m.add_module("x", t.ones(2)),
            lambda: m.register_module("child", t.nn.ReLU()), lambda: m.register_parameter("child", P(t.ones(1))),
            lambda: t.nn.Module(3), lambda: t.nn.Module(a=3), lambda: m(3), lambda: m.train(3),
            lambda: type("X", (t.nn.Module,), {"__init__": lambda s: setattr(s, "p", P(t.ones(1)))})(),
            lambda: type("X", (t.nn.Module,), {"__init__": lambda s: setattr(s, "m", t.nn.ReLU())})(),
            lambda: type("X", (t.nn.Module,), {"__init__": lambda s: s.register_buffer("b", t.ones(1))})(),
        )
    ]  # fmt: skip


def walking(t):
    m = custom(t)
    out = [
        names(m.named_modules()), names(m.named_modules(prefix="p")), names(m.named_modules(remove_duplicate=False)),
        names(m.named_parameters()), names(m.named_parameters("p", remove_duplicate=False)), names(m.named_parameters(recurse=False)),
        names(m.named_buffers()), names(m.named_buffers("q", recurse=False)), names(m["a"].named_buffers(recurse=False)),
        names(m.named_children()), len(list(m.modules())), len(list(m.modules(remove_duplicate=False))), len(list(m.children())),
        len(list(m.parameters())), len(list(m.buffers())), list(m.state_dict()), list(m.state_dict(prefix="x.")),
        m.state_dict()._metadata, repr(m), repr(net(t)), m.get_submodule("") is m, m.get_submodule("a.inner") is m["b"].inner,
        m.get_parameter("a.w"), m.get_buffer("c.0.count"),
    ]  # fmt: skip
    for f in (
        lambda: m.get_submodule("a.x"), lambda: m.get_submodule("a.w"), lambda: m.get_parameter("a.nope"), lambda: m.get_parameter("a.count"),
        lambda: m.get_buffer("a.w"), lambda: m.get_buffer("a.nope"), lambda: m.get_parameter("z.w"), lambda: m.set_submodule("", m),
        lambda: m.set_submodule("a.inner", t.nn.ReLU()), lambda: m.set_submodule("a.new", t.nn.ReLU()), lambda: m.set_submodule("z.new", t.nn.ReLU()),
        lambda: m.set_submodule("a.fresh", t.nn.ReLU(), strict=True), lambda: m.set_submodule("a.w", t.nn.ReLU()),
    ):  # fmt: skip
        out.append(tried(f))
    out.append(names(m.named_modules()))
    seen = []
    m.apply(lambda k: seen.append(type(k).__name__))
    return [*out, seen, m.eval().training, [k.training for k in m.modules()], m["a"].train() is m["a"], m.training]


def overridden_train(t):
    class Frozen(t.nn.Linear):
        def train(self, mode=True):
            return super().train(False)

    m = t.nn.Sequential(Frozen(1, 1), t.nn.ReLU()).train()
    return m.training, m[0].training, m[1].training


def hooks(t):
    """The order of all kinds of hooks, with what they see."""
    m, seen = fixed(t, net(t).double()), []
    inner = m[0]

    def note(name, result=None):
        def hook(*a):
            seen.append((name, len(a), [type(x).__name__ for x in a[1:]]))
            return result

        return hook

    handles = [
        m.register_forward_pre_hook(note("pre 1")), m.register_forward_pre_hook(note("pre 0"), prepend=True),
        m.register_forward_pre_hook(note("pre kw"), with_kwargs=True), m.register_forward_hook(note("post 1")),
        m.register_forward_hook(note("post 0"), prepend=True), m.register_forward_hook(note("post kw"), with_kwargs=True),
        m.register_forward_hook(note("always"), always_call=True), m.register_full_backward_pre_hook(note("back pre")),
        m.register_full_backward_hook(note("back 1")), m.register_full_backward_hook(note("back 0"), prepend=True),
        inner.register_full_backward_hook(note("inner back")), inner.register_full_backward_pre_hook(note("inner back pre")),
        inner.register_forward_pre_hook(lambda mod, a: (a[0] * 2,)), inner.register_forward_hook(lambda mod, a, y: y + 1),
        inner.register_forward_pre_hook(lambda mod, a, kw: (a, kw), with_kwargs=True),
    ]  # fmt: skip
    x = t.ones(2, 2, dtype=t.float64, requires_grad=True)
    y = m(x)
    y.sum().backward()
    out = [list(seen), y, x.grad]
    seen.clear()
    for h in handles[::2]:
        h.remove()
    with m.register_forward_pre_hook(note("inside")):
        m(x)
    m(x).sum().backward()
    out += [list(seen), len(m._forward_hooks), len(m._forward_pre_hooks), x.grad]
    for h in handles:
        h.remove()
        h.remove()
    seen.clear()
    m(x)
    return [*out, seen, len(m._forward_hooks), len(m._forward_hooks_always_called), len(m._forward_pre_hooks)]


def always_called(t):
    seen = []

    class Bad(t.nn.Module):
        def forward(self, x):
            raise ValueError("bad")

    m = Bad()
    m.register_forward_hook(lambda *a: seen.append("not"))
    m.register_forward_hook(lambda mod, a, out: seen.append(("always", out)), always_call=True)
    m.register_forward_hook(lambda mod, a, k, out: seen.append((a, k, out)), always_call=True, with_kwargs=True)
    m.register_forward_hook(lambda *a: 1 / 0, always_call=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        error = tried(lambda: m(3))
    return seen, error, [str(w.message) for w in caught]


def global_hooks(t):
    import importlib

    M, seen = importlib.import_module(f"{t.__name__}.nn.modules.module"), []
    m = fixed(t, net(t))
    m.register_forward_hook(lambda *a: seen.append("own"))

    def note(name):
        return lambda mod, *a: seen.append((name, type(mod).__name__, len(a)))

    handles = [
        M.register_module_forward_pre_hook(note("pre")), M.register_module_forward_hook(note("post")),
        M.register_module_forward_hook(note("kw"), with_kwargs=True), M.register_module_full_backward_hook(note("back")),
        M.register_module_full_backward_pre_hook(note("back pre")),
        M.register_module_parameter_registration_hook(lambda mod, n, p: seen.append((n, tuple(p.shape)))),
        M.register_module_module_registration_hook(lambda mod, n, p: seen.append((n, type(p).__name__))),
        M.register_module_buffer_registration_hook(lambda mod, n, p: t.ones(2)),
    ]  # fmt: skip
    try:
        seen.append(tried(lambda: M.register_module_backward_hook(note("x"))))
        m(t.ones(1, 2, requires_grad=True)).sum().backward()
        k = t.nn.Module()
        k.p, k.child = t.nn.Parameter(t.ones(1)), t.nn.Identity()
        k.register_buffer("b", t.zeros(1))
        seen.append(k.b.tolist())
    finally:
        for h in handles:
            h.remove()
    count = len(seen)
    m(t.ones(1, 2))
    return seen, len(seen) - count


def backward_results(t):
    """What backward hooks may return, and what is wrong."""
    out = []
    for kind, result in (
        ("hook", lambda m, gi, go: (gi[0] * 3,)), ("hook", lambda m, gi, go: (gi[0], gi[0])),
        ("pre", lambda m, go: (go[0] * 5,)), ("pre", lambda m, go: (go[0], None)),
    ):  # fmt: skip
        m = fixed(t, t.nn.Linear(2, 1).double())
        (m.register_full_backward_hook if kind == "hook" else m.register_full_backward_pre_hook)(result)
        x = t.ones(1, 2, dtype=t.float64, requires_grad=True)
        out.append(tried(lambda m=m, x=x: m(x).sum().backward()))
        out += [x.grad, m.weight.grad]
    m = t.nn.Identity()
    m.register_full_backward_hook(lambda *a: None)
    out.append(tried(lambda: m.register_backward_hook(lambda *a: None)))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        out.append(tried(lambda: m([t.ones(1, requires_grad=True)])))
    return [*out, [str(w.message) for w in caught]]


def backward_hooks_of_many(t):
    """Several inputs and outputs, some that are no tensors or need no gradient; writing to an output."""
    seen = []

    class M(t.nn.Module):
        def forward(self, x, n, y):
            return x * n, y * 2, n

    listed = lambda gs: [None if g is None else g.tolist() for g in gs]
    m = M()
    m.register_full_backward_hook(lambda mod, gi, go: seen.append((listed(gi), listed(go))))
    x, y = t.ones(2, requires_grad=True), t.ones(2, requires_grad=True)
    m(x, 3, y)[0].sum().backward()
    a, b, _ = m(x, 3, y.detach())
    (a.sum() + b.sum()).backward()
    cut = m(x.detach(), 3, y.detach())
    written = tried(lambda: m(x, 3, y)[0].add_(1))
    return seen, cut[0].requires_grad, written[0], written[1][:44], a.grad_fn.name()


def plain_backward_hook(t):
    seen = []
    m = t.nn.Tanh()
    m.register_backward_hook(lambda m, gi, go: seen.append((gi, go)))
    m(t.zeros(2, dtype=t.float64, requires_grad=True)).sum().backward()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        two = t.nn.Sequential(t.nn.Tanh(), t.nn.Tanh())
        two.register_backward_hook(lambda m, gi, go: seen.append((gi, go)))
        two(t.zeros(2, dtype=t.float64, requires_grad=True)).sum().backward()
    return seen, [str(w.message) for w in caught]


def saving(t):
    m, seen = custom(t), []
    b = m["a"]
    b.register_state_dict_pre_hook(lambda mod, prefix, keep: seen.append(("pre", prefix, keep)))
    b.register_state_dict_post_hook(lambda mod, d, prefix, meta: d.__setitem__(prefix + "extra", 1))
    h = m["b"]._register_state_dict_hook(lambda mod, d, prefix, meta: seen.append((prefix, meta, list(d))))
    m._register_state_dict_hook(lambda mod, d, prefix, meta: OrderedDict(d))
    kept = m.state_dict(keep_vars=True, prefix="p.")
    out = [list(kept), kept["p.a.w"] is b.w, m.state_dict()["a.w"].requires_grad, list(seen)]
    h.remove()
    mine = {}
    b.state_dict(destination=mine)
    b.register_state_dict_post_hook(lambda *a: 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        positional = list(m["b"].state_dict({}, "old."))
    return [*out, list(mine), tried(b.state_dict), positional]


def loading(t):
    m = custom(t)
    good = m.state_dict()
    out = [str(m.load_state_dict(good)), tried(lambda: m.load_state_dict(3)), tried(lambda: m.load_state_dict({}))]
    bad = OrderedDict(good)
    del bad["a.w"]
    bad["a.count"] = t.zeros(2)
    bad["a.more"] = bad["q.w"] = bad["c.5.w"] = bad["a.inner.weight.x"] = bad["top"] = t.zeros(1)
    bad["b.w"] = 3
    out.append(tried(lambda: m.load_state_dict(bad)))
    out.append(tried(lambda: m.load_state_dict(bad, strict=False)))
    del bad["a.count"], bad["b.w"]
    r = m.load_state_dict(bad, strict=False)
    out += [r.missing_keys, r.unexpected_keys, repr(r)]
    seen = []
    b = m["a"]
    b.register_load_state_dict_pre_hook(
        lambda mod, d, prefix, meta, *rest: seen.append((mod is b, sorted(d), prefix, meta, rest))
    )
    b._register_load_state_dict_pre_hook(lambda d, prefix, *rest: d.setdefault(prefix + "w", t.zeros(2)) and None)
    m.register_load_state_dict_post_hook(lambda mod, keys: keys.unexpected_keys.clear())
    out += [tried(lambda: repr(m.load_state_dict(bad))), b.w, seen]
    b.register_load_state_dict_post_hook(lambda mod, keys: 3)
    out.append(tried(lambda: m.load_state_dict(good))[0])
    scalar = t.nn.Module()
    scalar.p = t.nn.Parameter(t.tensor(1.0))
    scalar.load_state_dict({"p": t.tensor([5.0])})
    wrapped = OrderedDict({"module.a": 1, "b": 2, "module": 3, "module.module.c": 4})
    wrapped._metadata = OrderedDict({"": 1, "module": 2, "module.c": 3, "modules": 4})
    t.nn.modules.utils.consume_prefix_in_state_dict_if_present(wrapped, "module.")
    counted = t.nn.BatchNorm1d(2, device="meta")
    counted.load_state_dict({}, strict=False, assign=True)
    return [*out, scalar.p, wrapped, wrapped._metadata, counted.num_batches_tracked]


def assigning(t):
    m = t.nn.Linear(2, 1)
    m.weight.requires_grad_(False)
    w, b = t.ones(1, 2, dtype=t.float64), t.nn.Parameter(t.zeros(1))
    m.load_state_dict({"weight": w, "bias": b}, assign=True)
    same_memory = m.weight.data_ptr() == w.data_ptr()
    return m.weight, m.bias is b, same_memory, type(m.weight).__name__, m.weight.requires_grad


def extra_state(t):
    class Counter(t.nn.Module):
        n = 3

        def get_extra_state(self):
            return {"n": self.n}

        def set_extra_state(self, state):
            self.n = state["n"] + 1

    m = t.nn.Sequential(Counter(), t.nn.Identity())
    d = m.state_dict()
    m.load_state_dict(d)
    d["1._extra_state"] = 4
    return list(d), m[0].n, tried(lambda: m.load_state_dict(d)), tried(lambda: m.load_state_dict({}))


def own_loading(t):
    """A class that renames keys by overriding _load_from_state_dict, with its version."""
    seen = []

    class Old(t.nn.Linear):
        _version = 2

        def _load_from_state_dict(self, state_dict, prefix, local_metadata, *rest):
            seen.append((prefix, local_metadata.get("version")))
            if prefix + "w" in state_dict:
                state_dict[prefix + "weight"] = state_dict.pop(prefix + "w")
            super()._load_from_state_dict(state_dict, prefix, local_metadata, *rest)

    m = t.nn.Sequential(Old(2, 1, bias=False))
    m.load_state_dict({"0.w": t.ones(1, 2)})
    m.load_state_dict(m.state_dict())
    return m[0].weight, seen, m.state_dict()._metadata


def moving(t):
    m = net(t)
    m.register_buffer("n", t.ones(2, dtype=t.int64))
    m(t.ones(1, 2)).sum().backward()
    ids = [id(p) for p in m.parameters()]
    out = []
    for f in (
        lambda: m.double(), lambda: m.to(t.float32), lambda: m.half(), lambda: m.bfloat16(), lambda: m.float(), lambda: m.to("cpu"),
        lambda: m.to("cpu", t.float64), lambda: m.to(dtype=t.float32), lambda: m.to(t.ones(1, dtype=t.float64)), lambda: m.cpu(),
        lambda: m.type(t.float32), lambda: m.to(device="cpu", dtype=t.float16, non_blocking=True), lambda: m.to(t.int64),
        lambda: m.to(device=t.device("cpu")), lambda: m.to_empty(device="cpu"), lambda: m.share_memory(),
    ):  # fmt: skip
        r = tried(f)
        out.append(r if isinstance(r, tuple) else r is m)
        out.append([str(p.dtype) for p in m.parameters()] + [str(m.n.dtype), str(m[0].weight.grad.dtype)])
    versions = [p._version for p in m.parameters()]
    m._apply(lambda p: p.add_(1))
    out.append([p._version > v for p, v in zip(m.parameters(), versions, strict=True)])
    conv = t.nn.Conv2d(2, 3, 3).to(memory_format=t.channels_last)
    out.append([conv.weight.is_contiguous(memory_format=t.channels_last), conv.weight.stride()])
    return [*out, ids == [id(p) for p in m.parameters()]]


def gradients(t):
    m = fixed(t, net(t))
    m(t.ones(1, 2)).sum().backward()
    m.zero_grad(set_to_none=False)
    out = [m[0].weight.grad]
    m.zero_grad()
    out += [m[0].weight.grad, m.requires_grad_(False) is m, [p.requires_grad for p in m.parameters()]]
    return out


def copies(t):
    m = custom(t)
    m["a"].register_forward_hook(print)
    k = copy.deepcopy(m)
    tied = k["a"].inner is k["b"].inner
    k["a"].w.data.fill_(7)
    p = pickle.loads(pickle.dumps(net(t)))
    return [tied, m["a"].w, names(k.named_parameters()), len(k["a"]._forward_hooks), repr(p), repr(k)]


def sequential(t):
    n = t.nn
    A, B, C = n.ReLU(), n.Tanh(), n.Sigmoid()
    kinds = lambda s: [(k, type(m).__name__) for k, m in s.named_children()]
    s, out = n.Sequential(A, B, C), []
    for f in (
        lambda: s[0], lambda: s[-1], lambda: s[3], lambda: s["a"], lambda: s[1:], lambda: s[::-1], lambda: s.append(n.Identity()),
        lambda: s.insert(1, n.Flatten()), lambda: s.insert(-1, n.Softmax(0)), lambda: s.insert(9, A), lambda: s.insert(0, 3),
        lambda: s.extend([n.Identity(), n.Dropout(0.1)]), lambda: s.pop(0), lambda: s.pop(-1), lambda: s.pop(20), lambda: s + s[:1], lambda: s + [A],
        lambda: s.__iadd__(n.Sequential(n.LogSoftmax(1))), lambda: s.__iadd__([A]), lambda: s[:2] * 2, lambda: 2 * s[:1], lambda: s * 0,
        lambda: s * "a", lambda: s[:1].__imul__(3), lambda: s.__setitem__(0, n.Tanh()), lambda: s.__setitem__(0, 3), lambda: s.__delitem__(1),
        lambda: s.__delitem__(slice(0, 2)), lambda: s.__delitem__(17), lambda: n.Sequential(OrderedDict(a=A, b=B))[1:],
        lambda: n.Sequential(OrderedDict(a=A, b=B)).b, lambda: n.Sequential(3), lambda: n.Sequential(A)(t.tensor([-1.0, 1.0])),
        lambda: n.Sequential(OrderedDict(a=A, b=B)).pop("a"), lambda: [type(m).__name__ for m in s], lambda: s.append(3),
    ):  # fmt: skip
        r = tried(f)
        out.append([repr(r) if isinstance(r, n.Module) else r, kinds(s), len(s)])
    return out


def module_list(t):
    n = t.nn
    s, out = n.ModuleList([n.ReLU(), n.Tanh()]), []
    for f in (
        lambda: s[0], lambda: s[-1], lambda: s[2], lambda: s[:1], lambda: s.append(n.Identity()), lambda: s.insert(0, n.Tanh()),
        lambda: s.extend([n.ReLU()] * 3), lambda: s.extend(3), lambda: s.__iadd__([n.ReLU()]), lambda: s + [n.ReLU()],
        lambda: s.pop(0), lambda: s.pop(slice(0, 2)), lambda: s.__setitem__(0, n.Dropout(0.2)),
        lambda: s.__delitem__(0), lambda: s.__delitem__(slice(1, 2)),
        lambda: s.append(3), lambda: s(1), lambda: n.ModuleList(), lambda: n.ModuleList([n.Sequential(n.ReLU(), n.Tanh())] * 2 + [n.ReLU()]),
        lambda: [type(m).__name__ for m in s], lambda: n.ModuleList(n.ModuleDict({"a": n.ReLU()}).values()), lambda: s[1.5],
    ):  # fmt: skip
        r = tried(f)
        out.append([repr(r) if isinstance(r, n.Module) else r, names(s.named_children()), repr(s), len(s)])
    return out


def module_dict(t):
    n = t.nn
    s, out = n.ModuleDict({"b": n.ReLU(), "a": n.Tanh()}), []
    for f in (
        lambda: s["b"], lambda: s["x"], lambda: "a" in s, lambda: list(s), lambda: list(s.keys()), lambda: len(list(s.values())),
        lambda: [k for k, _ in s.items()], lambda: s.update([("c", n.Dropout(0.2)), ["d", n.ReLU()]]), lambda: s.update(3), lambda: s.update([3]),
        lambda: s.update([("a",)]), lambda: s.update(OrderedDict(z=n.ReLU())), lambda: s.update(n.ModuleDict({"y": n.ReLU()})), lambda: s.pop("a"),
        lambda: s.pop("a"), lambda: s.__delitem__("b"), lambda: s.__setitem__("c", n.ReLU()), lambda: s.__setitem__("keys", n.ReLU()),
        lambda: s.__setitem__("q", 3), lambda: s({}), lambda: s.clear(), lambda: n.ModuleDict([["k", n.ReLU()]]),
    ):  # fmt: skip
        r = tried(f)
        out.append([repr(r) if isinstance(r, n.Module) else r, names(s.named_children()), repr(s), len(s)])
    return out


def parameter_list(t):
    n = t.nn
    s, out = n.ParameterList([n.Parameter(t.ones(2)), t.zeros(1, 3)]), []
    for f in (
        lambda: s[0], lambda: s[-1], lambda: s[2], lambda: s[:1], lambda: s.append(t.ones(1)),
        lambda: s.append("text"), lambda: s.extend([t.ones(2, 2)]),
        lambda: s.extend(3), lambda: s.extend(t.ones(2)), lambda: s.__iadd__([n.Parameter(t.ones(1), requires_grad=False)]),
        lambda: s.__setitem__(0, t.zeros(2)), lambda: s.__setitem__(9, t.zeros(2)), lambda: list(s), lambda: s(3), lambda: n.ParameterList(),
        lambda: [p.requires_grad for p in s if hasattr(p, "requires_grad")], lambda: "0" in dir(s),
    ):  # fmt: skip
        r = tried(f)
        out.append([repr(r) if isinstance(r, n.Module) else r, names(s.named_parameters()), repr(s), len(s)])
    return out


def parameter_dict(t):
    n = t.nn
    P = n.Parameter
    s, out = n.ParameterDict({"b": P(t.ones(2)), "a": t.zeros(1)}), []
    for f in (
        lambda: s["b"], lambda: s["x"], lambda: s[3], lambda: s.__setitem__(3, 3), lambda: s.pop(3), lambda: list(s), lambda: "a" in s,
        lambda: s.update([("c", t.ones(1))]), lambda: s.update(3),
        lambda: s.update([3]), lambda: s.update([("c",)]), lambda: s.update(OrderedDict(z=t.ones(1), y="text")),
        lambda: s.get("q", 5), lambda: s.get("a"),
        lambda: s.setdefault("new", t.ones(1)), lambda: s.setdefault("new"), lambda: s.copy(), lambda: list(reversed(s)), lambda: s.pop("a"),
        lambda: s.popitem(), lambda: s.fromkeys(["u", "v"], t.ones(1)), lambda: s | n.ParameterDict({"m": t.ones(1)}),
        lambda: s.__ior__(n.ParameterDict({"k": t.ones(1)})), lambda: s.__delitem__("b"), lambda: [k for k, _ in s.items()], lambda: list(s.keys()),
        lambda: len(list(s.values())), lambda: s(3), lambda: s.clear(), lambda: n.ParameterDict(),
    ):  # fmt: skip
        r = tried(f)
        out.append([repr(r) if isinstance(r, n.Module) else r, names(s.named_parameters()), repr(s), len(s)])
        s._keys.pop(3, None)
    return out


def lazy(t):
    import importlib

    mixin = importlib.import_module(f"{t.__name__}.nn.modules.lazy").LazyModuleMixin
    U = t.nn.parameter

    class Lin(mixin, t.nn.Linear):
        cls_to_become = t.nn.Linear

        def __init__(self, n, bias=True):
            super().__init__(0, 0)
            self.weight, self.out_features = U.UninitializedParameter(), n
            self.bias = U.UninitializedParameter()

        def reset_parameters(self):
            pass

        def initialize_parameters(self, x):
            if self.has_uninitialized_params():
                with t.no_grad():
                    self.in_features = x.shape[-1]
                    self.weight.materialize((self.out_features, x.shape[-1]))
                    self.bias.materialize((self.out_features,))
                    self.weight.fill_(2)
                    self.bias.fill_(1)

    m = Lin(3)
    twin, third = copy.deepcopy(m), copy.deepcopy(m)
    out = [repr(twin.load_state_dict(third.state_dict())), third.weight.size(), twin.has_uninitialized_params()]
    out += [repr(m), repr(m.weight), m.weight.requires_grad, isinstance(m.weight, t.nn.Parameter), list(m.state_dict())]
    out += [U.is_lazy(m.weight), U.is_lazy(t.ones(1)), tried(lambda: m.weight.shape), tried(lambda: m.weight + 1)[0]]
    out.append(tried(m.share_memory))
    m.double()
    out.append(str(m.weight.dtype))
    loaded = tried(lambda: t.nn.Linear(4, 3).load_state_dict(m.state_dict()))[1]
    x = t.ones(2, 4, dtype=t.float64)
    out += [
        loaded.split("\n")[0],
        m(x),
        type(m).__name__,
        repr(m),
        hasattr(m, "_initialize_hook"),
        len(m._forward_pre_hooks),
        m(x),
        m.weight,
    ]
    twin.load_state_dict(m.state_dict())
    out += [twin.weight, twin(x.float()), type(twin).__name__]
    b = U.UninitializedBuffer()
    b.materialize((2, 3))
    out += [type(b).__name__, tuple(b.shape), str(b.dtype)]
    other = type("Other", (mixin, t.nn.Module), {"forward": lambda s, x: x})()
    out.append(tried(lambda: other(3)))
    half = Lin(2)
    type(half).initialize_parameters = lambda s, x: None
    return [*out, tried(lambda: half(x))]


def buffers(t):
    b = t.nn.Buffer(t.ones(2, requires_grad=True))

    class Older(t.nn.Module):
        def register_buffer(self, name, tensor):
            super().register_buffer(name, tensor * 2)

    older = Older()
    older.b = t.nn.Buffer(t.ones(2))
    norm = t.nn.InstanceNorm1d(2, track_running_stats=True).double().eval()
    return [
        older.b, norm(t.ones(1, 2, 3)),
        isinstance(b, t.nn.Buffer), isinstance(b, t.Tensor), isinstance(b, t.nn.Parameter), isinstance(t.ones(1), t.nn.Buffer), b.persistent,
        b.requires_grad, t.nn.Buffer().numel(), repr(t.nn.Parameter(t.ones(2))), t.nn.Parameter(t.ones(1), requires_grad=False).requires_grad,
        t.nn.Parameter().numel(), isinstance(t.nn.Linear(1, 1).weight, t.Tensor),
    ]  # fmt: skip


CASES = [
    attributes, registering, walking, overridden_train, hooks, always_called, global_hooks, backward_results,
    backward_hooks_of_many, plain_backward_hook, saving, loading, assigning, extra_state, own_loading, moving, gradients, copies, sequential,
    module_list, module_dict, parameter_list, parameter_dict, lazy, buffers,
]  # fmt: skip


@pytest.mark.parametrize("case", CASES, ids=lambda f: f.__name__)
def test_module(oracle, case):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        same(case, oracle)


def test_pickles_from_elsewhere():
    """A state that lacks the tables of this version, and PyTorch's file names."""
    full = polytensor.nn.Linear(1, 1)
    state = {k: v for k, v in full.__dict__.items() if "hooks" not in k}
    bare = polytensor.nn.Linear.__new__(polytensor.nn.Linear)
    bare.__setstate__(state)
    assert (
        bare(polytensor.zeros(1, 1)).shape == (1, 1)
        and repr(bare) == repr(full)
        and bare.state_dict().keys() == full.state_dict().keys()
    )
    seen = []
    full.register_forward_hook(lambda *a: seen.append(1))
    twin = copy.deepcopy(full)
    twin(polytensor.zeros(1, 1))
    assert seen == [1]
    nn = polytensor.nn
    assert (
        nn.modules.linear.Linear is nn.Linear
        and nn.modules.Module is nn.Module
        and nn.modules.container.ModuleList is nn.ModuleList
    )
    with pytest.raises(AttributeError, match="Nope"):
        nn.modules.linear.Nope
    assert polytensor.typename(full) == "torch.nn.modules.linear.Linear"


def test_state_dicts_keep_their_metadata_in_files(oracle):
    f, g = io.BytesIO(), io.BytesIO()
    polytensor.save(net(polytensor).state_dict(), f)
    oracle.save(net(oracle).state_dict(), g)
    f.seek(0)
    g.seek(0)
    theirs, ours = oracle.load(f), polytensor.load(g)
    assert theirs._metadata == ours._metadata == net(oracle).state_dict()._metadata
    net(oracle).load_state_dict(theirs)
    net(polytensor).load_state_dict(ours)


def test_the_fast_call_comes_back_after_hooks():
    m = polytensor.nn.Identity()
    h = m.register_forward_hook(lambda *a: None)
    m(1)
    assert m._hooked
    h.remove()
    m(1)
    assert not m._hooked and not polytensor.nn.hooks.HOOKED


def test_compile_is_accepted():
    m = polytensor.nn.Identity()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        m.compile(fullgraph=True)
        assert polytensor.compile(m)(3) == 3
