"""Gradients: `backward` and `grad`, modes, a `Function` of your own, and checks of gradients."""

from . import functional, graph
from .anomaly import (
    detect_anomaly,
    is_anomaly_check_nan_enabled,
    is_anomaly_enabled,
    set_anomaly_enabled,
    set_detect_anomaly,
)
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
    "Function", "FunctionCtx", "backward", "detect_anomaly", "enable_grad", "functional", "grad",
    "gradcheck", "gradgradcheck", "graph", "inference_mode", "is_anomaly_check_nan_enabled",
    "is_anomaly_enabled", "is_grad_enabled", "is_inference_mode_enabled", "no_grad",
    "once_differentiable", "set_anomaly_enabled", "set_detect_anomaly", "set_grad_enabled",
]
