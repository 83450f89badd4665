"""gradcheck and gradgradcheck of views, arrangements, scatters and sorts on every backend."""

import pytest
from test_gradcheck import samples

import polytensor as torch
from polytensor.testing import gradcheck, gradgradcheck


def index(x, *rows):
    return torch.tensor(rows, device=x.device)


def write_window(x, y):
    z = x * 1
    z.as_strided((2, 2), (4, 2), 1).mul_(y)
    z.diagonal(1).add_(y[0, 0])
    z.unfold(1, 2, 2)[0].mul_(2)
    return z * z


def relayout(x, y):
    z = x * 1
    row = z[0]
    z.t_()
    z[0].mul_(y[0, :1])
    return z * z, row.exp()


# name: (function, shapes of its inputs)
PRIMITIVES = {
    "as_strided": (lambda x: (x * 1).as_strided((2, 2), (1, 2), 1).exp(), [(2, 3)]),
    "as_strided.overlap": (lambda x: (x * 1).as_strided((3, 3), (1, 1)).exp(), [(2, 3)]),
    "as_strided.ofview": (lambda x: x.contiguous()[1:, 1:].as_strided((2, 2), (4, 1)).exp(), [(3, 4)]),
    "as_strided_scatter": (lambda x, y: ((x * 1).as_strided_scatter(y, (2, 2), (4, 1), 1)).exp(), [(3, 4), (2, 2)]),
    "unfold": (lambda x: x.unfold(1, 3, 1).exp(), [(2, 5)]),
    "unfold.step": (lambda x: x.unfold(0, 2, 3).exp(), [(6, 2)]),
    "unfold.few": (lambda x: x.unfold(0, 4, 1).exp(), [(5, 2)]),
    "diagonal": (lambda x: x.diagonal(1, 0, 2).exp(), [(3, 2, 4)]),
    "diag_embed": (lambda x: x.diag_embed(-1, 0, 1).exp() * 2, [(2, 3)]),
    "diag": (lambda x: (torch.diag(x) ** 2, torch.diag(x[0]) ** 2), [(3, 3)]),
    "diagonal_scatter": (lambda x, y: x.diagonal_scatter(y, 1).exp(), [(3, 3), (2,)]),
    "select_scatter": (lambda x, y: x.select_scatter(y, 1, 0).exp(), [(2, 3), (2,)]),
    "slice_scatter": (lambda x, y: x.slice_scatter(y, 1, 0, 3, 2).exp(), [(2, 3), (2, 2)]),
    "write_window": (write_window, [(3, 4), (2, 2)]),
    "relayout": (relayout, [(3, 3), (2, 2)]),
    "clone": (lambda x: x.t().clone() ** 2, [(2, 3)]),
    "channels_last": (lambda x: x.contiguous(memory_format=torch.channels_last) ** 2, [(1, 2, 2, 2)]),
    "flip": (lambda x: x.flip(0, 1) ** 2, [(2, 3)]),
    "roll": (lambda x: x.roll((1, 2), (0, 1)) ** 2, [(2, 3)]),
    "rot90": (lambda x: x.rot90() ** 2, [(2, 3)]),
    "tril": (lambda x: x.tril(-1) ** 2 + x.triu() ** 3, [(2, 3, 3)]),
    "repeat": (lambda x: x.repeat(2, 1, 2) ** 2, [(2, 3)]),
    "repeat_interleave": (lambda x: x.repeat_interleave(index(x, 2, 0, 1), 1) ** 2, [(2, 3)]),
    "tensor_split": (lambda x: [y * y for y in x.tensor_split(2, 1)], [(2, 3)]),
    "unsafe_split": (lambda x: [y * y for y in x.unsafe_split(2, 1)], [(2, 3)]),
    "block_diag": (lambda x, y: torch.block_diag(x, y) ** 2, [(2, 1), (2,)]),
    "hstack": (lambda x, y: torch.hstack((x, y)) ** 2, [(2, 1), (2, 2)]),
    "meshgrid": (lambda x, y: [a * a for a in torch.meshgrid(x, y, indexing="xy")], [(2,), (3,)]),
    "combinations": (lambda x: torch.combinations(x) ** 2, [(4,)]),
    "gather": (lambda x: x.gather(0, index(x, (0, 1, 1), (0, 0, 1), (1, 1, 1))).exp(), [(2, 3)]),
    "scatter": (lambda x, y: x.scatter(1, index(x, (0, 2), (1, 0)), y).exp(), [(2, 3), (2, 2)]),
    "scatter_add": (lambda x, y: x.scatter_add(0, index(x, (0, 0, 1), (0, 1, 1)), y).exp(), [(2, 3), (2, 3)]),
    **{
        f"scatter_reduce.{reduce}.{own}": (
            lambda x, y, r=reduce, o=own: x.scatter_reduce(
                0, index(x, (0, 0, 1), (0, 1, 1)), y, r, include_self=o
            ).exp(),
            [(2, 3), (2, 3)],
        )
        for reduce in ("sum", "prod", "mean", "amax", "amin")
        for own in (True, False)
    },
    "index_add": (lambda x, y: x.index_add(1, index(x, 0, 0), y, alpha=3).exp(), [(2, 3), (2, 2)]),
    "index_copy": (lambda x, y: x.index_copy(1, index(x, 2, 0), y).exp(), [(2, 3), (2, 2)]),
    "index_fill": (lambda x, y: x.index_fill(1, index(x, 2, 0), y.sum()).exp(), [(2, 3), (2,)]),
    "index_reduce": (lambda x, y: x.index_reduce(0, index(x, 0, 0), y, "prod").exp(), [(2, 3), (2, 3)]),
    "index_put": (lambda x, y: x.index_put((index(x, 0, 1, 0),), y, accumulate=True).exp(), [(2, 3), (3, 3)]),
    "masked_fill": (lambda x, y: x.masked_fill(index(x, True, False, True), y.sum()).exp(), [(2, 3), (2,)]),
    "masked_scatter": (lambda x, y: x.masked_scatter(index(x, True, False, True), y).exp(), [(2, 3), (2, 3)]),
    "masked_select": (lambda x: x.masked_select(index(x, True, False, True)).exp(), [(2, 3)]),
    "take": (lambda x: x.take(index(x, 0, -1, 0, 3)).exp(), [(2, 3)]),
    "put": (lambda x, y: x.put(index(x, 0, -1), y).exp(), [(2, 3), (2,)]),
    "put.acc": (lambda x, y: x.put(index(x, 0, 0), y, accumulate=True).exp(), [(2, 3), (2,)]),
    "take_along_dim": (lambda x: x.take_along_dim(index(x, (0, 2, 2)), 1).exp(), [(2, 3)]),
    "sort": (lambda x: x.sort(0, descending=True).values.exp(), [(4, 2)]),
    "topk": (lambda x: x.topk(2, largest=False)[0].exp(), [(2, 4)]),
    "kthvalue": (lambda x: x.kthvalue(2, 0)[0].exp(), [(4, 2)]),
}


@pytest.mark.parametrize("layout", ["c", "t"])
@pytest.mark.parametrize("name", PRIMITIVES)
def test_gradcheck(name, layout, device):
    fn, shapes = PRIMITIVES[name]
    # what as_strided shows depends on the layout that x * 1 keeps
    assert gradcheck(fn, samples(name, shapes, device, layout), check_grad_dtypes=True)


@pytest.mark.parametrize("name", PRIMITIVES)
def test_gradgradcheck(name, device):
    fn, shapes = PRIMITIVES[name]
    assert gradgradcheck(fn, samples(name, shapes, device))
