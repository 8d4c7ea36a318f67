"""Tables of what `run.py` measured."""

from __future__ import annotations

import math
import platform
import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any


@dataclass
class Way:
    """One way to run a case, over all rounds.

    Attributes:
        step: seconds of a step, the median.
        memory: growth after the import, at its peak, in MiB.
        cold, warm: seconds from the start of the process to the end of the first step, in the
            first process and in the later ones (None where there was only one).
    """

    step: float
    memory: float
    cold: float
    warm: float | None


@dataclass
class Row:
    """One case.

    Attributes:
        trouble: why it was not timed, "" where it was.
        ways: "lampion", PyTorch by threads, "kept" and "compiled".
    """

    name: str
    text: str
    training: bool
    reference: float | None
    trouble: str = ""
    ways: dict[str, Way] = field(default_factory=dict)

    def add(self, way: str, results: list[dict[str, Any]]) -> None:
        """Enter the results of all rounds."""
        firsts = [r["first"] for r in results]
        self.ways[way] = Way(
            statistics.median(r["median"] for r in results),
            statistics.median(r["memory"] for r in results), firsts[0],
            statistics.median(firsts[1:]) if firsts[1:] else None)

    def peer(self, way: str = "threads") -> Way | None:
        """Return a way of PyTorch; "threads" for the number of threads that is faster."""
        if way != "threads":
            return self.ways.get(way)
        found = [w for name, w in self.ways.items() if name.startswith("threads")]
        return min(found, key=lambda w: w.step, default=None)

    def ratio(self, way: str = "threads") -> float | None:
        """Return PyTorch's time for a step divided by lampion's; above 1 lampion is faster."""
        peer, ours = self.peer(way), self.ways.get("lampion")
        return None if peer is None or ours is None else peer.step / ours.step

    def figures(self) -> dict[str, Any]:
        """Return everything as plain numbers."""
        return {"case": self.name, "trouble": self.trouble, "ratio": self.ratio(),
                "reference": self.reference,
                "ways": {name: vars(way) for name, way in self.ways.items()}}


def geometric_mean(ratios: Sequence[float]) -> float:
    """Return the geometric mean.

    Example:
        >>> geometric_mean([0.5, 2.0])
        1.0
    """
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


# Of the source beside these benchmarks, where lampion is not installed.
VERSION = re.search(r'__version__ = "(.*)"', (
    Path(__file__).resolve().parent.parent / "src" / "lampion" / "version.py"
).read_text(encoding="utf-8"))[1]  # type: ignore[index]
HEADINGS = ("case", "PyTorch", "kept", "lampion", "ratio", "to kept", "memory", "PyTorch", "kept",
            "cold", "warm", "PyTorch")
UNITS = ("", "ms/step", "ms/step", "ms/step", "", "", "MiB", "MiB", "MiB", "1st, s", "1st, s",
         "1st, s")


def _number(value: float | None) -> str:
    """Return three digits that count."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.3f}" if value < 1 else f"{value:.3g}"


def cells(row: Row) -> list[str]:
    """Return what stands in a row of the table."""
    if row.trouble:
        return [row.name, row.trouble]
    ours, peer, kept = row.ways["lampion"], row.peer(), row.peer("kept")

    def milliseconds(way: Way | None) -> str:
        return _number(None if way is None else way.step * 1e3)

    def memory(way: Way | None) -> str:
        return "-" if way is None else f"{way.memory:.0f}"

    first = None if peer is None else peer.cold if peer.warm is None else peer.warm
    return [row.name, milliseconds(peer), milliseconds(kept), milliseconds(ours),
            _number(row.ratio()), _number(row.ratio("kept")), memory(ours), memory(peer),
            memory(kept), _number(ours.cold), _number(ours.warm), _number(first)]


def summary_lines(rows: list[Row]) -> list[str]:
    """Return the geometric means, and which cases could not be timed."""
    lines = []
    for title, kinds in (("training", (True,)), ("prediction", (False,)), ("all", (True, False))):
        chosen = [row for row in rows if row.training in kinds]
        means = []
        for way, name in (("threads", "PyTorch"), ("kept", "PyTorch with kept memory"),
                          ("compiled", "torch.compile")):
            ratios = [r for r in (row.ratio(way) for row in chosen) if r is not None]
            if ratios:
                means.append(f"{geometric_mean(ratios):.2f} times the speed of {name} "
                             f"({min(ratios):.2f} to {max(ratios):.2f}, {len(ratios)} cases)")
        if means:
            lines.append(f"{title}: {'; '.join(means)}")
    missing = [row.name for row in rows if row.trouble]
    if missing:
        lines.append(f"not timed: {', '.join(missing)}")
    return lines


def text(rows: list[Row], heading: bool = False, summary: list[Row] | None = None) -> str:
    """Return rows as columns of text, with a heading or a summary."""
    lines = [machine(), ""] if heading else []
    for parts in [*((HEADINGS, UNITS) if heading else ()), *map(cells, rows)]:
        if len(parts) == 2:  # a case that was not timed, and why
            lines.append(f"{parts[0]:<22}{parts[1]}")
        else:
            lines.append(f"{parts[0]:<22}" + "".join(f"{part:>10}" for part in parts[1:]))
    if summary is not None:
        lines += ["", *summary_lines(summary)]
    return "\n".join(lines)


def markdown(rows: list[Row]) -> str:
    """Return the table and its summary as Markdown."""
    lines = [machine(), "",
             "| case | PyTorch, ms/step | with kept memory | lampion | ratio | to kept "
             "| lampion, MiB | PyTorch | with kept memory "
             "| lampion, first step cold, s | warm | PyTorch |",
             "|---" * len(HEADINGS) + "|"]
    for row in rows:
        parts = cells(row)
        if row.trouble:
            parts += [""] * (len(HEADINGS) - len(parts))
        lines.append("| " + " | ".join([f"{parts[0]}: {row.text}", *parts[1:]]) + " |")
    return "\n".join([*lines, "", *(f"- {line}" for line in summary_lines(rows))])


BEGIN, END = "<!-- measured -->", "<!-- end of what was measured -->"


def inserted(page: str, table: str) -> str:
    """Return a page with the table between its marks; the table alone where there are none."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return table + "\n"
    return f"{before}{begin}\n\n{table}\n\n{end}{after}"


def machine() -> str:
    """Return what the figures were measured with."""
    versions = []
    for name in ("lampion", "torch", "numpy", "llvmlite"):
        try:
            versions.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            versions.append(f"{name} {VERSION if name == 'lampion' else 'not installed'}")
    return f"{_processor()}, Python {platform.python_version()}, {', '.join(versions)}"


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
