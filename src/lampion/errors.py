"""Every exception lampion raises, and how an error finds the user's line.

    LampionError
    ├── ShapeError            (RuntimeError)          shapes that do not fit together
    ├── DTypeError            (RuntimeError)          element types that do not fit
    │   └── DTypeOperationError (NotImplementedError)  an operation that a type does not have
    ├── GradientError         (RuntimeError)          backward that cannot work
    │   ├── InplaceError                              a value needed later was overwritten
    │   └── GradcheckError                            a gradient differs from finite differences
    ├── StateError            (RuntimeError)          an object used in the wrong state or order
    │   └── LinAlgError                               a matrix that has no such decomposition
    ├── ArgumentError         (ValueError)            an argument's value is outside its range
    │   ├── ArgumentRangeError (also RuntimeError)    the same, where PyTorch says RuntimeError
    │   ├── HeadsError         (also AssertionError)  features that attention heads cannot share
    │   └── ShapeArgumentError (also ShapeError)      shapes, where PyTorch says ValueError
    ├── ArgumentTypeError     (TypeError)             an argument is of the wrong kind
    ├── IndexRangeError       (IndexError)            an index outside its axis
    │   └── PositionRangeError (also RuntimeError)    the same, where PyTorch says RuntimeError
    ├── MissingAttributeError (AttributeError)        a part of an object that is not there (yet)
    ├── NameTakenError        (KeyError)              a name that a part of a module cannot have
    ├── StateDictError        (RuntimeError)          keys or shapes of a checkpoint do not fit
    ├── FileFormatError       (RuntimeError)          a file that is not what it should be
    ├── ExportError           (BufferError)           memory that cannot be lent
    ├── DeviceError           (AssertionError too)    a device that is not there
    ├── UnsupportedError      (NotImplementedError)   something lampion does not do
    └── MissingExtraError     (ImportError)           an optional package is not installed

Each class also derives from the builtin that PyTorch raises in the same place, so a program that
catches `RuntimeError`, `ValueError`, `TypeError` or `IndexError` works unchanged.

Example:
    >>> raise ShapeError("matmul: cannot multiply 2x3 by 2x3",
    ...     why="the last axis of the first (3) must equal the second-to-last of the second (2)",
    ...     fix="a @ b.T")
    Traceback (most recent call last):
    ...
    lampion.errors.ShapeError: matmul: cannot multiply 2x3 by 2x3
      why: the last axis of the first (3) must equal the second-to-last of the second (2)
      write instead: a @ b.T
"""

from __future__ import annotations

import os
import sys

# Python's own modules (copy, functools, contextlib, ...) are nobody's "user line" either.
LIBRARY = os.path.dirname(os.path.abspath(os.__file__)) + os.sep
PACKAGE = os.path.dirname(os.path.abspath(__file__)) + os.sep
COMMAND = os.path.join(PACKAGE, "cli") + os.sep
# Frames of the interpreter's own machinery are nobody's "user line".
MACHINERY = ("<frozen", "<doctest")


def user_location() -> str | None:
    """Return `file:line` of the innermost frame outside the lampion package, or None."""
    frame = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        if not file.startswith(PACKAGE) and not _is_machinery(file):
            return f"{os.path.relpath(file) if _is_below(file) else file}:{frame.f_lineno}"
        frame = frame.f_back  # type: ignore[assignment]
    return None


def _is_machinery(file: str) -> bool:
    if file.startswith(MACHINERY):
        return True
    return file.startswith(LIBRARY) and "-packages" not in file


def _is_below(file: str) -> bool:
    try:
        return os.path.abspath(file).startswith(os.getcwd() + os.sep)
    except OSError:  # the working directory was removed
        return False


class LampionError(Exception):
    """Root of all lampion errors: says what was given, why it cannot work, what to write.

    Args:
        what: what was given, with names and shapes.
        why: the rule that the input broke.
        fix: what to write instead.
        location: `file:line` of the user's code; found by itself when not given.
    """

    def __init__(
        self, what: str, why: str | None = None, fix: str | None = None,
        location: str | None = None,
    ):
        self.what, self.why, self.fix = what, why, fix
        self.location = location or user_location()
        self.layer: str | None = None  # filled in by Module on the way out
        super().__init__(what)

    def __str__(self) -> str:
        lines = [self.what]
        if self.why:
            lines.append(f"  why: {self.why}")
        if self.fix:
            lines.append(f"  write instead: {self.fix}")
        if self.layer:
            lines.append(f"  in layer: {self.layer}")
        if self.location:
            lines.append(f"  at: {self.location}")
        return "\n".join(lines)

    def __reduce__(self):
        return type(self), (self.what, self.why, self.fix, self.location), {"layer": self.layer}


class ShapeError(LampionError, RuntimeError):
    """Shapes that do not fit together."""


class DTypeError(LampionError, RuntimeError):
    """Element types that do not fit together."""


class DTypeOperationError(DTypeError, NotImplementedError):
    """An operation that an element type does not have, such as a product of booleans."""


class GradientError(LampionError, RuntimeError):
    """A backward pass that cannot be made."""


class InplaceError(GradientError):
    """A value that a later backward needs was, or would be, overwritten."""


class GradcheckError(GradientError):
    """A gradient that differs from central differences."""


class StateError(LampionError, RuntimeError):
    """An object used in the wrong state or order."""


class LinAlgError(StateError):
    """A matrix without the inverse, solution or decomposition asked for (`linalg.LinAlgError`)."""


class ArgumentError(LampionError, ValueError):
    """An argument whose value is outside its range."""


class ArgumentRangeError(ArgumentError, RuntimeError):
    """An argument outside its range, where PyTorch raises RuntimeError."""


class HeadsError(ArgumentError, AssertionError):
    """Features that attention heads cannot share (PyTorch: an assertion)."""


class ShapeArgumentError(ShapeError, ArgumentError):
    """Shapes that do not fit together, where PyTorch raises ValueError."""


class ArgumentTypeError(LampionError, TypeError):
    """An argument of the wrong kind."""


class IndexRangeError(LampionError, IndexError):
    """An index outside its axis."""


class MissingAttributeError(LampionError, AttributeError):
    """A part of an object that is not there, or not there yet."""


class NameTakenError(LampionError, KeyError):
    """A name that a parameter, buffer or submodule cannot have."""


class PositionRangeError(IndexRangeError, RuntimeError):
    """An index outside its axis, where PyTorch raises RuntimeError."""


class StateDictError(LampionError, RuntimeError):
    """Keys or shapes of a checkpoint that do not fit the object."""


class FileFormatError(LampionError, RuntimeError):
    """A file that is not what it should be."""


class DeviceError(LampionError, RuntimeError, AssertionError):
    """A device that this machine, or lampion, does not have (PyTorch: either builtin)."""


class ExportError(LampionError, BufferError):
    """Memory that cannot be lent to another library."""


class UnsupportedError(LampionError, NotImplementedError):
    """Something lampion does not do."""


class MissingExtraError(LampionError, ImportError):
    """An optional package that is not installed."""


def shape_text(shape) -> str:
    """Write a shape as people read it: `32x784`, or `scalar` for no axes.

    Example:
        >>> shape_text((32, 784)), shape_text(())
        ('32x784', 'scalar')
    """
    return "x".join(str(n) for n in shape) if len(shape) else "scalar"
