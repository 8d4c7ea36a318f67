"""`torch.backends`: switches of other libraries' engines.

lampion has none of these engines, so `is_available()` answers False everywhere. Programs may set
the switches (`cudnn.benchmark = True`); nothing reads them.
"""

from lampion.backends import cuda, cudnn, mkl, mkldnn, mps, openmp

__all__ = ["cuda", "cudnn", "mkl", "mkldnn", "mps", "openmp"]
