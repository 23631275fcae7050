# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The rules of the code that runs both in the controller and inside Ansible modules."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
ORIGINALS = REPOSITORY / "plugins/module_utils/_pools"
LINKS = REPOSITORY / "speaker/src/lantern/pools"
MODULES = sorted(ORIGINALS.glob("*.py"))


def test_every_shared_module_has_one_relative_link_and_there_are_no_others() -> None:
    assert [path.name for path in MODULES] == sorted(path.name for path in LINKS.iterdir() if path.suffix == ".py")
    for path in MODULES:
        link = LINKS / path.name
        assert link.is_symlink() and not link.readlink().is_absolute()
        assert link.resolve() == path


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_grammar_is_that_of_the_oldest_supported_python(path: Path) -> None:
    ast.parse(path.read_text(), feature_version=(3, 8))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_imports_are_relative_or_of_the_standard_library(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            top = (node.module or "").partition(".")[0]
            assert node.level == 1 or (node.level == 0 and top in sys.stdlib_module_names), node.module
        elif isinstance(node, ast.Import):
            assert all(alias.name in sys.stdlib_module_names for alias in node.names)


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=lambda path: path.name)
def test_types_used_at_run_time_are_those_of_python_3_8(path: Path) -> None:
    """Annotations are never evaluated; module-level aliases are."""
    for node in ast.parse(path.read_text()).body:
        value = node.value if isinstance(node, (ast.Assign, ast.AnnAssign)) else None
        for part in ast.walk(value) if value is not None else ():
            assert not isinstance(part, ast.BinOp) or not isinstance(part.op, ast.BitOr)
            if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name):
                assert part.value.id not in {"tuple", "list", "dict", "set", "frozenset"}
