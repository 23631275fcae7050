# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML text to trees of text, and trees to text."""

from __future__ import annotations

import pytest
from lantern.adapters.yaml_text import dump, load


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("a: 0123", [{"a": "0123"}]),
        ("a: yes\nb: 1.0\nc: 2020-01-01\nd: 0x1f", [{"a": "yes", "b": "1.0", "c": "2020-01-01", "d": "0x1f"}]),
        ("a:\nb: ~\nc: null\nd: 'null'\ne: ''", [{"a": None, "b": None, "c": None, "d": "null", "e": ""}]),
        ("- 1\n- [2, 3]\n- {4: 5}", [["1", ["2", "3"], {"4": "5"}]]),
        ("x: &one {a: 1}\ny:\n  <<: *one\n  b: 2", [{"x": {"a": "1"}, "y": {"a": "1", "b": "2"}}]),
        ("a: 1\n---\nb: 2", [{"a": "1"}, {"b": "2"}]),
    ],
)
def test_scalars_stay_as_written(text: str, expected: list[object]) -> None:
    assert load(text) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: 1\nb: 2\na: 3", 'line 3: the key "a" is given twice, first in line 1'),
        ("x:\n- {b: 1, b: 2}", 'line 2: the key "b" is given twice, first in line 2'),
        ("a: [1", "line 1: "),
        ("a:\n\t- b", "line 2: found character '\\t'"),
        ("? [1]\n: 2", "line 1: a key is no single value"),
        ("a: !!python/object/apply:os.getcwd []", "could not determine a constructor"),
        ("a: \x07", "special characters are not allowed"),
        ("[" * 10_000, "nested too deeply"),
    ],
)
def test_what_is_no_yaml_names_the_line(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        load(text)
    assert told in str(caught.value)


def test_written_documents_are_ordered_and_read_back_as_they_were() -> None:
    documents = [{"b": "yes", "a": ["0123", "64512:1", ""]}, {"long": "x" * 200, "n": 5, "t": True}]
    text = dump(documents)
    assert text.startswith("a:\n- '0123'\n") and text.endswith("---\n")
    assert load(text)[:2] == [documents[0], {"long": "x" * 200, "n": "5", "t": "true"}]
