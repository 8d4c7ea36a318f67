"""lampion: PyTorch's way of writing neural networks, the whole training step seen at once.

    import lampion as torch

The names are PyTorch's. Start with `tensor`, `nn`, `optim`, `utils.data`, `autograd`.
"""

import importlib as _importlib
import math as _math
from os import environ as _environ

# The order matters: each module here imports only modules above it (docs/design.md, "Rooms").
from . import dtypes, errors, ir, ops
from .tensor import Tensor, is_tensor, typed
from .dtypes import (
    Size, bfloat16, can_cast, cdouble, cfloat, complex64, complex128, device, double, finfo,
    float16, float32, float64, get_default_dtype, half, iinfo, int8, int16, int32, int64, long,
    promote_types, set_default_dtype, short, uint8, uint16, uint32, uint64,
)
from .dtypes import bool_ as bool
from .dtypes import dtype as dtype
from .dtypes import float_ as float
from .dtypes import int_ as int
from .functions.creation import (
    arange, as_tensor, asarray, diag, diag_embed, empty, empty_like,
    empty_strided, eye, from_dlpack, from_numpy, frombuffer, full, full_like, linspace,
    logspace, ones, ones_like, scalar_tensor, tensor, tril, tril_indices, triu, triu_indices,
    zeros, zeros_like,
)
from .functions.random import (
    Generator, bernoulli, fork_rng, get_rng_state, initial_seed, manual_seed, multinomial,
    normal, rand, rand_like, randint, randint_like, randn, randn_like, randperm, seed,
    set_rng_state,
)
from .functions.samplers import binomial, poisson
from .functions.samplers import dirichlet as _sample_dirichlet
from .functions.samplers import standard_gamma as _standard_gamma
from .functions.elementwise import (
    abs, abs_, absolute, acos, acosh, add, addcdiv, addcmul, allclose, arccos, arccosh, arcsin,
    arcsinh, arctan, arctan2, arctanh, asin, asinh, atan, atan2, atanh, bitwise_and,
    bitwise_left_shift, bitwise_not, bitwise_or, bitwise_right_shift, bitwise_xor, ceil, clamp,
    clamp_, clamp_max, clamp_min, clip, clone, cos, cosh, div, divide, eq, equal, erf,
    erfinv, exp, exp2, exp_, expm1, fix, floor, floor_divide, fmax, fmin, fmod, frac, ge,
    greater, greater_equal, gt, hypot, isclose, isfinite, isinf, isnan, isneginf, isposinf, le,
    lerp, less, less_equal, log, log10, log1p, log2, logaddexp, logical_and, logical_not,
    logical_or, logical_xor, logit, lt, masked_fill, maximum, minimum, mul, multiply,
    nan_to_num, ne, neg, negative, not_equal, positive, pow, reciprocal, relu, relu_, remainder,
    round, rsqrt, rsub, sigmoid, sigmoid_, sign, sin, sinh, sqrt, sqrt_, square, sub,
    subtract, tan, tanh, tanh_, true_divide, trunc, where,
)
from .functions.reduction import (
    all, amax, amin, aminmax, any, argmax, argmin, argsort, count_nonzero, cummax, cummin,
    cumprod, cumsum, dist, kthvalue, logsumexp, max, mean, median, min, nansum, prod,
    sort, std, std_mean, sum, topk, var, var_mean,
)
from .functions.elementwise import (
    acos_, acosh_, asin_, asinh_, atan_, atanh_, ceil_, clamp_max_, clamp_min_, clip_, cos_,
    cosh_, erf_, exp2_, expm1_, fill_, floor_, log10_, log1p_, log2_, log_, neg_, reciprocal_,
    round_, rsqrt_, sin_, sinh_, square_, tan_, trunc_, zero_,
)
from .functions.inplace import (
    addmv_, deg2rad_, erfc_, frac_, gcd_, i0_, lcm_, ldexp_, logit_, nan_to_num_, rad2deg_,
    sinc_, xlogy_,
)
from .functions.quantiles import nanquantile, quantile
from .functions.shape import (
    as_strided, atleast_1d, atleast_2d, broadcast_shapes, broadcast_tensors, broadcast_to, cat,
    chunk, column_stack, concat, concatenate, diagonal, diff, flatten, flip, fliplr, flipud,
    hstack, meshgrid, moveaxis, movedim, narrow, permute, ravel, repeat_interleave, reshape,
    roll, rot90, row_stack, select, split, squeeze, stack, swapaxes, swapdims, t, tensor_split,
    tile, transpose, unbind, unflatten, unsqueeze, vstack,
)
from .functions.indexing import (
    argwhere, bincount, gather, histc, index_add, index_copy, index_fill, index_put,
    index_put_, index_select, masked_scatter, masked_select, nonzero, scatter,
    scatter_add, take, take_along_dim, unique, unique_consecutive,
)
from .functions.searching import bucketize, isin, searchsorted
from .functions.linalg import (
    addbmm, addmm, addmm_, addmv, addr, baddbmm, bmm, chain_matmul, cross, dot, einsum, ger,
    kron, matmul, mm, mv, outer, tensordot, trace, vdot,
)
from .functions.assembling import (
    atleast_3d, block_diag, cartesian_prod, combinations, constant_pad_nd, diagflat, dsplit,
    dstack, hsplit, nonzero_static, unravel_index, unsafe_chunk, unsafe_split, vsplit,
)
from .functions.copies import (
    alias_copy, as_strided_copy, as_strided_scatter, detach_copy, diagonal_copy, diagonal_scatter,
    expand_copy, narrow_copy, permute_copy, select_copy, select_scatter, slice_scatter,
    split_copy, split_with_sizes_copy, squeeze_copy, t_copy, transpose_copy, unbind_copy,
    unfold_copy, unsqueeze_copy, view_copy,
)
from .functions.index_reduction import index_reduce, put, scatter_reduce
from .functions.integrals import cumulative_trapezoid, gradient, trapezoid, trapz
from .functions.complex_numbers import (
    angle, complex, conj, conj_physical, imag, is_conj, isreal, polar, real, resolve_conj,
    resolve_neg, sgn, view_as_complex, view_as_real,
)
from .functions.spectrogram import istft, stft
from .functions.number_parts import (
    copysign, deg2rad, fill, float_power, frexp, gcd, heaviside,
    lcm, ldexp, logaddexp2, nextafter, rad2deg, signbit,
)
from .functions.special_functions import (
    digamma, erfc, i0, igamma, igammac, lgamma, logcumsumexp, mvlgamma, polygamma, sinc, xlogy,
)
from .functions.sample_statistics import (
    corrcoef, cov, histogram, histogramdd, mode, msort, nanmean, nanmedian, renorm,
)
from .functions.decomposition import lu_unpack
from .functions.decomposition import lu_old as lu
from .functions.decomposition import cholesky_old as cholesky
from .functions.decomposition import qr_old as qr
from .functions.decomposition import svd_old as svd
from .functions.matrix_functions import (
    cholesky_inverse, cholesky_solve, det, logdet, slogdet, triangular_solve,
)
from .functions.matrix_functions import inv as inverse
from .functions.matrix_functions import lu_solve_old as lu_solve
from .functions.matrix_norms import norm_old as norm
from .functions.matrix_norms import pinverse
from .functions.matrix_powers import inner, matrix_exp, matrix_power
from .functions.matrix_powers import vander_old as vander
from .functions.hashing import hash_tensor
from .functions.low_rank import pca_lowrank, svd_lowrank
from .functions.native import (
    empty_permuted, grid_sampler, grid_sampler_2d, grid_sampler_3d, native_batch_norm,
    native_dropout, native_group_norm, native_layer_norm,
)
from .functions.reflections import geqrf, ormqr
from .functions.windows import (
    bartlett_window, blackman_window, hamming_window, hann_window, kaiser_window,
)
from .functions.operands import result_type
from .printing import get_printoptions, printoptions, set_printoptions
from . import autograd
from .autograd import (
    enable_grad, inference_mode, is_anomaly_check_nan_enabled, is_anomaly_enabled,
    is_grad_enabled, is_inference_mode_enabled, no_grad, set_anomaly_enabled, set_grad_enabled,
)
from . import fft, linalg, masked, nn, optim, signal, special, utils
from .functions.activation import (
    celu, celu_, hardshrink, prelu, rrelu, rrelu_, selu, selu_, threshold, threshold_,
)
from .functions.activation import log_softmax_of as log_softmax
from .functions.activation import softmax_of as softmax
from .functions.convolution import (
    conv1d, conv2d, conv3d, conv_transpose1d, conv_transpose2d, conv_transpose3d,
)
from .functions.distance import cdist, cosine_similarity, pairwise_distance, pdist
from .functions.dropout import (
    alpha_dropout, alpha_dropout_, dropout, dropout_, feature_alpha_dropout,
)
from .functions.linear import bilinear
from .functions.normalization import group_norm, layer_norm, rms_norm
from .functions.pooling import avg_pool1d, max_pool1d, max_pool2d, max_pool3d
from .functions.pooling_adaptive import adaptive_avg_pool1d
from .functions.queries import (
    detach, is_complex, is_floating_point, is_nonzero, is_same_size, numel, typename,
)
from .functions.vision import (
    channel_shuffle, native_channel_shuffle, pixel_shuffle, pixel_unshuffle,
)
from . import accelerator, amp, backends, cuda, data, distributed, random, version
from .amp.autocast_mode import (
    autocast, clear_autocast_cache, get_autocast_dtype, is_autocast_cache_enabled,
    is_autocast_cpu_enabled, is_autocast_enabled, set_autocast_cache_enabled, set_autocast_dtype,
    set_autocast_enabled,
)
from .switches import (
    are_deterministic_algorithms_enabled, compile, get_default_device,
    get_float32_matmul_precision, is_warn_always_enabled, set_default_device,
    set_default_tensor_type, set_deterministic, set_float32_matmul_precision, set_flush_denormal,
    set_warn_always, use_deterministic_algorithms,
)
from .threads import (
    get_num_interop_threads, get_num_threads, set_num_interop_threads, set_num_threads,
)
from .replay.recorded import explain_recompiles, set_replay
from .serialization import load, save
from . import probe
from .show import show
from .variable import Variable as _Variable
from .version import __version__

newaxis = None
arccos_, arcsin_, arctan_ = acos_, asin_, atan_
arccosh_, arcsinh_, arctanh_ = acosh_, asinh_, atanh_
fix_, negative_ = trunc_, neg_
detach_, resize_as_ = Tensor.detach_, Tensor.resize_as_
adjoint, split_with_sizes = Tensor.adjoint, Tensor.split_with_sizes
get_device, is_inference, is_signed = Tensor.get_device, Tensor.is_inference, Tensor.is_signed
orgqr = linalg.householder_product
pi, inf, nan, e = 3.141592653589793, _math.inf, _math.nan, 2.718281828459045
strided, channels_last = "torch.strided", "torch.channels_last"
channels_last_3d = "channels_last_3d"
contiguous_format, preserve_format = "torch.contiguous_format", "torch.preserve_format"

# `autograd` lies below `tensor`, so it is given here what needs a Tensor.
autograd.Variable = _Variable  # type: ignore[attr-defined]

FloatTensor, DoubleTensor = typed("FloatTensor", float32), typed("DoubleTensor", float64)
HalfTensor, BFloat16Tensor = typed("HalfTensor", float16), typed("BFloat16Tensor", bfloat16)
LongTensor, IntTensor = typed("LongTensor", int64), typed("IntTensor", int32)
ShortTensor, CharTensor = typed("ShortTensor", int16), typed("CharTensor", int8)
ByteTensor, BoolTensor = typed("ByteTensor", uint8), typed("BoolTensor", bool)

# Loaded when first asked for, so that `import lampion` does not wait for them.
_LATER = ("array_api", "distributions", "func", "jit", "multiprocessing", "testing")


def __getattr__(name):
    if name in _LATER:
        return _importlib.import_module(f"lampion.{name}")
    if name == "vmap":
        return _importlib.import_module("lampion.func").vmap
    raise AttributeError(f"module 'lampion' has no attribute '{name}'")


# The thread that imports lampion is the one whose calls are followed.
set_replay(_environ.get("LAMPION_REPLAY", "1") != "0")
