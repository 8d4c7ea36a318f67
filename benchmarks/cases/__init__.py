"""Training steps and predictions to time, written once for PyTorch and lampion.

A case is a function of the library, passed in as `torch`, so that both run the very same lines.
"""

from . import (
    convolutional,
    dense,
    generative,
    inference,
    other,
    recurrent,
    segmentation,
    transformers,
)
from .case import CASES, Case, Program, Setting, set_weights

__all__ = [
    "CASES", "Case", "Program", "Setting", "convolutional", "dense", "generative", "inference",
    "other", "recurrent", "segmentation", "set_weights", "transformers",
]
