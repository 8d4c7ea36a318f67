"""Helpers under the names that PyTorch programs use."""
