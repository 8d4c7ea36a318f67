"""Mixed precision: which functions compute in a narrow type, and which in float32.

While `mode.autocast` names a type, the functions of `LOWER` get their floating tensors in that
type, those of `WIDE` in float32, and those of `KEEP` give back the type of their input. All others
see what they are given. float64 tensors are left alone. Inside such a function nothing is cast a
second time.

The lists are PyTorch's for the CPU (https://docs.pytorch.org/docs/stable/amp.html, "CPU ops that
can autocast"), where lampion has the function. Recurrent layers take their products with the whole
input in the narrow type, and carry their state through time in float32.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import Any

from . import dtypes
from .base import TensorBase, unrecorded
from .ir import mode

# By module of lampion.functions.
LOWER = {
    "linear": ("linear",),
    "linalg": ("mm", "bmm", "matmul", "addmm", "baddbmm", "addbmm", "einsum", "tensordot",
               "chain_matmul"),
    "matrix_powers": ("vecdot", "matrix_power", "multi_dot"),
    "convolution": ("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d",
                    "conv_transpose3d"),
    "activation": ("prelu",),
    "attention": ("scaled_dot_product_attention",),
}
WIDE = {
    "reduction": ("prod",),
    "linalg": ("trace",),
    "loss": ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy",
             "binary_cross_entropy_with_logits", "kl_div", "poisson_nll_loss"),
    "loss_classes": ("cross_entropy", "nll_loss", "multilabel_soft_margin_loss",
                     "multi_margin_loss", "multilabel_margin_loss"),
    "loss_margin": ("soft_margin_loss", "hinge_embedding_loss", "margin_ranking_loss",
                    "cosine_embedding_loss", "triplet_margin_loss",
                    "triplet_margin_with_distance_loss"),
    "loss_sequence": ("ctc_loss",),
    "pooling": ("avg_pool3d", "max_pool3d", "max_unpool2d", "max_unpool3d"),
    "pooling_adaptive": ("adaptive_avg_pool3d",),
    "vision": ("grid_sample",),
    "distance": ("cdist",),
    "quantiles": ("quantile", "nanquantile"),
    "recurrent": ("recurrent_layer",),
    "matrix_functions": ("inv", "inv_ex", "solve", "solve_ex", "solve_triangular", "cholesky_solve",
                         "cholesky_inverse", "lu_solve", "det", "slogdet", "logdet"),
    "decomposition": ("cholesky", "cholesky_ex", "qr", "eigh", "eigvalsh", "eig", "eigvals", "svd",
                      "svdvals", "lu", "lu_factor", "lu_factor_ex"),
    "matrix_powers": ("matrix_exp",),
    "matrix_norms": ("pinv", "matrix_rank", "cond", "lstsq"),
    "fourier": ("fft", "ifft", "fft2", "ifft2", "fftn", "ifftn", "rfft", "irfft", "rfft2",
                "irfft2", "rfftn", "irfftn", "hfft", "ihfft"),
}
# They call functions of the lists above, which are not to be cast here.
PLAIN = {"linalg": ("mv", "dot", "vdot", "addmv", "addr", "outer", "ger"), "linear": ("bilinear",)}
KEEP = {"normalization": ("layer_norm", "batch_norm", "group_norm", "instance_norm", "rms_norm")}
# Pads that look at numbers are computed in float32; zeros and circles move them only.
WIDE_PADS = ("reflect", "replicate")


def cast(x: Any, dtype: dtypes.dtype) -> Any:
    """Return floating tensors (also in lists) in a type; everything else as it is."""
    if isinstance(x, TensorBase):
        kind = x._dtype
        if kind is dtype or not kind.is_floating_point or kind is dtypes.float64:
            return x
        return x.to(dtype)  # type: ignore[attr-defined]
    if type(x) in (list, tuple):
        return type(x)(cast(item, dtype) for item in x)
    return x


def casting(function: Callable) -> Callable:
    """Return a function that casts its arguments while mixed precision is on."""
    module = function.__module__.rpartition(".")[2]
    name = function.__name__
    if name in LOWER.get(module, ()):
        return _wrapped(function, _lower)
    if name in WIDE.get(module, ()):
        return _wrapped(function, _wide)
    if name in KEEP.get(module, ()):
        return _wrapped(function, _keep)
    if name in PLAIN.get(module, ()):
        return _wrapped(function, _plain)
    if (module, name) == ("padding", "pad"):
        return _wrapped(function, _pad)
    return function


def cast_module(names: dict[str, Any], functions: Iterable[str]) -> None:
    """Let functions of a module cast that are not recorded for replay.

    Args:
        names: the module's `globals()`.
        functions: their names.
    """
    for name in functions:
        names[name] = casting(names[name])


def _wrapped(function: Callable, how: Callable) -> Callable:
    @functools.wraps(function)
    def casted(*args: Any, **kwargs: Any) -> Any:
        kind = mode.autocast
        if kind is None:
            return function(*args, **kwargs)
        if mode.run is not None:  # no part of a recorded call: the record must not go on
            unrecorded()
        mode.autocast = None
        try:
            return how(function, kind, args, kwargs)
        finally:
            mode.autocast = kind

    return casted


def _call(function: Callable, kind: dtypes.dtype, args: tuple, kwargs: dict) -> Any:
    return function(*(cast(x, kind) for x in args),
                    **{name: cast(x, kind) for name, x in kwargs.items()})


def _lower(function: Callable, kind: dtypes.dtype, args: tuple, kwargs: dict) -> Any:
    return _call(function, kind, args, kwargs)


def _wide(function: Callable, kind: dtypes.dtype, args: tuple, kwargs: dict) -> Any:
    return _call(function, dtypes.float32, args, kwargs)


def _keep(function: Callable, kind: dtypes.dtype, args: tuple, kwargs: dict) -> Any:
    input = args[0] if args else kwargs.get("input")
    result = function(*args, **kwargs)
    if isinstance(input, TensorBase) and isinstance(result, TensorBase):
        return cast(result, input._dtype)
    return result


def _plain(function: Callable, kind: dtypes.dtype, args: tuple, kwargs: dict) -> Any:
    return function(*args, **kwargs)


def _pad(function: Callable, kind: dtypes.dtype, args: tuple, kwargs: dict) -> Any:
    form = args[2] if len(args) > 2 else kwargs.get("mode", "constant")
    if form in WIDE_PADS:
        return _call(function, dtypes.float32, args, kwargs)
    return function(*args, **kwargs)
