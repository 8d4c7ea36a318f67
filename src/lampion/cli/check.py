"""Compares the PyTorch names that a program uses with those that lampion has."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType

from lampion.cli.alias import counterpart
from lampion.cli.scan import Use

# Where the nearest name is looked for when the module itself has nothing like it.
NEIGHBOURS = (
    "lampion",
    "lampion.nn",
    "lampion.nn.functional",
    "lampion.nn.init",
    "lampion.nn.utils",
    "lampion.optim",
    "lampion.optim.lr_scheduler",
    "lampion.utils.data",
    "lampion.autograd",
    "lampion.linalg",
    "lampion.vision",
    "lampion.vision.transforms",
    "lampion.vision.datasets",
    "lampion.models.as_torchvision",
    "lampion.text.data.utils",
    "lampion.text.vocab",
    "lampion.text.transforms",
)


@dataclass(frozen=True)
class Missing:
    """A name that lampion does not have: the shortest missing prefix of what the program wrote."""

    name: str
    use: Use
    nearest: str

    @property
    def harmless(self) -> str:
        """Why the program can do without the name, or an empty text."""
        if self.use.guard:
            return self.use.guard
        if self.use.store and self.name == self.use.name:
            return "a setting that lampion does not read"
        return ""


def missing_names(uses: Iterable[Use]) -> list[Missing]:
    """Return the uses whose name lampion lacks, one entry per name and line.

    Example:
        >>> found = missing_names([Use("torch.nn.Linaer", "net.py", 3)])
        >>> [(item.name, item.nearest) for item in found]
        [('torch.nn.Linaer', 'lampion.nn.Linear')]
    """
    known: dict[str, str] = {}
    found: dict[tuple[str, str, int], Missing] = {}
    for use in uses:
        if use.name not in known:
            known[use.name] = missing_prefix(use.name)
        name = known[use.name]
        if name:
            found.setdefault((name, use.file, use.line), Missing(name, use, nearest_name(name)))
    return list(found.values())


def missing_prefix(name: str) -> str:
    """Return the shortest prefix of a dotted `torch...` name that lampion lacks, or ''."""
    parts = name.split(".")
    here: object = importlib.import_module(counterpart(parts[0]))
    for index, part in enumerate(parts[1:], start=1):
        found, here = _member(here, counterpart(".".join(parts[: index + 1])), part)
        if not found:
            return ".".join(parts[: index + 1])
        if not isinstance(here, ModuleType) and not inspect.isclass(here):
            return ""  # what hangs on a function or a value is not looked into
    return ""


def _member(owner: object, dotted: str, part: str) -> tuple[bool, object]:
    if hasattr(owner, part):
        return True, getattr(owner, part)
    is_package = isinstance(owner, ModuleType) and hasattr(owner, "__path__")
    if is_package and importlib.util.find_spec(dotted) is not None:
        return True, importlib.import_module(dotted)
    return False, None


def nearest_name(name: str) -> str:
    """Return the lampion name most like a missing `torch...` name, or '' when none is close."""
    last = name.rpartition(".")[2]
    parent = counterpart(name.rpartition(".")[0])
    best: tuple[float, str] = (0.0, "")
    for position, place in enumerate((parent, *NEIGHBOURS)):
        members: dict[str, list[str]] = {}
        for member in _public_names(place):
            members.setdefault(member.lower(), []).append(member)
        for close in difflib.get_close_matches(last.lower(), members, n=1, cutoff=0.75):
            likeness = difflib.SequenceMatcher(None, last.lower(), close).ratio()
            likeness += 0.1 if position == 0 else 0.0  # the same module is the likelier meaning
            # Of `nn.Linear` and `nn.linear`, that which begins as the wanted name does.
            member = min(members[close], key=lambda name: name[0].isupper() != last[0].isupper())
            best = max(best, (likeness, f"{place}.{member}"), key=lambda pair: pair[0])
    return best[1]


def _public_names(module: str) -> list[str]:
    try:
        return [name for name in dir(importlib.import_module(module)) if not name.startswith("_")]
    except ImportError:
        return []


def report(script: str, missing: list[Missing]) -> Iterator[str]:
    """Yield the lines that tell the user what is missing, where, and what is nearest to it."""
    needed = [item for item in missing if not item.harmless]
    harmless = [item for item in missing if item.harmless]
    where = {id(item): f"{item.use.file}:{item.use.line}" for item in missing}
    width = max((len(text) for text in where.values()), default=0)
    if needed:
        names = len({item.name for item in needed})
        yield f"{script} uses {names} name{'s' * (names > 1)} that lampion does not have:"
        for item in needed:
            nearest = f"   nearest: {item.nearest}" if item.nearest else ""
            yield f"  {where[id(item)]:<{width}}  {item.name}{nearest}"
    if harmless:
        yield "Missing, but harmless here:"
        for item in harmless:
            yield f"  {where[id(item)]:<{width}}  {item.name}   {item.harmless}"
