"""First and second derivatives of the loss primitives."""

import pytest

from polytensor.nn import functional as F
from polytensor.testing import gradcheck, gradgradcheck

CASES = {
    "bce_logits": lambda t, x: F.binary_cross_entropy_with_logits(x, (x.detach() > 0).to(x.dtype)),
    "bce": lambda t, x: F.binary_cross_entropy(x.sigmoid(), x.cos() * 0.5 + 0.5),
    "smooth_l1": lambda t, x: F.smooth_l1_loss(x, x.detach() * 0, beta=0.7),
    "huber": lambda t, x: F.huber_loss(x, x.cos(), delta=0.4),
    "soft_margin": lambda t, x: F.soft_margin_loss(x, x.sin()),
    "multi_margin": lambda t, x: F.multi_margin_loss(x, t.tensor([0, 2, 1], device=x.device), p=2),
    "kl_div": lambda t, x: F.kl_div(x, x.exp(), reduction="sum"),
    "gaussian": lambda t, x: F.gaussian_nll_loss(x, x.cos(), x.exp()),
    "cosine": lambda t, x: F.cosine_embedding_loss(x, x.cos(), t.tensor([1, 1, -1], device=x.device)),
    "weighted": lambda t, x: F.cross_entropy(
        x, t.tensor([0, 3, 1], device=x.device), x.detach()[0] * 0 + 0.5, label_smoothing=0.1
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_first_and_second(t, name):
    x = t.leaf([[0.3, -1.1, 0.9, 1.7], [-0.2, 0.55, 1.3, -0.8], [1.2, 0.1, -0.5, 2.2]])
    fn = lambda x: CASES[name](t, x)
    assert gradcheck(fn, (x,))
    assert gradgradcheck(fn, (x,))


def test_ctc_has_no_second_derivative(t):
    x = t.leaf([[[0.3, -1.1, 0.9]], [[-0.2, 0.55, 1.3]], [[1.2, 0.1, -0.5]]])
    y = F.ctc_loss(x.log_softmax(2), t.tensor([[1, 2]], device=x.device), [3], [2])
    (g,) = t.autograd.grad(y, x, create_graph=True)
    with pytest.raises(RuntimeError, match="_ctc_loss_backward is not implemented"):
        g.sum().backward()


def test_extremes(t):
    x = t.leaf([1e3, -1e3, 1e4, -1e4, 0.0])
    y = t.tensor([1.0, 0.0, 0.0, 1.0, 0.5], dtype=t.float64, device=x.device)
    loss = F.binary_cross_entropy_with_logits(x, y, reduction="none")
    assert loss.tolist() == pytest.approx([0, 0, 1e4, 1e4, 0.6931471805599453])
    loss.sum().backward()
    assert x.grad.tolist() == [0, 0, 1, -1, 0]
    z = t.leaf([[1e4, 0.0], [-1e4, 1e4]])
    assert F.cross_entropy(z, t.tensor([1, 0], device=x.device), reduction="none").tolist() == [1e4, 2e4]
    assert F.soft_margin_loss(x, x.detach() * 0 - 1, reduction="none").tolist()[:2] == [1e3, 0]
