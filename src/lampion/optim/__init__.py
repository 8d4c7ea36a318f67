"""Optimizers and learning-rate schedules, under PyTorch's names."""

from lampion.optim.adam import Adam
from lampion.optim.adamw import AdamW
from lampion.optim.optimizer import Optimizer
from lampion.optim.sgd import SGD

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]
