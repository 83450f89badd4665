"""Averaged models (stochastic weight averaging, exponential moving averages). Source: torch.optim.swa_utils."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from .. import ops
from ..autograd import no_grad
from ..dtypes import int64
from ..nn.module import Module
from ..ops.fused import lerp_many
from ..tensor import Tensor
from .optimizer import Optimizer
from .schedule import LRScheduler, _per_group

__all__ = [
    "AveragedModel", "SWALR", "get_ema_avg_fn", "get_ema_multi_avg_fn", "get_swa_avg_fn", "get_swa_multi_avg_fn",
    "update_bn",
]  # fmt: skip


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(f"Invalid decay value {decay} provided. Please provide a value in [0,1] range.")


def _moved(averages: list[Tensor], values: list[Tensor], share: float) -> list[tuple[Tensor, Tensor]]:
    """Move averages of floats by a share of the way; the pairs of the others."""
    pairs = list(zip(averages, values, strict=True))
    floats = [a.is_floating_point() or a.is_complex() for a in averages]
    chosen = [pair for pair, is_float in zip(pairs, floats, strict=True) if is_float]
    lerp_many([a for a, _ in chosen], [v for _, v in chosen], share)
    return [pair for pair, is_float in zip(pairs, floats, strict=True) if not is_float]


def get_ema_multi_avg_fn(decay: float = 0.999) -> Callable[..., None]:
    """fn(averages, values, count): average += (1 - decay) * (value - average), for whole lists."""
    _check_decay(decay)

    @no_grad()
    def ema_update(averages: list[Tensor], values: list[Tensor], _: Any) -> None:
        for average, value in _moved(averages, values, 1 - decay):
            average.copy_(average * decay + value * (1 - decay))

    return ema_update


def get_swa_multi_avg_fn() -> Callable[..., None]:
    """fn(averages, values, count): the equal average of all values so far, for whole lists."""

    @no_grad()
    def swa_update(averages: list[Tensor], values: list[Tensor], num_averaged: Any) -> None:
        share = 1.0 / (float(num_averaged) + 1)
        for average, value in _moved(averages, values, share):
            average.copy_(average + (value - average) * share)

    return swa_update


def get_ema_avg_fn(decay: float = 0.999) -> Callable[..., Tensor]:
    """fn(average, value, count): decay * average + (1 - decay) * value."""
    _check_decay(decay)

    @no_grad()
    def ema_update(average: Any, value: Any, num_averaged: Any) -> Tensor:
        return decay * average + (1 - decay) * value

    return ema_update


def get_swa_avg_fn() -> Callable[..., Tensor]:
    """fn(average, value, count): the equal average of all values so far."""

    @no_grad()
    def swa_update(average: Any, value: Any, num_averaged: Any) -> Tensor:
        return average + (value - average) / (num_averaged + 1)

    return swa_update


class AveragedModel(Module):
    """A copy of a model whose parameters are averages: update_parameters(model). Source: torch.optim.swa_utils.

    Equal averages unless avg_fn or multi_avg_fn is given; buffers are averaged with use_buffers, else copied.
    """

    def __init__(
        self, model: Module, device: Any = None, avg_fn: Callable[..., Any] | None = None,
        multi_avg_fn: Callable[..., Any] | None = None, use_buffers: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", ops.tensor(0, dtype=int64, device=device))
        self.avg_fn, self.multi_avg_fn, self.use_buffers = avg_fn, multi_avg_fn, use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.module(*args, **kwargs)

    def update_parameters(self, model: Module) -> None:
        """Take `model`'s parameters into the averages; the first time they are copied."""
        mine = self.module.parameters()
        theirs = model.parameters()
        if self.use_buffers:
            mine, theirs = chain(mine, self.module.buffers()), chain(theirs, model.buffers())
        averages = [p.detach() for p in mine]
        values = [q.detach().to(p.device) for p, q in zip(averages, theirs, strict=False)]
        if int(self.n_averaged) == 0:
            for p, q in zip(averages, values, strict=True):
                p.copy_(q)
        elif self.avg_fn is None:
            (self.multi_avg_fn or get_swa_multi_avg_fn())(averages, values, self.n_averaged)
        else:
            for p, q in zip(averages, values, strict=True):
                p.copy_(self.avg_fn(p, q, self.n_averaged.to(p.device)))
        if not self.use_buffers:
            for p, q in zip(self.module.buffers(), model.buffers(), strict=True):
                p.detach().copy_(q.detach().to(p.device))
        self.n_averaged += 1


@no_grad()
def update_bn(loader: Iterable[Any], model: Module, device: Any = None) -> None:
    """Running statistics of `model`'s batch norms anew, from one pass over `loader`."""
    momenta = {m: m.momentum for m in model.modules() if hasattr(m, "reset_running_stats") and hasattr(m, "momentum")}
    if not momenta:
        return
    was_training = model.training
    model.train()
    for m in momenta:
        m.reset_running_stats()
        m.momentum = None
    for batch in loader:
        x = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(x if device is None else x.to(device))
    for m, momentum in momenta.items():
        m.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the rate as it is to swa_lr within anneal_epochs, then constant."""

    def __init__(
        self, optimizer: Optimizer, swa_lr: Any, anneal_epochs: int = 10, anneal_strategy: str = "cos", last_epoch: int = -1
    ) -> None:  # fmt: skip
        for lr, group in zip(_per_group("swa_lr", optimizer, swa_lr), optimizer.param_groups, strict=True):
            group["swa_lr"] = lr
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}")
        self._anneal_strategy = anneal_strategy
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def anneal_func(self, t: float) -> float:
        """How much of the way is done at share t of the time."""
        return (1 - math.cos(math.pi * t)) / 2 if self._anneal_strategy == "cos" else t

    def get_lr(self) -> list[Any]:
        self._warn()
        n = self._step_count - 1
        if self.anneal_epochs == 0:
            n = max(1, n)
        span = max(1, self.anneal_epochs)
        before, now = (self.anneal_func(max(0, min(1, i / span))) for i in (n - 1, n))
        rates = []
        for group in self.optimizer.param_groups:
            target = group["swa_lr"]
            start = target if before == 1 else (group["lr"] - before * target) / (1 - before)
            rates.append(target * now + start * (1 - now))
        return rates
