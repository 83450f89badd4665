"""Matrix products in all ranks, the forms that add to a tensor (addmm and its kin), and linear."""

from __future__ import annotations

from math import prod
from typing import Any

from .. import dtypes
from ..autograd.modes import mode
from ..autograd.node import Node
from ..backends.base import DTYPE_OF
from ..tensor import Tensor, check_overlap
from . import pointwise as pw
from . import shape as sh
from .arguments import checked, number
from .halves import rounded_once, scaled
from .operands import NoOperandError, asked, factors_first, foreign, operand
from .table import (
    FLOAT32,
    PROMOTE,
    ROWS,
    F,
    attach,
    check_tensor,
    constant,
    cpp_name,
    fresh,
    give,
    inplace,
    named,
    prepare,
    primitive,
    renamed,
    same_device,
    type_name,
    write_out,
)


def adjoint(F: Any, x: Any) -> Any:
    """The conjugate transpose of matrices, inside rules."""
    n = len(x.shape)
    return F.conj(F.transpose(x, n - 2, n - 1))


def _left_of(F: Any, g: Any, y: Any, x_shape: Any) -> Any:
    """The gradient of x in x @ y. For one x of a whole batch: one product, not one for each matrix and their sum."""
    n = len(g.shape)
    if len(x_shape) == 2 < n:
        order = (n - 2, *range(n - 2), n - 1)
        g, y = (F.reshape(F.permute(v, order), (v.shape[-2], prod(v.shape[:-2]) * v.shape[-1])) for v in (g, y))
    return F.sum_to(F.matmul(g, adjoint(F, y)), x_shape)


def _right_of(F: Any, g: Any, x: Any, y_shape: Any) -> Any:
    """The gradient of y in x @ y, in the same way."""
    if len(y_shape) == 2 < len(g.shape):
        x, g = (F.reshape(v, (prod(v.shape[:-1]), v.shape[-1])) for v in (x, g))
    return F.sum_to(F.matmul(adjoint(F, x), g), y_shape)


_mm = primitive("matmul", "x y", (_left_of, _right_of), node="MmBackward0")
_bmm = primitive(
    "bmm", "x y", (lambda F, g, y: F.bmm(g, adjoint(F, y)), lambda F, g, x: F.bmm(adjoint(F, x), g))
)  # fmt: skip
_mv = primitive("mv", "x y", (lambda F, g, y: F.outer(g, F.conj(y)), lambda F, g, x: F.mv(adjoint(F, x), g)))
_dot = primitive("dot", "x y", (lambda F, g, y: F.mul(F.conj(y), g), lambda F, g, x: F.mul(F.conj(x), g)))
_outer = primitive("outer", "x y", (lambda F, g, y: F.mv(g, F.conj(y)), lambda F, g, x: F.mv(F.t(g), F.conj(x))))


def _linear_rule(F: Any, g: Any, need: Any, b_shape: Any, x: Any, w: Any, x_shape: Any, w_shape: Any) -> Any:
    """Gradients of x @ w.T + b in the order (b, x, w)."""
    flat = g if len(x_shape) == 2 else F.reshape(g, (prod(x_shape[:-1]), w_shape[0]))
    return [F.sum(flat, (0,), False) if need[0] else None, *_linear_products(F, flat, need[1:], x, w, x_shape, w_shape)]


def _linear_rule_no_bias(F: Any, g: Any, need: Any, x: Any, w: Any, x_shape: Any, w_shape: Any) -> Any:
    flat = g if len(x_shape) == 2 else F.reshape(g, (prod(x_shape[:-1]), w_shape[0]))
    return _linear_products(F, flat, need, x, w, x_shape, w_shape)


def _linear_products(F: Any, g: Any, need: Any, x: Any, w: Any, x_shape: Any, w_shape: Any) -> Any:
    """The gradients of x and w from g as a matrix."""
    dx = dw = None
    if need[0]:
        dx = F.matmul(g, F.conj(w))
        if len(x_shape) != 2:
            dx = F.reshape(dx, x_shape)
    if need[1]:
        dw = F.matmul(F.transpose(g, 0, 1), F.conj(x if len(x_shape) == 2 else F.reshape(x, (g.shape[0], w_shape[1]))))
    return [dx, dw]


_linear_bias = primitive("linear_bias", "b x w", _linear_rule, node="AddmmBackward0")
_linear_plain = primitive("linear_plain", "x w", _linear_rule_no_bias, node="MmBackward0")


class TBackward0(Node):
    """The transpose of the weight, which PyTorch's graph of a linear layer shows and ours folds into the product."""

    __slots__ = ()


def _show_transpose(self: Any) -> Any:
    *others, (e, nr) = Node.next_functions.fget(self)  # type: ignore[attr-defined]
    if e is None:
        return (*others, (None, 0))
    t = object.__new__(TBackward0)
    t.edges, t.nrs, t.hooks, t.saved = (self.edges[-1],), (nr,), None, ()
    return (*others, (t, 0))


for _name in ("linear_bias", "linear_plain"):
    ROWS[_name].node.next_functions = property(_show_transpose)


def _times(F: Any, x: Any, factor: Any) -> Any:
    return x if factor == 1 else scaled(F, x, factor.conjugate())


def _adding(name: str, left: Any, right: Any) -> Any:
    """beta * b + alpha * (x @ y) as a primitive; `left` and `right` give the gradients of a plain product."""
    return primitive(
        name,
        "b x y",
        (
            lambda F, g, b_shape, beta: F.sum_to(_times(F, g, beta), b_shape),
            lambda F, g, y, alpha: _times(F, left(F, g, y), alpha),
            lambda F, g, x, alpha: _times(F, right(F, g, x), alpha),
        ),
        "beta alpha",
    )


_addmm, _baddbmm = (
    _adding(
        name, lambda F, g, y: F.matmul(g, adjoint(F, y)), lambda F, g, x: F.matmul(adjoint(F, x), g)
    ) for name in ("addmm", "baddbmm")
)  # fmt: skip
_addmv = _adding("addmv", lambda F, g, y: F.outer(g, F.conj(y)), lambda F, g, x: F.mv(adjoint(F, x), g))


def _same_dtype(x: Tensor, y: Tensor, op: str) -> None:
    if x._a.dtype != y._a.dtype:
        raise RuntimeError(
            f"expected m1 and m2 to have the same dtype, but got: {cpp_name(x)} != {cpp_name(y)} (in {op})"
        )
    same_device(op, x, y)


def _no_bool(x: Tensor, kernel: str) -> None:
    if x._a.dtype.kind == "b" and x._a.size:
        raise NotImplementedError(f"\"{kernel}\" not implemented for 'Bool'")


def _mismatch(x: Tensor, y: Tensor) -> RuntimeError:
    return RuntimeError(
        f"mat1 and mat2 shapes cannot be multiplied ({_rows(x._a)} and {'x'.join(map(str, y._a.shape))})"
    )


def _rows(a: Any) -> str:
    """The shape of an array as the matrix that it is multiplied as."""
    return f"{prod(a.shape[:-1])}x{a.shape[-1]}"


def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Matrix product; vectors and batches as in PyTorch (dot, mv, mm, broadcast bmm). Source: torch.matmul."""
    x, y = input, other
    if not (isinstance(x, Tensor) and isinstance(y, Tensor)):
        try:
            check_tensor(x, "matmul")
            check_tensor(y, "matmul", "other")
        except TypeError as error:
            return asked(matmul, {"input": x, "other": y, "out": out}, error)  # type: ignore[no-any-return]
    a, b = x._a, y._a
    if a.dtype is not b.dtype or x._dev is not y._dev:
        _same_dtype(x, y, "matmul")
    if a.ndim == 2 and b.ndim == 2 and out is None and a.dtype.kind != "b":
        try:
            return _mm(x, y)  # type: ignore[no-any-return]
        except ValueError:
            raise _mismatch(x, y) from None
    m, n = x._a.ndim, y._a.ndim
    if m == 0 or n == 0:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {m}D and {n}D")
    if m == 1 and n == 1:
        r = dot(x, y)
    elif x._a.shape[-1] != y._a.shape[-2 if n > 1 else 0]:
        raise _mismatch(x, y)
    elif m == 2 and n == 1:
        _no_bool(x, "addmv_impl_cpu")
        r = _mv(x, y)
    else:
        _no_bool(x, "bmm" if m > 2 or n > 2 else "addmm_impl_cpu_")
        if m == 2 and n == 2:
            r = _mm(x, y)
        elif m == 1:
            r = fresh(sh.squeeze(_batched(sh.unsqueeze(x, 0), y), -2))
        elif n == 1:
            r = fresh(sh.squeeze(_batched(x, sh.unsqueeze(y, -1)), -1))
        else:
            r = _batched(x, y)
        if r._fn is not None:
            renamed(r, "SqueezeBackward4" if m == 1 else "UnsafeViewBackward0")
    return r if out is None else write_out(out, r)


def _batched(x: Tensor, y: Tensor) -> Tensor:
    if x._a.ndim == 2 and y._a.ndim == 2:
        return _mm(x, y)  # type: ignore[no-any-return]
    try:
        return _mm(x, y) if x._a.shape[:-2] != y._a.shape[:-2] or x._a.ndim != 3 else _bmm(x, y)  # type: ignore[no-any-return]
    except ValueError:
        a, b = x._a.shape[:-2], y._a.shape[:-2]
        raise RuntimeError(
            f"The size of tensor a ({list(a)}) must match the size of tensor b ({list(b)}) in the batch dimensions"
        ) from None


def _widened(op: str, out_dtype: Any, *tensors: Tensor) -> Any:
    """The operands in float32, which PyTorch allows as the result of products of halves, on CUDA alone."""
    x = tensors[0]
    if x._dev.type == "cpu":
        raise NotImplementedError(
            f"Could not run 'aten::{op}.dtype' with arguments from the 'CPU' backend: {op} with out_dtype"
        )
    if out_dtype is not dtypes.float32 or x._a.dtype.itemsize != 2:
        if out_dtype is not x.dtype:
            raise RuntimeError("out_dtype must be the same as input dtype or fp32 for fp16/bf16 inputs")
        return tensors
    return tuple(F.cast(t, dtypes.float32.array) for t in tensors)


def mm(input: Tensor, mat2: Tensor, out_dtype: Any = None, *, out: Tensor | None = None) -> Tensor:
    """Product of two matrices; out_dtype: float32 of halves, on CUDA. Source: torch.mm."""
    if out_dtype is not None:
        input, mat2 = _widened("mm", out_dtype, input, mat2)
    for x, name in ((input, "self"), (mat2, "mat2")):
        if check_tensor(x, "mm", name)._a.ndim != 2:
            raise RuntimeError(f"{name} must be a matrix, got a tensor of shape {list(x._a.shape)}")
    return matmul(input, mat2, out=out)


def _check_bmm(x: Tensor, y: Tensor) -> None:
    for t, name in ((x, "batch1"), (y, "batch2")):
        if check_tensor(t, "bmm", name)._a.ndim != 3:
            raise RuntimeError(f"{name} must be a 3D tensor, got shape {list(t._a.shape)}")
    if x._a.shape[0] != y._a.shape[0] or x._a.shape[2] != y._a.shape[1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{x._a.shape[0]}, {x._a.shape[2]}] but "
            f"got: [{y._a.shape[0]}, {y._a.shape[1]}]."
        )


def bmm(input: Tensor, mat2: Tensor, out_dtype: Any = None, *, out: Tensor | None = None) -> Tensor:
    """Products of two batches of matrices, (B, n, k) and (B, k, m). Source: torch.bmm."""
    if out_dtype is not None:
        input, mat2 = _widened("bmm", out_dtype, input, mat2)
    _check_bmm(input, mat2)
    if input._a.dtype != mat2._a.dtype:
        raise RuntimeError(f"expected scalar type {type_name(input)} but found {type_name(mat2)}")
    same_device("bmm", input, mat2)
    _no_bool(input, "bmm")
    r = _bmm(input, mat2)
    return r if out is None else write_out(out, r)


def dot(input: Tensor, tensor: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Product of two vectors of one length and dtype, summed up. Source: torch.dot."""
    a, b = check_tensor(input, "dot")._a, check_tensor(tensor, "dot", "tensor")._a
    if a.ndim != 1 or b.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {a.ndim}D and {b.ndim}D tensors")
    if a.dtype != b.dtype:
        raise RuntimeError(
            f"dot : expected both vectors to have same dtype, but found {type_name(input)} and {type_name(tensor)}"
        )
    if a.shape != b.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{a.shape[0]}] and src [{b.shape[0]}] to have the same number of "
            f"elements, but got {a.shape[0]} and {b.shape[0]} elements respectively"
        )
    same_device("dot", input, tensor)
    _no_bool(input, "dot")
    r = _dot(input, tensor)
    return r if out is None else write_out(out, r)


def vdot(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """dot with the first vector conjugated. Source: torch.vdot."""
    return renamed(dot(F.conj(check_tensor(input, "vdot")), other, out=out), "VdotBackward0")


def inner(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Products summed over the last dimension of both; a 0-dim tensor scales. Source: torch.inner."""
    a, b = check_tensor(input, "inner")._a, check_tensor(other, "inner", "other")._a
    if a.ndim == 0 or b.ndim == 0:
        return pw.mul(input, other, out=out)
    if a.shape[-1] != b.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(a.shape)} and {list(b.shape)}"
        )
    if a.dtype != b.dtype:
        raise RuntimeError("both inputs should have same dtype")
    x = sh.reshape(input, (prod(a.shape[:-1]), a.shape[-1]))
    y = sh.reshape(other, (prod(b.shape[:-1]), b.shape[-1]))
    r = sh.reshape(mm(x, sh.t(y)), (*a.shape[:-1], *b.shape[:-1]))
    if out is not None and out._a.dtype != a.dtype:
        raise RuntimeError(
            f"tensordot: Expected the output tensor to have dtype {type_name(input)}, but got an output tensor "
            f"with dtype {type_name(out)}"
        )
    return r if out is None else write_out(out, r)


def mv(input: Tensor, vec: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Matrix times vector. Source: torch.mv."""
    a, b = check_tensor(input, "mv")._a, check_tensor(vec, "mv", "vec")._a
    if not a.ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    if a.ndim != 2 or b.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {a.ndim}, {b.ndim}")
    if a.shape[1] != b.shape[0]:
        raise RuntimeError(
            f"size mismatch, got input ({a.shape[0]}), mat ({a.shape[0]}x{a.shape[1]}), vec ({b.shape[0]})"
        )
    return matmul(input, vec, out=out)


@named("MulBackward0")
def outer(input: Tensor, vec2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """All products of the elements of two vectors, promoted. Source: torch.outer."""
    for x, name in ((input, "self"), (vec2, "vec2")):
        if check_tensor(x, "outer", name)._a.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {x._a.ndim}-D")
    x, y = prepare("outer", PROMOTE, input, vec2)
    r = _outer(x, y)
    return r if out is None else write_out(out, r)


def _scaled(x: Tensor, factor: Any) -> Tensor:
    if factor == 1:
        return x
    return pw.mul(x, factor)


def _expanded(x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return x if x._a.shape == shape else sh.expand(x, shape)


def _added(
    fn: Any, input: Tensor, x: Tensor, y: Tensor, beta: Any, alpha: Any, shape: tuple[int, ...], out: Tensor | None
) -> Tensor:
    """beta * input + alpha * (x @ y) of `shape` by one of the primitives; with beta 0 the values of `input` do not count."""
    name, dtype = fn.__name__, x._a.dtype
    if input._a.shape != shape:
        _expanded(input, shape)  # its errors
    same_device(name, x, y, input)
    beta, alpha = _factor(beta, dtype, name, "beta"), _factor(alpha, dtype, name, "alpha")
    if out is input and input._a.shape == shape and not (mode.grad and _recorded(input, x, y)):
        check_overlap(out._a)
        backend = out._dev.backend
        with backend.here():
            done = backend.add_product(out._a, x._a, y._a, beta, alpha)
        if done:
            out._bump()
            return out
    r: Tensor = fn(input, x, y, beta, alpha)
    return r if out is None else write_out(out, r)


def _recorded(*tensors: Any) -> bool:
    return any(t._fn is not None for t in tensors)


def _adding_to(fn: Any, name: str) -> Any:
    """The in-place method of a function that adds a product: into the tensor's own memory where the device does that."""
    plain = inplace(fn, name)

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self._dev.backend.asynchronous and len(args) == 2 and all(isinstance(t, Tensor) for t in args):
            a, b = args[0]._a.shape, args[1]._a.shape
            if self._a.shape == (*a[:-1], *b[len(a) - 1 :]) and not (mode.grad and _recorded(self, *args)):
                self._check_inplace()
                return fn(self, *args, **kwargs, out=self)  # type: ignore[no-any-return]
        return plain(self, *args, **kwargs)  # type: ignore[no-any-return]

    method.__name__, method.__doc__ = name, plain.__doc__
    return method


def _factor(value: Any, dtype: Any, fn: str, name: str) -> Any:
    """beta or alpha as a number of the dtype's kind."""
    if value.__class__ is not int and value.__class__ is not float:
        value = number(value, fn, name)
    if isinstance(value, complex) and dtype.kind != "c":
        value = checked(value, DTYPE_OF[dtype])
    return int(value) if dtype.kind in "iu" else value


def _plus(input: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    """beta * input + alpha * product; with beta 0 the values of `input` (NaN, inf) do not count."""
    shape = product._a.shape
    r = _scaled(product, alpha)
    x = _expanded(input, shape)
    if beta != 0:
        r = pw.add(_scaled(x, beta), r)
    elif x._fn is not None:  # its gradient is 0, not None
        r = pw.where(constant(x._dev, _BOOL, False), x, r)
    return r


_BOOL = next(d for d in DTYPE_OF if d.kind == "b")


@factors_first
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, out_dtype: Any = None, *, beta: Any = 1, alpha: Any = 1,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """beta * input + alpha * (mat1 @ mat2), input broadcast to the product. Source: torch.addmm."""
    if out_dtype is not None:
        mat1, mat2 = _widened("addmm", out_dtype, mat1, mat2)
        input = F.cast(input, mat1._a.dtype)
    b, x, y = (
        check_tensor(input, "addmm")._a,
        check_tensor(mat1, "addmm", "mat1")._a,
        check_tensor(mat2, "addmm", "mat2")._a,
    )
    if x.ndim != 2 or y.ndim != 2:
        name, bad = ("mat1", x) if x.ndim != 2 else ("mat2", y)
        raise RuntimeError(f"{name} must be a matrix, got {bad.ndim}-D tensor")
    if x.dtype is not y.dtype or b.dtype is not y.dtype:
        for t, name in ((mat1, "mat1"), (input, "self")):
            if t._a.dtype != y.dtype:
                raise RuntimeError(
                    f"{name} and mat2 must have the same dtype, but got {type_name(t)} and {type_name(mat2)}"
                )
    if x.shape[1] != y.shape[0]:
        raise _mismatch(mat1, mat2)
    _no_bool(mat1, "addmm_impl_cpu_")
    return _added(_addmm, input, mat1, mat2, beta, alpha, (x.shape[0], y.shape[1]), out)


@factors_first
def addmv(
    input: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """beta * input + alpha * (mat @ vec). Source: torch.addmv."""
    b, x, y = (
        check_tensor(input, "addmv")._a,
        check_tensor(mat, "addmv", "mat")._a,
        check_tensor(vec, "addmv", "vec")._a,
    )
    if x.ndim != 2 or y.ndim != 1 or b.ndim > 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got {b.ndim}, {x.ndim}, {y.ndim}")
    if x.shape[1] != y.shape[0] or (b.ndim and b.shape[0] not in (x.shape[0], 1)):
        raise RuntimeError(
            f"size mismatch, got input ({b.shape[0] if b.ndim else 1}), mat ({x.shape[0]}x{x.shape[1]}), vec ({y.shape[0]})"
        )
    if not b.dtype == x.dtype == y.dtype:
        raise RuntimeError(
            "addmv input tensors must have the same dtype, but got "
            f"{type_name(input)}, {type_name(mat)}, and {type_name(vec)}"
        )
    _no_bool(mat, "addmv_impl_cpu")
    return _added(_addmv, input, mat, vec, beta, alpha, x.shape[:1], out)


@named("AddrBackward0")
@factors_first
def addr(
    input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """beta * input + alpha * outer(vec1, vec2), promoted. Source: torch.addr."""
    check_tensor(input, "addr")
    for x, name in ((vec1, "vec1"), (vec2, "vec2")):
        if check_tensor(x, "addr", name)._a.ndim != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {x._a.ndim}-D")
    b, x, y = prepare("addr", PROMOTE, input, vec1, vec2)
    if b._a.dtype.kind in "biu":
        for factor, name in ((beta, "beta"), (alpha, "alpha")):
            if isinstance(factor, float):
                raise RuntimeError(f"For integral input tensors, argument {name} must not be a floating point number.")
    if b._a.dtype.kind == "b":
        r = _outer(x, y) if alpha else sh.expand(constant(x._dev, _BOOL, False), (x._a.size, y._a.size))
        r = pw.logical_or(_expanded(b, r._a.shape), r) if beta else r
        return r if out is None else write_out(out, r)
    beta, alpha = _factor(beta, b._a.dtype, "addr", "beta"), _factor(alpha, b._a.dtype, "addr", "alpha")
    return give(rounded_once(lambda b, x, y: _plus(b, _outer(x, y), beta, alpha))(b, x, y), out)


@factors_first
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, out_dtype: Any = None, *, beta: Any = 1, alpha: Any = 1,
    out: Tensor | None = None,
) -> Tensor:  # fmt: skip
    """beta * input + alpha * bmm(batch1, batch2). Source: torch.baddbmm."""
    if out_dtype is not None:
        batch1, batch2 = _widened("baddbmm", out_dtype, batch1, batch2)
        input = F.cast(input, batch1._a.dtype)
    check_tensor(input, "baddbmm")
    _check_bmm(batch1, batch2)
    if not input._a.dtype == batch1._a.dtype == batch2._a.dtype:
        raise RuntimeError(
            f"Input dtypes must be the same, got: input {cpp_name(input)}, batch1: {cpp_name(batch1)}, batch2: {cpp_name(batch2)}"
        )
    _no_bool(batch1, "baddbmm")
    shape = (*batch1._a.shape[:2], batch2._a.shape[2])
    return _added(_baddbmm, input, batch1, batch2, beta, alpha, shape, out)


@named("AddbmmBackward0")
@factors_first
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1, out: Tensor | None = None
) -> Tensor:
    """beta * input + alpha * (the sum of bmm(batch1, batch2) over the batch). Source: torch.addbmm."""
    check_tensor(input, "addbmm")
    _check_bmm(batch1, batch2)
    if not input._a.dtype == batch1._a.dtype == batch2._a.dtype:
        raise RuntimeError(
            f"self and mat2 must have the same dtype, but got {type_name(input)} and {type_name(batch2)}"
        )
    n, i, k = batch1._a.shape
    j = batch2._a.shape[2]
    _no_bool(batch1, "addbmm")
    x = sh.reshape(sh.transpose(batch1, 0, 1), (i, n * k))  # one product over batch and inner dimension together
    return _added(_addmm, input, x, sh.reshape(batch2, (n * k, j)), beta, alpha, (i, j), out)


def trace(input: Tensor) -> Tensor:
    """Sum of the main diagonal of a matrix; integers add up in int64. Source: torch.trace."""
    if check_tensor(input, "trace")._a.dtype.kind == "b":
        raise NotImplementedError("\"trace\" not implemented for 'Bool'")
    if input._a.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input._a.ndim}")
    return _trace(input)  # type: ignore[no-any-return]


_trace = primitive(
    "trace", "x", (lambda F, g, x_shape: F.diag_put(F.expand(g, (min(x_shape),)), x_shape),)
)  # fmt: skip
primitive("diag_part", "x", (lambda F, g, x_shape: F.diag_put(g, x_shape),))  # (..., m, n) -> (..., k)
primitive("diag_put", "x", (lambda F, g: F.diag_part(g),), "shape")  # zeros of `shape` with a main diagonal


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias; input (*, in), weight (out, in), bias (out,). Source: torch.nn.functional.linear."""
    try:
        x, w = input._a, weight._a
    except AttributeError:
        i, name, bad = (2, "weight", weight) if isinstance(input, Tensor) else (1, "input", input)
        error = TypeError(f"linear(): argument '{name}' (position {i}) must be Tensor, not {type(bad).__name__}")
        return asked(linear, {"input": input, "weight": weight, "bias": bias}, error)  # type: ignore[no-any-return]
    if x.dtype is not w.dtype:
        if bias is not None and x.dtype != w.dtype:
            raise RuntimeError(
                f"mat1 and mat2 must have the same dtype, but got {type_name(input)} and {type_name(weight)}"
            )
        _same_dtype(input, weight, "linear")
    if input._dev is not weight._dev:
        same_device("linear", input, weight)
    if x.shape[-1:] != w.shape[-1:] or not w.ndim:
        if not x.ndim or not w.ndim:
            raise RuntimeError(f"both arguments to linear need to be at least 1D, but they are {x.ndim}D and {w.ndim}D")
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({_rows(x)} and "
            f"{'x'.join(map(str, w.shape[::-1]))}) (linear: input {list(x.shape)}, weight {list(w.shape)})"
        )
    if w.ndim == 1:
        if bias is not None and bias._a.ndim:
            raise RuntimeError("mat2 must be a matrix, got 1-D tensor (linear with a weight of one dimension)")
        y = matmul(input, weight)
        return y if bias is None else pw.add(y, bias)
    if w.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {w.ndim}D (the weight of linear)")
    if bias is not None and (bias._a.shape != w.shape[:1] or bias._a.dtype is not x.dtype):
        if bias._a.dtype != x.dtype:
            raise RuntimeError(
                f"self and mat2 must have the same dtype, but got {type_name(bias)} and {type_name(weight)}"
            )
        sh.expand(bias, (*x.shape[:-1], len(w)))
    r: Tensor = _linear_plain(input, weight) if bias is None else _linear_bias(bias, input, weight)
    if x.ndim != 2 and r._fn is not None:
        if bias is not None:
            return renamed(r, "ViewBackward0" if x.flags.c_contiguous else "AddBackward0")
        return renamed(r, "SqueezeBackward4" if x.ndim == 1 else "UnsafeViewBackward0")
    return r


ger = outer
for _name in ("matmul", "mm", "bmm", "dot", "vdot", "inner", "mv", "outer", "ger", "trace"):
    attach(_name, globals()[_name])
for _name in ("addr", "addbmm"):
    attach(_name, globals()[_name], in_place=True)
for _name in ("addmm", "addmv", "baddbmm"):
    attach(_name, globals()[_name])
    setattr(Tensor, _name + "_", _adding_to(globals()[_name], _name + "_"))


def _operator(x: Any, y: Any) -> Any:
    """x @ y for two operands of which one may be a NumPy array."""
    try:
        return matmul(operand(x, "matmul"), operand(y, "matmul"))
    except NoOperandError as error:
        return foreign("matmul", x, y, error)


def _matmul(self: Tensor, other: Any) -> Any:
    if other.__class__ is not Tensor:
        return _operator(self, other)
    a, b = self._a, other._a
    d = a.dtype
    if d is b.dtype and self._dev is other._dev and a.ndim == 2 == b.ndim and (d is FLOAT32 or d.kind != "b"):
        try:
            return _mm(self, other)
        except ValueError:
            raise _mismatch(self, other) from None
    return matmul(self, other)


Tensor.__matmul__ = _matmul  # type: ignore[attr-defined]
Tensor.__rmatmul__ = lambda self, other: _operator(other, self)  # type: ignore[attr-defined]
