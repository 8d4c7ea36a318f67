"""`torch.utils.data._utils`, which programs reach into for its collate functions."""

from lampion.utils.data._utils import collate as collate
