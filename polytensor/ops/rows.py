"""The rows of the table of primitives, and the functions written out from them.

A Row names its kernel, its inputs and attributes and one derivative rule per input. A rule is called as
``rule(F, g, ...)`` where F is the backend (on arrays) or the namespace `F` of this module (on Tensors, for derivatives
of derivatives); the names of its further parameters say what is saved: inputs, ``out``, ``<input>_shape``, attributes.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from functools import wraps
from types import FunctionType, SimpleNamespace
from typing import Any, TypeVar
from weakref import ref

from ..autograd.modes import INFERRING, OFF, WATCH, mark, mode
from ..autograd.node import FREED, Node, modified, saved_properties
from ..autograd.watch import watched
from ..backends.base import DIRECT, HOST_ARRAY, SCALARS
from ..tensor import LEAF, Tensor, blank, wrap

Fn = TypeVar("Fn", bound=Callable[..., Any])
F = SimpleNamespace()  # kernel name -> the same function on Tensors
ROWS: dict[str, Row] = {}

BODIES: dict[Any, Any] = {}  # functions whose own body asks for overrides: the function that has the real one
# attributes that hold arrays: backward frees them
ARRAYS = {"index", "indices", "mask", "order", "argmax", "targets", "t", "chain"}


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
        self.saves_out = any(kind == "out" for kind, _ in self.save_spec)
        self.versioned = any(kind in ("in", "out") for kind, _ in self.save_spec)
        kept = {self.attrs[i] for kind, i in self.save_spec if kind == "attr"}
        self.light = not self.versioned and (view or not kept & ARRAYS)
        title = node or "".join(part.capitalize() for part in name.split("_")) + "Backward0"
        self.node: Any = type(title, (Node,), {"__slots__": (), "row": self, "outputs": outs, "light": self.light})
        for key, prop in saved_properties(self.saved_names()).items():
            setattr(self.node, key, prop)
        self.record = self.written("record", self._record)
        if self.differentiable:
            names: dict[str, Any] = {f"rule{i}": rule for i, rule in enumerate(self.rules)}
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
        """The text of `record` for this row, which takes inputs (Tensors), attributes and outputs as tuples."""
        inputs, attrs = [f"t{i}" for i in range(len(self.inputs))], [f"a{i}" for i in range(len(self.attrs))]
        lines = ["def record(inputs, attrs, outs):", f" {''.join(f'{t}, ' for t in inputs)}= inputs"]
        if attrs:
            lines.append(f" {''.join(f'{a}, ' for a in attrs)}= attrs")
        return [*lines, *self.recording(inputs, attrs, "outs[0]" if self.outs == 1 else "outs", False)]

    def recording(self, inputs: list[str], attrs: list[str], out: str, fresh: bool) -> list[str]:
        """Lines that make the Node of a call and hang it on the output(s) `out`.

        The other arguments are the names of variables: no loop and no test remains that is known now. A `fresh` output
        has no version cell yet.
        """
        lines = ["_n = _node()"]
        for i, t in enumerate(inputs):
            lines.append(f"_e{i} = {t}._fn")
            lines.append(f"if _e{i} is LEAF: _e{i} = {t}")
        ks = range(len(self.save_spec))
        lines.append(f"_n.edges = ({''.join(f'_e{i}, ' for i in range(len(inputs)))})")
        lines.append(f"_n.nrs = ({''.join(f'{t}._nr, ' for t in inputs)})")
        first = out if self.outs == 1 else f"{out}[0]"
        lines.append(f"_n.hooks = _n.shapes = None; _n.dev = {first}._dev")
        if self.broadcast:
            shapes = [f"_p{i}" for i in range(len(inputs))]
            lines.extend(f"{p} = {t}._a.shape" for p, t in zip(shapes, inputs, strict=True))
            lines.append(f"if not {' == '.join(shapes)}: _n.shapes = ({', '.join(shapes)})")
        for k, ((kind, i), users) in enumerate(zip(self.save_spec, self.users, strict=True)):
            if kind == "in":
                lines.append(f"_s{k} = {inputs[i]}; _c = _s{k}._s; _v{k} = 0 if _c is None else _c[0]")
                if -1 not in users and users != set(range(len(inputs))):
                    test = " and ".join(f"_e{u} is None" for u in sorted(users))
                    lines.append(f"if {test}: _s{k} = _v{k} = None")
            elif kind == "out" and fresh:  # not the output itself: that would be a cycle of references
                lines.append(f"_s{k} = _blank(); _s{k}._a = {out}._a; _s{k}._dev = {out}._dev; _s{k}._nr = _v{k} = 0")
                lines.append(f"_s{k}._s = {out}._s = [0, 64]; _s{k}._fn = _s{k}._v = _s{k}._x = None")
            elif kind == "out":
                whole = first if self.outs == 1 else f"{out}[{i}]"
                lines.append(f"_c = {whole}._cell(); _s{k} = {whole}._alias(None, 0); _v{k} = _c[0]; _s{k}._s = _c")
            else:
                value = {
                    "attr": attrs,
                    "shape": [f"{t}._a.shape" for t in inputs],
                    "dtype": [f"{t}._a.dtype" for t in inputs],
                }
                lines.append(f"_s{k} = {value[kind][i]}; _v{k} = None")
        saved = f"({''.join(f'_s{k}, ' for k in ks)})"
        lines.append(f"_n.vers = {saved}; _n.saved = None" if self.light else f"_n.saved = {saved}")
        if not self.light:
            lines.append(f"_n.vers = ({''.join(f'_v{k}, ' for k in ks)})" if self.versioned else "_n.vers = None")
        if self.name == "cast":
            lines.append(f"if {first}._a.dtype.kind not in 'biu': {first}._fn = _n")
        elif self.outs == 1:
            lines.append(f"{first}._fn = _n")
        else:
            lines.append(f"for _nr, _o in enumerate({out}):")
            lines.append(" if _o._a.dtype.kind not in 'biu': _o._fn = _n; _o._nr = _nr")
        lines.append(
            f"if WATCH: _watched(_n, ({''.join(f'{t}, ' for t in inputs)}), {out if self.outs > 1 else f'({first},)'})"
        )
        return [" " + line for line in lines]

    def call(self, *args: str) -> str:
        """The statement that calls the kernel, on `_dev`."""
        # a ufunc is an attribute of the backend itself: Python 3.11 is slow to call such a one as a method
        get = f"_v = _dev.backend.{self.name}"
        return f"{get}; _v = _v({', '.join(args)})" if self.name in DIRECT else f"{get}({', '.join(args)})"

    def finish(self, inputs: list[str], attrs: list[str]) -> list[str]:
        """Lines that make a Tensor of `_v`, the one result of a call on `_dev`, record the call and return it."""
        lines = [
            # NumPy makes scalars of 0-d results; the test of the class alone is quick
            " if _v.__class__ is not HOST_ARRAY and _v.__class__ in SCALARS: _c = _dev.backend.asarray; _v = _c(_v)",
            " _r = _blank(); _r._a = _v; _r._dev = _dev; _r._s = _r._fn = _r._v = _r._x = None; _r._nr = 0",
            " if OFF:",
            "  if INFERRING: _mark(_r)",
            "  if not _mode.grad: return _r",
        ]
        return lines + self.recorded(inputs, attrs, True)

    def recorded(self, inputs: list[str], attrs: list[str], fresh: bool) -> list[str]:
        """Lines that record a call whose result is `_r`, if gradients are wanted, and return it."""
        if not self.differentiable:
            return [" return _r"]
        wanted = " or ".join(f"{t}._fn is not None" for t in inputs)
        if not fresh:
            wanted = f"({wanted}) and (not OFF or _mode.grad)"
        return [
            f" if {wanted}:",
            *(" " + line for line in self.recording(inputs, attrs, "_r", fresh)),
            " return _r",
        ]

    def written(
        self, name: str, text: Callable[[], list[str]], general: Callable[..., Any] | None = None, **names: Any
    ) -> Callable[..., Any]:
        """A function of this row over `names`; `general` does its work in the unusual cases and has its signature."""
        call = written(name, text, {**_NAMES, "_node": self.node, "general": general, **names})
        if general is not None:
            general.__name__ = general.__qualname__ = name
            call.__wrapped__ = general  # type: ignore[attr-defined]
        return call

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
                lines.append(" if shapes is not None:")  # else nothing was broadcast
                for i, rule in enumerate(self.rules):
                    if rule is not None:
                        lines.append(
                            f"  if g{i} is not None and g{i}.shape != shapes[{i}]: g{i} = F.sum_to(g{i}, shapes[{i}])"
                        )
            lines.append(f" return [{', '.join(f'g{i}' for i in range(count))}]")
        return lines


def written(name: str, text: Callable[[], list[str]], names: dict[str, Any]) -> Callable[..., Any]:
    """The function `name` that `text()` defines over `names`, compiled at its first call: a program uses few rows."""

    def first(*args: Any, **kwargs: Any) -> Any:
        lines = text()
        scope = dict(call.__globals__)
        exec("\n".join(lines), scope)
        made = scope[name]
        body = BODIES.get(call, call)
        body.__defaults__, body.__kwdefaults__ = made.__defaults__, made.__kwdefaults__
        body.__code__ = made.__code__  # last: another thread may be here too
        return body(*args, **kwargs)

    # compiled modules that import something while it runs look for __builtins__: NumPy does for the name of a dtype
    call = FunctionType(_first.__code__, {"first": first, "__builtins__": builtins, **names}, name)
    return call


def _first(*args: Any, **kwargs: Any) -> Any:
    return first(*args, **kwargs)  # type: ignore[name-defined]  # noqa: F821


def placed(fn: Fn) -> Fn:
    """Decorator of a function that computes with its tensors' arrays as they are: the first one's device is the current one."""

    @wraps(fn)
    def call(*args: Any, **kwargs: Any) -> Any:
        dev = getattr(args[0] if args else next(iter(kwargs.values()), None), "_dev", None)
        if dev is None or dev.index is None:
            return fn(*args, **kwargs)
        with dev.backend.here():
            return fn(*args, **kwargs)

    return call  # type: ignore[return-value]


def apply(row: Row) -> Callable[..., Any]:
    """The function of a row with the kernel's own signature: inputs (Tensors), then attributes. It checks nothing.

    Written out per row, so that a call costs no loop and no argument scanning.
    """
    call = row.written(row.name, lambda: _apply(row))
    setattr(F, row.name, call)
    return call


def _apply(row: Row) -> list[str]:
    """The text of a row's function."""
    name, inputs, attrs = row.name, row.inputs, row.attrs
    arrays = [f"{i}._a" for i in inputs] + attrs
    lines = [f"def {name}({', '.join(inputs + attrs)}):", f" _dev = {inputs[0]}._dev"]
    if len(inputs) > 1:
        others = " or ".join(f"{i}._dev is not _dev" for i in inputs[1:])
        lines.append(f" if {others}: _together({name!r}, {', '.join(inputs)})")
    lines.append(f" {row.call(*arrays)}")
    if row.view:
        lines += _view(inputs[0], f"({name!r}, ({''.join(a + ', ' for a in attrs)}))")
    elif row.outs == 1:
        return lines + row.finish(inputs, attrs)
    else:
        lines.append(" _r = tuple([_wrap(_o, _dev) for _o in _v])")
    return lines + row.recorded(inputs, attrs, False)


def raw(x: Any) -> Any:
    """The array of a rule's value, be it an array or a Tensor."""
    return x._a if isinstance(x, Tensor) else x


def raw_dtype(x: Any) -> Any:
    """Its dtype."""
    return (x._a if isinstance(x, Tensor) else x).dtype


def is_complex(x: Any) -> bool:
    """Whether a rule's value is complex."""
    return bool(raw_dtype(x).kind == "c")


def together(op: str, *tensors: Tensor) -> None:
    """RuntimeError if tensors are on different devices; those of the CPU without dimensions go along."""
    first = next((t for t in tensors if t._a.ndim or t._dev.type != "cpu"), tensors[0])
    for t in tensors:
        if t._dev != first._dev and (t._a.ndim or t._dev.type != "cpu"):
            raise apart(op, first._dev, t._dev)


def apart(op: str, dev: Any, other: Any) -> RuntimeError:
    """The error of an op on tensors of two devices."""
    return RuntimeError(
        f"Expected all tensors to be on the same device, but found at least two devices, {dev} and {other}! "
        f"(in {op}; move one with .to('{dev}') or .cpu())"
    )


def _view(x: str, step: str) -> list[str]:
    """Lines that make `_r`, a Tensor of `_v` that shares memory and version with `x`.

    A `step` is a view kernel's name and its attributes; the chain of them makes a view again from its base.
    """
    return [
        f" _r = _blank(); _r._a = _v; _r._dev = {x}._dev; _r._fn = _r._x = None; _r._nr = 0",
        f" _c = {x}._s",
        f" if _c is None: _c = {x}._s = [0, 64]",
        f" _r._s = _c; _b = {x}._v",
        # a leaf is the base of its own views, also where it is a view itself
        f" if _b is None or {x}._fn is LEAF and len(_b) == 2: _b = ({x}, ({step},))",
        f" else: _b = (_b[0], (*_b[1], {step}), *_b[2:])",
        " if OFF and not _mode.grad:",  # a view of what requires a gradient does so too, as a leaf
        "  if len(_b) == 2: _b = (*_b, 'no_grad')",
        f"  if {x}._fn is not None and _v.dtype.kind not in 'biu': _r._fn = LEAF; _r._extras()",
        " _r._v = _b",
        " if len(_c) > 2 and _c[-1]() is None: _c[-1] = _ref(_r)",
        " else:",
        "  _c.append(_ref(_r))",
        "  if len(_c) > _c[1]:",  # many views: forget those that are gone
        "   _c[2:] = [_w for _w in _c[2:] if _w() is not None]; _c[1] = 2 * len(_c) + 64",
    ]


_NAMES = {
    "__name__": __name__,  # by which NumPy's warnings are ignored (backends.base)
    "HOST_ARRAY": HOST_ARRAY, "INFERRING": INFERRING, "LEAF": LEAF, "OFF": OFF, "SCALARS": SCALARS, "WATCH": WATCH, "_blank": blank,
    "_ref": ref, "_mark": mark, "_together": together, "_mode": mode, "_watched": watched, "_wrap": wrap,
}  # fmt: skip


make_view: Callable[[Tensor, Any, str, tuple[Any, ...]], Tensor] = written(
    "make_view",
    lambda: ["def make_view(_x, _v, _name, _attrs):", *_view("_x", "(_name, _attrs)"), " return _r"],
    _NAMES,
)


def primitive(name: str, inputs: str, rules: Any, attrs: str = "", **kw: Any) -> Callable[..., Any]:
    """A row and its plain function."""
    return apply(Row(name, inputs, rules, attrs, **kw))
