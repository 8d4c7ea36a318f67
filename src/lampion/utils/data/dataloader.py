"""`torch.utils.data.dataloader`, as some programs import it."""

from lampion.data import DataLoader, default_collate, default_convert, get_worker_info

__all__ = ["DataLoader", "default_collate", "default_convert", "get_worker_info"]
