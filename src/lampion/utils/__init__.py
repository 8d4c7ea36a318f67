"""Helpers under the names that PyTorch programs use."""

from lampion.utils import data

__all__ = ["data"]
