"""The version of lampion, and of the PyTorch interface that it follows."""

__version__ = "0.1.0"
torch_interface = "2.13"  # the PyTorch release whose names, arguments and results are meant
git_version = "unknown"
debug = False
# Built for none of these:
cuda: str | None = None
hip: str | None = None
xpu: str | None = None
