"""`torch.distributed`: a group of one process.

Programs written for several processes run as the only one of them: every collective gives what it
gives in a group of one. More processes are refused.

Example:
    >>> import lampion as torch
    >>> torch.distributed.is_initialized()
    False
"""

from __future__ import annotations

import os
from typing import Any

from lampion.errors import StateError, UnsupportedError

__all__ = [
    "ReduceOp", "all_gather", "all_gather_object", "all_reduce", "barrier", "broadcast",
    "broadcast_object_list", "destroy_process_group", "gather", "get_backend", "get_rank",
    "get_world_size", "init_process_group", "is_available", "is_gloo_available", "is_initialized",
    "is_mpi_available", "is_nccl_available", "is_torchelastic_launched", "new_group", "reduce",
    "scatter",
]

_group: dict[str, str] = {}


class ReduceOp:
    """How `all_reduce` brings the processes' tensors together: of one process all are the same."""

    SUM, AVG, PRODUCT, MIN, MAX = "sum", "avg", "product", "min", "max"
    BAND, BOR, BXOR = "band", "bor", "bxor"


def is_available() -> bool:
    """Return True: a group of one process."""
    return True


def is_initialized() -> bool:
    """Return whether `init_process_group` was called."""
    return bool(_group)


def is_gloo_available() -> bool:
    """Return False: there is no other process to talk to."""
    return False


is_nccl_available = is_mpi_available = is_torchelastic_launched = is_gloo_available


def init_process_group(backend: str | None = None, init_method: str | None = None,
                       timeout: Any = None, world_size: int = -1, rank: int = -1,
                       **options: Any) -> None:
    """Begin a group of one process.

    Args:
        backend: its name, for `get_backend`.
        world_size: number of processes; of the environment's WORLD_SIZE if not given.
        rank: number of this process; of the environment's RANK if not given.
        init_method, timeout, options: PyTorch's: accepted, not used.

    Raises:
        UnsupportedError: more than one process.
        StateError: the group exists already.
    """
    if _group:
        raise StateError("trying to initialize the default process group twice!")
    size = world_size if world_size > 0 else int(os.environ.get("WORLD_SIZE", "1"))
    place = rank if rank >= 0 else int(os.environ.get("RANK", "0"))
    if size != 1 or place != 0:
        raise UnsupportedError(
            f"torch.distributed: a group of {size} processes", why="lampion runs in one process",
            fix="world_size=1, and torch.set_num_threads(n) for more cores")
    _group["backend"] = backend or "gloo"


def destroy_process_group(group: Any = None) -> None:
    """End the group."""
    _group.clear()


def _check() -> None:
    if not _group:
        raise StateError("Default process group has not been initialized, please make sure to call "
                         "init_process_group.",
                         fix='torch.distributed.init_process_group("gloo", world_size=1, rank=0)')


def new_group(ranks: Any = None, *args: Any, **options: Any) -> None:
    """Return the group of this one process."""
    _check()


def get_backend(group: Any = None) -> str:
    """Return the name that `init_process_group` was given."""
    _check()
    return _group["backend"]


def get_rank(group: Any = None) -> int:
    """Return 0: the number of the only process."""
    _check()
    return 0


def get_world_size(group: Any = None) -> int:
    """Return 1."""
    _check()
    return 1


def barrier(group: Any = None, async_op: bool = False, device_ids: Any = None) -> None:
    """Wait for all processes: there is no other."""
    _check()


def all_reduce(tensor: Any, op: Any = ReduceOp.SUM, group: Any = None,
               async_op: bool = False) -> None:
    """Bring the tensors of all processes together, in place: one tensor stays as it is."""
    _check()


def reduce(tensor: Any, dst: int = 0, op: Any = ReduceOp.SUM, group: Any = None,
           async_op: bool = False) -> None:
    """Bring the tensors of all processes together in one of them: it stays as it is."""
    _check()


def broadcast(tensor: Any, src: int = 0, group: Any = None, async_op: bool = False) -> None:
    """Copy a tensor of one process to all: it stays as it is."""
    _check()


def broadcast_object_list(object_list: list, src: int = 0, group: Any = None,
                          device: Any = None) -> None:
    """Copy objects of one process to all: they stay as they are."""
    _check()


def all_gather(tensor_list: list, tensor: Any, group: Any = None, async_op: bool = False) -> None:
    """Copy the tensors of all processes into a list of tensors."""
    _check()
    tensor_list[0].copy_(tensor)


def gather(tensor: Any, gather_list: list | None = None, dst: int = 0, group: Any = None,
           async_op: bool = False) -> None:
    """Copy the tensors of all processes into a list of tensors of one process."""
    _check()
    if gather_list:
        gather_list[0].copy_(tensor)


def scatter(tensor: Any, scatter_list: list | None = None, src: int = 0, group: Any = None,
            async_op: bool = False) -> None:
    """Copy to each process its tensor of a list."""
    _check()
    if scatter_list:
        tensor.copy_(scatter_list[0])


def all_gather_object(object_list: list, obj: Any, group: Any = None) -> None:
    """Put the objects of all processes into a list."""
    _check()
    object_list[0] = obj
