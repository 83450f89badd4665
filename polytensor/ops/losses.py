"""Primitives behind the losses; the rest of a loss is made of other ops (nn.functional_loss)."""

from __future__ import annotations

from typing import Any

from .table import primitive

TINY = 9.999999960041972e-13  # PyTorch's 1e-12, a float32

soft_hinge = primitive("soft_hinge", "x", (lambda F, g, x: F.neg(F.mul(g, F.sigmoid(F.neg(x)))),))
bce_logits = primitive(
    "bce_logits",
    "x t",
    (lambda F, g, x, t: F.mul(g, F.sub(F.sigmoid(x), t)), lambda F, g, x: F.neg(F.mul(g, x))),
    node="BinaryCrossEntropyWithLogitsBackward0",
)
smooth_l1 = primitive(
    "smooth_l1",
    "d",
    (lambda F, g, d, beta: F.mul(g, F.clamp(F.div(d, beta), -1, 1)),),
    "beta",
    node="SmoothL1LossBackward0",
)
nll = primitive(
    "nll",
    "x",
    (lambda F, g, x_shape, t, w, ignore_index, reduction: F.nll_backward(g, x_shape, t, w, ignore_index, reduction),),
    "t w ignore_index reduction",
    node="NllLossBackward0",
)
primitive(
    "nll_backward",
    "x",
    (lambda F, g, t, w, ignore_index, reduction: F.nll(g, t, w, ignore_index, reduction),),
    "shape t w ignore_index reduction",
)


def _bce_of_input(F: Any, g: Any, x: Any, t: Any) -> Any:
    return F.div(F.mul(g, F.sub(x, t)), F.clamp(F.mul(F.add(F.neg(x), 1), x), TINY, None))


def _bce_of_target(F: Any, g: Any, x: Any) -> Any:
    return F.mul(g, F.sub(F.log1p(F.neg(x)), F.log(x)))


binary_cross_entropy = primitive("binary_cross_entropy", "x t", (_bce_of_input, _bce_of_target))


def _ctc_rule(
    F: Any, g: Any, need: Any, x: Any, out0: Any, out1: Any, targets: Any, input_lengths: Any, target_lengths: Any, blank: int
) -> Any:  # fmt: skip
    return [F.ctc_loss_backward(g[0], x, out0, out1, targets, input_lengths, target_lengths, blank)]


def _ctc_twice(F: Any, g: Any, need: Any) -> Any:
    raise RuntimeError("derivative for aten::_ctc_loss_backward is not implemented")


ctc = primitive("ctc_loss", "x", _ctc_rule, "targets input_lengths target_lengths blank", outs=2)
primitive("ctc_loss_backward", "g x loss alpha", _ctc_twice, "targets input_lengths target_lengths blank")
