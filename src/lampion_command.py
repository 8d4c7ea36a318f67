"""The `lampion` command: reads the command line before it loads the library.

It lies outside the package because importing anything inside `lampion` first imports `lampion`, and
with it NumPy. `lampion --help` needs neither. Each command is a module of `lampion.cli` with one
function `main(arguments) -> exit status`, loaded when it is called.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

COMMANDS = {"info": "lampion.cli.info", "run": "lampion.cli.run"}


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    root = argparse.ArgumentParser(
        prog="lampion",
        description="lampion: PyTorch's way of writing neural networks, small and see-through.",
    )
    commands = root.add_subparsers(dest="command", metavar="command", required=True)

    commands.add_parser(
        "info",
        help="show versions, processor, threads, settings (for bug reports)",
        description="Show what lampion runs on: paste it into a bug report.",
    )

    run = commands.add_parser(
        "run",
        help="run a PyTorch script: `import torch` means lampion",
        description="Run a script written for PyTorch, unchanged: `import torch` means lampion. "
        "Names that lampion does not have are listed before anything runs (exit status 2).",
    )
    run.add_argument("--force", action="store_true", help="run even where names are missing")
    run.add_argument("--check", action="store_true", help="only list missing names, run nothing")
    run.add_argument(
        "--full-traceback",
        action="store_true",
        help="show lampion's own frames in tracebacks too",
    )
    run.add_argument("script", help="the Python file to run")
    run.add_argument(
        "arguments", nargs=argparse.REMAINDER, help="arguments of the script, passed on as they are"
    )
    return root


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that `argv` (default: `sys.argv[1:]`) names; return the exit status."""
    arguments = parser().parse_args(sys.argv[1:] if argv is None else argv)
    return importlib.import_module(COMMANDS[arguments.command]).main(arguments)


if __name__ == "__main__":
    sys.exit(main())
