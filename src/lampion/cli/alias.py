"""Makes `import torch` mean lampion, for programs that are not to be changed.

`torch.x.y` and `lampion.x.y` become one and the same module object, so a class reached by either
name is the same class; `torchvision` becomes `lampion.vision` with the models of `lampion.models`,
and `torchtext` becomes `lampion.text`.

Example:
    >>> alias = TorchAlias()
    >>> alias.find_spec("torch.nn", None).name
    'torch.nn'
    >>> alias.find_spec("numpy", None) is None
    True
"""

from __future__ import annotations

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from types import ModuleType

# Packages made of PyTorch's own machinery: with lampion in its place they fail in confusing ways.
BUILT_ON_TORCH = (
    "torchaudio",
    "torchmetrics",
    "torch_geometric",
    "pytorch_lightning",
    "lightning",
    "timm",
)


# PyTorch's packages -> lampion's modules; of several that fit, the first counts.
COUNTERPARTS = (
    ("torchvision.models.", "lampion.models."),
    ("torchvision.models", "lampion.models.as_torchvision"),
    ("torchvision", "lampion.vision"),
    ("torchtext", "lampion.text"),
    ("torch", "lampion"),
)
# What `import torchvision` alone gives, and does not lie inside its counterpart.
OUTSIDE = {"torchvision": ("models",)}
ROOTS = ("torch", "torchvision", "torchtext")


def counterpart(name: str) -> str:
    """Return the lampion name of a dotted `torch...` or `torchvision...` name.

    Example:
        >>> counterpart("torch.nn"), counterpart("torchvision.ops.nms")
        ('lampion.nn', 'lampion.vision.ops.nms')
        >>> counterpart("torchvision.models"), counterpart("torchvision.models.vgg")
        ('lampion.models.as_torchvision', 'lampion.models.vgg')
    """
    for theirs, ours in COUNTERPARTS:
        if name == theirs or name.startswith(theirs if theirs[-1] == "." else theirs + "."):
            return ours + name[len(theirs):]
    return name


class TorchAlias(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds `torch` and every `torch.x` as `lampion` and `lampion.x`; others likewise."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Return a spec for what has a counterpart; None for anything else."""
        root = fullname.partition(".")[0]
        if root in BUILT_ON_TORCH:
            raise ModuleNotFoundError(
                f"{root} is built on PyTorch itself and cannot use lampion in its place",
                name=fullname,
            )
        if root not in ROOTS:
            return None
        original = counterpart(fullname)
        found = importlib.util.find_spec(original)
        if found is None:
            raise ModuleNotFoundError(
                f"lampion has no module {original}, so {fullname} cannot be imported", name=fullname
            )
        is_package = found.submodule_search_locations is not None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=is_package)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Return the lampion module that `spec` stands for."""
        module = importlib.import_module(counterpart(spec.name))
        # The import system will write `spec` over the module's own; `exec_module` puts it back.
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it is: it was executed under its own name."""
        if module.__spec__ is not None:
            name = module.__spec__.name
            module.__spec__ = module.__spec__.loader_state
            for inside in OUTSIDE.get(name, ()):
                setattr(module, inside, importlib.import_module(f"{name}.{inside}"))


def install() -> TorchAlias:
    """Make `import torch` mean lampion from here on, in this process."""
    alias = TorchAlias()
    sys.meta_path.insert(0, alias)
    return alias
