"""`lampion.data` under the name that PyTorch programs use."""

from lampion.data import *  # noqa: F403
from lampion.data import __all__ as __all__
from lampion.data.sampler import DistributedSampler as DistributedSampler
from lampion.utils.data import _utils as _utils
from lampion.utils.data import dataloader as dataloader
from lampion.utils.data import dataset as dataset
from lampion.utils.data import distributed as distributed
from lampion.utils.data import sampler as sampler
