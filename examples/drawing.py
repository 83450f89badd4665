"""Small colour pictures of shapes, drawn by tensor operations: data for examples that need images and no download.

No script of its own; the examples next to it import it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import polytensor as torch


def _polygon(r: torch.Tensor, t: torch.Tensor, sides: int) -> torch.Tensor:
    """How far a point (r, t) is from the centre of a regular polygon, counted square to its nearest side."""
    part = 2 * math.pi / sides
    return r * torch.cos(torch.remainder(t, part) - part / 2)


# name -> f(x, y, radius, angle): above 0 inside the shape, which lies within the circle of radius 1
SHAPES: dict[str, Callable[..., torch.Tensor]] = {
    "disc": lambda x, y, r, t: 0.75 - r,
    "ring": lambda x, y, r, t: 0.17 - (r - 0.65).abs(),
    "square": lambda x, y, r, t: 0.62 - torch.maximum(x.abs(), y.abs()),
    "frame": lambda x, y, r, t: 0.14 - (torch.maximum(x.abs(), y.abs()) - 0.6).abs(),
    "triangle": lambda x, y, r, t: 0.45 - _polygon(r, t, 3),
    "star": lambda x, y, r, t: 0.62 + 0.3 * torch.cos(5 * t) - r,
    "cross": lambda x, y, r, t: torch.minimum(0.2 - torch.minimum(x.abs(), y.abs()), 0.85 - r),
    "stripes": lambda x, y, r, t: torch.minimum(0.85 - r, 0.1 * torch.sin(9 * x)),
    "checks": lambda x, y, r, t: torch.minimum(0.85 - r, 0.1 * torch.sin(6 * x) * torch.sin(6 * y)),
    "crescent": lambda x, y, r, t: torch.minimum(0.8 - r, torch.hypot(x - 0.4, y) - 0.6),
    "gear": lambda x, y, r, t: torch.minimum(0.68 + 0.14 * torch.cos(9 * t) - r, r - 0.25),
    "spiral": lambda x, y, r, t: torch.minimum(0.85 - r, 0.1 * torch.cos(t - 9 * r)),
}


def draw(kinds: Sequence[str], size: int, generator: torch.Generator, bright: bool = False) -> torch.Tensor:
    """One picture for each name of a shape: (N, 3, size, size), values in [0, 1]; bright shapes on dark ground if asked.

    Place, size, angle, the two colours and the noise are random: the same for a generator's state on every backend, but
    for the last bit of the noise.
    """
    n = len(kinds)
    ticks = torch.linspace(-1, 1, size, device="cpu")

    def uniform(low: float, high: float, *shape: int) -> torch.Tensor:
        return low + (high - low) * torch.rand(*shape, generator=generator, device="cpu")

    px, py = (uniform(-0.3, 0.3, n, 1, 1) for _ in range(2))
    scale, angle = uniform(0.45, 0.8, n, 1, 1), uniform(0, 2 * math.pi, n, 1, 1)
    x = (ticks.view(1, 1, size) - px) / scale
    y = (ticks.view(1, size, 1) - py) / scale
    x, y = x * torch.cos(angle) - y * torch.sin(angle), x * torch.sin(angle) + y * torch.cos(angle)
    r, t = torch.hypot(x, y), torch.atan2(y, x)
    inside = torch.empty(n, size, size, device="cpu")
    for kind in dict.fromkeys(kinds):
        rows = torch.tensor([i for i, k in enumerate(kinds) if k == kind], device="cpu")
        inside[rows] = SHAPES[kind](x[rows], y[rows], r[rows], t[rows])
    mask = torch.sigmoid(inside * scale * size).unsqueeze(1)  # an edge of about two pixels
    back, more = uniform(0, 0.45 if bright else 1, n, 3, 1, 1), uniform(0.3, 0.55 if bright else 0.7, n, 3, 1, 1)
    front = torch.remainder(back + more, 1)  # each channel differs
    noise = torch.randn(n, 3, size, size, generator=generator, device="cpu")
    return (back + (front - back) * mask + 0.06 * noise).clamp(0, 1)
