"""L-BFGS with a strong Wolfe line search."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..autograd import enable_grad, no_grad
from ..tensor import Tensor
from .optimizer import Optimizer, check_common


class LBFGS(Optimizer):
    """Limited-memory BFGS (Nocedal, 1980). Source: torch.optim.LBFGS.

    `step` needs a closure that computes the loss and its gradients; it is called several times a step. One group only.
    """

    def __init__(
        self, params: Any, lr: Any = 1, max_iter: int = 20, max_eval: int | None = None, tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9, history_size: int = 100, line_search_fn: str | None = None,
    ) -> None:  # fmt: skip
        check_common(lr)
        if max_eval is None:
            max_eval = max_iter * 5 // 4
        defaults = dict(
            lr=lr, max_iter=max_iter, max_eval=max_eval, tolerance_grad=tolerance_grad,
            tolerance_change=tolerance_change, history_size=history_size, line_search_fn=line_search_fn,
        )  # fmt: skip
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")
        self._params = self.param_groups[0]["params"]

    counters = ()

    def _flat_grad(self) -> Tensor:
        parts = [
            ops.zeros(p.numel(), dtype=p.dtype, device=p.device) if p.grad is None else p.grad.reshape(-1)
            for p in self._params
        ]
        return ops.cat([_reals(x) for x in parts], 0)

    def _add(self, size: Any, direction: Tensor) -> None:
        """Move the parameters along a flat direction."""
        offset = 0
        for p in self._params:
            real = _reals(p)
            n = real.numel()
            real.add_(direction[offset : offset + n].view_as(real), alpha=size)
            offset += n

    def _evaluate(self, closure: Any, start: list[Tensor], size: Any, direction: Tensor) -> tuple[float, Tensor]:
        """Loss and gradient at start + size * direction; the parameters are put back."""
        self._add(size, direction)
        loss = float(closure())
        grad = self._flat_grad()
        for p, value in zip(self._params, start, strict=True):
            p.copy_(value)
        return loss, grad

    def step(self, closure: Any) -> Any:  # type: ignore[override]
        """Up to max_iter iterations; hands the first loss back."""
        with no_grad():
            return self._iterate(enable_grad()(closure))

    def _iterate(self, closure: Any) -> Any:
        group = self.param_groups[0]
        lr = self._lr(group)
        most, budget, search = group["max_iter"], group["max_eval"], group["line_search_fn"]
        state = self.state[self._params[0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first = closure()
        loss = float(first)
        evals = 1
        state["func_evals"] += 1
        grad = self._flat_grad()
        if grad.abs().max() <= group["tolerance_grad"]:
            return first
        d, t = state.get("d"), state.get("t")
        dirs, steps, ro = state.get("old_dirs"), state.get("old_stps"), state.get("ro")
        scale, old_grad, old_loss = state.get("H_diag"), state.get("prev_flat_grad"), state.get("prev_loss")
        for n in range(1, most + 1):
            state["n_iter"] += 1
            if state["n_iter"] == 1:
                d, dirs, steps, ro, scale = grad.neg(), [], [], [], 1
            else:
                y, s = grad.sub(old_grad), d.mul(t)
                ys = y.dot(s)
                if ys > 1e-10:
                    if len(dirs) == group["history_size"]:
                        for memory in (dirs, steps, ro):
                            memory.pop(0)
                    dirs.append(y)
                    steps.append(s)
                    ro.append(1.0 / ys)
                    scale = ys / y.dot(y)
                d = self._direction(state, grad, dirs, steps, ro, scale, group["history_size"])
            old_grad, old_loss = grad.clone(), loss
            t = min(1.0, 1.0 / grad.abs().sum()) * lr if state["n_iter"] == 1 else lr
            slope = grad.dot(d)
            if slope > -group["tolerance_change"]:
                break
            used = 0
            if search is not None:
                if search != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                start = [p.clone() for p in self._params]
                loss, grad, t, used = strong_wolfe(
                    lambda size, direction, start=start: self._evaluate(closure, start, size, direction),
                    t, d, loss, grad, slope, most=budget - evals,
                )  # fmt: skip
                self._add(t, d)
            else:
                self._add(t, d)
                if n != most:
                    loss = float(closure())
                    grad = self._flat_grad()
                    used = 1
            evals += used
            state["func_evals"] += used
            if (
                n == most
                or evals >= budget
                or grad.abs().max() <= group["tolerance_grad"]
                or d.mul(t).abs().max() <= group["tolerance_change"]
                or abs(loss - old_loss) < group["tolerance_change"]
            ):
                break
        state.update(
            d=d, t=t, old_dirs=dirs, old_stps=steps, ro=ro, H_diag=scale, prev_flat_grad=old_grad, prev_loss=old_loss
        )
        return first

    def _direction(
        self, state: dict[str, Any], grad: Tensor, dirs: Any, steps: Any, ro: Any, scale: Any, size: int
    ) -> Tensor:
        """The two-loop recursion."""
        al = state.setdefault("al", [None] * size)
        q = grad.neg()
        for i in reversed(range(len(dirs))):
            al[i] = steps[i].dot(q) * ro[i]
            q.sub_(dirs[i] * al[i])
        q = q * scale
        for i in range(len(dirs)):
            q.add_(steps[i] * (al[i] - dirs[i].dot(q) * ro[i]))
        return q


def _reals(x: Tensor) -> Tensor:
    return ops.view_as_real(x).reshape(-1) if x.is_complex() else x


def cubic_minimum(x1: Any, f1: Any, g1: Any, x2: Any, f2: Any, g2: Any, bounds: Any = None) -> Any:
    """Where the cubic through both points and slopes is least, within bounds; their middle if it has no minimum."""
    low, high = bounds if bounds is not None else (x1, x2) if x1 <= x2 else (x2, x1)
    d1 = g1 + g2 - 3 * (f1 - f2) / (x1 - x2)
    square = d1**2 - g1 * g2
    if not square >= 0:
        return (low + high) / 2.0
    d2 = square**0.5
    if x1 <= x2:
        at = x2 - (x2 - x1) * ((g2 + d2 - d1) / (g2 - g1 + 2 * d2))
    else:
        at = x1 - (x1 - x2) * ((g1 + d2 - d1) / (g1 - g2 + 2 * d2))
    return min(max(at, low), high)


def strong_wolfe(
    evaluate: Any, t: Any, d: Tensor, f: float, g: Tensor, slope: Any, c1: float = 1e-4, c2: float = 0.9,
    change: float = 1e-9, most: int = 25,
) -> tuple[float, Tensor, Any, int]:  # fmt: skip
    """A step size that meets the strong Wolfe conditions: (loss, gradient, size, evaluations). Bracket, then zoom."""
    longest = d.abs().max()
    g = g.clone()
    now = (t, *evaluate(t, d))
    now = (*now, now[2].dot(d))
    evals = 1
    before = (0, f, g, slope)
    done = False
    n = 0
    bracket: list[Any] = []
    while n < most:
        t, loss, grad, tilt = now
        if loss > f + c1 * t * slope or (n > 1 and loss >= before[1]):
            bracket = [before, now]
            break
        if abs(tilt) <= -c2 * slope:
            bracket, done = [now], True
            break
        if tilt >= 0:
            bracket = [before, now]
            break
        size = cubic_minimum(
            before[0], before[1], before[3], t, loss, tilt, bounds=(t + 0.01 * (t - before[0]), t * 10)
        )
        before = now
        now = (size, *evaluate(size, d))
        now = (*now, now[2].dot(d))
        evals += 1
        n += 1
    if n == most:
        bracket = [(0, f, g, slope), now]
    stuck = False
    low, high = (0, 1) if bracket[0][1] <= bracket[-1][1] else (1, 0)
    while not done and n < most:
        left, right = bracket
        if abs(right[0] - left[0]) * longest < change:
            break
        t = cubic_minimum(left[0], left[1], left[3], right[0], right[1], right[3])
        top, bottom = max(left[0], right[0]), min(left[0], right[0])
        edge = 0.1 * (top - bottom)
        if min(top - t, t - bottom) < edge:  # too near an end: twice in a row, or outside, means a push inwards
            if stuck or t >= top or t <= bottom:
                t = top - edge if abs(t - top) < abs(t - bottom) else bottom + edge
                stuck = False
            else:
                stuck = True
        else:
            stuck = False
        now = (t, *evaluate(t, d))
        now = (*now, now[2].dot(d))
        evals += 1
        n += 1
        if now[1] > f + c1 * t * slope or now[1] >= bracket[low][1]:
            bracket[high] = now
            low, high = (0, 1) if bracket[0][1] <= bracket[1][1] else (1, 0)
        else:
            if abs(now[3]) <= -c2 * slope:
                done = True
            elif now[3] * (bracket[high][0] - bracket[low][0]) >= 0:
                bracket[high] = bracket[low]
            bracket[low] = now
    t, loss, grad, _ = bracket[low]
    return loss, grad, t, evals
