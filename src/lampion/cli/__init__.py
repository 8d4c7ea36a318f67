"""The commands: `lampion info` and `lampion run`; the command line itself is `lampion_command`."""

from lampion_command import main

__all__ = ["main"]
