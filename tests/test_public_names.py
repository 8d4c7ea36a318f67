"""What `import lampion` offers and what it costs: honest `__all__`, nothing heavy loaded."""

from __future__ import annotations

import importlib
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import lampion

SOURCE = Path(__file__).resolve().parent.parent / "src"
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(lampion.__path__, "lampion.")
    if not module.name.endswith("__main__")
)
# Needed only by what is not used at import: the engine, extras, servers, tests.
HEAVY = (
    "llvmlite PIL matplotlib jax torch scipy pandas "
    "http.server multiprocessing.pool sqlite3 tkinter unittest"
).split()


@pytest.mark.parametrize("name", ["lampion", *MODULES])
def test_all_is_honest(name):
    module = importlib.import_module(name)
    names = getattr(module, "__all__", [])
    assert len(names) == len(set(names)), f"{name}.__all__ lists a name twice"
    absent = [entry for entry in names if not hasattr(module, entry)]
    assert not absent, f"{name}.__all__ lists {absent}, which {name} does not have"


def test_the_public_modules_have_pytorchs_places():
    for name in (
        "nn",
        "nn.functional",
        "nn.init",
        "nn.utils",
        "nn.utils.rnn",
        "optim",
        "optim.lr_scheduler",
        "utils.data",
        "autograd",
        "cuda",
        "cuda.amp",
        "amp",
        "backends.cudnn",
        "distributed",
    ):
        importlib.import_module(f"lampion.{name}")


def test_what_a_plain_import_gives():
    """`import torch` alone gives these in PyTorch; so `import lampion` must."""
    code = (
        "import lampion as torch\n"
        "torch.nn.functional.relu, torch.nn.init, torch.nn.utils.clip_grad_norm_\n"
        "torch.optim.Adam, torch.optim.lr_scheduler.StepLR, torch.utils.data.DataLoader\n"
        "torch.autograd.grad, torch.cuda.is_available, torch.backends.cudnn.benchmark\n"
        "torch.backends.mps.is_available, torch.amp.autocast, torch.cuda.amp.GradScaler\n"
        "torch.distributed.is_available, torch.version.cuda, torch.__version__\n"
        "torch.compile, torch.set_float32_matmul_precision, torch.accelerator.is_available\n"
        "torch.use_deterministic_algorithms, torch.linalg, torch.save, torch.load\n"
    )
    result = subprocess.run([sys.executable, "-c", code], **in_source())
    assert result.returncode == 0, result.stderr


def test_import_loads_nothing_heavy():
    code = "import json, sys, lampion; print(json.dumps(sorted(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], **in_source())
    assert result.returncode == 0, result.stderr
    loaded = set(json.loads(result.stdout))
    assert "numpy" in loaded
    assert not loaded & set(HEAVY)


def in_source():
    return {"cwd": SOURCE, "capture_output": True, "text": True, "timeout": 60}


def test_the_version_is_written_once():
    text = (SOURCE.parent / "pyproject.toml").read_text(encoding="utf-8")
    assert f'version = "{lampion.version.__version__}"' in text
    assert lampion.__version__ == lampion.version.__version__
