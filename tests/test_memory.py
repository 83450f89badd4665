"""Large inputs: the peak of memory stays within a stated multiple of input plus output (and a block of fixed size)."""

import tracemalloc

import pytest

import polytensor as torch

F = torch.nn.functional
BLOCK, BLOCKED = 40 << 20, ("cdist.1", "cdist.3", "pdist", "conv2d")  # what kernels that work in blocks hold beside

CASES = {  # multiple of input + output, inputs, function
    "cdist": (3, lambda: (torch.rand(1500, 64), torch.rand(1400, 64)), torch.cdist),
    "cdist.1": (2, lambda: (torch.rand(900, 64), torch.rand(1000, 64)), lambda a, b: torch.cdist(a, b, 1.0)),
    "cdist.3": (2, lambda: (torch.rand(600, 64), torch.rand(1000, 64)), lambda a, b: torch.cdist(a, b, 3.0)),
    "pdist": (8, lambda: (torch.rand(1200, 64),), F.pdist),
    "einsum": (1, lambda: (torch.rand(900, 800), torch.rand(800, 700)), lambda a, b: torch.einsum("ij,jk->ik", a, b)),
    "einsum.three": (
        1,
        lambda: (torch.rand(8, 200, 220), torch.rand(8, 220, 190), torch.rand(8, 190, 200)),
        lambda a, b, c: torch.einsum("bij,bjk,bkl->bil", a, b, c),
    ),
    "unfold": (2, lambda: (torch.rand(8, 16, 64, 64),), lambda x: F.unfold(x, 3, padding=1)),
    "fold": (2, lambda: (torch.rand(8, 144, 4096),), lambda x: F.fold(x, (64, 64), 3, padding=1)),
    "Tensor.unfold": (0, lambda: (torch.rand(1 << 22),), lambda x: x.unfold(0, 1000, 1)),
    "expand": (0, lambda: (torch.rand(1 << 12, 1),), lambda x: x.expand(-1, 1 << 16)),
    "kron": (2, lambda: (torch.rand(50, 50), torch.rand(50, 50)), torch.kron),
    "isin": (4, lambda: (torch.randint(0, 9999, (500_000,)), torch.randint(0, 9999, (50_000,))), torch.isin),
    "searchsorted": (2, lambda: (torch.arange(1e5), torch.rand(1_000_000)), torch.searchsorted),
    "unique": (4, lambda: (torch.randint(0, 1000, (1_000_000,)),), lambda x: x.unique(return_counts=True)),
    "index_add": (2, lambda: (torch.zeros(1000, 100), torch.randint(0, 1000, (20_000,)), torch.rand(20_000, 100)),
                  lambda x, i, y: x.index_add(0, i, y)),
    "cross_entropy": (3, lambda: (torch.rand(4096, 1000), torch.randint(0, 1000, (4096,))), F.cross_entropy),
    "conv2d": (4, lambda: (torch.rand(32, 16, 64, 64), torch.rand(32, 16, 3, 3)), lambda x, w: F.conv2d(x, w, padding=1)),
}  # fmt: skip


def held(x):
    if isinstance(x, torch.Tensor):
        return x.untyped_storage().nbytes()
    return sum(map(held, x)) if isinstance(x, (tuple, list)) else 0


@pytest.mark.parametrize("name", CASES)
def test_peak(name):
    multiple, make, fn = CASES[name]
    inputs = make()
    fn(*inputs)  # functions are written out and compiled at their first call
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        result = fn(*inputs)
        peak = tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()
    assert peak <= multiple * (held(inputs) + held(result)) + (BLOCK if name in BLOCKED else 1 << 16)
