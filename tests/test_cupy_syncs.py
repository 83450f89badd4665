"""No op waits for the device (or copies to the host), but for a short list: what PyTorch waits for too, and a few of ours."""

import zlib
from contextlib import suppress

import numpy as np
import pytest
import test_ops

import polytensor
from polytensor import devices

cupy = pytest.importorskip("cupy")
from cupy_watch import watching  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning", "ignore::DeprecationWarning")

NUMBER = "a tensor where a number is asked for"
SIZE = "the size of the result depends on values (as in PyTorch)"
ANSWER = "the result is a Python bool or a copy on the host"
SOLVER = "the solver says whether it failed, or how many steps it needs (as in PyTorch)"
PASSES = "as many passes as values ask for"
MAY_WAIT = {
    "backends/indexing.py index": SIZE, "backends/indexing.py index_put": SIZE, "backends/indexing.py nonzero": SIZE,
    "backends/statistics.py unique": SIZE, "backends/statistics.py bincount": SIZE, "ops/statistics.py bincount": SIZE,
    "ops/arranging.py _repeated_index": SIZE, "ops/arranging.py repeat_interleave": SIZE, "ops/embedding.py one_hot": SIZE,
    "nn/functional_margin.py multilabel_margin_loss": SIZE, "nn/functional_margin.py ctc_loss": SIZE,
    "nn/loss.py forward": SIZE, "nn/loss.py predict": SIZE, "backends/tables.py bags_of": SIZE,
    "ops/embedding.py embedding_bag": SIZE, "ops/grouped.py grouped_mm": SIZE, "ops/views.py tensor_split": SIZE,
    "ops/statistics.py _range": "histogram without a range: from the smallest to the largest value (as in PyTorch)",
    "ops/statistics.py cov": "warns where there are too few degrees of freedom (as in PyTorch)",
    "backends/statistics.py cumprod_backward": "another formula where there are zeros (as in PyTorch)",
    "ops/arguments.py number": NUMBER, "ops/arguments.py _shape": NUMBER, "ops/elementwise.py _scale": NUMBER,
    "ops/fills.py _fill_value": NUMBER, "ops/from_data.py _plain": NUMBER, "ops/indexing.py _parse": NUMBER, "ops/indexing.py _bound": NUMBER,
    "ops/activations.py celu": NUMBER, "ops/convolution.py ntuple": NUMBER, "ops/joining.py chunk": NUMBER, "ops/operands.py plain": NUMBER,
    "ops/operands.py several": NUMBER, "ops/special.py polygamma": NUMBER,
    "ops/shape.py narrow": NUMBER, "ops/shape.py select": NUMBER, "ops/calculus.py cond": NUMBER,
    "ops/elementwise.py allclose": ANSWER, "ops/fills.py is_nonzero": ANSWER, "ops/pointwise.py equal": ANSWER,
    "backends/cupy/placement.py to_host": ANSWER, "backends/base.py take": ANSWER, "printing.py tensor_str": ANSWER,
    "backends/ldl.py _ldl": SOLVER, "backends/ldl.py linalg_ldl_solve": SOLVER, "backends/linalg.py _failed": SOLVER,
    "backends/linalg.py linalg_cholesky_ex": SOLVER, "backends/linalg.py _svd": SOLVER,
    "backends/linalg.py linalg_matrix_exp": SOLVER, "ops/linalg.py eig": SOLVER, "ops/linalg.py fail": SOLVER,
    "ops/linalg.py lstsq": SOLVER, "ops/lowrank.py _iterate": SOLVER,
    "backends/polynomials.py _recurrence": PASSES, "backends/streams.py _search": PASSES,
    "ops/random_ops.py _rounds": PASSES, "backends/special.py special_airy_ai": "CuPy has no Airy function",
}  # fmt: skip


@pytest.fixture(scope="module")
def twin():
    from cupy_twin import TwinBackend

    devices.register_backend("twin", TwinBackend)
    yield devices.backend_device("twin")
    devices._factories.pop("twin")


def waits(sample, device):
    """{place: what it read} of one sample, forward and backward."""
    arrays = sample.inputs(np.random.default_rng(zlib.crc32(sample.name.encode())))
    tensors = [polytensor.from_numpy(a).to(device) for a in arrays]
    wanted = [x for x in tensors if x.dtype in (polytensor.float64, polytensor.complex128)] if sample.grad else []
    with watching() as watch, suppress(Exception):  # errors of samples are test_cupy's matter
        for x in wanted:
            x.requires_grad_()
        outputs = test_ops.flat(sample.fn(polytensor, *tensors))
        roots = [y for y in outputs if isinstance(y, polytensor.Tensor) and y.requires_grad]
        if roots:
            ones = [polytensor.ones_like(y) for y in roots]
            polytensor.autograd.grad(roots, wanted, ones, allow_unused=True)
    with suppress(Exception):
        device.backend.synchronize()
    return {f"{place.partition(':')[0]} {place.rpartition(' ')[2]}": (what, place) for what, place in watch.found}


def test_only_these_ops_wait_for_the_device(twin):
    """The list is whole, and nothing stands in it that does not wait any more."""
    found = {}
    with devices.use_backend("twin"):
        for sample in test_ops.SAMPLES:
            if not sample.host:
                for place, seen in waits(sample, twin).items():
                    found.setdefault(place, (sample.name, *seen))
    assert {place: seen for place, seen in found.items() if place not in MAY_WAIT} == {}
    assert MAY_WAIT.keys() - found.keys() == set()


def test_a_wait_is_seen(twin):
    x = polytensor.tensor([1.0, 0.0, 3.0], device=twin)
    for fn, what in [
        (lambda: polytensor.nonzero(x), "nonzero"), (lambda: x[x > 0], "x[mask]"), (lambda: polytensor.equal(x, x), "__bool__"),
        (lambda: polytensor.full((2,), x[0]), "item"), (lambda: x.cpu(), "to_numpy"),
    ]:  # fmt: skip
        with devices.use_backend("twin"), watching() as watch:
            fn()
        assert what in {w for w, _ in watch.found}
    with watching() as watch:
        polytensor.nn.functional.cross_entropy(x.reshape(1, 3), polytensor.tensor([2], device=twin))
        x.clamp(0, 1), x.gather(0, polytensor.tensor([0, 2], device=twin)), x.softmax(0)
    assert watch.found == []


def test_checks_of_values_are_told_later(twin):
    """The error comes where the device is waited for, the first one first, and once."""
    table, index = polytensor.ones(4, 2, device=twin), polytensor.tensor([0, 7], device=twin)
    first = polytensor.nn.functional.embedding(index, table)
    second = table.gather(0, index.reshape(2, 1))
    assert first.shape == (2, 2) and second.shape == (2, 1)
    with pytest.raises(IndexError, match=r"index out of range in self: .*\(found when the device was waited for"):
        table.sum().item()
    assert table.sum().item() == 8
    with pytest.raises(IndexError, match="Target is out of bounds"):
        polytensor.nn.functional.cross_entropy(table, polytensor.tensor([0, 1, 2, 0], device=twin)).item()
    text = polytensor.nn.functional.binary_cross_entropy
    loss = text(table * 2, table)
    with pytest.raises(RuntimeError, match="all elements of input should be between 0 and 1"):
        loss.tolist()


def test_gradients_have_memory_of_their_own(twin):
    """A gradient that goes to two leaves, to a view of one, or that a hook has kept, is copied; others are taken as they are."""
    kept = []
    x, w, v = (polytensor.ones(3, device=twin, requires_grad=True) for _ in range(3))
    x.register_hook(kept.append)
    ((x + w) * 2 + v.reshape(1, 3).reshape(3)).sum().backward()
    for leaf, value in ((x, 2), (w, 2), (v, 1)):
        assert leaf.grad.tolist() == [value] * 3
    x.grad.add_(5)
    assert w.grad.tolist() == [2] * 3 and kept[0].tolist() == [2] * 3
    m = polytensor.ones(4, 3, device=twin, requires_grad=True)
    copies = []
    backend = twin.backend
    backend.copy = lambda a: copies.append(1) or type(backend).copy(backend, a)
    try:
        (m @ polytensor.ones(3, 2, device=twin)).sum().backward()
    finally:
        del backend.copy
    assert m.grad.tolist() == [[2.0] * 3] * 4 and not copies
