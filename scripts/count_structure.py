"""Counts what makes a package easy or hard to find one's way in.

``python scripts/count_structure.py [PACKAGE_FOLDER]`` reads the sources and imports nothing, so it
serves any commit: ``git worktree add /tmp/before COMMIT`` and give it that folder's package.

A room is a folder or a loose module directly in the package. An arrow is a pair of rooms, one of
which imports the other; imports inside functions and for type checkers count. A room is one
floor above the highest room it imports.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from statistics import median


@dataclass(frozen=True)
class Module:
    """A source file of the package."""

    name: str
    """Dotted, beginning with the package."""
    tree: ast.Module
    lines: int

    @property
    def room(self) -> str:
        """The folder or loose module that it is in; none for the door of the package itself."""
        room = self.name.split(".")[1] if "." in self.name else ""
        return "" if room == "__main__" else room

    @cached_property
    def public(self) -> set[str]:
        """Functions, classes and constants that are defined here without an underscore."""
        return {name for name in _defined(self.tree) if not name.startswith("_")}

    @cached_property
    def functions(self) -> list[int]:
        """Lines of each function and method."""
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
        return [
            (node.end_lineno or node.lineno) - node.lineno + 1
            for node in ast.walk(self.tree)
            if isinstance(node, kinds)
        ]


def _defined(tree: ast.Module) -> Iterator[str]:
    """Names that a module defines at its top level."""
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign):
            targets = [node.target]
        yield from (target.id for target in targets if isinstance(target, ast.Name))


def read_package(folder: Path) -> dict[str, Module]:
    """Every module of a package by its dotted name."""
    modules = {}
    for path in sorted(folder.rglob("*.py")):
        parts = path.relative_to(folder.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        text = path.read_text(encoding="utf-8")
        modules[name] = Module(name, ast.parse(text), text.count("\n"))
    return modules


def imported(module: Module, modules: dict[str, Module]) -> Iterator[tuple[str, str]]:
    """Modules of the package that a module imports, each with the name it takes, if one."""
    package = module.name.split(".")[0]
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names if alias.name in modules)
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == package:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                yield (whole, "") if whole in modules else (node.module or "", alias.name)


def floors(arrows: dict[str, set[str]]) -> int | str:
    """Height of the house; where rooms form a circle, what they are."""
    try:
        order = list(TopologicalSorter(arrows).static_order())
    except CycleError as error:
        return "none, since rooms form a circle: " + " → ".join(error.args[1])
    height: dict[str, int] = {}
    for room in order:
        height[room] = 1 + max((height[below] for below in arrows.get(room, ())), default=0)
    return max(height.values(), default=0)


def circles(links: dict[str, set[str]]) -> int:
    """Groups of modules that import each other (strongly connected, two or more)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = 0

    def visit(name: str) -> None:
        nonlocal found
        index[name] = low[name] = len(index)
        stack.append(name)
        for other in links.get(name, ()):
            if other not in index:
                visit(other)
                low[name] = min(low[name], low[other])
            elif other in stack:
                low[name] = min(low[name], index[other])
        if low[name] == index[name]:
            group = stack[stack.index(name) :]
            del stack[stack.index(name) :]
            found += len(group) > 1

    for name in links:
        if name not in index:
            visit(name)
    return found


def figures(folder: Path) -> dict[str, object]:
    """The counts, by what they are called."""
    modules = read_package(folder)
    links: dict[str, set[str]] = {name: set() for name in modules}
    arrows: dict[str, set[str]] = {}
    taken: set[tuple[str, str]] = set()
    statements = 0
    for module in modules.values():
        if module.room:
            arrows.setdefault(module.room, set())
        for name, what in imported(module, modules):
            target = modules[name]
            links[module.name].add(name)
            if not (module.room and target.room) or module.room == target.room:
                continue
            arrows[module.room].add(target.room)
            statements += 1
            if what:
                taken.add((name, what))
    sizes = [module.lines for module in modules.values() if module.lines]
    functions = [lines for module in modules.values() for lines in module.functions]
    return {
        "files": len(modules),
        "folders": len({path.parent for path in folder.rglob("*.py")}),
        "rooms": len(arrows),
        "of them loose modules": sum(f"{folder.name}.{room}" in modules
            and (folder / f"{room}.py").is_file() for room in arrows),
        "floors of rooms": floors(arrows),
        "arrows between rooms": sum(map(len, arrows.values())),
        "names imported across rooms": statements,
        "circles of modules": circles(links),
        "public names": sum(len(module.public) for module in modules.values()),
        "public names that another room takes": len(taken),
        "lines": sum(sizes),
        "median file": median(sizes),
        "longest file": max(sizes),
        "median function": median(functions),
        "longest function": max(functions),
    }  # fmt: skip


if __name__ == "__main__":
    package = Path(sys.argv[1] if len(sys.argv) > 1 else "prompt_ensemble")
    for label, figure in figures(package).items():
        print(f"{label:<40}{figure}")  # noqa: T201
