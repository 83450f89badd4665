"""Products of several tensors: einsum, tensordot, kron, chains of matrices."""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from math import prod
from typing import Any

from ..tensor import Tensor, check_dim
from . import pointwise as pw
from . import products as mat
from . import reduce as red
from . import shape as sh
from .operands import several
from .table import PROMOTE, attach, check_tensor, cpp_name, named, prepare, type_name, write_out

__all__ = ["chain_matmul", "einsum", "kron", "tensordot"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
Labels = tuple[Any, ...]


def _term(text: str, operand: int | None) -> list[Any]:
    """The subscripts of one operand (None: the output) as a list of letters and Ellipsis."""
    where = f"for operand {operand} " if operand is not None else "for the output "
    labels: list[Any] = []
    i = 0
    while i < len(text):
        c = text[i]
        if c == ".":
            if text[i : i + 3] != "...":
                raise RuntimeError(f"einsum(): found '.' {where}that is not part of any ellipsis")
            if Ellipsis in labels:
                raise RuntimeError(f"einsum(): found '.' {where}for which an ellipsis was already found")
            labels.append(Ellipsis)
            i += 3
            continue
        if c not in LETTERS:
            raise RuntimeError(
                f"einsum(): invalid subscript given at index {i} in the equation string, subscripts must be in [a-zA-Z]"
            )
        labels.append(c)
        i += 1
    return labels


def _sublist(labels: Any) -> list[Any]:
    result: list[Any] = []
    for s in labels:
        if s is Ellipsis:
            result.append(s)
        elif isinstance(s, int) and 0 <= s < len(LETTERS):
            result.append(LETTERS[s])
        else:
            raise ValueError("einsum(): subscript in subscript list is not within the valid range [0, 52)")
    return result


def _parse(args: tuple[Any, ...]) -> tuple[list[Tensor], list[list[Any]], list[Any] | None]:
    """Operands, their subscripts, and the output's (None: implied)."""
    if len(args) < 2:
        raise ValueError(
            "einsum(): must specify the equation string and at least one operand, or at least one operand and its "
            "subscripts list"
        )
    if not isinstance(args[0], str):
        output = _sublist(args[-1]) if len(args) % 2 else None
        pairs = args[: len(args) // 2 * 2]
        return list(pairs[::2]), [_sublist(labels) for labels in pairs[1::2]], output
    operands = list(args[1]) if len(args) == 2 and isinstance(args[1], (list, tuple)) else list(args[1:])
    equation = args[0].replace(" ", "")
    left, arrow, right = equation.partition("->")
    terms = [_term(text, k) for k, text in enumerate(left.split(","))]
    if len(terms) > len(operands):
        raise RuntimeError("einsum(): fewer operands were provided than specified in the equation")
    if len(terms) < len(operands):
        raise RuntimeError("einsum(): more operands were provided than specified in the equation")
    return operands, terms, _term(right, None) if arrow else None


def _spread_ellipsis(terms: list[list[Any]], output: list[Any] | None, ndims: list[int]) -> tuple[list[Labels], Labels]:
    """Give the dimensions that an ellipsis stands for labels of their own (-1 the last), and imply the output."""
    covered = 0
    full: list[Labels] = []
    for k, (labels, ndim) in enumerate(zip(terms, ndims, strict=True)):
        named = len(labels) - (Ellipsis in labels)
        if Ellipsis in labels:
            if named > ndim:
                raise RuntimeError(
                    f"einsum(): the number of subscripts in the equation ({named}) is more than the number of dimensions "
                    f"({ndim}) for operand {k}"
                )
            i = labels.index(Ellipsis)
            n = ndim - named
            covered = max(covered, n)
            labels = [*labels[:i], *range(-n, 0), *labels[i + 1 :]]
        elif named != ndim:
            raise RuntimeError(
                f"einsum(): the number of subscripts in the equation ({named}) does not match the number of dimensions "
                f"({ndim}) for operand {k} and no ellipsis was given"
            )
        full.append(tuple(labels))
    if output is None:
        every = [s for labels in full for s in labels if isinstance(s, str)]
        return full, (*range(-covered, 0), *sorted(s for s in set(every) if every.count(s) == 1))
    seen = {s for labels in full for s in labels}
    for s in output:
        if s is not Ellipsis and output.count(s) > 1:
            raise RuntimeError(f"einsum(): output subscript {s} appears more than once in the output")
        if s is not Ellipsis and s not in seen:
            raise RuntimeError(f"einsum(): output subscript {s} does not appear in the equation for any input operand")
    if Ellipsis in output:
        i = output.index(Ellipsis)
        output = [*output[:i], *range(-covered, 0), *output[i + 1 :]]
    return full, tuple(output)


@lru_cache(256)
def _path(terms: tuple[Labels, ...], output: Labels, sizes: tuple[tuple[Any, int], ...]) -> tuple[tuple[int, int], ...]:
    """Pairs of positions to contract, in order; each result goes to the end of the list.

    Up to 7 operands: the cheapest over all orders. More: always the pair whose result grows the least.
    """
    size = dict(sizes)
    count = len(terms)

    def cost(labels: Any) -> int:
        return prod(size[s] for s in labels)

    def kept(mine: frozenset[Any], others: Any) -> frozenset[Any]:
        return mine & frozenset(output).union(*others)

    if count <= 7:
        best: dict[frozenset[int], tuple[int, Any, frozenset[Any]]] = {
            frozenset([k]): (0, k, frozenset(labels)) for k, labels in enumerate(terms)
        }
        everyone = frozenset(range(count))
        for n in range(2, count + 1):
            for chosen in map(frozenset, combinations(range(count), n)):
                outside = [terms[k] for k in everyone - chosen]
                first = min(chosen)
                rest = sorted(chosen - {first})
                options = []
                for m in range(len(rest)):
                    for with_first in combinations(rest, m):
                        a, b = best[frozenset((first, *with_first))], best[chosen - {first, *with_first}]
                        both = a[2] | b[2]
                        options.append((a[0] + b[0] + cost(both), (a[1], b[1]), kept(both, outside)))
                best[chosen] = min(options, key=lambda o: o[0])
        tree = best[everyone][1]
    else:
        live: list[tuple[Any, frozenset[Any]]] = [(k, frozenset(labels)) for k, labels in enumerate(terms)]
        while len(live) > 1:
            choices = []
            for i, j in combinations(range(len(live)), 2):
                both = live[i][1] | live[j][1]
                result = kept(both, [labels for k, (_, labels) in enumerate(live) if k not in (i, j)])
                grows = cost(result) - cost(live[i][1]) - cost(live[j][1])
                choices.append((grows, cost(both), i, j, result))
            *_, i, j, result = min(choices, key=lambda o: o[:4])
            live = [x for k, x in enumerate(live) if k not in (i, j)] + [((live[i][0], live[j][0]), result)]
        tree = live[0][0]
    steps: list[tuple[int, int]] = []
    names: list[Any] = list(range(count))

    def walk(node: Any) -> None:
        if not isinstance(node, tuple):
            return
        for part in node:
            walk(part)
        i, j = (names.index(part) for part in node)
        steps.append((i, j))
        names[:] = [x for k, x in enumerate(names) if k not in (i, j)] + [node]

    walk(tree)
    return tuple(steps)


def _reduced(x: Tensor, labels: Labels, keep: Any) -> tuple[Tensor, Labels]:
    """Sum over the dimensions whose labels are not in `keep`."""
    drop = tuple(i for i, s in enumerate(labels) if s not in keep)
    if not drop:
        return x, labels
    return red.sum(x, drop, dtype=x.dtype), tuple(s for s in labels if s in keep)


@lru_cache(1024)
def _plan(a: Labels, b: Labels, output: Labels, keep: frozenset[Any]) -> tuple[Any, ...]:
    """How two operands become matrices: (all labels in the order of `output`, whether the second stands first, the order of
    dimensions of each, how many of them are of the batch, of rows and summed over, the labels of the product)."""
    place = {**dict.fromkeys((*a, *b), len(output)), **{s: i for i, s in enumerate(output)}}.__getitem__
    every = tuple(sorted(dict.fromkeys((*a, *b)), key=place))
    both = [s for s in every if s in a and s in b]
    batch, inner = [s for s in both if s in keep], [s for s in both if s not in keep]
    rows, columns = [s for s in every if s not in b], [s for s in every if s not in a]
    swap = bool(rows and columns and place(columns[-1]) < place(rows[0]))
    if swap:
        a, rows, b, columns = b, columns, a, rows
    first = tuple(a.index(s) for s in (*batch, *rows, *inner))
    second = tuple(b.index(s) for s in (*batch, *inner, *columns))
    return every, swap, first, second, len(batch), len(rows), len(inner), (*batch, *rows, *columns)


def _pair(x: Tensor, a: Labels, y: Tensor, b: Labels, output: Labels, keep: Any) -> tuple[Tensor, Labels]:
    """Contract two operands over the labels that are not in `keep`, by one batched product of matrices.

    The result lies in memory in the order of `output` as far as one product can give it, so that views fit.
    """
    x, a = _reduced(x, a, {*keep, *b})
    y, b = _reduced(y, b, {*keep, *a})
    every, swap, first, second, nb, nr, ni, labels = _plan(a, b, output, frozenset(keep))
    if not ni:
        parts = []
        for t, own in ((x, a), (y, b)):
            order = [own.index(s) for s in every if s in own]
            t = sh.permute(t, order) if order != sorted(order) else t
            sizes = iter(t._a.shape)
            parts.append(
                t if len(own) == len(every) else sh.reshape(t, [next(sizes) if s in own else 1 for s in every])
            )
        return pw.mul(*parts), every
    x, y = (y, x) if swap else (x, y)
    x, y = sh.permute(x, first), sh.permute(y, second)
    p, q = x._a.shape, y._a.shape
    m, k, n = prod(p[nb : nb + nr]), prod(p[nb + nr :]), prod(q[nb + ni :])
    if nb:
        c = prod(p[:nb])
        r = mat.bmm(sh.reshape(x, (c, m, k)), sh.reshape(y, (c, k, n)))
    else:
        r = mat.mm(sh.reshape(x, (m, k)), sh.reshape(y, (k, n)))
    return sh.reshape(r, (*p[: nb + nr], *q[nb + ni :])), labels


def einsum(*args: Any) -> Tensor:
    """Sums of products named by subscripts: einsum('ij,jk->ik', a, b), or einsum(a, [0, 1], b, [1, 2], [0, 2]).

    Repeated subscripts of an operand take its diagonal, ``...`` stands for any dimensions, sizes of 1 broadcast.
    Operands are contracted two at a time in the cheapest order, by batched products. Source: torch.einsum.
    """
    operands, lists, wanted = _parse(args)
    for x in operands:
        check_tensor(x, "einsum", "operands")
    terms, output = _spread_ellipsis(lists, wanted, [x._a.ndim for x in operands])
    size: dict[Any, int] = {}
    for k, (x, labels) in enumerate(zip(operands, terms, strict=True)):
        own: dict[Any, int] = {}
        for s, n in zip(labels, x._a.shape, strict=True):
            if own.setdefault(s, n) != n:
                raise RuntimeError(
                    f"einsum(): subscript {s} is repeated for operand {k} but the sizes don't match, {n} != {own[s]}"
                )
            have = size.get(s, 1)
            if n not in (have, 1) and have != 1:
                raise RuntimeError(
                    f"einsum(): subscript {s if isinstance(s, str) else '...'} has size {n} for operand {k} which does not "
                    f"broadcast with previously seen size {have}"
                )
            size[s] = n if have == 1 else have
    live: list[tuple[Tensor, Labels]] = []
    for x, labels in zip(operands, terms, strict=True):
        for s in dict.fromkeys(labels):
            while labels.count(s) > 1:  # the diagonal of two of its dimensions goes to the end
                i = labels.index(s)
                j = labels.index(s, i + 1)
                x = x.diagonal(0, i, j)  # type: ignore[attr-defined]
                labels = (*(t for k, t in enumerate(labels) if k not in (i, j)), s)
        ones = tuple(i for i, n in enumerate(x._a.shape) if n == 1)
        if ones:
            x = sh.squeeze(x, ones)
        live.append((x, tuple(s for i, s in enumerate(labels) if i not in ones)))
    if len(live) > 1:
        large = tuple((s, n) for s, n in size.items() if n != 1)
        for i, j in _path(tuple(labels for _, labels in live), tuple(s for s in output if size[s] != 1), large):
            (x, a), (y, b) = live[i], live[j]
            live = [t for k, t in enumerate(live) if k not in (i, j)]
            live.append(_pair(x, a, y, b, output, {*output, *(s for _, labels in live for s in labels)}))
    ((x, labels),) = live
    order = [labels.index(s) for s in output if size[s] != 1]
    order += [i for i, s in enumerate(labels) if s not in output]
    if order != sorted(order):
        x, labels = sh.permute(x, order), tuple(labels[i] for i in order)
    x, labels = _reduced(x, labels, output)
    shape = tuple(size[s] for s in output)
    return x if x._a.shape == shape else sh.reshape(x, shape)


def tensordot(a: Tensor, b: Tensor, dims: Any = 2, out: Tensor | None = None) -> Tensor:
    """Sum over pairs of dimensions: the last `dims` of a with the first of b, or two lists. Source: torch.tensordot."""
    x, y = check_tensor(a, "tensordot", "a"), check_tensor(b, "tensordot", "b")
    if isinstance(dims, Tensor):
        dims = dims.tolist() if dims._a.size > 1 else int(dims.item())
    if isinstance(dims, (tuple, list)) and len(dims) == 2:
        da, db = (list(several(d)) for d in dims)
    elif isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(x._a.ndim, y._a.ndim):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        da, db = list(range(-dims, 0)), list(range(dims))
    else:
        raise RuntimeError(
            "tensordot expects dims to be int or tuple[list[int], list[int]] or list[list[int]] containing two lists, "
            f"but got dims={dims}"
        )
    if len(da) != len(db):
        raise RuntimeError("both dimension lists should have same length")
    if x._a.dtype != y._a.dtype:
        raise RuntimeError("both inputs should have same dtype")
    ia, ib = [check_dim(d, x._a.ndim) for d in da], [check_dim(d, y._a.ndim) for d in db]
    for own in (ia, ib):
        for d in own:
            if own.count(d) > 1:
                raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    for i, j, d, e in zip(ia, ib, da, db, strict=True):
        m, n = x._a.shape[i], y._a.shape[j]
        if m == n:
            continue
        if m == 1:  # a size of 1 broadcasts: its partner is summed up
            y = red.sum(y, j, True, dtype=y.dtype)
        elif n == 1:
            x = red.sum(x, i, True, dtype=x.dtype)
        else:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {m} in dim {d} and second has size {n} in dim {e}"
            )
    rows = [i for i in range(x._a.ndim) if i not in ia]
    columns = [j for j in range(y._a.ndim) if j not in ib]
    p, q = x._a.shape, y._a.shape
    k = prod(p[i] for i in ia)
    x = sh.reshape(sh.permute(x, [*rows, *ia]), (prod(p[i] for i in rows), k))
    y = sh.reshape(sh.permute(y, [*ib, *columns]), (k, prod(q[j] for j in columns)))
    r = sh.reshape(mat.mm(x, y), (*(p[i] for i in rows), *(q[j] for j in columns)))
    if out is not None and out._a.dtype != r._a.dtype:
        raise RuntimeError(
            f"tensordot: Expected the output tensor to have dtype {type_name(r)}, but got an output tensor with "
            f"dtype {type_name(out)}"
        )
    return r if out is None else write_out(out, r)


@named("UnsafeViewBackward0")
def kron(input: Tensor, other: Tensor, *, out: Tensor | None = None) -> Tensor:
    """The Kronecker product: every element of `input` times all of `other`, promoted. Source: torch.kron."""
    x, y = check_tensor(input, "kron"), check_tensor(other, "kron", "other")
    n = max(x._a.ndim, y._a.ndim)
    p = (*(1,) * (n - x._a.ndim), *x._a.shape)
    q = (*(1,) * (n - y._a.ndim), *y._a.shape)
    x = sh.reshape(x, [s for m in p for s in (m, 1)])
    y = sh.reshape(y, [s for m in q for s in (1, m)])
    x, y = prepare("kron", PROMOTE, x, y)  # the shapes tell which of them is a mere number
    r = sh.reshape(pw.mul(x, y), [m * k for m, k in zip(p, q, strict=True)])
    return r if out is None else write_out(out, r)


def multi_dot(tensors: Any, *, out: Tensor | None = None) -> Tensor:
    """The product of matrices in the cheapest order; the first and last may be vectors. Source: torch.linalg.multi_dot."""
    xs = list(tensors)
    if len(xs) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(xs)}")
    last = len(xs) - 1
    for k, x in enumerate(xs):
        if x._a.dtype != xs[0]._a.dtype:
            raise RuntimeError(
                "multi_dot(): all tensors must have be the same dtype but "
                f"tensor 0 is {cpp_name(xs[0])} and tensor {k} {cpp_name(x)}"
            )
        if x._a.ndim != 2 and not (k in (0, last) and x._a.ndim == 1):
            ends = "1D or 2D" if k in (0, last) else "2D"
            raise RuntimeError(f"multi_dot(): tensor {k} must be {ends} but got {x._a.ndim}D")
    row, column = xs[0]._a.ndim == 1, xs[last]._a.ndim == 1
    if row:
        xs[0] = sh.unsqueeze(xs[0], 0)
    if column:
        xs[last] = sh.unsqueeze(xs[last], 1)
    for k in range(last):
        a, b = xs[k]._a.shape, xs[k + 1]._a.shape
        if a[1] != b[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {k} and {k + 1} with shapes {list(a)} and {list(b)} cannot be multiplied"
            )
    r = _chain(xs)
    shape = (*(() if row else r._a.shape[:1]), *(() if column else r._a.shape[1:]))
    r = r if r._a.shape == shape else sh.reshape(r, shape)
    return r if out is None else write_out(out, r)


def _chain(xs: list[Tensor]) -> Tensor:
    """The matrix chain, by the cost of every split."""
    n = len(xs)
    size = [x._a.shape[0] for x in xs] + [xs[-1]._a.shape[1]]
    cost = [[0] * n for _ in range(n)]
    cut = [[0] * n for _ in range(n)]
    for span in range(1, n):
        for i in range(n - span):
            j = i + span
            cost[i][j], cut[i][j] = min(
                (cost[i][k] + cost[k + 1][j] + size[i] * size[k + 1] * size[j + 1], k) for k in range(i, j)
            )

    return _product(xs, cut, 0, n - 1)


def _product(xs: list[Tensor], cut: list[list[int]], i: int, j: int) -> Tensor:
    """The product of matrices i to j, cut as the table says."""
    if i == j:
        return xs[i]
    k = cut[i][j]
    return mat.mm(_product(xs, cut, i, k), _product(xs, cut, k + 1, j))  # type: ignore[no-any-return]


def chain_matmul(*matrices: Any, out: Tensor | None = None) -> Tensor:
    """The product of matrices in the cheapest order. Source: torch.chain_matmul."""
    xs = list(matrices[0]) if len(matrices) == 1 and isinstance(matrices[0], (list, tuple)) else list(matrices)
    for x in xs:
        if check_tensor(x, "chain_matmul", "matrices")._a.ndim != 2:
            raise RuntimeError(f"Tensor dimension is {x._a.ndim}, expected 2 instead.")
    if len(xs) == 1:
        return xs[0] if out is None else write_out(out, xs[0])
    return multi_dot(xs, out=out)


attach("kron", kron)
