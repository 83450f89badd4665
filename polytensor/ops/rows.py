"""The rows of the table of primitives, and the functions written out from them.

A Row names its kernel, its inputs and attributes and one derivative rule per input. A rule is called as
``rule(F, g, ...)`` where F is the backend (on arrays) or the namespace `F` of this module (on Tensors, for derivatives
of derivatives); the names of its further parameters say what is saved: inputs, ``out``, ``<input>_shape``, attributes.
"""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType, SimpleNamespace
from typing import Any

from ..autograd.modes import INFERRING, WATCH, mark, mode
from ..autograd.node import FREED, Node, modified, saved_properties
from ..autograd.watch import watched
from ..backends.base import SCALARS
from ..tensor import LEAF, Tensor, make_view, new, wrap

F = SimpleNamespace()  # kernel name -> the same function on Tensors
ROWS: dict[str, Row] = {}

ARRAYS = {
    "index",
    "indices",
    "mask",
    "order",
    "argmax",
    "targets",
    "t",
    "chain",
}  # attributes that hold arrays: backward frees them


class Row:
    """One primitive; see the module's text."""

    def __init__(
        self,
        name: str,
        inputs: str,
        rules: tuple[Callable[..., Any] | None, ...] | Callable[..., Any] | None,
        attrs: str = "",
        node: str | None = None,
        outs: int = 1,
        view: bool = False,
        broadcast: bool = False,
    ) -> None:
        self.name = name
        self.inputs = inputs.split()
        self.attrs = attrs.split()
        self.view = view
        self.broadcast = broadcast
        self.outs = outs
        self.joint: Callable[..., Any] | None = rules if callable(rules) else None
        self.rules = rules if isinstance(rules, tuple) else ()
        self.differentiable = rules is not None
        self.save_spec: list[tuple[str, int]] = []
        self.users: list[set[int]] = []
        self.rule_args = [self._read(rule, i) for i, rule in enumerate(self.rules)]
        self.joint_args = self._read(self.joint, -1, 3) if self.joint else ()
        self.saves_input0 = ("in", 0) in self.save_spec
        self.saves_out = any(kind == "out" for kind, _ in self.save_spec)
        self.versioned = any(kind in ("in", "out") for kind, _ in self.save_spec)
        kept = {self.attrs[i] for kind, i in self.save_spec if kind == "attr"}
        self.light = not self.versioned and (view or not kept & ARRAYS)
        title = node or "".join(part.capitalize() for part in name.split("_")) + "Backward0"
        self.node: Any = type(title, (Node,), {"__slots__": (), "row": self, "outputs": outs, "light": self.light})
        for key, prop in saved_properties(self.saved_names()).items():
            setattr(self.node, key, prop)
        names = {"new": new, "node": self.node, "LEAF": LEAF, "WATCH": WATCH, "watched": watched}
        self.record = written("record", self._record, names)
        if self.differentiable:
            names = {f"rule{i}": rule for i, rule in enumerate(self.rules)}
            names.update(FREED=FREED, modified=modified, joint=self.joint)
            self.node.fast = written("fast", self._fast, names)
        ROWS[name] = self

    def _read(self, rule: Callable[..., Any] | None, i: int, skip: int = 2) -> tuple[int, ...]:
        """Which saved values `rule` takes, by the names of its parameters."""
        if rule is None:
            return ()
        positions = []
        for p in rule.__code__.co_varnames[skip : rule.__code__.co_argcount]:
            if p in self.inputs:
                spec = ("in", self.inputs.index(p))
            elif p == "out" or (p.startswith("out") and p[3:].isdigit()):
                spec = ("out", int(p[3:] or 0))
            elif p.endswith("_shape") and p[:-6] in self.inputs:
                spec = ("shape", self.inputs.index(p[:-6]))
            elif p.endswith("_dtype") and p[:-6] in self.inputs:
                spec = ("dtype", self.inputs.index(p[:-6]))
            elif p in self.attrs:
                spec = ("attr", self.attrs.index(p))
            else:
                raise TypeError(f"the derivative of {self.name} asks for {p!r}, which it does not have")
            if spec not in self.save_spec:
                self.save_spec.append(spec)
                self.users.append(set())
            k = self.save_spec.index(spec)
            self.users[k].add(i)
            positions.append(k)
        return tuple(positions)

    def _record(self) -> list[str]:
        """The text of `record` for this row: no loop and no test remains that is known now.

        It makes the Node of a call and hangs it on the outputs; inputs are Tensors.
        """
        lines = ["def record(inputs, attrs, outs):", " n = new(node)", " r = outs[0]"]
        count = len(self.inputs)
        lines.append(f" {''.join(f't{i}, ' for i in range(count))}= inputs")
        for i in range(count):
            lines.append(f" e{i} = t{i}._fn")
            lines.append(f" if e{i} is LEAF: e{i} = t{i}")
        lines.append(f" n.edges = ({''.join(f'e{i}, ' for i in range(count))})")
        lines.append(f" n.nrs = ({''.join(f't{i}._nr, ' for i in range(count))})")
        lines.append(" n.hooks = None; n.dev = r._dev")
        shapes = "".join(f"t{i}._a.shape, " for i in range(count))
        lines.append(f" n.shapes = ({shapes})" if self.broadcast else " n.shapes = None")
        for k, ((kind, i), users) in enumerate(zip(self.save_spec, self.users, strict=True)):
            if kind == "in":
                lines.append(f" s{k} = t{i}; c = t{i}._s; v{k} = 0 if c is None else c[0]")
                if -1 not in users and users != set(range(count)):
                    test = " and ".join(f"e{u} is None" for u in sorted(users))
                    lines.append(f" if {test}: s{k} = v{k} = None")
            elif kind == "out":
                lines.append(f" c = outs[{i}]._cell(); s{k} = outs[{i}]._alias(None, 0); v{k} = c[0]; s{k}._s = c")
            else:
                value = {"attr": f"attrs[{i}]", "shape": f"t{i}._a.shape", "dtype": f"t{i}._a.dtype"}[kind]
                lines.append(f" s{k} = {value}; v{k} = None")
        ks = range(len(self.save_spec))
        saved = f"({''.join(f's{k}, ' for k in ks)})"
        lines.append(f" n.vers = {saved}; n.saved = None" if self.light else f" n.saved = {saved}")
        if not self.light:
            lines.append(f" n.vers = ({''.join(f'v{k}, ' for k in ks)})" if self.versioned else " n.vers = None")
        if self.name == "cast":
            lines.append(" if r._a.dtype.kind not in 'biu': r._fn = n")
        elif self.outs == 1:
            lines.append(" r._fn = n")
        else:
            lines.append(" for nr, r in enumerate(outs):")
            lines.append("  if r._a.dtype.kind not in 'biu': r._fn = n; r._nr = nr")
        lines.append(" if WATCH: watched(n, inputs, outs)")
        return lines

    def saved_names(self) -> dict[str, int]:
        """What PyTorch calls the saved values (_saved_self, ...): where they stand."""
        result: dict[str, int] = {}
        for k, (kind, i) in enumerate(self.save_spec):
            if kind == "in":
                name = self.inputs[i]
                name = {"x": "self", "input": "self", "y": "other"}.get(name, name)
            elif kind == "out":
                name = "result" if self.outs == 1 else f"result{i}"
            elif kind == "attr":
                name = self.attrs[i]
            else:
                name = {"shape": "self_sizes", "dtype": "self_dtype"}[kind]
            result.setdefault(name, k)
        return result

    def _fast(self) -> list[str]:
        """The text of Node.run for the common case: on arrays, for all edges."""
        lines = ["def fast(n, g):", " F = n.dev.backend"]
        if not self.light:
            lines.append(" if n.saved is None: raise RuntimeError(FREED)")
        if self.save_spec:
            place = "vers" if self.light else "saved"
            lines.append(f" {''.join(f's{k}, ' for k in range(len(self.save_spec)))}= n.{place}")
            if self.versioned:
                lines.append(f" {''.join(f'v{k}, ' for k in range(len(self.save_spec)))}= n.vers")
        for k, (kind, _) in enumerate(self.save_spec):
            if kind in ("in", "out"):
                lines.append(f" if s{k} is not None:")
                lines.append(f"  c = s{k}._s")
                lines.append(
                    f"  if c is not None and c[0] != v{k}: raise modified(s{k}._a, n.saved_from(s{k}), c[0], v{k})"
                )
                lines.append(f"  s{k} = s{k}._a")
        count = len(self.inputs)
        lines.append(f" {''.join(f'e{i}, ' for i in range(count))}= n.edges")
        if self.joint is not None:
            need = "".join(f"e{i} is not None, " for i in range(count))
            lines.append(f" return joint(F, g, ({need}){''.join(f', s{k}' for k in self.joint_args)})")
        else:
            for i, rule in enumerate(self.rules):
                if rule is None:
                    lines.append(f" g{i} = None")
                    continue
                lines.append(f" if e{i} is None: g{i} = None")
                lines.append(f" else: g{i} = rule{i}(F, g{''.join(f', s{k}' for k in self.rule_args[i])})")
            if self.broadcast:
                lines.append(" shapes = n.shapes")
                for i, rule in enumerate(self.rules):
                    if rule is not None:
                        lines.append(
                            f" if g{i} is not None and g{i}.shape != shapes[{i}]: g{i} = F.sum_to(g{i}, shapes[{i}])"
                        )
            lines.append(f" return [{', '.join(f'g{i}' for i in range(count))}]")
        return lines


def written(name: str, text: Callable[[], list[str]], names: dict[str, Any]) -> Callable[..., Any]:
    """The function `name` that `text()` defines over `names`, compiled at its first call: a program uses few rows."""

    def first(*args: Any) -> Any:
        scope: dict[str, Any] = {}
        exec("\n".join(text()), scope)
        call.__code__ = scope[name].__code__
        return call(*args)

    call = FunctionType(_first.__code__, {"first": first, **names}, name)
    return call


def _first(*args: Any) -> Any:
    return first(*args)  # type: ignore[name-defined]  # noqa: F821


def apply(row: Row) -> Callable[..., Any]:
    """The function of a row with the kernel's own signature: inputs (Tensors), then attributes. It checks nothing.

    Written out per row, so that a call costs no loop and no argument scanning.
    """
    names = {
        "INFERRING": INFERRING, "mark": mark, "make_view": make_view, "SCALARS": SCALARS, "new": new, "Tensor": Tensor,
        "wrap": wrap, "mode": mode, "record": row.record,
    }  # fmt: skip
    call = written(row.name, lambda: _apply(row), names)
    setattr(F, row.name, call)
    return call


def _apply(row: Row) -> list[str]:
    """The text of a row's function."""
    name, inputs, attrs = row.name, row.inputs, row.attrs
    arrays = ", ".join([f"{i}._a" for i in inputs] + attrs)
    lines = [
        f"def {name}({', '.join(inputs + attrs)}):",
        f" _dev = {inputs[0]}._dev; _v = _dev.backend.{name}({arrays})",
    ]
    pack = f"({''.join(i + ', ' for i in inputs)}), ({''.join(a + ', ' for a in attrs)})"
    if row.view:
        lines.append(f" _r = make_view({inputs[0]}, _v, {name!r}, ({''.join(a + ', ' for a in attrs)}))")
    elif row.outs == 1:
        lines.append(" if _v.__class__ in SCALARS: _v = _dev.backend.asarray(_v)")
        lines.append(" _r = new(Tensor); _r._a = _v; _r._dev = _dev; _r._s = _r._fn = _r._v = _r._x = None; _r._nr = 0")
        lines.append(" if INFERRING: mark(_r)")
    else:
        lines.append(" _r = tuple([wrap(_o, _dev) for _o in _v])")
    if row.differentiable:
        any_grad = " or ".join(f"{i}._fn is not None" for i in inputs)
        lines.append(f" if ({any_grad}) and mode.grad: record({pack}, {'(_r,)' if row.outs == 1 else '_r'})")
    lines.append(" return _r")
    return lines


def primitive(name: str, inputs: str, rules: Any, attrs: str = "", **kw: Any) -> Callable[..., Any]:
    """A row and its plain function."""
    return apply(Row(name, inputs, rules, attrs, **kw))
