# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether label selectors are well formed, by Kubernetes' rules for label names and values, and not listed twice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from lantern.core.model import Operator, Requirement, Selector

_NAME = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_PREFIX = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")

_Meaning = tuple[str, Operator, frozenset[str]]


def selector_faults(selector: Selector) -> Iterator[str]:
    """What is wrong with one selector, a sentence each."""
    seen: set[_Meaning] = set()
    for requirement in selector.requirements:
        yield from _requirement_faults(requirement)
        if (meaning := _meaning(requirement)) in seen:
            yield f'the condition on label "{requirement.key}" is listed twice. Remove one of the two.'
        seen.add(meaning)


def list_faults(field: str, selectors: Sequence[Selector]) -> Iterator[str]:
    """What is wrong with a list of selectors, each sentence naming the field."""
    normal: list[frozenset[_Meaning]] = []
    for number, selector in enumerate(selectors):
        yield from (f"{field}[{number}]: {fault}" for fault in selector_faults(selector))
        meaning = frozenset(map(_meaning, selector.requirements))
        if meaning in normal:
            yield f"{field}[{number}] says the same as {field}[{normal.index(meaning)}]. Remove one of the two."
        normal.append(meaning)


def repeated(field: str, names: Iterable[str]) -> Iterator[str]:
    """Names that are listed more than once, a sentence each."""
    seen: set[str] = set()
    for number, name in enumerate(names):
        if name in seen:
            yield f'{field}[{number}]: "{name}" is listed twice. Remove one of the two.'
        seen.add(name)


def _meaning(requirement: Requirement) -> _Meaning:
    return requirement.key, requirement.operator, frozenset(requirement.values)


def _requirement_faults(requirement: Requirement) -> Iterator[str]:
    key, values = requirement.key, requirement.values
    prefix, slash, name = key.rpartition("/")
    if not _NAME.fullmatch(name) or (slash and (not _PREFIX.fullmatch(prefix) or len(prefix) > 253)):
        yield f'"{key}" is not the name of a label, such as app.kubernetes.io/name.'
    takes_values = requirement.operator in (Operator.IN, Operator.NOT_IN)
    if takes_values and not values:
        yield f'{requirement.operator.value} on label "{key}" needs values. Add them, or write Exists.'
    if not takes_values and values:
        yield f'{requirement.operator.value} on label "{key}" takes no values. Remove them, or write In.'
    for position, value in enumerate(values):
        if not _VALUE.fullmatch(value):
            yield f'"{value}" cannot be the value of label "{key}": up to 63 letters, digits, dashes, dots.'
        if value in values[:position]:
            yield f'label "{key}" lists the value "{value}" twice. Remove one of the two.'
