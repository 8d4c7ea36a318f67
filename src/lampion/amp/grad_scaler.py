"""`GradScaler`: losses are scaled up, so that small gradients do not vanish in float16."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

from ..dtypes import float16, float32
from ..errors import ArgumentError, StateError
from ..functions import creation
from ..functions import elementwise as e
from ..tensor import Tensor

READY, UNSCALED, STEPPED = "ready", "unscaled", "stepped"


class GradScaler:
    """Scales losses, and takes the scale out of the gradients before the optimizer steps.

    A step whose gradients are infinite or NaN is left out, and the scale shrinks; after enough
    good steps it grows:

        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    In bfloat16, whose exponents are float32's, no scaling is needed.

    Args:
        device: "cpu"; for a device that is not there, a warning is given and the scaler is off.
        init_scale: the first scale.
        growth_factor: what the scale grows by after growth_interval good steps, above 1.
        backoff_factor: what it shrinks by after a bad one, below 1.
        growth_interval: how many good steps in a row let it grow.
        enabled: False to let everything as it is.

    Raises:
        ArgumentError: a factor on the wrong side of 1.

    Source: Micikevicius et al., "Mixed precision training" (2018), section 3.2.

    Example:
        >>> import lampion as torch
        >>> scaler = GradScaler("cpu", init_scale=8.0)
        >>> scaler.scale(torch.tensor(2.5)), scaler.get_scale()
        (tensor(20.), 8.0)
    """

    def __init__(self, device: str = "cuda", init_scale: float = 2.0**16,
                 growth_factor: float = 2.0, backoff_factor: float = 0.5,
                 growth_interval: int = 2000, enabled: bool = True):
        self._device, self._enabled = device, enabled
        if enabled and device != "cpu":
            warnings.warn(
                f"torch.{device}.amp.GradScaler is enabled, but {device.upper()} is not available. "
                " Disabling.", UserWarning, stacklevel=2)
            self._enabled = False
        if self._enabled and growth_factor <= 1.0:
            raise ArgumentError(f"The growth factor must be > 1.0, got {growth_factor}")
        if self._enabled and backoff_factor >= 1.0:
            raise ArgumentError(f"The backoff factor must be < 1.0, got {backoff_factor}")
        self._growth_factor, self._backoff_factor = growth_factor, backoff_factor
        self._growth_interval = growth_interval
        self._value, self._tracker = float(init_scale), 0
        self._scale: Tensor | None = None
        self._states: dict[int, dict[str, Any]] = {}

    # --- the step ------------------------------------------------------------------------------

    def scale(self, outputs: Any) -> Any:
        """Return a tensor, or tensors in a list or tuple, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._tensor().to(outputs.dtype)
        if isinstance(outputs, Iterable):
            kind = type(outputs) if isinstance(outputs, (list, tuple)) else tuple
            return kind(self.scale(x) for x in outputs)
        raise ArgumentError("outputs must be a Tensor or an iterable of Tensors")

    def _tensor(self) -> Tensor:
        if self._scale is None:
            self._scale = creation.full((), self._value, dtype=float32)
        return self._scale

    def _state_of(self, optimizer: Any) -> dict[str, Any]:
        return self._states.setdefault(id(optimizer), {"stage": READY, "bad": None})

    def unscale_(self, optimizer: Any) -> None:
        """Take the scale out of the gradients of an optimizer, to clip them, for example.

        Raises:
            StateError: called twice before `update`, or after `step`.
            ArgumentError: gradients of float16 parameters, which are too coarse for it.
        """
        if not self._enabled:
            return
        state = self._state_of(optimizer)
        if state["stage"] is UNSCALED:
            raise StateError("unscale_() has already been called on this optimizer since the last "
                             "update().", fix="scaler.update() after each step")
        if state["stage"] is STEPPED:
            raise StateError("unscale_() is being called after step().",
                             fix="unscale_(), then step(), then update()")
        self._unscale(optimizer, state, False)
        state["stage"] = UNSCALED

    def _unscale(self, optimizer: Any, state: dict[str, Any], allow_fp16: bool) -> None:
        inverse = 1.0 / self._value
        bad = None
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                gradient = parameter.grad
                if gradient is None:
                    continue
                if gradient.dtype is float16 and not allow_fp16:
                    raise ArgumentError("Attempting to unscale FP16 gradients.",
                                        why="parameters of mixed precision are float32",
                                        fix="model.float(), and autocast around the forward")
                gradient.mul_(inverse)
                here = e.logical_not(e.isfinite(gradient)).any()
                bad = here if bad is None else e.logical_or(bad, here)
        state["bad"] = bad

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """Unscale the gradients if that is not done yet, and step where all are finite.

        Returns:
            What `optimizer.step(*args, **kwargs)` returns; None for a step that is left out.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise StateError("Closure use is not currently supported if GradScaler is enabled.")
        state = self._state_of(optimizer)
        if state["stage"] is STEPPED:
            raise StateError("step() has already been called since the last update().",
                             fix="scaler.update() after each step")
        if state["stage"] is READY:
            self.unscale_(optimizer)
        if state["bad"] is None:
            raise StateError("No inf checks were recorded for this optimizer.",
                             why="none of its parameters has a gradient",
                             fix="scaler.scale(loss).backward() first")
        result = None
        state["bad"] = bool(state["bad"])
        if not state["bad"]:
            result = optimizer.step(*args, **kwargs)
        state["stage"] = STEPPED
        return result

    def update(self, new_scale: Any = None) -> None:
        """Change the scale after the steps of all optimizers: grow, shrink, or take a given one.

        Args:
            new_scale: the scale from here on, a number or a tensor of one number.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._value = float(new_scale)
        else:
            found = [bool(s["bad"]) for s in self._states.values() if s["bad"] is not None]
            if not found:
                raise StateError("No inf checks were recorded prior to update.",
                                 fix="scaler.step(optimizer) before scaler.update()")
            if any(found):
                self._value, self._tracker = self._value * self._backoff_factor, 0
            else:
                self._tracker += 1
                if self._tracker == self._growth_interval:
                    self._value, self._tracker = self._value * self._growth_factor, 0
        self._scale = None
        self._states.clear()

    # --- settings ------------------------------------------------------------------------------

    def get_scale(self) -> float:
        """Return the scale; 1 for a scaler that is off."""
        return self._value if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """Return what the scale grows by."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Choose what the scale grows by."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """Return what the scale shrinks by."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Choose what the scale shrinks by."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """Return how many good steps let the scale grow."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Choose how many good steps let the scale grow."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Return whether the scaler does anything."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """Return the scale and the settings; an empty dict for a scaler that is off."""
        if not self._enabled:
            return {}
        return {"scale": self._value, "growth_factor": self._growth_factor,
                "backoff_factor": self._backoff_factor,
                "growth_interval": self._growth_interval, "_growth_tracker": self._tracker}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what `state_dict` returned.

        Raises:
            StateError: an empty dict, from a scaler that was off.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise StateError("The source state dict is empty, possibly because it was saved from "
                             "a disabled instance of GradScaler.")
        self._value, self._scale = float(state_dict["scale"]), None
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._tracker = state_dict["_growth_tracker"]
