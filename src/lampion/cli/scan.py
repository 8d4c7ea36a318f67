"""Finds every PyTorch name that a program uses, without running it.

The program is parsed (never executed) and each `torch.a.b.c`, however it is reached - `import
torch.nn as nn`, `from torch import optim`, `F = torch.nn.functional` - becomes one `Use` with its
dotted name and line. A name that a function binds anew (a parameter called `data`, say) hides the
import there, as it does when Python runs it.
"""

from __future__ import annotations

import ast
import os
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass

ROOTS = ("torch", "torchvision", "torchtext", "lampion")
IMPORT_ERRORS = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception"}


@dataclass(frozen=True)
class Use:
    """One use of a name: `torch.nn.Linear` in `file` at `line`.

    `guard` says why it may never be reached (or is empty); `store` is true for an assignment to it.
    """

    name: str
    file: str
    line: int
    guard: str = ""
    store: bool = False


def uses_in_program(script: str) -> list[Use]:
    """Return the uses in `script` and in the local modules that it imports, file by file.

    Raises:
        OSError: the script cannot be read.
        SyntaxError: the script is not Python. (Local modules that cannot be parsed are skipped.)
    """
    folder = os.path.dirname(os.path.abspath(script))
    pending, seen, uses = [script], set(), []
    while pending:
        file = pending.pop(0)
        if os.path.abspath(file) in seen:
            continue
        seen.add(os.path.abspath(file))
        try:
            tree = parse(file)
        except (OSError, SyntaxError, UnicodeDecodeError):
            if file == script:
                raise
            continue
        uses += uses_in_tree(tree, file)
        pending += local_modules(tree, file, folder)
    return uses


def parse(file: str) -> ast.Module:
    """Parse a Python file, in whatever encoding it declares."""
    with tokenize.open(file) as stream:
        return ast.parse(stream.read(), filename=file)


def uses_in_tree(tree: ast.Module, file: str) -> list[Use]:
    """Return the uses in one parsed file, in the order of the lines.

    Example:
        >>> tree = ast.parse("from torch import nn\\nlayer = nn.Linear(2, 3)")
        >>> [(use.name, use.line) for use in uses_in_tree(tree, "net.py")]
        [('torch.nn', 1), ('torch.nn.Linear', 2)]
    """
    visitor = _Visitor(file)
    visitor.visit(tree)
    return sorted(visitor.uses, key=lambda use: use.line)


def local_modules(tree: ast.Module, file: str, folder: str) -> Iterator[str]:
    """Yield the files beside the script that a parsed file imports, as far as they exist."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from _module_files(folder, alias.name)
        elif isinstance(node, ast.ImportFrom):
            base = folder
            if node.level:
                base = os.path.dirname(os.path.abspath(file))
                for _ in range(node.level - 1):
                    base = os.path.dirname(base)
            prefix = node.module or ""
            yield from _module_files(base, prefix)
            for alias in node.names:
                yield from _module_files(base, f"{prefix}.{alias.name}".strip("."))


def _module_files(folder: str, dotted: str) -> Iterator[str]:
    """Yield the file of a module below `folder` and the `__init__` files on the way to it."""
    parts = dotted.split(".") if dotted else []
    for count in range(len(parts) + 1):
        package = os.path.join(folder, *parts[:count], "__init__.py")
        if count and os.path.isfile(package):
            yield os.path.relpath(package) if _below_here(package) else package
    if parts:
        module = os.path.join(folder, *parts) + ".py"
        if os.path.isfile(module):
            yield os.path.relpath(module) if _below_here(module) else module


def _below_here(path: str) -> bool:
    return os.path.abspath(path).startswith(os.getcwd() + os.sep)


class _Visitor(ast.NodeVisitor):
    """Walks one file with a stack of scopes: each maps a name to a dotted name, or to None."""

    def __init__(self, file: str):
        self.file = file
        self.scopes: list[dict[str, str | None]] = [{}]
        self.guards: list[str] = []
        self.uses: list[Use] = []

    # -- names ----------------------------------------------------------------------------------

    def add(self, name: str, node: ast.AST, store: bool = False) -> None:
        guard = self.guards[-1] if self.guards else ""
        root, dot, rest = name.partition(".")
        name = ("torch" if root == "lampion" else root) + dot + rest
        self.uses.append(Use(name, self.file, getattr(node, "lineno", 0), guard, store))

    def dotted(self, node: ast.AST) -> str | None:
        """Return what an expression `a.b.c` stands for when `a` came from PyTorch, else None."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return None
        for scope in reversed(self.scopes):
            if node.id in scope:
                base = scope[node.id]
                return None if base is None else ".".join([base, *reversed(parts)])
        return None

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.name.split(".")[0] not in ROOTS:
                continue
            self.add(alias.name, node)
            if alias.asname:
                self.scopes[-1][alias.asname] = alias.name
            else:
                root = alias.name.split(".")[0]
                self.scopes[-1][root] = root

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level or (node.module or "").split(".")[0] not in ROOTS:
            return
        for alias in node.names:
            if alias.name == "*":
                self.add(f"{node.module}", node)
                continue
            name = f"{node.module}.{alias.name}"
            self.add(name, node)
            self.scopes[-1][alias.asname or alias.name] = name

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self.dotted(node)
        if name is None:
            self.visit(node.value)
        else:
            self.add(name, node, store=isinstance(node.ctx, ast.Store))

    def visit_Name(self, node: ast.Name) -> None:
        if isinstance(node.ctx, ast.Store):
            self.scopes[-1][node.id] = None  # from here on the name is something else

    def visit_Assign(self, node: ast.Assign) -> None:
        self.visit(node.value)
        name = self.dotted(node.value)
        for target in node.targets:
            self.visit(target)
            if name is not None and isinstance(target, ast.Name):
                self.scopes[-1][target.id] = name  # F = torch.nn.functional

    # -- scopes ---------------------------------------------------------------------------------

    def in_scope(self, bound: set[str], children: list[ast.AST]) -> None:
        self.scopes.append(dict.fromkeys(bound))
        for child in children:
            self.visit(child)
        self.scopes.pop()

    def visit_function(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> None:
        arguments = node.args
        outside: list[ast.AST | None] = [*arguments.defaults, *arguments.kw_defaults]
        every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        every += [extra for extra in (arguments.vararg, arguments.kwarg) if extra]
        outside += [argument.annotation for argument in every]
        if isinstance(node, ast.Lambda):
            body: list[ast.AST] = [node.body]
        else:
            outside += [*node.decorator_list, node.returns]
            body = [*node.body]
        for child in outside:
            if child is not None:
                self.visit(child)
        self.in_scope({argument.arg for argument in every} | bound_in(body), body)

    visit_FunctionDef = visit_AsyncFunctionDef = visit_Lambda = visit_function

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        for child in [*node.decorator_list, *node.bases, *node.keywords]:
            self.visit(child)
        # A class body does not hide names from its methods; so its own names are not tracked.
        self.in_scope(set(), [*node.body])

    def visit_comprehension_scope(
        self, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
    ) -> None:
        bound: set[str] = set()
        for generator in node.generators:
            bound |= bound_in([generator.target])
        self.in_scope(bound, list(ast.iter_child_nodes(node)))

    visit_ListComp = visit_SetComp = visit_DictComp = visit_comprehension_scope
    visit_GeneratorExp = visit_comprehension_scope

    # -- code that may never be reached -----------------------------------------------------------

    def guarded(self, reason: str, children: list[ast.AST]) -> None:
        if reason:
            self.guards.append(reason)
        for child in children:
            self.visit(child)
        if reason:
            self.guards.pop()

    def visit_If(self, node: ast.If | ast.IfExp) -> None:
        self.visit(node.test)
        reason = guard_of(node.test)
        if isinstance(node, ast.IfExp):
            self.guarded(reason, [node.body])
            self.visit(node.orelse)
        else:
            self.guarded(reason, [*node.body])
            self.guarded("", [*node.orelse])

    visit_IfExp = visit_If

    def visit_BoolOp(self, node: ast.BoolOp) -> None:
        reason = ""
        for value in node.values:
            self.guarded(reason, [value])
            if isinstance(node.op, ast.And):
                reason = reason or guard_of(value)

    def visit_Try(self, node: ast.Try) -> None:
        caught = {name.id for handler in node.handlers for name in _names(handler.type)}
        bare = any(handler.type is None for handler in node.handlers)
        reason = "inside a try that catches its absence" if bare or caught & IMPORT_ERRORS else ""
        self.guarded(reason, [*node.body])
        self.guarded("", [*node.handlers, *node.orelse, *node.finalbody])


def guard_of(test: ast.expr) -> str:
    """Return why the body of `if test:` is not reached with lampion on a CPU, or an empty text.

    Example:
        >>> guard_of(ast.parse("torch.cuda.is_available()", mode="eval").body)
        'only reached where torch.cuda.is_available() is true'
    """
    if isinstance(test, ast.UnaryOp):
        return ""
    text = ast.unparse(test)
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return ""
    for accelerator in ("cuda", "mps", "xpu"):
        if f"{accelerator}.is_available()" in text and "not " not in text:
            return f"only reached where torch.{accelerator}.is_available() is true"
    if "hasattr(" in text and "not " not in text:
        return "behind a hasattr(...)"
    if text.split(".")[-1] == "TYPE_CHECKING":
        return "only for type checkers"
    return ""


def bound_in(body: list[ast.AST]) -> set[str]:
    """Return the names that statements bind in their own scope, imports apart."""
    names: set[str] = set()
    for node in body:
        names |= _bound_by(node)
    return names


def _bound_by(node: ast.AST) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp):
        return set()
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Store) else set()
    names = {node.name} if isinstance(node, ast.ExceptHandler) and node.name else set()
    for child in ast.iter_child_nodes(node):
        names |= _bound_by(child)
    return names


def _names(node: ast.AST | None) -> list[ast.Name]:
    return [] if node is None else [n for n in ast.walk(node) if isinstance(n, ast.Name)]
