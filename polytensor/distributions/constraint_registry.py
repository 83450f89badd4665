"""Maps from all real numbers onto a constraint's set: biject_to and transform_to. Source: torch.distributions."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Number
from typing import Any

from . import constraints, transforms

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]


class ConstraintRegistry:
    """From the class of a constraint to a function that makes its Transform; call it with a constraint."""

    def __init__(self) -> None:
        self._registry: dict[type, Callable[[Any], Any]] = {}
        super().__init__()

    def register(self, constraint: Any, factory: Any = None) -> Any:
        """Add a function for a class of constraints, or decorate one."""
        if factory is None:
            return lambda factory: self.register(constraint, factory)
        kind = type(constraint) if isinstance(constraint, constraints.Constraint) else constraint
        if not (isinstance(kind, type) and issubclass(kind, constraints.Constraint)):
            raise TypeError(
                f"Expected constraint to be either a Constraint subclass or instance, but got {constraint}"
            )  # fmt: skip
        self._registry[kind] = factory
        return factory

    def __call__(self, constraint: Any) -> Any:
        factory = self._registry.get(type(constraint))
        if factory is None:
            name = type(constraint).__name__
            raise NotImplementedError(f"Cannot transform {name} constraints") from None
        return factory(constraint)


biject_to = ConstraintRegistry()
transform_to = ConstraintRegistry()


def _half_line(bound: Any, scale: int) -> Any:
    return transforms.ComposeTransform([transforms.ExpTransform(), transforms.AffineTransform(bound, scale)])


def _between(constraint: Any) -> Any:
    low, high = constraint.lower_bound, constraint.upper_bound
    if isinstance(low, Number) and low == 0 and isinstance(high, Number) and high == 1:
        return transforms.SigmoidTransform()
    return transforms.ComposeTransform([transforms.SigmoidTransform(), transforms.AffineTransform(low, high - low)])


def _register() -> None:
    c, t = constraints, transforms
    for registry in (biject_to, transform_to):
        registry.register(c.real, lambda _: t.identity_transform)
        registry.register(c._IndependentConstraint, lambda k, registry=registry: t.IndependentTransform(
            registry(k.base_constraint), k.reinterpreted_batch_ndims))  # fmt: skip
        for greater in (c.greater_than, c.greater_than_eq):
            registry.register(greater, lambda k: _half_line(k.lower_bound, 1))
        registry.register(c.less_than, lambda k: _half_line(k.upper_bound, -1))
        for interval in (c.interval, c.half_open_interval):
            registry.register(interval, _between)
        registry.register(c.lower_cholesky, lambda _: t.LowerCholeskyTransform())
        for definite in (c.positive_semidefinite, c.positive_definite):
            registry.register(definite, lambda _: t.PositiveDefiniteTransform())
        registry.register(c.corr_cholesky, lambda _: t.CorrCholeskyTransform())
        registry.register(c.cat, lambda k, registry=registry: t.CatTransform(
            [registry(part) for part in k.cseq], k.dim, k.lengths))  # fmt: skip
        registry.register(c.stack, lambda k, registry=registry: t.StackTransform(
            [registry(part) for part in k.cseq], k.dim))  # fmt: skip
    biject_to.register(c.simplex, lambda _: t.StickBreakingTransform())
    transform_to.register(c.simplex, lambda _: t.SoftmaxTransform())


_register()
