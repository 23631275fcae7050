# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`lantern convert`: the custom resources for an old ConfigMap, on standard output."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TextIO

from lantern.adapters.yaml_text import dump, load
from lantern.core.legacy import LEGACY_KEY, Legacy, read_legacy
from lantern.core.legacy_resources import convert
from lantern.settings import ConvertSettings

_DEFAULT_NAMESPACE = "metallb-system"
_STANDARD_INPUT = "-"


class InputError(Exception):
    """The input holds no configuration to convert; says why and what to do."""


def run(settings: ConvertSettings, out: TextIO | None = None, err: TextIO | None = None) -> int:
    """Convert; returns the exit status: 1 when there is a problem, and then nothing was printed to `out`."""
    out, err = out or sys.stdout, err or sys.stderr
    try:
        legacy, namespace = _read(_input(settings.file), settings.file)
    except (InputError, ValueError, OSError) as error:
        print(f"lantern: {_source(settings.file)}: {error}", file=err)
        return 1
    conversion = convert(legacy, settings.namespace or namespace)
    for problem in conversion.problems:
        print(f"lantern: {problem.message}", file=err)
    if conversion.problems:
        return 1
    out.write(dump(conversion.resources))
    return 0


def _input(file: str) -> str:
    if file == _STANDARD_INPUT:
        return sys.stdin.read()
    with open(file, encoding="utf-8") as stream:
        return stream.read()


def _source(file: str) -> str:
    return "standard input" if file == _STANDARD_INPUT else file


def _read(text: str, file: str) -> tuple[Legacy, str]:
    """The configuration and the namespace it is for. Raises InputError or ValueError when there is none."""
    documents = [item for item in load(text) if item not in ("", None)]
    objects = [item for item in documents if isinstance(item, Mapping) and "kind" in item]
    if not objects:
        if len(documents) != 1:
            raise InputError(f"{len(documents)} YAML documents; give one ConfigMap, or the text inside it")
        return read_legacy(documents[0], _source(file)), _DEFAULT_NAMESPACE
    found = list(_config_maps(objects))
    if len(found) != 1:
        raise InputError(f'{len(found)} ConfigMaps with a key "{LEGACY_KEY}" under data; give exactly one')
    name, namespace, inner = found[0]
    inside = load(inner)
    if len(inside) > 1:
        raise InputError(f'{LEGACY_KEY} holds {len(inside)} YAML documents; remove the lines "---"')
    return read_legacy(inside[0] if inside else None, f"ConfigMap {namespace}/{name}"), namespace


def _config_maps(objects: Iterable[Mapping[Any, Any]]) -> Iterator[tuple[str, str, str]]:
    """Name, namespace and text of each, also of those inside Lists."""
    for item in objects:
        if item.get("kind") == "List":
            listed = item.get("items")
            yield from _config_maps(
                one for one in (listed if isinstance(listed, list) else ()) if isinstance(one, dict)
            )
        data = item.get("data")
        if item.get("kind") == "ConfigMap" and isinstance(data, Mapping) and isinstance(data.get(LEGACY_KEY), str):
            meta = item.get("metadata")
            names = meta if isinstance(meta, Mapping) else {}
            yield (
                str(names.get("name") or "config"),
                str(names.get("namespace") or _DEFAULT_NAMESPACE),
                data[LEGACY_KEY],
            )
