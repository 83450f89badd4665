"""Losses scaled so that float16 gradients neither vanish nor overflow. Source: torch.amp.grad_scaler."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from enum import Enum
from inspect import signature
from typing import Any

from .. import dtypes
from ..autograd.modes import no_grad
from ..ops import full, stack, where
from ..ops.fused import scale_many, update_scale
from ..optim.optimizer import Optimizer
from ..tensor import Tensor

__all__ = ["GradScaler", "OptState"]

_HINT = "This may indicate your script did not use scaler.scale(loss or outputs) earlier in the iteration."


class OptState(Enum):
    """How far an optimizer has come in this iteration."""

    READY = 0
    UNSCALED = 1
    STEPPED = 2


def _fresh() -> dict[str, Any]:
    return {"stage": OptState.READY, "found_inf_per_device": {}}


@no_grad()
def _step_or_not(bad: Any, optimizer: Any, args: Any, kwargs: Any) -> Any:
    """optimizer.step, after which parameters and state are what they were where `bad` (0-dim, bool) holds."""
    tensors = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    for p in list(tensors):
        tensors += [v for v in optimizer.state[p].values() if isinstance(v, Tensor) and v.device == p.device]
    before = [t.clone() for t in tensors]
    result = optimizer.step(*args, **kwargs)
    for t, old in zip(tensors, before, strict=True):
        t.copy_(where(bad.to(t.device), old, t))
    return result


class GradScaler:
    """scale(loss).backward(); step(optimizer); update(). Steps whose gradients are not finite are left out.

    The scale falls by `backoff_factor` after such a step and grows by `growth_factor` after `growth_interval` good ones.
    step reads one number from the device, as PyTorch's does for optimizers that are not fused; nothing else waits for it.
    With SGD on CUDA, and with Adam and AdamW where they are fused or capturable, even that is left out: their kernels look
    at the number. In the capture of a CUDA graph other optimizers take a step, which is taken back where it should not be.
    Source: torch.amp.GradScaler.
    """

    _scale: Any
    _growth_tracker: Any

    def __init__(
        self, device: str = "cuda", init_scale: float = 2.0**16, growth_factor: float = 2.0,
        backoff_factor: float = 0.5, growth_interval: int = 2000, enabled: bool = True,
    ) -> None:  # fmt: skip
        self._device = device
        self._enabled = enabled
        if enabled and device == "cuda":
            from ..cuda import is_available

            if not is_available():
                warnings.warn(
                    "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.", stacklevel=2
                )
                self._enabled = False
        if self._enabled:
            if growth_factor <= 1.0:
                raise AssertionError("The growth factor must be > 1.0.")
            if backoff_factor >= 1.0:
                raise AssertionError("The backoff factor must be < 1.0.")
            self._init_scale = init_scale
            self._scale = self._growth_tracker = None  # made on the device of the first loss
            self._growth_factor = growth_factor
            self._backoff_factor = backoff_factor
            self._growth_interval = growth_interval
            self._init_growth_tracker = 0
            self._per_optimizer_states: dict[int, dict[str, Any]] = defaultdict(_fresh)

    def _check_scale_growth_tracker(self, funcname: str) -> tuple[Any, Any]:
        if self._scale is None:
            raise AssertionError(f"Attempted {funcname} but _scale is None.  {_HINT}")
        return self._scale, self._growth_tracker

    def scale(self, outputs: Any) -> Any:
        """A Tensor, or Tensors in lists and tuples, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            if self._scale is None:
                self._scale = full((), self._init_scale, dtype=dtypes.float32, device=outputs.device)
                self._growth_tracker = full((), self._init_growth_tracker, dtype=dtypes.int32, device=outputs.device)
            return outputs * self._scale.to(outputs.device)  # type: ignore[operator]
        if isinstance(outputs, Iterable):
            scaled = map(self.scale, outputs)
            return type(outputs)(scaled) if isinstance(outputs, (list, tuple)) else scaled  # type: ignore[call-arg]
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    @no_grad()
    def _unscale_grads_(self, optimizer: Any, inv_scale: Any, found_inf: Any, allow_fp16: bool) -> dict[Any, Any]:
        """Multiply all gradients by inv_scale; for each device whether one of them was not finite (1.0)."""
        grads: dict[Any, list[Any]] = {}
        for group in optimizer.param_groups:
            for p in group["params"]:
                g = p.grad
                if g is None:
                    continue
                if not allow_fp16 and g.dtype is dtypes.float16:
                    raise ValueError("Attempting to unscale FP16 gradients.")
                grads.setdefault(g.device, []).append(g)
        found = {dev: full((), 0.0, dtype=dtypes.float32, device=dev) for dev in grads}
        for dev, here in grads.items():
            scale_many(here, inv_scale.to(dev), found[dev])
        return found

    def unscale_(self, optimizer: Any) -> None:
        """Divide the gradients of an optimizer by the scale, e.g. to clip them before step."""
        if self._enabled:
            self._unscale(optimizer, False)

    def _unscale(self, optimizer: Any, allow_fp16: bool) -> None:
        self._check_scale_growth_tracker("unscale_")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.UNSCALED:
            raise RuntimeError("unscale_() has already been called on this optimizer since the last update().")
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("unscale_() is being called after step().")
        inverse = self._scale.double().reciprocal().float()
        found_inf = full((), 0.0, dtype=dtypes.float32, device=self._scale.device)
        state["found_inf_per_device"] = self._unscale_grads_(optimizer, inverse, found_inf, allow_fp16)
        state["stage"] = OptState.UNSCALED

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Unscale (if that is not done) and optimizer.step(*args, **kwargs), unless a gradient is not finite."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        self._check_scale_growth_tracker("step")
        state = self._per_optimizer_states[id(optimizer)]
        if state["stage"] is OptState.STEPPED:
            raise RuntimeError("step() has already been called since the last update().")
        ours = isinstance(optimizer, Optimizer) and type(optimizer).step is Optimizer.step
        by_flags = getattr(optimizer, "_step_supports_amp_scaling", False)
        if by_flags and not ours and "grad_scaler" in signature(optimizer.step).parameters:
            warnings.warn(
                "GradScaler is going to stop passing itself as a keyword argument to the passed optimizer. In the near "
                "future GradScaler registers `grad_scale: Tensor` and `found_inf: Tensor` to the passed optimizer and let "
                "the optimizer use them directly.",
                FutureWarning,
                stacklevel=2,
            )
            result = optimizer.step(*args, **kwargs, grad_scaler=self)
            state["stage"] = OptState.STEPPED
            return result
        if state["stage"] is OptState.READY:
            if by_flags and not ours:
                self._check_inf_per_device(optimizer)
            else:  # in the same pass
                self._unscale(optimizer, by_flags)
        found = list(state["found_inf_per_device"].values())
        if not found:
            raise AssertionError("No inf checks were recorded for this optimizer.")
        bad = self._largest(found, self._scale.device)
        if by_flags or (ours and optimizer._leaves_out()):
            result = self._step_by_flags(optimizer, bad, state["stage"], args, kwargs)
        elif self._scale._dev.backend.capturing:
            result = _step_or_not(bad != 0, optimizer, args, kwargs)
        else:
            result = None if bool(bad) else optimizer.step(*args, **kwargs)  # the one number that the program must know
        state["stage"] = OptState.STEPPED
        return result

    def _step_by_flags(self, optimizer: Any, bad: Any, stage: OptState, args: Any, kwargs: Any) -> Any:
        """The step of an optimizer that reads found_inf, and grad_scale if it is to unscale the gradients, by itself."""
        before = getattr(optimizer, "grad_scale", None)
        if stage is OptState.READY:
            optimizer.grad_scale = self._scale if before is None else self._scale * before
        optimizer.found_inf = bad
        try:
            return optimizer.step(*args, **kwargs)
        finally:
            optimizer.__dict__.pop("grad_scale", None)
            optimizer.__dict__.pop("found_inf", None)

    @staticmethod
    def _largest(found: list[Any], device: Any) -> Any:
        """The largest of these numbers of several devices on `device`."""
        flags = [f.to(device) for f in found]
        return flags[0] if len(flags) == 1 else stack(flags).amax(0)  # type: ignore[attr-defined]

    def update(self, new_scale: Any = None) -> None:
        """Let the scale grow or fall by what the optimizers found, or set it."""
        if not self._enabled:
            return
        scale, tracker = self._check_scale_growth_tracker("update")
        if isinstance(new_scale, float):
            scale.fill_(new_scale)
        elif new_scale is not None:
            if new_scale.device.type != self._device or new_scale.numel() != 1 or new_scale.requires_grad:
                raise AssertionError(
                    "new_scale should be a float or a 1-element torch.cuda.FloatTensor or torch.FloatTensor with "
                    "requires_grad=False."
                )
            scale.copy_(new_scale)
        else:
            found = [f for s in self._per_optimizer_states.values() for f in s["found_inf_per_device"].values()]
            if not found:
                raise AssertionError("No inf checks were recorded prior to update.")
            # without a look at the numbers, so that nothing waits for the device
            factors = self._growth_factor, self._backoff_factor, self._growth_interval
            update_scale(scale, tracker, self._largest(found, scale.device), *factors)
        self._per_optimizer_states = defaultdict(_fresh)

    def _get_scale_async(self) -> Any:
        return self._scale

    def get_scale(self) -> float:
        """The scale, 1.0 if scaling is off."""
        if not self._enabled:
            return 1.0
        return float(self._init_scale if self._scale is None else self._scale.item())

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        return int(self._init_growth_tracker if self._growth_tracker is None else self._growth_tracker.item())

    def is_enabled(self) -> bool:
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """Scale, factors, interval and the count of good steps; {} if scaling is off."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what state_dict gave. RuntimeError for an empty one."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
            )
        self._init_scale = state_dict["scale"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None:
            self._scale.fill_(self._init_scale)
            self._growth_tracker.fill_(self._init_growth_tracker)
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        if self._enabled:
            if self._per_optimizer_states:
                raise AssertionError(
                    "A GradScaler instance may only be pickled at the beginning of an iteration, or at the end after "
                    "scaler.update()."
                )
            state["_init_scale"] = self.get_scale()
            state["_init_growth_tracker"] = self._get_growth_tracker()
            state["_scale"] = state["_growth_tracker"] = None
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def _check_inf_per_device(self, optimizer: Any) -> dict[Any, Any]:
        """Look at the gradients without unscaling them."""
        scale, _ = self._check_scale_growth_tracker("_check_inf_per_device")
        one = full((), 1.0, dtype=dtypes.float32, device=scale.device)
        state = self._per_optimizer_states[id(optimizer)]
        state["found_inf_per_device"] = self._unscale_grads_(optimizer, one, one, True)
        return self._found_inf_per_device(optimizer)

    def _found_inf_per_device(self, optimizer: Any) -> dict[Any, Any]:
        return self._per_optimizer_states[id(optimizer)]["found_inf_per_device"]  # type: ignore[no-any-return]
