"""Optimizer: parameter groups, state, the step, and saving them.

An optimizer of this package is two short methods that follow its paper:

    init(parameter, group)                     -> the state of one parameter before its first step
    update(parameter, gradient, state, group)  -> the new parameter and the new state

and, where a step is to be recorded as one call (see whole.py), three that tell its parts apart:

    numbers(state, group)                      -> the numbers that `update` computes with
    settings(group)                            -> what decides which operations it makes
    kept(group)                                -> the names of the tensors in a state

All are pure: they return new values. `Optimizer.step` walks over the parameters, calls `update`
with gradients switched off and writes the results in place, so views and aliases of a parameter
see the new values. The engine fuses the whole step, therefore PyTorch's switches between several
implementations of the same formula (`foreach`, `fused`, `capturable`) are accepted and change
nothing.

Step counts and other numbers the formulas need once per step are Python floats in `state`: they
enter the program as inputs, so neither they nor a learning rate ever cause a recompilation.
`state_dict()` writes them as tensors, the way PyTorch does.

A program may also derive from `Optimizer` and write its own `step`, as in PyTorch.
"""

from __future__ import annotations

import itertools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from typing import Any, TypeAlias

from lampion import dtypes
from lampion.autograd import enable_grad
from lampion.errors import ArgumentError, ArgumentTypeError, UnsupportedError
from lampion.functions import creation
from lampion.ir import mode
from lampion.nn.hooks import RemovableHandle
from lampion.optim.hooks import (
    Hooks,
    register_hook,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
    with_hooks,
)
from lampion.optim.settings import check_flags, required, split_names
from lampion.optim.whole import can_be_whole, step_whole
from lampion.replay.recorded import forget_gradients
from lampion.tensor import Tensor

ParamsT: TypeAlias = Iterable[Tensor] | Iterable[dict[str, Any]] | Iterable[tuple[str, Tensor]]
Group: TypeAlias = dict[str, Any]
State: TypeAlias = dict[str, Any]

__all__ = [
    "Group", "Optimizer", "ParamsT", "State", "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook", "required",
]


class Optimizer:
    """Base of all optimizers.

    Args:
        params: tensors, pairs (name, tensor), or dicts that each describe a parameter group.
        defaults: settings of the groups that do not give their own.

    Raises:
        ArgumentTypeError: `params` is a single tensor or a set, or holds something else.
        ArgumentError: no parameter, a non-leaf, a parameter in two groups, names for some only.

    Example:
        >>> import lampion as torch
        >>> weight = torch.zeros(2, requires_grad=True)
        >>> optimizer = torch.optim.SGD([weight], lr=0.5)
        >>> (weight - 1).pow(2).sum().backward()
        >>> optimizer.step()
        >>> weight.tolist()
        [1.0, 1.0]
    """

    # State entries that are Python floats while training and 0-d tensors in a state dict.
    counters: tuple[str, ...] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = with_hooks(cls.__dict__["step"])  # type: ignore[method-assign]

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        self._make_hook_tables()
        check_flags(defaults)
        if isinstance(params, Tensor):
            raise ArgumentTypeError(
                "params is a single tensor",
                why="an optimizer takes an iterable of tensors, or of dicts",
                fix=f"{type(self).__name__}([parameter], ...)",
            )
        if not isinstance(params, Iterable):
            raise ArgumentTypeError(
                f"params is a {type(params).__name__}, which is not iterable",
                why="an optimizer takes an iterable of tensors, or of dicts",
                fix="model.parameters()",
            )
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[Group] = []
        groups: list[Any] = list(params)
        if not groups:
            raise ArgumentError(
                "optimizer got an empty parameter list",
                why="there is nothing to train; a generator given twice is empty the second time",
                fix="list(model.parameters())",
            )
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    def _make_hook_tables(self) -> None:
        self._optimizer_step_pre_hooks: Hooks = OrderedDict()
        self._optimizer_step_post_hooks: Hooks = OrderedDict()
        self._optimizer_state_dict_pre_hooks: Hooks = OrderedDict()
        self._optimizer_state_dict_post_hooks: Hooks = OrderedDict()
        self._optimizer_load_state_dict_pre_hooks: Hooks = OrderedDict()
        self._optimizer_load_state_dict_post_hooks: Hooks = OrderedDict()
        self._inside_step = self._is_whole = False
        self._numbers: dict[str, Any] | None = None
        self._scheduled = False  # a learning-rate scheduler watches this optimizer
        self._opt_called = False  # step() ran since the scheduler came

    def watch_order(self) -> None:
        """Note that a schedule has come, which warns when it is stepped before the optimizer."""
        if not self._scheduled:
            self._scheduled, self._opt_called = True, False

    # -- The two methods an optimizer is made of ------------------------------------------------

    def init(self, parameter: Tensor, group: Group) -> State:
        """Return the state of `parameter` before its first step."""
        return {}

    def update(
        self, parameter: Tensor, gradient: Tensor, state: State, group: Group
    ) -> tuple[Tensor, State]:
        """Return the new value of `parameter` and its new state."""
        raise UnsupportedError(
            f"{type(self).__name__} has no update rule",
            why="an optimizer defines update(parameter, gradient, state, group), or its own step()",
        )

    def numbers(self, state: State, group: Group) -> dict[str, Any]:
        """Return the numbers of a step: learning rate, decay rates, corrections."""
        return {}

    def numbers_now(self, state: State, group: Group) -> dict[str, Any]:
        """Return the numbers of the step that is being made."""
        return self.numbers(state, group) if self._numbers is None else self._numbers

    def settings(self, group: Group) -> tuple[int, ...] | None:
        """Return what decides which operations a step makes; None: it is no one call."""
        return None

    def kept(self, group: Group) -> tuple[str, ...]:
        """Return the names of the tensors in the state of a parameter."""
        return ()

    # -- Stepping -----------------------------------------------------------------------------

    @with_hooks
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient, then run everything pending.

        Args:
            closure: evaluates the model again and returns the loss, which `step` then returns.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        # Not a `with`: an interruption may come at the first line of its `__exit__`.
        before, wanted = mode.grad, bool(self.defaults.get("differentiable"))
        try:
            mode.grad = wanted
            if self._is_whole:
                step_whole(self)
                return loss
            for group in self.param_groups:
                for parameter in group["params"]:
                    if parameter.grad is not None:
                        self.step_parameter(parameter, group)
        finally:
            mode.grad = before
        # The states are there from the first step on.
        self._is_whole = can_be_whole(self)
        return loss

    def step_parameter(
        self, parameter: Tensor, group: Group, numbers: dict[str, Any] | None = None
    ) -> None:
        """Update one parameter and its state.

        Args:
            numbers: what `numbers` returns, where that is known already.
        """
        self._numbers = numbers
        gradient = -parameter.grad if group.get("maximize") else parameter.grad
        state = self.state.get(parameter) or self.init(parameter, group)
        new_parameter, new_state = self.update(parameter, gradient, state, group)
        # A differentiable step keeps the old values: the chain rule may still need them.
        in_place = not group.get("differentiable")
        for name, value in new_state.items():
            kept = state.get(name)
            if not isinstance(value, Tensor):
                state[name] = value
            elif isinstance(kept, Tensor) and in_place:
                kept.copy_(value)
            else:  # a copy, since it may be the gradient itself, which the user may overwrite
                state[name] = value.clone()
        parameter.copy_(new_parameter)
        if state:
            self.state[parameter] = state

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients of all parameters, or fill them with zeros.

        Args:
            set_to_none: True sets `.grad` to None; False keeps the tensors and zeroes them.
        """
        if set_to_none:
            forget_gradients(list(self._parameters()))
            return
        for parameter in self._parameters():
            gradient = parameter.grad
            if gradient is None:
                continue
            if gradient.grad_fn is not None:
                gradient.detach_()
            else:
                gradient.requires_grad_(False)
            gradient.zero_()

    def _parameters(self) -> Iterable[Tensor]:
        return itertools.chain.from_iterable(group["params"] for group in self.param_groups)

    # -- Parameter groups -------------------------------------------------------------------------

    def add_param_group(self, param_group: Group) -> None:
        """Add a group: a dict with "params" and any settings that differ from the defaults."""
        if not isinstance(param_group, dict):
            raise ArgumentTypeError(
                f"param_group is a {type(param_group).__name__}", why="it must be a dict",
                fix='{"params": [...], "lr": 0.01}',
            )
        if "params" not in param_group:
            raise ArgumentError(
                f"a parameter group with the keys {sorted(param_group)}",
                why='a group needs the key "params"',
            )
        params, names = split_names(param_group["params"])
        param_group["params"] = params
        if names:
            param_group["param_names"] = names
        for parameter in params:
            self._check_parameter(parameter)
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ArgumentError(
                    f"a parameter group without {name}",
                    why=f"{name} is a required setting and has no default",
                )
            param_group.setdefault(name, default)
        self._check_group(param_group)
        self.param_groups.append(param_group)
        self._is_whole = False

    def _check_parameter(self, parameter: Any) -> None:
        if not isinstance(parameter, Tensor):
            raise ArgumentTypeError(
                f"one of the params is a {type(parameter).__name__}",
                why="an optimizer can only optimize tensors",
            )
        if self.defaults.get("differentiable"):
            return
        if not (parameter.is_leaf or parameter.retains_grad):
            raise ArgumentError(
                "can't optimize a non-leaf Tensor",
                why="its value is computed from other tensors, so a step on it would be lost",
                fix="parameter.detach().requires_grad_()",
            )

    def _check_group(self, param_group: Group) -> None:
        params = param_group["params"]
        if len(set(params)) != len(params):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; "
                "in future, this will cause an error",
                stacklevel=4,
            )
        for group in self.param_groups:
            if ("param_names" in param_group) != ("param_names" in group):
                raise ArgumentError(
                    "a parameter group with names beside one without",
                    why="all optimizer param groups should be with/without names",
                )
            if not set(group["params"]).isdisjoint(params):
                raise ArgumentError("some parameters appear in more than one parameter group")

    # -- Saving -----------------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Return {"state": ..., "param_groups": ...}; parameters appear as their numbers."""
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        start = 0
        packed_groups = []
        for group in self.param_groups:
            for number, parameter in enumerate(group["params"], start):
                numbers.setdefault(id(parameter), number)
            start += len(group["params"])
            packed = {name: value for name, value in group.items() if name != "params"}
            packed["params"] = [numbers[id(parameter)] for parameter in group["params"]]
            packed_groups.append(packed)
        packed_state = {
            numbers[id(key)] if isinstance(key, Tensor) else key: self._packed(state)
            for key, state in self.state.items()
        }
        state_dict = {"state": packed_state, "param_groups": packed_groups}
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        return state_dict

    def _packed(self, state: Any) -> Any:
        if not self.counters:
            return state
        dtype = dtypes.get_default_dtype()
        dtype = dtype if dtype == dtypes.float64 else dtypes.float32
        return {
            name: creation.tensor(float(value), dtype=dtype) if name in self.counters else value
            for name, value in state.items()
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the state and the settings that `state_dict()` returned.

        Args:
            state_dict: of an optimizer of the same class with groups of the same sizes.

        Raises:
            ArgumentError: the groups differ in number or in size.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        saved_groups = deepcopy(state_dict["param_groups"])
        self._check_saved_groups(saved_groups)
        saved_numbers = itertools.chain.from_iterable(group["params"] for group in saved_groups)
        by_number = dict(zip(saved_numbers, self._parameters(), strict=True))
        state: defaultdict[Any, Any] = defaultdict(dict)
        for key, value in state_dict["state"].items():
            if key in by_number:
                state[by_number[key]] = self._unpacked(value, by_number[key])
            else:
                state[key] = value
        for group, saved in zip(self.param_groups, saved_groups, strict=True):
            saved["params"] = group["params"]
            if "param_names" in group:
                saved.setdefault("param_names", group["param_names"])
        self.__setstate__({"state": state, "param_groups": saved_groups})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def _check_saved_groups(self, saved_groups: list[Group]) -> None:
        sizes = [len(group["params"]) for group in self.param_groups]
        saved_sizes = [len(group["params"]) for group in saved_groups]
        if sizes != saved_sizes:
            raise ArgumentError(
                f"loaded state dict has parameter groups of sizes {saved_sizes}, "
                f"the optimizer has {sizes}",
                why="state is matched by position, so groups must be the same in number and size",
            )

    def _unpacked(self, state: State, parameter: Tensor) -> State:
        return {
            name: float(value) if name in self.counters else _cast(value, name, parameter)
            for name, value in state.items()
        }

    def __getstate__(self) -> dict[str, Any]:
        names = ("defaults", "state", "param_groups")
        return {name: self.__dict__[name] for name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._is_whole = False
        if "_optimizer_step_pre_hooks" not in self.__dict__:
            self._make_hook_tables()
        # Checkpoints of older versions lack settings that came later.
        for group in self.param_groups:
            for name, default in self.defaults.items():
                group.setdefault(name, default)

    def __repr__(self) -> str:
        lines = [f"{type(self).__name__} ("]
        for index, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {index}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join(lines) + "\n)"

    # -- Hooks ------------------------------------------------------------------------------------

    def register_step_pre_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` before each step; it may return new arguments."""
        return register_hook(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Callable[..., Any]) -> RemovableHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return register_hook(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` before `state_dict()`."""
        return register_hook(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` after `state_dict()`; it may return a new one."""
        return register_hook(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer, state_dict)` before loading; it may return a new one."""
        return register_hook(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> RemovableHandle:
        """Call `hook(optimizer)` after loading."""
        return register_hook(self._optimizer_load_state_dict_post_hooks, hook, prepend)


def _cast(value: Any, name: str | None, parameter: Tensor) -> Any:
    """Copy a loaded state entry; floating-point tensors take the parameter's type, "step" never."""
    if isinstance(value, Tensor):
        if name != "step" and parameter.is_floating_point():
            value = value.to(dtype=parameter.dtype, device=parameter.device)
        # In PyTorch training on would overwrite the loaded state dict itself.
        return value.detach().clone()
    if isinstance(value, dict):
        return {key: _cast(entry, key, parameter) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set)):
        return type(value)(_cast(entry, None, parameter) for entry in value)
    return value
