"""Gradients: `backward` and `grad`, modes, a `Function` of your own, and checks of gradients."""

from . import functional
from .checks import gradcheck, gradgradcheck
from .engine import backward, grad
from .function import Function, FunctionCtx, once_differentiable
from .modes import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)

__all__ = [
    "Function", "FunctionCtx", "backward", "enable_grad", "functional", "grad",
    "gradcheck", "gradgradcheck", "inference_mode", "is_grad_enabled",
    "is_inference_mode_enabled", "no_grad", "once_differentiable", "set_grad_enabled",
]
