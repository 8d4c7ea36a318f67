"""`torchvision.transforms.transforms`, as some programs import it."""

from lampion.vision.transforms.basic import *  # noqa: F403
from lampion.vision.transforms.colour import *  # noqa: F403
from lampion.vision.transforms.compose import *  # noqa: F403
from lampion.vision.transforms.geometric import *  # noqa: F403
