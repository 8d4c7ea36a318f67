"""Questions about accelerators and engines: answered as PyTorch without CUDA answers them."""

import warnings

import pytest

from lampion import accelerator, amp, backends, cuda, distributed, switches
from lampion.dtypes import device
from lampion.errors import ArgumentTypeError, DeviceError, DTypeError

QUESTIONS = [
    "is_available", "device_count", "is_initialized", "is_bf16_supported", "get_arch_list",
    "memory_allocated", "memory_reserved", "max_memory_allocated", "max_memory_reserved",
    "empty_cache", "seed", "seed_all",
]  # fmt: skip
DEMANDS = [
    "current_device", "synchronize", "get_device_name", "get_device_capability", "Event", "Stream",
    "set_device", "get_device_properties", "reset_peak_memory_stats",
]  # fmt: skip


@pytest.mark.parametrize("name", QUESTIONS)
def test_cuda_answers_as_pytorch(name):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("the oracle has CUDA here")
    assert getattr(cuda, name)() == getattr(torch.cuda, name)()


@pytest.mark.parametrize("name", DEMANDS)
def test_cuda_demands_raise(name):
    with pytest.raises(DeviceError, match=f"torch.cuda.{name}"):
        getattr(cuda, name)()
    # PyTorch raises AssertionError in some places and RuntimeError in others.
    assert issubclass(DeviceError, AssertionError) and issubclass(DeviceError, RuntimeError)


@pytest.mark.parametrize("name", ["cudnn", "mps", "mkl", "mkldnn", "openmp"])
def test_no_other_engine(name):
    assert getattr(backends, name).is_available() is False


def test_switches_may_be_set(monkeypatch):
    monkeypatch.setattr(backends.cudnn, "benchmark", True)
    monkeypatch.setattr(backends.cuda.matmul, "allow_tf32", True)
    assert not accelerator.is_available() and accelerator.current_accelerator() is None
    assert distributed.is_available() and not distributed.is_initialized()


def test_autocast_says_where_it_changes_nothing():
    with pytest.warns(UserWarning, match="not available"), amp.autocast("cuda"):
        pass
    with pytest.raises(DTypeError):
        amp.autocast("toaster")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with cuda.amp.autocast(enabled=False):
            pass

        @amp.autocast("cuda", enabled=False)
        def double(x):
            return 2 * x

    assert double(4) == 8


def test_scaler_steps_the_optimizer():
    class Optimizer:
        steps = 0

        def step(self):
            self.steps += 1
            return "stepped"

    with pytest.warns(UserWarning, match="CUDA is not available"):
        scaler = cuda.amp.GradScaler()
    optimizer = Optimizer()
    assert scaler.scale(3.0) == 3.0
    scaler.unscale_(optimizer)
    assert scaler.step(optimizer) == "stepped" and optimizer.steps == 1
    scaler.update()
    assert scaler.get_scale() == 1.0 and not scaler.is_enabled() and scaler.state_dict() == {}


def test_compile_returns_what_it_was_given():
    assert switches.compile(len) is len
    assert switches.compile(mode="reduce-overhead")(len) is len


def test_precision_and_determinism(monkeypatch):
    monkeypatch.setattr(switches, "_settings", dict(switches._settings))
    switches.set_float32_matmul_precision("high")
    with pytest.warns(UserWarning, match="no effect"):
        switches.set_float32_matmul_precision("low")
    assert switches.get_float32_matmul_precision() == "high"
    with pytest.raises(DTypeError):
        switches.set_float32_matmul_precision(3)
    switches.use_deterministic_algorithms(True, warn_only=True)
    assert switches.are_deterministic_algorithms_enabled()
    with pytest.raises(ArgumentTypeError):
        switches.use_deterministic_algorithms("yes")


def test_usual_line():
    assert device("cuda" if cuda.is_available() else "cpu") == device("cpu")
