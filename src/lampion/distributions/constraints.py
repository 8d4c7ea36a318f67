"""Where parameters and samples may lie: `constraint.check(value)` says for each whether it does.

An event of several axes (a simplex, a matrix) is checked as a whole: `event_dim` says how many of
the last axes it has, and `check` gives one answer for each event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import lampion as torch

__all__ = [
    "Constraint", "boolean", "cat", "corr_cholesky", "dependent", "dependent_property",
    "greater_than", "greater_than_eq", "half_open_interval", "independent", "integer_interval",
    "interval", "is_dependent", "less_than", "lower_cholesky", "lower_triangular",
    "multinomial", "nonnegative", "nonnegative_integer", "one_hot", "positive",
    "positive_definite", "positive_integer", "positive_semidefinite", "real", "real_vector",
    "simplex", "square", "stack", "symmetric", "unit_interval", "MixtureSameFamilyConstraint",
]


class Constraint:
    """A region in which a value may lie.

    Attributes:
        is_discrete: whether its points lie apart, as whole numbers do.
        event_dim: how many of the last axes make one event.
        plain: whether `check` is arithmetic alone, so that NumPy's arrays do as well as tensors.

    Example:
        >>> positive.check(torch.tensor([1.0, -1.0]))
        tensor([ True, False])
    """

    is_discrete = False
    event_dim = 0
    plain: Any = False

    def check(self, value: Any) -> Any:
        """Return for each event whether it lies in the region."""
        raise torch.errors.UnsupportedError(f"{type(self).__name__} has no check")

    def __repr__(self) -> str:
        return type(self).__name__.lstrip("_") + "()"


class _Dependent(Constraint):
    """A region that depends on other parameters, so that it cannot be checked on its own."""

    def __init__(self, *, is_discrete: Any = NotImplemented, event_dim: Any = NotImplemented):
        self._is_discrete, self._event_dim = is_discrete, event_dim
        super().__init__()

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether its points lie apart."""
        return self._known(self._is_discrete, "is_discrete")

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """How many of the last axes make one event."""
        return self._known(self._event_dim, "event_dim")

    def _known(self, found: Any, name: str) -> Any:
        if found is NotImplemented:
            raise torch.errors.UnsupportedError(f".{name} cannot be determined statically",
                                                why="it depends on the other parameters")
        return found

    def __call__(self, *, is_discrete: Any = NotImplemented,
                 event_dim: Any = NotImplemented) -> _Dependent:
        """The same with more known about it."""
        return _Dependent(
            is_discrete=self._is_discrete if is_discrete is NotImplemented else is_discrete,
            event_dim=self._event_dim if event_dim is NotImplemented else event_dim)

    def check(self, value: Any) -> Any:
        """Raise: there is nothing to check against."""
        raise torch.errors.ArgumentError("Cannot determine validity of dependent constraint",
                                         fix="the support of a distribution: d.support.check(x)")


class _DependentProperty(property, _Dependent):
    """A property that is a constraint, and on the class says what is known of it already."""

    def __init__(self, fn: Callable | None = None, *, is_discrete: Any = NotImplemented,
                 event_dim: Any = NotImplemented):
        property.__init__(self, fn)
        _Dependent.__init__(self, is_discrete=is_discrete, event_dim=event_dim)

    def __call__(self, fn: Callable) -> _DependentProperty:  # type: ignore[override]
        return _DependentProperty(fn, is_discrete=self._is_discrete, event_dim=self._event_dim)


def is_dependent(constraint: Constraint) -> bool:
    """Return whether a constraint depends on other parameters."""
    return isinstance(constraint, _Dependent)


class _Where(Constraint):
    """A region of single numbers, told by a function."""

    def __init__(self, name: str, check: Callable[[Any], Any], is_discrete: bool = False,
                 event_dim: int = 0, plain: bool = False):
        self.name, self.is_discrete, self.event_dim = name, is_discrete, event_dim
        self.plain = plain
        self._check = check

    def check(self, value: Any) -> Any:
        return self._check(value)

    def __repr__(self) -> str:
        return self.name


class _Bounded(Constraint):
    """A region between bounds, either of which may be missing."""

    def __init__(self, lower_bound: Any = None, upper_bound: Any = None):
        self.lower_bound, self.upper_bound = lower_bound, upper_bound
        self.plain = not any(isinstance(x, torch.Tensor) for x in (lower_bound, upper_bound))

    def __repr__(self) -> str:
        bounds = [f"{name}={bound}" for name, bound in (
            ("lower_bound", self.lower_bound), ("upper_bound", self.upper_bound))
            if bound is not None]
        return f"{type(self).__name__.lstrip('_')}({', '.join(bounds)})"


class interval(_Bounded):  # noqa: N801 - PyTorch's names, here and below
    """lower_bound <= x <= upper_bound."""

    def check(self, value: Any) -> Any:
        return (self.lower_bound <= value) & (value <= self.upper_bound)


class half_open_interval(_Bounded):  # noqa: N801
    """lower_bound <= x < upper_bound."""

    def check(self, value: Any) -> Any:
        return (self.lower_bound <= value) & (value < self.upper_bound)


class integer_interval(_Bounded):  # noqa: N801
    """Whole numbers from lower_bound to upper_bound."""

    is_discrete = True

    def check(self, value: Any) -> Any:
        return (value % 1 == 0) & (self.lower_bound <= value) & (value <= self.upper_bound)


class greater_than(_Bounded):  # noqa: N801
    """lower_bound < x."""

    def check(self, value: Any) -> Any:
        return self.lower_bound < value


class greater_than_eq(_Bounded):  # noqa: N801
    """lower_bound <= x."""

    def check(self, value: Any) -> Any:
        return self.lower_bound <= value


class _IntegerGreaterThan(_Bounded):
    """Whole numbers from lower_bound on."""

    is_discrete = True

    def check(self, value: Any) -> Any:
        return (value % 1 == 0) & (value >= self.lower_bound)


class less_than(_Bounded):  # noqa: N801
    """x < upper_bound."""

    def __init__(self, upper_bound: Any):
        super().__init__(None, upper_bound)

    def check(self, value: Any) -> Any:
        return value < self.upper_bound


class multinomial(_Bounded):  # noqa: N801
    """Whole numbers of at least 0 whose sum is at most upper_bound."""

    is_discrete, event_dim = True, 1

    def __init__(self, upper_bound: Any):
        super().__init__(None, upper_bound)

    def check(self, value: Any) -> Any:
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)


class independent(Constraint):  # noqa: N801
    """A region in which the last axes count as one event, which lies in it if each part does."""

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int):
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether its points lie apart."""
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """How many of the last axes make one event."""
        return self.base_constraint.event_dim + self.reinterpreted_batch_ndims

    def check(self, value: Any) -> Any:
        found = self.base_constraint.check(value)
        if found.dim() < self.reinterpreted_batch_ndims:
            expected = self.event_dim
            raise torch.errors.ShapeArgumentError(
                f"Expected value.dim() >= {expected} but got {value.dim()}",
                why=f"one event has {expected} axes here", fix="a value with the event's shape")
        return found.flatten(found.dim() - self.reinterpreted_batch_ndims).all(-1) if (
            self.reinterpreted_batch_ndims) else found

    def __repr__(self) -> str:
        return f"independent({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"


class cat(Constraint):  # noqa: N801
    """Regions side by side along an axis, of the given lengths."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0,
                 lengths: Sequence[int] | None = None):
        self.cseq, self.dim = list(cseq), dim
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether any part's points lie apart."""
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """How many of the last axes make one event."""
        return max(c.event_dim for c in self.cseq)

    def check(self, value: Any) -> Any:
        parts = value.split(self.lengths, self.dim)
        return torch.cat([c.check(x) for c, x in zip(self.cseq, parts, strict=True)], self.dim)


class stack(Constraint):  # noqa: N801
    """One region for each place along an axis."""

    def __init__(self, cseq: Sequence[Constraint], dim: int = 0):
        self.cseq, self.dim = list(cseq), dim

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether any part's points lie apart."""
        return any(c.is_discrete for c in self.cseq)

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """How many of the last axes make one event."""
        dim = max(c.event_dim for c in self.cseq)
        return dim + 1 if self.dim + dim < 0 else dim

    def check(self, value: Any) -> Any:
        return torch.stack([c.check(x) for c, x in zip(
            self.cseq, value.unbind(self.dim), strict=True)], self.dim)


class MixtureSameFamilyConstraint(Constraint):
    """The region of a mixture: that of any of its components."""

    def __init__(self, base_constraint: Constraint):
        self.base_constraint = base_constraint

    @property
    def is_discrete(self) -> bool:  # type: ignore[override]
        """Whether its points lie apart."""
        return self.base_constraint.is_discrete

    @property
    def event_dim(self) -> int:  # type: ignore[override]
        """How many of the last axes make one event."""
        return self.base_constraint.event_dim

    def check(self, value: Any) -> Any:
        found = self.base_constraint.check(value.unsqueeze(-1 - self.event_dim))
        return found.all(-1)

    def __repr__(self) -> str:
        return f"MixtureSameFamilyConstraint({self.base_constraint!r})"


def _is_square(value: Any) -> Any:
    return torch.full(value.shape[:-2], value.shape[-2] == value.shape[-1], dtype=torch.bool)


def _is_symmetric(value: Any) -> Any:
    if value.shape[-2] != value.shape[-1]:
        return _is_square(value)
    return torch.isclose(value, value.mT, atol=1e-6).flatten(-2).all(-1)


def _smallest_eigenvalue(value: Any, allow_zero: bool) -> Any:
    symmetric = _is_symmetric(value)
    if value.shape[-2] != value.shape[-1]:
        return symmetric
    # Elements that are no numbers would make the eigenvalues fail.
    found = torch.linalg.eigvalsh(value.nan_to_num(0.0))
    # What rounding makes of an eigenvalue of 0.
    least = found[..., -1:].abs() * (value.shape[-1] * torch.finfo(value.dtype).eps)
    return symmetric & (found >= -least if allow_zero else found > least).all(-1)


def _is_lower(value: Any) -> Any:
    return (value.tril() == value).flatten(-2).all(-1)


def _has_unit_rows(value: Any) -> Any:
    tolerance = torch.finfo(value.dtype).eps * value.shape[-1] * 10
    return ((value * value).sum(-1).sqrt() - 1).abs().le(tolerance).all(-1)


def _positive_diagonal(value: Any) -> Any:
    return (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


dependent = _Dependent()
dependent_property = _DependentProperty
real = _Where("real", lambda x: x == x, plain=True)  # NaN alone is not
boolean = _Where("boolean", lambda x: (x == 0) | (x == 1), True, plain=True)
one_hot = _Where("one_hot", lambda x: ((x == 0) | (x == 1)).all(-1) & (x.sum(-1) == 1), True, 1)
nonnegative_integer, positive_integer = _IntegerGreaterThan(0), _IntegerGreaterThan(1)
positive, nonnegative = greater_than(0.0), greater_than_eq(0.0)
unit_interval = interval(0.0, 1.0)
real_vector = independent(real, 1)
simplex = _Where(
    "simplex", lambda x: (x >= 0).all(-1) & ((x.sum(-1) - 1).abs() < 1e-6), event_dim=1)
square = _Where("square", _is_square, event_dim=2)
symmetric = _Where("symmetric", _is_symmetric, event_dim=2)
positive_semidefinite = _Where(
    "positive_semidefinite", lambda x: _smallest_eigenvalue(x, True), event_dim=2)
positive_definite = _Where(
    "positive_definite", lambda x: _smallest_eigenvalue(x, False), event_dim=2)
lower_triangular = _Where("lower_triangular", _is_lower, event_dim=2)
lower_cholesky = _Where(
    "lower_cholesky", lambda x: _is_lower(x) & _positive_diagonal(x), event_dim=2)
corr_cholesky = _Where(
    "corr_cholesky", lambda x: _is_lower(x) & _positive_diagonal(x) & _has_unit_rows(x),
    event_dim=2)
