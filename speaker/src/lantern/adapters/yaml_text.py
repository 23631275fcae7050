# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML text to plain trees and back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import yaml

_MERGE_TAG = "tag:yaml.org,2002:merge"
_NULL_TAG = "tag:yaml.org,2002:null"
_MERGE = re.compile(r"^<<$")
_NULL = re.compile(r"^(?:~|null|Null|NULL|)$")


def load(text: str) -> list[object]:
    """All documents: mappings, lists and scalars, these always as the text that was written (None for null).

    Raises ValueError naming the line, also for a key that is given twice, which YAML forbids and PyYAML lets pass.
    """
    try:
        return list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise ValueError(_told(error)) from error
    except RecursionError as error:
        raise ValueError("the text is nested too deeply") from error


def dump(documents: Iterable[Mapping[str, Any]]) -> str:
    """Documents with their keys in alphabetical order, each followed by a line "---"."""
    return "".join(
        yaml.safe_dump(document, default_flow_style=False, allow_unicode=True, width=120) + "---\n"
        for document in documents
    )


class _Loader(yaml.SafeLoader):
    """Safe, every scalar as text, every key once."""

    # Of all the guesses that YAML makes from how a scalar looks only "merge" and "nothing" stay.
    yaml_implicit_resolvers = {
        "<": [(_MERGE_TAG, _MERGE)],
        **{start: [(_NULL_TAG, _NULL)] for start in ("~", "n", "N", "")},
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        first: dict[str, yaml.Mark] = {}
        for key, _value in node.value:
            if key.tag == _MERGE_TAG:
                continue
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.constructor.ConstructorError(None, None, "a key is no single value", key.start_mark)
            if key.value in first:
                told = f'the key "{key.value}" is given twice, first in line {first[key.value].line + 1}'
                raise yaml.constructor.ConstructorError(None, None, told, key.start_mark)
            first[key.value] = key.start_mark
        return super().construct_mapping(node, deep=deep)


def _told(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    what = " ".join(str(getattr(error, "problem", None) or error).split())
    return f"line {mark.line + 1}: {what}" if mark is not None else what
