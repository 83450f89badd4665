"""In-place writes under autograd: leaves, versions, views and their bases; also on PyTorch itself."""

import numpy as np
import pytest
from oracle import LEAF, MODIFIED, VIEW, short

import polytensor


def test_inplace_on_leaves(both):
    t = both
    for write in (
        lambda x: x.add_(1), lambda x: x.zero_(), lambda x: x.__setitem__(0, 1.0),
        lambda x: x.copy_(x.detach() * 2),
        lambda x: x.__iadd__(1), lambda x: x.clamp_(0, 1),
    ):  # fmt: skip
        with pytest.raises(RuntimeError, match=LEAF):
            write(t.leaf([1.0, 2.0]))
    for view in (lambda x: x[0], lambda x: x[:], lambda x: x.view(2, 1), lambda x: x.unsqueeze(0)):
        with pytest.raises(RuntimeError, match=VIEW):
            view(t.leaf([1.0, 2.0])).mul_(2)
    x = t.leaf([1.0, 2.0])
    with t.no_grad():
        x -= 0.5
        x[0] = 9
    assert x.tolist() == [9, 1.5]
    assert x.is_leaf


def test_inplace_changes_what_was_saved(both):
    t = both
    x = t.leaf([1.0, 2.0])
    for make in (
        lambda y: y.exp(), lambda y: y * y, lambda y: y.sigmoid(), lambda y: y.tanh(), lambda y: t.sqrt(y),
    ):  # fmt: skip
        z = make(x * 1)
        w = z * z
        z.add_(1)
        with pytest.raises(RuntimeError, match=MODIFIED):
            w.sum().backward()
    for pool, shape in (("max_pool1d", (1, 4)), ("adaptive_max_pool1d", (1, 4)), ("max_pool3d", (1, 4, 4, 4))):
        w, where = getattr(t.nn.functional, pool)(t.leaf([1.0]).expand(shape) * 1, 2, return_indices=True)
        where.add_(1)
        with pytest.raises(RuntimeError, match=MODIFIED):
            w.sum().backward()
    a = x * 1
    b = a + 1  # saves nothing
    a.mul_(2)
    (b + a).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_message_names_the_version(both):
    x = both.leaf([1.0, 2.0])
    y = x.exp()
    loss = y.sum()
    y.mul_(2)
    y.mul_(2)
    text = r"\[torch\.DoubleTensor \[2\]\], which is output 0 of \w+, is at version 2; expected version 0"
    with pytest.raises(RuntimeError, match=text):
        loss.backward()


def test_inplace_on_views_rebases_history(both):
    t = both
    x, v = t.leaf([[1.0, 2.0], [3.0, 4.0]]), t.leaf([5.0, 6.0])
    base = x * 1
    view = base[0]
    view.mul_(v)
    assert short(base.grad_fn) == "CopySlices"
    base.sum().backward()
    assert x.grad.tolist() == [[5, 6], [1, 1]]
    assert v.grad.tolist() == [1, 2]


def test_views_follow_a_write_to_their_base(both):
    x = both.leaf([1.0, 2.0, 3.0])
    base = x * 2
    view = base[1:]
    base.mul_(10)
    assert view.tolist() == [40, 60]
    view.sum().backward()
    assert x.grad.tolist() == [0, 20, 20]


def test_assignment_is_differentiable(both):
    t = both
    x, v = t.leaf([1.0, 2.0, 3.0]), t.leaf(7.0)
    y = t.zeros(3, dtype=t.float64, device=t.device)
    y[1:] = x[:2] * 2
    y[0] = v
    y[y > 6] = 1.0
    assert y.requires_grad
    (y * t.leaf([1.0, 2.0, 3.0], grad=False)).sum().backward()
    assert x.grad.tolist() == [4, 6, 0]
    assert v.grad.item() == 0


def test_view_of_a_view_and_chunks(both):
    t = both
    x = t.leaf([[1.0, 2.0], [3.0, 4.0]])
    base = x.clone()
    base.t()[0].view(2, 1).squeeze(1).add_(1).mul_(3)
    base.sum().backward()
    assert x.grad.tolist() == [[3, 1], [3, 1]]
    a, _ = (x * 1).unbind(0)
    with pytest.raises(
        RuntimeError, match="is a view and is being modified inplace. This view is the output of a function"
    ):
        a.mul_(2)


def test_view_made_under_no_grad(both):
    x = both.leaf([1.0, 2.0])
    with both.no_grad():
        view = x[0:1]
    with pytest.raises(RuntimeError, match="A view was created in no_grad mode and is being modified inplace"):
        view.mul_(2)


def test_layout_changed_under_no_grad(both):
    """Where the view was made counts, not where its layout changed."""
    w = both.leaf([[1.0, 2.0, 3.0]])
    base = w * 2
    view = base[:, 1:]
    with both.no_grad():
        view.t_()
    view.mul_(5)
    base.sum().backward()
    assert view.tolist() == [[20.0], [30.0]] and w.grad.tolist() == [[2.0, 10.0, 10.0]]
    with both.no_grad():
        view = base[:1]
        view.t_()
    with pytest.raises(RuntimeError, match="A view was created in no_grad mode"):
        view.mul_(5)


def test_view_made_under_no_grad_requires_a_gradient(both):
    """It is a leaf of its own; the views of it too have the tensor for a base."""
    t = both.module
    for x in (both.leaf([1.0, 2.0]), both.leaf([1.0, 2.0]) * 1):
        for quiet in (t.no_grad, t.inference_mode):
            with quiet():
                views = x[:1], x.view(2, 1), x.split(1)[1], x.expand(2, 2)[0]
                others = x.detach(), x * 2, x.clone(), x.view(t.int32)
                views = *views, views[0][0]
            assert all(v.requires_grad and v.is_leaf and v._base is x for v in views)
            assert not any(y.requires_grad for y in others)
            views[1].sum().backward()
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf variables"):
        x.requires_grad = True


def test_expanded_write_is_refused(both):
    y = both.leaf([1.0], grad=False).expand(3)
    with pytest.raises(RuntimeError, match="more than one element of the written-to tensor refers to a single memory"):
        y.add_(1)


def test_versions(both):
    x = both.leaf([1.0, 2.0], grad=False)
    view, detached = x[0], x.detach()
    x.add_(1)
    view.mul_(2)
    assert x._version == view._version == detached._version == 2
    x.data.add_(1)
    assert x._version == 2


def test_inplace_on_graph_tensor(both):
    x = both.leaf([1.0, 2.0])
    y = x * 3
    y += x
    y *= 2
    y.sum().backward()
    assert x.grad.tolist() == [8, 8]


def test_leaf_that_is_a_view(both):
    base = both.leaf([1.0, 2.0], grad=False)
    x = base[:].requires_grad_()
    with pytest.raises(RuntimeError, match=VIEW):
        x[0].mul_(2)
    (x[0] * 3).backward()
    assert x.grad.tolist() == [3, 0]


def test_leaf_moved_between_cpu_backends(device):
    x = polytensor.from_numpy(np.array([1.0, 2.0])).to("numpy").to(device).requires_grad_()
    with pytest.raises(RuntimeError, match=VIEW):
        x[0].mul_(2)
    y = x * 1
    y[0].mul_(5)
    y.sum().backward()
    assert x.grad.tolist() == [5, 1]


@pytest.mark.parametrize("shape", [(3, 4), (80, 80)])
def test_relu_in_place_writes_over_its_input(both, shape):
    """The history, views and versions are those of relu and a copy; what the input was saved for is refused."""
    t = both
    x = t.leaf(np.linspace(-1, 1, shape[0] * shape[1]).reshape(shape).tolist())
    y = x * 2
    row = y[1]
    before = y._version
    assert y.relu_() is y
    assert y._version == before + 1
    assert y.grad_fn.name() == "ReluBackward0"
    assert row.tolist() == y[1].tolist()
    (y.sum() + row.sum()).backward()
    expected = 2.0 * (x.detach() > 0)
    expected[1] = expected[1] * 2
    assert x.grad.tolist() == expected.tolist()
    for z in (y, y.t()):  # also a view, which keeps its base
        kept = (z * 1).sigmoid()
        loss = kept.sum()
        kept.relu_()
        with pytest.raises(RuntimeError, match=MODIFIED):
            loss.backward()
    first = (x * 1).add_(1).relu_()
    (grad,) = t.autograd.grad((first * first).sum(), x, create_graph=True)
    grad.sum().backward()
    assert t.autograd.grad(x.relu().sum(), x)[0].tolist() == (1.0 * (x.detach() > 0)).tolist()
    with t.no_grad():
        assert (x * 1).relu_().tolist() == x.relu().tolist()


@pytest.mark.parametrize(
    "write",
    [lambda y: y.mul_(3), lambda y: y.relu_(), lambda y: y[0].mul_(3), lambda y: y.copy_(y * 2), lambda y: y.zero_()],
)
def test_a_kept_gradient_is_of_the_last_values(both, write):
    """retain_grad before a write: what hooks see is the gradient of what they were set on."""
    x = both.leaf([[1.0, -2.0], [3.0, 4.0]])
    y = x * 1
    view = y[1]
    seen = []
    for t in (y, view):
        t.retain_grad()
        t.retain_grad()
    y.register_hook(lambda g: seen.append(g.tolist()))
    write(y)
    scale = both.tensor([[2.0, 3.0], [4.0, 5.0]], dtype=both.float64)
    (y * scale).sum().backward(retain_graph=True)
    assert y.retains_grad and y.grad.tolist() == scale.tolist() and seen == [x.grad.tolist()]
    assert view.grad is None
    (view * scale[1]).sum().backward()
    assert view.grad.tolist() == scale[1].tolist()
    assert y.grad.tolist() == [[2, 3], [8, 10]]


APART = {
    "add_": lambda a, b: a.add_(b),
    "mul_ by an element": lambda a, b: a.mul_(b[3]),
    "eq_": lambda a, b: a.eq_(b),
    "copy_": lambda a, b: a.copy_(b),
    "copy_ transposed": lambda a, b: a[:9].view(3, 3).copy_(a[:9].view(3, 3).t()),
    "setitem": lambda a, b: a.__setitem__(slice(1, None), a[:-1]),
    "setitem of places": lambda a, b: a.__setitem__([0, 1], a[1:3]),
    "lerp_": lambda a, b: a.lerp_(b, 0.5),
    "index_add_": lambda a, b: a.index_add_(0, a.argsort(), b),
    "scatter_": lambda a, b: a.scatter_(0, a.argsort(), b),
    "add_.alpha": lambda a, b: a.add_(b, alpha=2),
    "masked_fill_": lambda a, b: a.masked_fill_(a > 1, a[0]),
    "addmv_": lambda a, b: a[:2].addmv_(a[:4].view(2, 2) * 1, a[1:3]),
    "all": lambda a, b: a.mul_(a.detach()),
    "gaps": lambda a, b: a[::2].add_(a[1::2]),
    "columns": lambda a, b: a[:9].view(3, 3)[:, 1:].copy_(a[:9].view(3, 3)[:, :-1] * 1),
    "nothing in common": lambda a, b: a[:5].sub_(a[5:]),
    "nothing at all": lambda a, b: a[:0].add_(a[1:1]),
    "one row": lambda a, b: a[:9].view(3, 3)[1].copy_(a[:9].view(3, 3)[2]),
}


@pytest.mark.parametrize("write", APART.values(), ids=APART)
def test_a_write_to_a_part_of_what_is_read_is_refused(write, device, oracle):
    def outcome(t, device):
        memory = t.arange(11.0, device=device)
        try:
            write(memory[1:], memory[:10])
        except RuntimeError as error:
            return str(error)
        return memory.tolist()

    assert outcome(polytensor, device) == outcome(oracle, "cpu")


def test_results_share_no_part_of_what_is_read(both):
    x = both.arange(6.0)
    for fn in (lambda: both.exp(x[:5], out=x[1:]), lambda: both.add(x[:5], 1, out=x[1:])):
        with pytest.raises(RuntimeError, match="some elements of the input tensor and the written-to tensor refer to"):
            fn()
    assert both.add(x, 1, out=x) is x and x.tolist() == [1, 2, 3, 4, 5, 6]


def test_items_of_the_tensor_itself(both):
    """Assignment broadcasts first: a part that is repeated may be of the memory that is written; one of its size may not."""
    t = both
    for write, expected in (
        (lambda x: x.__setitem__(1, x[1][2]), [[0, 1, 2], [5, 5, 5]]),
        (lambda x: x.__setitem__(1, x[1, 1:2]), [[0, 1, 2], [4, 4, 4]]),
        (lambda x: x.__setitem__(slice(None), x[1]), [[3, 4, 5], [3, 4, 5]]),
        (lambda x: x.__setitem__(x > 3, x[0, 1]), [[0, 1, 2], [3, 1, 1]]),
        (lambda x: x.__setitem__(slice(None), x), [[0, 1, 2], [3, 4, 5]]),
    ):
        x = t.arange(6.0).reshape(2, 3) * 1
        write(x)
        assert x.tolist() == expected
    x = t.arange(3.0) * 1
    with pytest.raises(RuntimeError, match="single memory location"):
        x[1:] = x[:-1]
    with pytest.raises(RuntimeError, match="expand|must match"):
        x[1:] = t.ones(3)
    y = t.leaf([1.0, 2.0, 3.0]) * 1
    y[:] = y[1]
    assert y.tolist() == [2, 2, 2] and y.requires_grad
