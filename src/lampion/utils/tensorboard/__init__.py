"""Logs that TensorBoard shows, under the names of `torch.utils.tensorboard`.

`SummaryWriter` writes TensorBoard's event files without TensorBoard: a file is a row of records
with checksums (records.py), each a protocol buffer (wire.py) that says when, at which step, and
what (summary.py). `tensorboard --logdir runs` shows them, where it is installed; `read_events`
reads them back without it.
"""

from .records import read_records
from .summary import read_events
from .writer import FileWriter, SummaryWriter

__all__ = ["FileWriter", "SummaryWriter", "read_events", "read_records"]
