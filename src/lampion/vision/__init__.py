"""Pictures: transforms, data sets, operations on boxes, reading, writing and showing them.

The names are torchvision's: `transforms`, `datasets`, `ops`, `utils`, `io`.
"""

from lampion.version import __version__ as __version__
from lampion.vision import datasets, io, ops, transforms, utils
from lampion.vision.mnist import MNIST
from lampion.vision.pictures import read_picture, write_png

__all__ = ["MNIST", "datasets", "io", "ops", "read_picture", "transforms", "utils", "write_png"]
