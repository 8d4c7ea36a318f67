"""PyTorch's inner paths: `torch.nn.modules.batchnorm._BatchNorm` and the like.

Programs that subclass layers import from there. What each path holds is found in the files of
`lampion.nn` that the table names.
"""

from __future__ import annotations

import sys
import types
from importlib.machinery import ModuleSpec

from lampion.nn import (
    activation,
    attention,
    batchnorm,
    common,
    container,
    convolution,
    distance,
    dropout,
    embedding,
    hooks,
    lazy,
    linear,
    loss,
    margin_loss,
    module,
    normalization,
    padding,
    parameter_container,
    pooling,
    recurrent,
    recurrent_cells,
    shaping,
    state,
    transformer,
    transformer_layers,
)

# PyTorch's file: our files.
PLACES = {
    "activation": (activation, attention),
    "batchnorm": (batchnorm,),
    "channelshuffle": (shaping,),
    "container": (container, parameter_container),
    "conv": (convolution,),
    "distance": (distance,),
    "dropout": (dropout,),
    "flatten": (shaping,),
    "fold": (shaping,),
    "instancenorm": (batchnorm,),
    "lazy": (lazy,),
    "linear": (linear,),
    "loss": (loss, margin_loss),
    "module": (module, hooks, state),
    "normalization": (normalization,),
    "padding": (padding,),
    "pixelshuffle": (shaping,),
    "pooling": (pooling,),
    "rnn": (recurrent, recurrent_cells),
    "sparse": (embedding,),
    "transformer": (transformer, transformer_layers),
    "upsampling": (shaping,),
    "utils": (common,),
}


def _make(name: str, files: tuple[types.ModuleType, ...]) -> types.ModuleType:
    made = types.ModuleType(f"{__name__}.{name}", f"PyTorch's path `torch.nn.modules.{name}`.")
    for file in files:
        vars(made).update(
            (key, value) for key, value in vars(file).items() if not key.startswith("__"))
    made.__spec__ = ModuleSpec(made.__name__, None)  # what importlib looks for
    sys.modules[made.__name__] = made
    return made


globals().update({name: _make(name, files) for name, files in PLACES.items()})
Module = module.Module
