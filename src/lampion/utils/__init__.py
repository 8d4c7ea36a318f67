"""Helpers under the names that PyTorch programs use."""

from lampion.utils import checkpoint, data, dlpack

__all__ = ["checkpoint", "data", "dlpack"]
