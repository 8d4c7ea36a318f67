"""L-BFGS: a quasi-Newton method for smooth functions without noise."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lampion.autograd import enable_grad, no_grad
from lampion.errors import ArgumentError, ArgumentTypeError, StateError
from lampion.functions import creation
from lampion.functions.shape import cat
from lampion.optim.line_search import Point, strong_wolfe
from lampion.optim.optimizer import Optimizer, ParamsT, State
from lampion.optim.settings import check_setting
from lampion.tensor import Tensor


class LBFGS(Optimizer):
    r"""Limited-memory BFGS.

    d = -H g with H built from the last steps and changes of the gradient;  p = p + t d

    `step` needs a closure and calls it several times. There can be one parameter group only.

    Args:
        params: parameters; their gradients are computed by the closure.
        lr: length of the step, or first trial of the line search, 0 or more.
        max_iter: most iterations in one call of `step`.
        max_eval: most evaluations in one call of `step` (default max_iter * 5 / 4).
        tolerance_grad: stop when no element of the gradient is larger.
        tolerance_change: stop when neither the function nor a parameter changes by more.
        history_size: how many steps are remembered.
        line_search_fn: None or "strong_wolfe".

    Raises:
        ArgumentError: more than one parameter group, or a setting outside its range.

    Example:
        >>> import lampion as torch
        >>> weight = torch.tensor([4.0, -3.0], requires_grad=True)
        >>> optimizer = torch.optim.LBFGS([weight], line_search_fn="strong_wolfe")
        >>> def closure():
        ...     optimizer.zero_grad()
        ...     loss = (weight - 1).pow(2).sum()
        ...     loss.backward()
        ...     return loss
        >>> first = optimizer.step(closure)
        >>> [round(w, 3) for w in weight.tolist()]
        [1.0, 1.0]

    Source: Nocedal and Wright, "Numerical optimization" (2006), Algorithms 7.4 and 7.5.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_setting("learning rate", lr)
        defaults: dict[str, Any] = {
            "lr": lr, "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad, "tolerance_change": tolerance_change,
            "history_size": history_size, "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ArgumentError(
                f"LBFGS with {len(self.param_groups)} parameter groups",
                why="LBFGS doesn't support per-parameter options (parameter groups)",
            )

    # -- All parameters as one row ----------------------------------------------------------------

    def _flat_gradient(self) -> Tensor:
        return cat([
            creation.zeros_like(p).reshape(-1) if p.grad is None else p.grad.reshape(-1)
            for p in self._parameters()
        ])

    def _move(self, t: float, direction: Tensor) -> None:
        offset = 0
        for parameter in self._parameters():
            count = parameter.numel()
            part = direction[offset:offset + count].reshape(parameter.shape)
            parameter.add_(part, alpha=t)
            offset += count

    def _point(self, closure: Callable[[], Any], direction: Tensor, t: float) -> Point:
        """Evaluate the closure t along the direction and come back."""
        before = [parameter.clone() for parameter in self._parameters()]
        self._move(t, direction)
        value = float(closure())
        gradient = self._flat_gradient()
        for parameter, old in zip(self._parameters(), before, strict=True):
            parameter.copy_(old)
        return Point(t, value, gradient, float(gradient.dot(direction)))

    # -- The step ---------------------------------------------------------------------------------

    @no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Minimise for up to `max_iter` iterations and return the loss at the beginning.

        Args:
            closure: clears the gradients, evaluates the model, calls backward, returns the loss.
        """
        if closure is None:
            raise ArgumentTypeError("LBFGS.step() without a closure",
                                    why="it evaluates the model several times in one step",
                                    fix="optimizer.step(closure)")
        group = self.param_groups[0]
        if group["line_search_fn"] not in (None, "strong_wolfe"):
            raise StateError(f"line_search_fn={group['line_search_fn']!r}",
                             why="only 'strong_wolfe' is supported")
        evaluate = enable_grad()(closure)
        # One state for all parameters, kept with the first one.
        state = self.state[group["params"][0]]
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)
        first_loss = evaluate()
        state["func_evals"] += 1
        gradient = self._flat_gradient()
        if float(gradient.abs().max()) <= group["tolerance_grad"]:
            return first_loss
        self._iterate(evaluate, state, float(first_loss), gradient)
        return first_loss

    def _iterate(
        self, closure: Callable[[], Any], state: State, loss: float, gradient: Tensor
    ) -> None:
        group = self.param_groups[0]
        evaluations = 1
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            self._find_direction(state, gradient)
            direction = state["d"]
            state["prev_flat_grad"], state["prev_loss"] = gradient.clone(), loss
            t = float(group["lr"])
            if state["n_iter"] == 1:
                t *= min(1.0, 1.0 / float(gradient.abs().sum()))
            state["t"] = t
            slope = float(gradient.dot(direction))
            if slope > -group["tolerance_change"]:
                return
            last = iteration == group["max_iter"]
            if group["line_search_fn"] is None:
                self._move(t, direction)
                if last:  # with noise there would be no use in another evaluation
                    return
                loss, gradient, used = float(closure()), self._flat_gradient(), 1
            else:
                point, used = strong_wolfe(
                    partial(self._point, closure, direction),
                    Point(0.0, loss, gradient.clone(), slope), t,
                    float(direction.abs().max()), most=group["max_eval"] - evaluations,
                )
                self._move(point.t, direction)
                loss, gradient, state["t"] = point.value, point.gradient, point.t
            evaluations += used
            state["func_evals"] += used
            if last or evaluations >= group["max_eval"] or self._settled(state, loss, gradient):
                return

    def _settled(self, state: State, loss: float, gradient: Tensor) -> bool:
        group = self.param_groups[0]
        return (
            float(gradient.abs().max()) <= group["tolerance_grad"]
            or float(state["d"].abs().max()) * abs(state["t"]) <= group["tolerance_change"]
            or abs(loss - state["prev_loss"]) < group["tolerance_change"]
        )

    def _find_direction(self, state: State, gradient: Tensor) -> None:
        """Set `state["d"]` to minus the approximate inverse Hessian times the gradient."""
        if state["n_iter"] == 1:
            state.update(d=-gradient, old_dirs=[], old_stps=[], ro=[], H_diag=1)
            return
        self._remember(state, gradient)
        changes, steps, inverse = state["old_dirs"], state["old_stps"], state["ro"]
        factors = state.setdefault("al", [None] * self.param_groups[0]["history_size"])
        direction = -gradient
        for i in reversed(range(len(changes))):  # Algorithm 7.4, first loop
            factors[i] = steps[i].dot(direction) * inverse[i]
            direction = direction - factors[i] * changes[i]
        direction = direction * state["H_diag"]
        for i in range(len(changes)):  # second loop
            back = changes[i].dot(direction) * inverse[i]
            direction = direction + (factors[i] - back) * steps[i]
        state["d"] = direction

    def _remember(self, state: State, gradient: Tensor) -> None:
        """Add the last step and the change of the gradient to the history."""
        change = gradient - state["prev_flat_grad"]
        step = state["d"] * state["t"]
        curvature = change.dot(step)
        if float(curvature) <= 1e-10:
            return
        if len(state["old_dirs"]) == self.param_groups[0]["history_size"]:
            for history in (state["old_dirs"], state["old_stps"], state["ro"]):
                history.pop(0)
        state["old_dirs"].append(change)
        state["old_stps"].append(step)
        state["ro"].append(1.0 / curvature)
        state["H_diag"] = curvature / change.dot(change)  # (7.20)
