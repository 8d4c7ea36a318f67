"""Helpers under the names that PyTorch programs use."""

from lampion.utils import data, dlpack

__all__ = ["data", "dlpack"]
