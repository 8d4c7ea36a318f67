"""Making a failing program small by deleting statements while it keeps failing the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from .program import Program, Statement

Statements = tuple[Statement, ...]


def smaller(statements: Statements) -> Iterator[Statements]:
    """Yield versions with one thing less, large steps first and later statements first."""
    for size in (8, 4, 2):
        for start in range(len(statements) - size, -1, -size):
            yield statements[:start] + statements[start + size:]
    for i in range(len(statements) - 1, -1, -1):
        before, statement, after = statements[:i], statements[i], statements[i + 1:]
        yield before + after
        if statement.is_block:
            yield before + statement.body + after
            for body in smaller(statement.body):
                yield (*before, replace(statement, body=body), *after)


def minimise(program: Program, fails: Callable[[Program], bool], budget: int = 400) -> Program:
    """Return a program as small as greedy deletion makes it.

    Args:
        program: a failing program.
        fails: whether a program fails in the same way.
        budget: how many programs may be tried.
    """
    shrunk = True
    while shrunk:
        shrunk = False
        for statements in smaller(program.statements):
            budget -= 1
            if budget < 0:
                return program
            candidate = program.with_statements(statements)
            if fails(candidate):
                program, shrunk = candidate, True
                break
    return program
