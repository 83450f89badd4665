"""Matrix products in all ranks, and linear."""

from __future__ import annotations

from typing import Any

from ..autograd.node import Node
from ..backends.base import DTYPE_OF
from ..tensor import Tensor
from . import shape as sh
from .table import ROWS, F, attach, check_tensor, primitive, same_device, write_out


def _swap_last(F: Any, x: Any) -> Any:
    n = len(x.shape)
    return F.transpose(x, n - 2, n - 1)


_mm = primitive(
    "matmul",
    "x y",
    (
        lambda F, g, y, x_shape: F.sum_to(F.matmul(g, _swap_last(F, y)), x_shape),
        lambda F, g, x, y_shape: F.sum_to(F.matmul(_swap_last(F, x), g), y_shape),
    ),
    node="MmBackward0",
)
_bmm = primitive(
    "bmm",
    "x y",
    (lambda F, g, y: F.bmm(g, F.transpose(y, 1, 2)), lambda F, g, x: F.bmm(F.transpose(x, 1, 2), g)),
)
_mv = primitive("mv", "x y", (lambda F, g, y: F.outer(g, y), lambda F, g, x: F.mv(F.t(x), g)))
_dot = primitive("dot", "x y", (lambda F, g, y: F.mul(y, g), lambda F, g, x: F.mul(x, g)))
primitive("outer", "x y", (lambda F, g, y: F.mv(g, y), lambda F, g, x: F.mv(F.t(g), x)))


def _linear_rule(F: Any, g: Any, need: Any, b_shape: Any, x: Any, w: Any, x_shape: Any, w_shape: Any) -> Any:
    """Gradients of x @ w.T + b in the order (b, x, w)."""
    flat = F.reshape(g, (-1, w_shape[0]))
    db = F.sum(flat, (0,), False) if need[0] else None
    dx = F.reshape(F.matmul(flat, w), x_shape) if need[1] else None
    dw = F.matmul(F.transpose(flat, 0, 1), F.reshape(x, (-1, w_shape[1]))) if need[2] else None
    return [db, dx, dw]


def _linear_rule_no_bias(F: Any, g: Any, need: Any, x: Any, w: Any, x_shape: Any, w_shape: Any) -> Any:
    flat = F.reshape(g, (-1, w_shape[0]))
    dx = F.reshape(F.matmul(flat, w), x_shape) if need[0] else None
    dw = F.matmul(F.transpose(flat, 0, 1), F.reshape(x, (-1, w_shape[1]))) if need[1] else None
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
_addmm = primitive(
    "addmm",
    "b x y",
    (
        lambda F, g, b_shape: F.sum_to(g, b_shape),
        lambda F, g, y: F.matmul(g, F.transpose(y, 0, 1)),
        lambda F, g, x: F.matmul(F.transpose(x, 0, 1), g),
    ),
)


def _same_dtype(x: Tensor, y: Tensor, op: str) -> None:
    if x._a.dtype != y._a.dtype:
        names = {"float32": "float", "float64": "double", "int64": "long int", "float16": "c10::Half"}
        a, b = (names.get(DTYPE_OF[t._a.dtype].name, DTYPE_OF[t._a.dtype].name) for t in (x, y))
        raise RuntimeError(f"expected m1 and m2 to have the same dtype, but got: {a} != {b} (in {op})")
    same_device(op, x, y)


def _mismatch(x: Tensor, y: Tensor) -> RuntimeError:
    a, b = x._a.shape, y._a.shape
    return RuntimeError(
        f"mat1 and mat2 shapes cannot be multiplied ({'x'.join(map(str, a))} and {'x'.join(map(str, b))})"
    )


def matmul(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Matrix product; vectors and batches as in PyTorch (dot, mv, mm, broadcast bmm). Source: torch.matmul."""
    x, y = input, other
    if not (isinstance(x, Tensor) and isinstance(y, Tensor)):
        check_tensor(x, "matmul")
        check_tensor(y, "matmul", "other")
    a, b = x._a, y._a
    if a.dtype is not b.dtype or x._dev is not y._dev:
        _same_dtype(x, y, "matmul")
    if a.ndim == 2 and b.ndim == 2 and out is None:
        try:
            return _mm(x, y)  # type: ignore[no-any-return]
        except ValueError:
            raise _mismatch(x, y) from None
    m, n = x._a.ndim, y._a.ndim
    if m == 0 or n == 0:
        raise RuntimeError(f"both arguments to matmul need to be at least 1D, but they are {m}D and {n}D")
    if x._a.shape[-1] != y._a.shape[-2 if n > 1 else 0]:
        if m == 1 and n == 1:
            raise RuntimeError(
                f"inconsistent tensor size, expected tensor [{x._a.shape[0]}] and src [{y._a.shape[0]}] to have the same "
                "number of elements"
            )
        raise _mismatch(x, y)
    if m == 2 and n == 2:
        r = _mm(x, y)
    elif m == 1 and n == 1:
        r = _dot(x, y)
    elif m == 2 and n == 1:
        r = _mv(x, y)
    elif m == 1:
        r = sh.squeeze(_batched(sh.unsqueeze(x, 0), y), -2)
    elif n == 1:
        r = sh.squeeze(_batched(x, sh.unsqueeze(y, -1)), -1)
    else:
        r = _batched(x, y)
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


def mm(input: Tensor, mat2: Tensor, *, out: Tensor | None = None) -> Tensor:
    """Product of two matrices. Source: torch.mm."""
    if input._a.ndim != 2 or mat2._a.ndim != 2:
        raise RuntimeError(f"mat1 and mat2 must be matrices, got {input._a.ndim}-D and {mat2._a.ndim}-D tensors")
    return matmul(input, mat2, out=out)


def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """Products of two batches of matrices. Source: torch.bmm."""
    if input._a.ndim != 3 or mat2._a.ndim != 3:
        raise RuntimeError("batch1 and batch2 must be 3D tensors")
    _same_dtype(input, mat2, "bmm")
    if input._a.shape[0] != mat2._a.shape[0] or input._a.shape[2] != mat2._a.shape[1]:
        raise RuntimeError(
            f"Expected size for first two dimensions of batch2 tensor to be: [{input._a.shape[0]}, {input._a.shape[2]}] but "
            f"got: [{mat2._a.shape[0]}, {mat2._a.shape[1]}]."
        )
    return _bmm(input, mat2)  # type: ignore[no-any-return]


def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """Inner product of two vectors. Source: torch.dot."""
    if input._a.ndim != 1 or tensor._a.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input._a.ndim}D and {tensor._a.ndim}D tensors")
    return matmul(input, tensor)


def mv(input: Tensor, vec: Tensor) -> Tensor:
    """Matrix times vector. Source: torch.mv."""
    if input._a.ndim != 2 or vec._a.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {input._a.ndim}, {vec._a.ndim}")
    return matmul(input, vec)


def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """Outer product of two vectors. Source: torch.outer."""
    return F.outer(input, vec2)  # type: ignore[no-any-return]


def addmm(input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    """beta * input + alpha * (mat1 @ mat2). Source: torch.addmm."""
    if beta == 1 and alpha == 1 and mat1._a.ndim == 2 and mat2._a.ndim == 2:
        if mat1._a.shape[1] != mat2._a.shape[0]:
            raise _mismatch(mat1, mat2)
        return _addmm(input, mat1, mat2)  # type: ignore[no-any-return]
    return input * beta + matmul(mat1, mat2) * alpha  # type: ignore[operator, no-any-return]


def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """input @ weight.T + bias; input (*, in), weight (out, in), bias (out,). Source: torch.nn.functional.linear."""
    x, w = input._a, weight._a
    if x.dtype is not w.dtype:
        _same_dtype(input, weight, "linear")
    if input._dev is not weight._dev:
        same_device("linear", input, weight)
    if x.shape[-1] != w.shape[-1]:
        raise RuntimeError(
            f"mat1 and mat2 shapes cannot be multiplied ({'x'.join(map(str, x.shape))} and "
            f"{'x'.join(map(str, w.shape[::-1]))}) (linear: input {list(x.shape)}, weight {list(w.shape)})"
        )
    return _linear_plain(input, weight) if bias is None else _linear_bias(bias, input, weight)  # type: ignore[no-any-return]


for _name in ("matmul", "mm", "bmm", "dot", "mv", "outer", "addmm"):
    attach(_name, globals()[_name])
Tensor.__matmul__ = matmul  # type: ignore[attr-defined]
Tensor.__rmatmul__ = lambda self, other: matmul(other, self)  # type: ignore[attr-defined]
