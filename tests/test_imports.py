"""The rooms of the package: imports run one way, and a breach names its line and the rule.

The table is docs/design.md's. A module may import modules of its own row and of the rows above it,
and the modules of the package must not import each other in a circle.
"""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parent.parent / "src"

# Row by row, from the ground up: the modules (a package stands for all in it), and the third-party
# packages that they may import.
ROOMS = (
    ("0 words", "errors dtypes version threads", "numpy"),
    ("1 graph", "ir body kernel strides", "numpy"),
    ("2 ops", "ops", ""),
    ("3 graph to graph", "grad batching interpret passes", "numpy"),
    ("4 engines", "cpu xla", "numpy llvmlite jax"),
    ("5 runtime", "runtime", "numpy"),
    ("6a recording", "trace base casting replay", "numpy"),
    ("6b autograd", "autograd", "numpy"),
    ("6c functions", "functions printing", "numpy"),
    ("6d tensor", "tensor", "numpy"),
    (
        "7 layers and data",
        "nn optim data utils serialization vision text linalg special fft masked signal array_api"
        " cuda mps xpu backends amp accelerator distributed switches variable random jit testing"
        " multiprocessing func",
        "numpy safetensors PIL",
    ),
    ("8 training", "train models doctor show probe distributions", "numpy matplotlib"),
    ("9 commands", "cli studio serve __main__ lampion_command", "numpy"),
)
# Imports inside functions: only of heavy optional extras.
LATE_IMPORTS = {
    ("lampion/vision/pictures.py", "PIL"),
    ("lampion/vision/pillow.py", "PIL"),
}


@dataclass(frozen=True)
class Import:
    """One `import`: who imports what, and where."""

    module: str
    target: str
    place: str
    inside_function: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted(SOURCE.rglob("*.py"))}


def room_of(module: str) -> int | None:
    """Return the row of a module, None when no row names it.

    The package itself stands where its public names are used, in the row of training; what its
    `__init__` imports cannot use them, or `test_no_circles` fails.
    """
    if module == "lampion":
        return next(row for row, (name, _, _) in enumerate(ROOMS) if name == "8 training")
    part = module.split(".")[1] if module.startswith("lampion.") else module
    for row, (_, names, _) in enumerate(ROOMS):
        if part in names.split():
            return row
    return None


def imports_of(module: str) -> list[Import]:
    """Return the imports of a module that run (those for type checkers only do not)."""
    path = FILES[module]
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    found: list[Import] = []

    def visit(node: ast.AST, inside_function: bool) -> None:
        place = f"{path.relative_to(SOURCE)}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return
        if isinstance(node, ast.Import):
            found.extend(Import(module, alias.name, place, inside_function) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base]).strip(".")
            for alias in node.names:
                name = f"{base}.{alias.name}"
                target = name if name in FILES else base
                found.append(Import(module, target, place, inside_function))
        inside_function |= isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for child in ast.iter_child_nodes(node):
            visit(child, inside_function)

    visit(ast.parse(path.read_text(encoding="utf-8")), False)
    return found


IMPORTS = [item for module in FILES for item in imports_of(module)]


def test_the_package_is_found():
    assert "lampion.errors" in FILES and len(IMPORTS) > 20


@pytest.mark.parametrize("module", FILES)
def test_every_module_has_a_room(module):
    assert room_of(module) is not None, (
        f"{FILES[module].relative_to(SOURCE)} is in no row of ROOMS: decide where it belongs"
    )


def test_imports_run_one_way():
    broken = []
    for item in IMPORTS:
        if item.target not in FILES or item.module == "lampion":
            continue
        importer, imported = room_of(item.module), room_of(item.target)
        if importer is None or imported is None:
            continue
        if imported > importer:
            broken.append(
                f"{item.place}: {item.module} (room {ROOMS[importer][0]}) imports {item.target} "
                f"(room {ROOMS[imported][0]}); a module imports only from its own row and above"
            )
    assert not broken, "\n" + "\n".join(broken)


def test_no_circles():
    graph = {module: set() for module in FILES}
    for item in IMPORTS:
        if item.target in FILES and item.target != item.module:
            graph[item.module].add(item.target)
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, "circle: " + " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for target in sorted(graph[module]):
                walk(target, (*path, module))
            done.add(module)

    for module in graph:
        walk(module, ())


def test_third_party_imports_are_where_the_design_allows_them():
    broken = []
    for item in IMPORTS:
        package = item.target.split(".")[0]
        row = room_of(item.module)
        if package in sys.stdlib_module_names or package in ("lampion", "lampion_command", ""):
            continue
        if row is None or package not in ROOMS[row][2].split():
            room = "no room" if row is None else f"room {ROOMS[row][0]}"
            broken.append(
                f"{item.place}: {item.module} ({room}) imports {package}, not allowed in ROOMS"
            )
    assert not broken, "\n" + "\n".join(broken)


def test_imports_are_at_the_top():
    broken = [
        f"{item.place}: {item.target} is imported inside a function; only a heavy optional extra "
        "may be (LATE_IMPORTS)"
        for item in IMPORTS
        if item.inside_function
        and (item.place.rpartition(":")[0], item.target.split(".")[0]) not in LATE_IMPORTS
    ]
    assert not broken, "\n" + "\n".join(broken)


def test_torch_is_never_imported():
    assert not [item.place for item in IMPORTS if item.target.split(".")[0] == "torch"]
