"""Statements and programs, and how they print."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

READ = "read()"
PRELUDE = "import copy\nfrom math import inf, nan\n\nimport {library}\n"
NAME = re.compile(r"\bx\d+\b")


@lru_cache(maxsize=20_000)
def names_in(source: str) -> tuple[str, ...]:
    """Return the variables (x0, x1, ...) that a source line mentions, each once."""
    return tuple(dict.fromkeys(NAME.findall(source)))


@dataclass(frozen=True)
class Statement:
    """One line of a program, or the head of a block with its body.

    Args:
        kind: the template it was made from; failures and coverage are counted by it.
        source: the line of Python.
        guards: names of the checks (guards.py) that must pass before it is run.
        target: the expression that the statement writes into, where it writes in place.
        operands: the other tensors it mentions, as expressions.
        body: the statements of a block; empty for a plain line.
    """

    kind: str
    source: str
    guards: tuple[str, ...] = ()
    target: str = ""
    operands: tuple[str, ...] = ()
    body: tuple[Statement, ...] = ()

    @property
    def is_block(self) -> bool:
        return self.source.endswith(":")


@dataclass(frozen=True)
class Program:
    """Statements in order.

    Args:
        statements: the lines and blocks.
        seed: what it was grown from, for the report.
    """

    statements: tuple[Statement, ...]
    seed: int | None = None

    def with_statements(self, statements: tuple[Statement, ...]) -> Program:
        return replace(self, statements=statements)

    def __len__(self) -> int:
        return sum(1 for _ in walk(self.statements))

    def __str__(self) -> str:
        return "\n".join(lines(self.statements))

    __repr__ = __str__

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        """Print as source where hypothesis shows a failing example."""
        printer.text("\n" + str(self) + "\n")


def walk(statements: tuple[Statement, ...]) -> Iterator[Statement]:
    """Yield each statement, a block before its body."""
    for statement in statements:
        yield statement
        yield from walk(statement.body)


def lines(statements: tuple[Statement, ...], indent: str = "") -> Iterator[str]:
    """Yield the program's lines as a reader would write them."""
    for statement in statements:
        yield indent + statement.source
        if statement.is_block:
            yield from lines(statement.body, indent + "    ")
            if not statement.body:
                yield indent + "    pass"


def script(program: Program, raising: frozenset[str], library: str = "torch") -> str:
    """Write a program as a script that runs alone and prints its variables.

    Args:
        program: what to write.
        raising: source lines that may raise: each is put in a `try`.
        library: what to import as `torch`.
    """
    head = PRELUDE.format(library="torch" if library == "torch" else f"{library} as torch")
    body: list[str] = []
    names: dict[str, None] = {}
    for line in lines(program.statements):
        indent, text = re.match(r"( *)(.*)", line).groups()  # type: ignore[union-attr]
        if text == READ:
            text = "print(" + ", ".join(names) + ")"
        elif text in raising and not text.endswith(":"):
            body += [f"{indent}try:", f"{indent}    {text}", f"{indent}except Exception as error:"]
            text = "    print(type(error), error)"
        else:
            names.update(dict.fromkeys(names_in(text)))
        body.append(indent + text)
    body.append(f"for value in ({''.join(name + ', ' for name in names)}):")
    body.append("    print(value, getattr(value, 'grad', None))")
    return head + "\n" + "\n".join(body) + "\n"
