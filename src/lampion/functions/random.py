"""Random tensors, from a counter: the same seed gives the same numbers on every machine.

A `Generator` is a seed and a position. Each draw takes the next blocks of the Philox sequence
(ops/random.py), so nothing depends on threads or on what runs when.
"""

from __future__ import annotations

import contextlib
import math
import secrets
import threading
from typing import Any

import numpy as np

from .. import base, dtypes, ir, ops
from ..base import TensorBase, is_number
from ..dtypes import dtype as DType
from ..errors import ArgumentRangeError, DTypeError, DTypeOperationError, StateError
from ..ir import Value, registry
from ..replay.recorded import record_module
from . import elementwise as e
from .creation import finish
from .operands import broadcast_shape, check_sizes, laid_out, shape_argument, write
from .outputs import long_out, takes_out

MASK = (1 << 64) - 1


class Generator:
    """A source of random numbers: a seed and a position in its sequence.

    Args:
        device: "cpu".

    Example:
        >>> import lampion as torch
        >>> g = torch.Generator().manual_seed(0)
        >>> torch.rand(2, generator=g).shape
        torch.Size([2])
    """

    def __init__(self, device: Any = "cpu"):
        self.device = dtypes.check_device(device)
        self._seed, self._offset = 67280421310721, 0
        self._lock = threading.Lock()

    def manual_seed(self, seed: int) -> Generator:
        """Start the sequence of a seed (any whole number of 64 bits)."""
        seed = int(seed)
        if not -(1 << 63) <= seed <= MASK:
            raise StateError("Overflow when unpacking long long: manual_seed expects a value in "
                             f"[-2^63, 2^64 - 1], got {seed}")
        self._seed, self._offset = seed & MASK, 0
        return self

    def seed(self) -> int:
        """Start a sequence nobody can know, and return its seed."""
        self.manual_seed(secrets.randbits(63))
        return self._seed

    def initial_seed(self) -> int:
        """The seed the sequence was started with."""
        return self._seed

    def advance(self, blocks: int) -> tuple[int, int]:
        """Take the next blocks of four numbers; return (seed, where they begin)."""
        noting = ir.mode.noting
        return self.take(blocks) if noting is None else noting.draw(self, blocks)

    def take(self, blocks: int) -> tuple[int, int]:
        """Do what `advance` does, unnoted."""
        with self._lock:
            begin = self._offset
            self._offset += blocks
        return self._seed, begin

    def get_state(self) -> Any:
        """Seed and position as a tensor of bytes."""
        state = np.array([self._seed, self._offset], np.uint64).view(np.uint8)
        return base.wrap(ir.leaf(state.copy(), dtypes.uint8))

    def set_state(self, state: TensorBase) -> None:
        """Go to a seed and position from `get_state`."""
        array = np.ascontiguousarray(state._read())
        if array.dtype != np.uint8 or array.size != 16:
            raise StateError("RNG state is wrong size", why="it has 16 bytes in lampion",
                             fix="a state made by get_state()")
        self._seed, self._offset = (int(n) for n in array.view(np.uint64))

    def clone_state(self) -> Generator:
        """Another generator at the same place."""
        other = Generator()
        other._seed, other._offset = self._seed, self._offset
        return other

    def __getstate__(self):
        return {"seed": self._seed, "offset": self._offset}

    def __setstate__(self, state):
        self.__init__()
        self._seed, self._offset = state["seed"], state["offset"]


default_generator = Generator()
_thread = threading.local()


def current_generator() -> Generator:
    """The generator that draws use by default: a worker's own in a thread that has one."""
    return getattr(_thread, "generator", default_generator)


def give_thread_its_own_generator(seed: int) -> None:
    """Let this thread draw from a sequence of its own, whatever the other threads draw."""
    _thread.generator = Generator().manual_seed(seed)


def manual_seed(seed: int) -> Generator:
    """Start the default generator's sequence of a seed.

    Example:
        >>> import lampion as torch
        >>> _ = torch.manual_seed(1); a = torch.rand(3)
        >>> _ = torch.manual_seed(1); bool((torch.rand(3) == a).all())
        True
    """
    return current_generator().manual_seed(seed)


def seed() -> int:
    """Start the default generator at a place nobody can know."""
    return current_generator().seed()


def initial_seed() -> int:
    """The default generator's seed."""
    return current_generator().initial_seed()


def get_rng_state() -> Any:
    """The default generator's state."""
    return current_generator().get_state()


def set_rng_state(state: TensorBase) -> None:
    """Bring the default generator to a state."""
    current_generator().set_state(state)


@contextlib.contextmanager
def fork_rng(devices: Any = None, enabled: bool = True):
    """Restore the default generator at the end of a `with` block."""
    state = get_rng_state() if enabled else None
    try:
        yield
    finally:
        if state is not None:
            set_rng_state(state)


# --- bits to distributions ---------------------------------------------------------------------


def _key(shape: tuple[int, ...], generator: Generator | None) -> Value:
    """Where in its sequence the generator takes a number for each element."""
    return draw_blocks(-(-math.prod(shape) // 4), generator)


def draw_blocks(blocks: int, generator: Generator | None = None) -> Value:
    """Take the next blocks of a generator; return where they begin, for the random ops."""
    generator = generator or current_generator()
    if ir.mode.mapping is not None:
        return ir.mode.mapping.draw(blocks, generator)
    start = generator.advance(blocks)
    key = ir.leaf(np.array(start, np.uint64).view(np.int64), dtypes.int64)
    if ir.mode.noting is not None:
        ir.mode.noting.keys.append(key)
    return key


def _bits(shape: tuple[int, ...], generator: Generator | None) -> Value:
    """32 random bits for each element."""
    return ops.random.random_bits(_key(shape, generator), shape=shape)


def _uniform(shape, dtype: DType, generator) -> Value:
    """Numbers in [0, 1), with all the bits the type can show."""
    with _unrecorded():
        if dtype is dtypes.float64:
            high, low = _bits(shape, generator), _bits(shape, generator)
            high, low = _keep(high, 5), _keep(low, 6)
            whole = high * (1 << 26) + low
            return registry["cast"](whole, dtype=dtype) * 2.0**-53
        digits = {dtypes.float32: 24, dtypes.float16: 11, dtypes.bfloat16: 8}[dtype]
        drawn = ops.random.random_uniform(_key(shape, generator), shape=shape, digits=digits)
        return drawn if dtype is dtypes.float32 else registry["cast"](drawn, dtype=dtype)


def chosen(shape: tuple[int, ...], chance: float, generator: Generator | None = None) -> Any:
    """True with probability `chance`, each element by itself."""
    key = _key(shape, generator)
    return finish(ops.random.random_below(key, ir.number(chance, dtypes.float32), shape=shape))


def _keep(bits: Value, drop: int) -> Value:
    return registry["shift_right"](bits, ir.full(bits.shape, drop, dtypes.int64))


@contextlib.contextmanager
def _unrecorded():
    before, ir.mode.grad = ir.mode.grad, False
    try:
        yield
    finally:
        ir.mode.grad = before


def _normal(shape, dtype: DType, generator) -> Value:
    """Standard normal numbers by Box and Muller (1958): sqrt(-2 ln u) cos(2 pi v)."""
    with _unrecorded():
        wide = dtypes.float64 if dtype is dtypes.float64 else dtypes.float32
        u, v = _uniform(shape, wide, generator), _uniform(shape, wide, generator)
        radius = registry["sqrt"](registry["log"](1 - u) * -2.0)
        value = radius * registry["cos"](v * (2 * math.pi))
        return value if wide is dtype else registry["cast"](value, dtype=dtype)


def _integers(shape, low: int, high: int, dtype: DType, generator) -> Value:
    """Whole numbers in [low, high): the remainder of enough bits to hide its unevenness."""
    with _unrecorded():
        bits = _bits(shape, generator)
        span = high - low
        if span > 1 << 16:
            bits = registry["bit_or"](
                registry["shift_left"](_keep(bits, 1), ir.full(shape, 32, dtypes.int64)),
                _bits(shape, generator))
        if span <= (1 << 63) - 1:
            bits = registry["remainder"](bits, ir.full(shape, span, dtypes.int64))
        value = bits + low
        return value if dtype is dtypes.int64 else registry["cast"](value, dtype=dtype)


def _floating(name: str, dtype: DType | None) -> DType:
    kind = dtypes.chosen(dtype) or dtypes.get_default_dtype()
    if not kind.is_floating_point:
        raise DTypeOperationError(f"{name}: not implemented for {kind.name}",
                                  fix="torch.randint(...)")
    return kind


def _shape(name: str, size: tuple) -> tuple[int, ...]:
    shape = shape_argument(size, name)
    check_sizes(shape, name)
    return shape


def rand(*size: Any, generator: Generator | None = None, dtype: DType | None = None,
         device: Any = None, requires_grad: bool = False, layout: Any = None,
         pin_memory: bool = False) -> Any:
    """Numbers evenly spread over [0, 1).

    Example:
        >>> import lampion as torch
        >>> torch.rand(2, 3).shape
        torch.Size([2, 3])
    """
    return finish(_uniform(_shape("rand", size), _floating("rand", dtype), generator),
                  requires_grad, device)


def randn(*size: Any, generator: Generator | None = None, dtype: DType | None = None,
          device: Any = None, requires_grad: bool = False, layout: Any = None,
          pin_memory: bool = False) -> Any:
    """Numbers of the standard normal distribution (mean 0, variance 1).

    Example:
        >>> import lampion as torch
        >>> torch.randn(2, 3).shape
        torch.Size([2, 3])
    """
    return finish(_normal(_shape("randn", size), _floating("randn", dtype), generator),
                  requires_grad, device)


def randint(low: Any, high: Any = None, size: Any = None, *, generator: Generator | None = None,
            dtype: DType | None = None, device: Any = None, requires_grad: bool = False) -> Any:
    """Whole numbers from low (included, default 0) to high (excluded).

    Example:
        >>> import lampion as torch
        >>> torch.randint(10, (3,)).dtype
        torch.int64
    """
    if size is None:
        low, high, size = 0, low, high
    if high <= low:
        raise StateError(f"random_ expects 'from' to be less than 'to', but got from={low} >= "
                         f"to={high}", fix="torch.randint(low, high, size) with low < high")
    value = _integers(_shape("randint", tuple(size)), int(low), int(high), dtype or dtypes.int64,
                      generator)
    return finish(value, requires_grad, device)


def rand_like(input: TensorBase, *, dtype: DType | None = None, device: Any = None,
              requires_grad: bool = False, generator: Generator | None = None,
              memory_format: Any = None) -> Any:
    """Uniform numbers, of the shape and type of another tensor.

    Example:
        >>> import lampion as torch
        >>> torch.rand_like(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    return laid_out(rand(input._shape, dtype=dtype or input._dtype, requires_grad=requires_grad,
                         generator=generator), input)


def randn_like(input: TensorBase, *, dtype: DType | None = None, device: Any = None,
               requires_grad: bool = False, generator: Generator | None = None,
               memory_format: Any = None) -> Any:
    """Normal numbers, of the shape and type of another tensor.

    Example:
        >>> import lampion as torch
        >>> torch.randn_like(torch.ones(2, 3)).shape
        torch.Size([2, 3])
    """
    return laid_out(randn(input._shape, dtype=dtype or input._dtype, requires_grad=requires_grad,
                          generator=generator), input)


def randint_like(input: TensorBase, low: int, high: int | None = None, *,
                 dtype: DType | None = None, device: Any = None) -> Any:
    """Whole numbers, of the shape and type of another tensor."""
    low, high = (0, low) if high is None else (low, high)
    return laid_out(
        randint(low, high, tuple(input._shape), dtype=dtype or input._dtype), input)


def randperm(n: int, *, generator: Generator | None = None, dtype: DType = dtypes.int64,
             device: Any = None, requires_grad: bool = False, pin_memory: bool = False) -> Any:
    """The numbers 0 to n - 1 in random order.

    Example:
        >>> import lampion as torch
        >>> torch.randperm(4).sort().values
        tensor([0, 1, 2, 3])
    """
    if n < 0:
        raise StateError(f"n must be non-negative, got {n}")
    keys = registry["bit_or"](
        registry["shift_left"](_keep(_bits((n,), generator), 1), ir.full((n,), 32, dtypes.int64)),
        _bits((n,), generator))
    order = registry["argsort"](keys, axis=0, descending=False)
    return finish(order if dtype is dtypes.int64 else registry["cast"](order, dtype=dtype))


def normal(mean: Any = 0.0, std: Any = 1.0, size: Any = None, *,
           generator: Generator | None = None, dtype: DType | None = None,
           layout: Any = None, device: Any = None, pin_memory: bool = False,
           requires_grad: bool = False) -> Any:
    """Normal numbers with given mean and standard deviation (numbers or tensors).

    Example:
        >>> import lampion as torch
        >>> torch.normal(0.0, 1.0, (2, 3)).shape
        torch.Size([2, 3])
    """
    tensors = [x for x in (mean, std) if isinstance(x, TensorBase)]
    if is_number(std) and std < 0:
        raise StateError(f"normal: expects std >= 0.0, but found std {std}",
                         fix=f"std={-std}")
    if not tensors:
        made = randn(*(() if size is None else (size,)), generator=generator, dtype=dtype)
        return e.add(e.mul(made, std), mean).requires_grad_(requires_grad)
    shape = broadcast_shape("normal", [x._shape for x in tensors])
    return e.add(e.mul(randn(shape, generator=generator, dtype=tensors[0]._dtype), std), mean)


def _check_probability(name: str, input: TensorBase) -> None:
    def check(chances: np.ndarray) -> None:
        if not ((chances >= 0) & (chances <= 1)).all():
            raise StateError(f"{name}: Expected p_in >= 0 && p_in <= 1",
                             why="a probability lies between 0 and 1", fix="torch.sigmoid(x)")

    base.check_known(input, check)


@takes_out
def bernoulli(input: TensorBase, p: float | None = None, *,
              generator: Generator | None = None) -> Any:
    """1 with probability input (or p), else 0."""
    chance = input if p is None else e.add(e.mul(input, 0), p)
    _check_probability("bernoulli", chance)
    kind = input._dtype if input._dtype.is_floating_point else dtypes.get_default_dtype()
    drawn = finish(_uniform(tuple(input._shape), kind, generator))
    made = e.lt(drawn, chance.detach()).to(input._dtype)
    if not input._tracked:
        return made
    # A draw has no slope: the gradient is 0, as in PyTorch.
    return base.call(registry["overwrite"], (input, made), {}, label="bernoulli")


@long_out
@takes_out
def multinomial(input: TensorBase, num_samples: int, replacement: bool = False, *,
                generator: Generator | None = None) -> Any:
    """Positions drawn with probabilities proportional to each row (reads the rows).

    Shape: (N) or (M, N) -> (num_samples) or (M, num_samples), int64.

    Args:
        num_samples: how many are drawn from each row.
        replacement: whether a position may be drawn twice.

    Example:
        >>> import lampion as torch
        >>> torch.multinomial(torch.tensor([0., 1., 0.]), 1)
        tensor([1])
    """
    if len(input._shape) not in (1, 2):
        raise StateError("prob_dist must be 1 or 2 dim")
    if not input._dtype.is_floating_point:
        raise DTypeError(f"multinomial only supports floating-point dtypes for input, got: "
                         f"{input._dtype.name}", fix="weights.float()")
    if num_samples <= 0:
        raise StateError("cannot sample n_sample <= 0 samples")
    weights = np.atleast_2d(input._read().astype(np.float64))
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise StateError("probability tensor contains either `inf`, `nan` or element < 0")
    if (weights.sum(1) <= 0).any():
        raise StateError("invalid multinomial distribution (sum of probabilities <= 0)")
    if not replacement and num_samples > weights.shape[1]:
        raise StateError("cannot sample n_sample > prob_dist.size(-1) samples without replacement",
                         fix="replacement=True")
    if not replacement and ((weights > 0).sum(1) < num_samples).any():
        raise StateError("invalid multinomial distribution (with replacement=False, not enough "
                         "non-negative category to sample)")
    if replacement:
        draws = finish(_uniform((len(weights), num_samples), dtypes.float64, generator))._read()
        edges = np.cumsum(weights, 1)
        found = np.stack([
            np.searchsorted(row, u * row[-1], "right") for row, u in zip(edges, draws, strict=True)
        ]).clip(max=weights.shape[1] - 1)
    else:
        # The order of exponential arrival times, rates as weights (Efraimidis and Spirakis 2006).
        draws = finish(_uniform(weights.shape, dtypes.float64, generator))._read()
        with np.errstate(divide="ignore"):
            arrival = -np.log1p(-draws) / weights
        arrival[weights == 0] = np.inf
        found = np.argsort(arrival, 1, kind="stable")[:, :num_samples]
    found = np.ascontiguousarray(found.astype(np.int64))
    return base.wrap(ir.leaf(found.reshape((*input._shape[:-1], num_samples)), dtypes.int64))


# --- in place ----------------------------------------------------------------------------------


def _fill(name: str, input: TensorBase, value: Value) -> Any:
    input._check_writable(name)
    write(name, input, registry["overwrite"](input._value, value), (input, None))
    return input


def uniform_(input: TensorBase, a: float = 0.0, b: float = 1.0, *,
             generator: Generator | None = None) -> Any:
    """Fill with numbers evenly spread over [a, b)."""
    if a > b:
        raise StateError(f"uniform_ expects to return a [from, to) range, but found from={a} > "
                         f"to={b}")
    kind = _floating("uniform_", input._dtype)
    drawn = _uniform(tuple(input._shape), kind, generator)
    with _unrecorded():
        return_value = drawn * (b - a) + a
    return _fill("uniform_", input, return_value)


def normal_(input: TensorBase, mean: float = 0.0, std: float = 1.0, *,
            generator: Generator | None = None) -> Any:
    """Fill with normal numbers."""
    if std < 0:
        raise StateError(f"normal expects std >= 0.0, but found std {std}")
    kind = _floating("normal_", input._dtype)
    drawn = _normal(tuple(input._shape), kind, generator)
    with _unrecorded():
        value = drawn * std + mean
    return _fill("normal_", input, value)


def random_(input: TensorBase, low: int = 0, high: int | None = None, *,
            generator: Generator | None = None) -> Any:
    """Fill with whole numbers from low to high (excluded; default: all the type holds)."""
    if high is None and low:
        low, high = 0, low
    if high is None:
        limits = {dtypes.float32: 1 << 24, dtypes.float64: 1 << 53, dtypes.float16: 1 << 11,
                  dtypes.bfloat16: 1 << 8, dtypes.bool_: 2}
        high = limits.get(input._dtype) or dtypes.iinfo(input._dtype).max
    return _fill("random_", input, _integers(tuple(input._shape), low, high, input._dtype,
                                              generator))


def bernoulli_(input: TensorBase, p: Any = 0.5, *, generator: Generator | None = None) -> Any:
    """Fill with 1 with probability p, else 0."""
    if isinstance(p, (int, float)) and not 0 <= p <= 1:
        raise StateError(f"bernoulli_ expects p to be in [0, 1], but got p={p}")
    if isinstance(p, TensorBase):
        drawn = e.lt(finish(_uniform(tuple(input._shape), dtypes.float32, generator)), p)
    else:
        drawn = chosen(tuple(input._shape), p, generator)
    return _fill("bernoulli_", input, drawn.to(input._dtype)._value)


def exponential_(input: TensorBase, lambd: float = 1.0, *,
                 generator: Generator | None = None) -> Any:
    """Fill with exponential waiting times of rate lambd."""
    if lambd <= 0:
        raise ArgumentRangeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd}")
    kind = _floating("exponential_", input._dtype)
    drawn = _uniform(tuple(input._shape), kind, generator)
    with _unrecorded():
        value = registry["log1p"](-drawn) * (-1 / lambd)
    return _fill("exponential_", input, value)


def cauchy_(input: TensorBase, median: float = 0.0, sigma: float = 1.0, *,
            generator: Generator | None = None) -> Any:
    """Fill with Cauchy numbers."""
    if sigma <= 0:
        raise StateError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma}")
    drawn = _uniform(tuple(input._shape), _floating("cauchy_", input._dtype), generator)
    with _unrecorded():
        value = registry["tan"]((drawn - 0.5) * math.pi) * sigma + median
    return _fill("cauchy_", input, value)


def log_normal_(input: TensorBase, mean: float = 1.0, std: float = 2.0, *,
                generator: Generator | None = None) -> Any:
    """Fill with numbers whose logarithm is normal."""
    if std <= 0:
        raise StateError(f"log_normal_ expects std > 0.0, but found std={std}")
    drawn = _normal(tuple(input._shape), _floating("log_normal_", input._dtype), generator)
    with _unrecorded():
        value = registry["exp"](drawn * std + mean)
    return _fill("log_normal_", input, value)


def geometric_(input: TensorBase, p: float, *, generator: Generator | None = None) -> Any:
    """Fill with the number of trials up to the first success of probability p."""
    if not 0 < p < 1:
        raise StateError(f"geometric_ expects p to be in (0, 1), but got p={p}")
    drawn = _uniform(tuple(input._shape), dtypes.float64, generator)
    with _unrecorded():
        value = registry["ceil"](registry["log1p"](-drawn) * (1 / math.log1p(-p)))
        value = registry["maximum"](value, ir.full(value.shape, 1, value.dtype))
    return _fill("geometric_", input, registry["cast"](value, dtype=input._dtype))


record_module(
    globals(), but=("current_generator", "give_thread_its_own_generator", "manual_seed", "seed",
    "initial_seed", "get_rng_state", "set_rng_state", "fork_rng", "multinomial", "draw_blocks"))
