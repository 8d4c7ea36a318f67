"""`lampion run script.py`: runs a PyTorch script with lampion in PyTorch's place.

Before anything runs, the names that the script takes from PyTorch are compared with lampion's.
The script then sees what it would see under `python script.py`: `sys.argv`, `sys.path[0]`,
`__name__ == "__main__"`, `__file__`, and its own exit status.
"""

from __future__ import annotations

import argparse
import builtins
import difflib
import importlib.machinery
import os
import sys
import tokenize
import traceback
from types import CodeType, ModuleType, TracebackType

from lampion.cli import alias, check, scan
from lampion.errors import LampionError

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
COMMAND = os.path.join(os.path.dirname(PACKAGE.rstrip(os.sep)), "lampion_command.py")
MISSING_NAMES = 2
INTERRUPTED = 130


def main(arguments: argparse.Namespace) -> int:
    """Check the script, then run it; return the exit status."""
    script = arguments.script
    problem = unreadable(script)
    if problem:
        print(f"lampion run: {problem}", file=sys.stderr)
        return MISSING_NAMES
    try:
        missing = check.missing_names(scan.uses_in_program(script))
        code = compile_script(script)
    except (SyntaxError, UnicodeDecodeError) as error:
        # As Python does: only the place in the script, none of the frames that read it.
        traceback.print_exception(type(error), error, None)
        return 1
    needed = [item for item in missing if not item.harmless]
    if (needed and not arguments.force) or arguments.check:
        for line in check.report(script, missing):
            print(line, file=sys.stderr)
        if not arguments.check:
            print(
                f"\nNothing was run. To run it all the same: lampion run --force {script}",
                file=sys.stderr,
            )
        elif not missing:
            print(f"{script}: lampion has every PyTorch name that it uses")
        return MISSING_NAMES if needed else 0
    alias.install()
    return execute(code, script, arguments.arguments, arguments.full_traceback)


def unreadable(script: str) -> str:
    """Return why a script cannot be run, or an empty text."""
    if os.path.isdir(script):
        return f"{script} is a folder; give the Python file to run"
    if not os.path.exists(script):
        folder = os.path.dirname(script) or "."
        if not os.path.isdir(folder):
            return f"there is no file {script} (there is no folder {folder})"
        with os.scandir(folder) as entries:
            scripts = sorted(entry.name for entry in entries if entry.name.endswith(".py"))
        close = difflib.get_close_matches(os.path.basename(script), scripts, n=3)
        hint = ", ".join(os.path.join(os.path.dirname(script), name) for name in close)
        return f"there is no file {script}" + (f"; did you mean {hint}?" if hint else "")
    if not os.access(script, os.R_OK):
        return f"{script} may not be read (permissions)"
    return ""


def compile_script(script: str) -> CodeType:
    """Compile the script as Python does for its main program."""
    with tokenize.open(script) as stream:
        return compile(stream.read(), script, "exec", dont_inherit=True)


def execute(code: CodeType, script: str, arguments: list[str], full_traceback: bool) -> int:
    """Run compiled code as the main program; return the exit status."""
    path = os.path.abspath(script)
    main_module = ModuleType("__main__")
    main_module.__dict__.update(
        __file__=path,
        __builtins__=builtins,
        __loader__=importlib.machinery.SourceFileLoader("__main__", path),
        __cached__=None,
    )
    sys.modules["__main__"] = main_module
    sys.argv = [script, *arguments]
    if not sys.flags.safe_path:
        sys.path[0] = os.path.dirname(os.path.realpath(script))
    try:
        exec(code, main_module.__dict__)  # the user's own program: running it is the command
    except SystemExit:
        raise  # its status and message are Python's business
    except BaseException as error:
        show(error, full_traceback)
        return INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1
    return 0


def show(error: BaseException, full_traceback: bool) -> None:
    """Print an exception with the user's frames only, unless the fault may be lampion's."""
    if not full_traceback and not fault_of_lampion(error):
        strip(error, set())
    # A program may have set its own hook (for a log file, say): it gets the exception.
    sys.excepthook(type(error), error, error.__traceback__)
    if not full_traceback and fault_of_lampion(error):
        print(
            "\nThis error was raised inside lampion and is not one that lampion meant to raise: it "
            "may be a fault\nin lampion. Please report it with the output of `lampion info`.",
            file=sys.stderr,
        )


def fault_of_lampion(error: BaseException) -> bool:
    """Tell whether an exception arose in lampion's own code without lampion meaning it."""
    if isinstance(error, LampionError) or not isinstance(error, Exception):
        return False
    frames = list(traceback.walk_tb(error.__traceback__))
    if not frames:
        return False
    file = frames[-1][0].f_code.co_filename
    return file.startswith(PACKAGE) and not file.startswith(os.path.join(PACKAGE, "cli"))


def strip(error: BaseException, seen: set[int]) -> None:
    """Take lampion's frames out of an exception's traceback, and of those that led to it."""
    if id(error) in seen:
        return
    seen.add(id(error))
    kept: TracebackType | None = None
    entries = []
    entry = error.__traceback__
    while entry is not None:
        entries.append(entry)
        entry = entry.tb_next
    for entry in reversed(entries):
        if not is_ours(entry.tb_frame.f_code.co_filename):
            kept = TracebackType(kept, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    error.__traceback__ = kept
    for cause in (error.__cause__, error.__context__, *getattr(error, "exceptions", ())):
        if cause is not None:
            strip(cause, seen)


def is_ours(file: str) -> bool:
    """Tell whether a source file belongs to lampion or to Python's import machinery."""
    return file.startswith((PACKAGE, "<frozen importlib", "<frozen runpy")) or file == COMMAND
