"""Optimizers and learning-rate schedules, under PyTorch's names."""

from lampion.optim import lr_scheduler as lr_scheduler
from lampion.optim import optimizer as optimizer
from lampion.optim import swa_utils as swa_utils
from lampion.optim.adadelta import Adadelta
from lampion.optim.adafactor import Adafactor
from lampion.optim.adagrad import Adagrad
from lampion.optim.adam import Adam
from lampion.optim.adamax import Adamax
from lampion.optim.adamw import AdamW
from lampion.optim.asgd import ASGD
from lampion.optim.lbfgs import LBFGS
from lampion.optim.muon import Muon
from lampion.optim.nadam import NAdam
from lampion.optim.optimizer import Optimizer
from lampion.optim.radam import RAdam
from lampion.optim.rmsprop import RMSprop
from lampion.optim.rprop import Rprop
from lampion.optim.sgd import SGD

__all__ = [
    "ASGD", "LBFGS", "SGD", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax",
    "Muon", "NAdam", "Optimizer", "RAdam", "RMSprop", "Rprop", "lr_scheduler", "swa_utils",
]
