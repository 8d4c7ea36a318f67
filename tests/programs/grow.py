"""Writing a random program, statement by statement, each tried on PyTorch as it is written.

Trying it has two uses: later statements can be made to fit (shapes, dtypes, who carries a
gradient), and most statements that raise can be thrown away, so that programs stay meaningful; a
share of them is kept, since which programs raise must agree too.
"""

from __future__ import annotations

import re
from typing import Any

from . import guards
from .choices import Choices, SeededChoices
from .execute import fresh_namespace
from .filling import Filling
from .observe import Raised, attempt, tensors_in
from .program import READ, Program, Statement
from .slots import SLOTS
from .templates import (
    BLOCK_ENDS,
    BLOCKS,
    FAMILIES,
    FAMILY_NAMES,
    LOOP,
    LOOP_ENDS,
    NAMED_FAMILIES,
    SUBJECT_ENDS,
    SUBJECT_NAMES,
    TEMPLATE_ENDS,
    Template,
)

BLANK = re.compile(r"\{(\w+)\}")
KEEP_RAISING_PERCENT = 45
ATTEMPTS = 4
ELEMENT_LIMIT = 300
BLOCK_PERCENT = 9
READ_PERCENT = 5
SHORTEST, LONGEST = 4, 16


class Grower:
    """A program being written.

    Args:
        choices: where decisions come from.
        module: PyTorch.
    """

    def __init__(self, choices: Choices, module: Any):
        self.choices, self.module = choices, module
        self.namespace = fresh_namespace(module)
        self.births = 0
        self.subject = choices.pick(SUBJECT_NAMES)
        # Shapes that go together, so that tensors of a program can be combined.
        shape = Filling(choices, self.namespace).shape()
        self.shapes = (shape, shape, shape[1:], shape[::-1], shape[:-1] + (1,) * bool(shape))
        self.reads = choices.chance(60)  # the others read nothing before the end

    def fresh_name(self) -> str:
        self.births += 1
        return f"x{self.births - 1}"

    def program(self, length: int) -> tuple[Statement, ...]:
        """Write statements: some tensors first, then anything."""
        statements = [self._leaf()] if self.choices.chance(65) else []
        statements += [self.statement("creation") for _ in range(self.choices.between(1, 2))]
        while len(statements) < length:
            if self.choices.chance(BLOCK_PERCENT):
                statements.append(self.block())
            elif self.reads and self.choices.chance(READ_PERCENT):
                statements.append(Statement(READ, READ))
            else:
                statements.append(self.statement())
        if self.subject == "gradients":
            statements.append(self._fill(Template("{loss}.backward()", "action", 1, ())))
        return tuple(statements)

    def _leaf(self) -> Statement:
        statement = self._fill(FAMILIES["creation"][0])
        self._try(statement)
        return statement

    def statement(self, family: str = "", loop: bool = False) -> Statement:
        """Write one statement, most often one that PyTorch accepts."""
        for _ in range(ATTEMPTS):
            template = self._template(family, loop)
            statement = self._fill(template)
            if self._try(statement) or self.choices.chance(KEEP_RAISING_PERCENT):
                break
        return statement

    def _template(self, family: str, loop: bool) -> Template:
        if loop and self.choices.chance(60):
            return self.choices.weighted(LOOP, LOOP_ENDS)
        family = family or self.choices.weighted(FAMILY_NAMES, SUBJECT_ENDS[self.subject])
        return self.choices.weighted(FAMILIES[family], TEMPLATE_ENDS[family])

    def _fill(self, template: Template) -> Statement:
        filling = Filling(self.choices, self.namespace, self.shapes)
        last: dict[str, str] = {}
        position = 0
        for blank in BLANK.finditer(template.text):
            filling.text += template.text[position:blank.start()]
            position = blank.end()
            word = blank.group(1)
            if word == "fresh":
                filled = self.fresh_name()
            elif word.endswith("1") and word not in SLOTS:
                filled = last[word[:-1]]
            else:
                filled = last[word] = SLOTS[word](filling)
            filling.text += filled
        source = filling.text + template.text[position:]
        if template.family in NAMED_FAMILIES or (
            template.family == "write" and "] " not in template.text and self.choices.chance(15)
        ):
            source = f"{self.fresh_name()} = {source}"
        sources = [operand.source for operand in filling.operands if operand.source]
        writes = sources and {"separate", "hookable"} & set(template.guards)
        return Statement(template.text, source, template.guards,
                         sources[0] if writes else "", tuple(sources[1:]) if writes else ())

    def _try(self, statement: Statement) -> bool:
        """Run the statement on PyTorch; return whether it is worth keeping."""
        if not guards.allow(statement, self.namespace):
            return False
        before = dict(self.namespace)
        if isinstance(attempt(exec, statement.source, self.namespace), Raised):
            return False
        if any(t.numel() > ELEMENT_LIMIT for value in self.namespace.values()
               for t in tensors_in(value, self.module)):
            self.namespace.clear()
            self.namespace.update(before)
            return False
        return True

    def block(self) -> Statement:
        """Write a `with`, `for` or `if` with its body, tried as the program would run it."""
        template = self.choices.weighted(BLOCKS, BLOCK_ENDS)
        head = self._fill(template)
        body: list[Statement] = []
        length = self.choices.between(1, 3)
        word, rest = head.source[:-1].split(" ", 1)
        if word == "with":
            with eval(rest, self.namespace):
                body = [self.statement() for _ in range(length)]
        elif word == "for":
            self._loop(rest, body, length)
        else:
            body = [self.statement() for _ in range(length)]
        return Statement(head.kind, head.source, body=tuple(body))

    def _loop(self, rest: str, body: list[Statement], length: int) -> None:
        name, source = rest.split(" in ", 1)
        items = attempt(lambda: list(eval(source, self.namespace)))
        for item in items if isinstance(items, list) and items else [0]:
            self.namespace[name] = item
            if not body:
                body += [self.statement(loop=True) for _ in range(length)]
            else:
                for statement in body:
                    self._try(statement)


def grow(choices: Choices, module: Any, seed: int | None = None) -> Program:
    """Write a random program."""
    length = choices.between(SHORTEST, LONGEST)
    return Program(Grower(choices, module).program(length), seed)


def grow_from_seed(seed: int, module: Any) -> Program:
    """Write the program of a seed; the same one each time."""
    return grow(SeededChoices(seed), module, seed)
