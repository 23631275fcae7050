# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What docs/benchmarks.md is made of: the latest measurement of each row, not all of which fit into one day. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any

Results = dict[str, Any]
"""What one `make bench` measured, as JSON has it: machine, versions, options, sessions, micro."""
_BY_ROW = ("values", "samples", "failures", "writes")


def add(earlier: Sequence[Results], new: Results, counted: Collection[str]) -> list[Results]:
    """The results to keep: `new`, and of the earlier ones what `new` has not measured again for the same contender.

    Args:
        counted: keys of the rows whose samples the page counts; other samples are not kept.
    """
    kept = [_without(results, new) for results in earlier]
    slim = {**new, "sessions": list(_slim(new["sessions"], counted))}
    return [*(results for results in kept if results["sessions"] or results["micro"]), slim]


def _without(results: Results, new: Results) -> Results:
    measured = {contender: list(_of(contender, new)) for contender in {s["contender"] for s in new["sessions"]}}
    sessions = [_less(session, measured.get(session["contender"], [])) for session in results["sessions"]]
    return {
        **results,
        "sessions": [session for session in sessions if session["values"]],
        "micro": {name: figures for name, figures in results["micro"].items() if name not in new["micro"]},
    }


def _of(contender: str, results: Results) -> Iterator[dict[str, Any]]:
    return (session for session in results["sessions"] if session["contender"] == contender)


def _less(session: dict[str, Any], again: list[dict[str, Any]]) -> dict[str, Any]:
    """A session without the figures that were measured again."""
    gone = {part: {key for other in again for key in other[part]} for part in ("values", "writes")}
    parts = {
        part: {key: value for key, value in session[part].items() if key not in gone.get(part, gone["values"])}
        for part in _BY_ROW
    }
    return {**session, **parts, "curve": [] if any(other["curve"] for other in again) else session["curve"]}


def _slim(sessions: Iterable[dict[str, Any]], counted: Collection[str]) -> Iterator[dict[str, Any]]:
    """Sessions without the samples that no page shows, and with the first curve of each contender only."""
    drawn = set()
    for session in sessions:
        samples = {key: found for key, found in session["samples"].items() if key in counted}
        shown = session["curve"] and session["contender"] not in drawn
        drawn |= {session["contender"]} if shown else set()
        yield {**session, "samples": samples, "curve": session["curve"] if shown else []}


def merge(several: Sequence[Results]) -> Results:
    """One set of results out of several, for one page.

    Raises:
        ValueError: there are none.
    """
    if not several:
        raise ValueError("no results: measure something")
    dates = sorted(day for results in several for day in results["machine"].get("Date", "").split(" to ") if day)
    span = {"Date": " to ".join(dict.fromkeys((dates[0], dates[-1])))} if dates else {}
    options = [results["options"] for results in several]
    return {
        "machine": _together([results["machine"] for results in several]) | span,
        "versions": _together([results["versions"] for results in several]),
        "options": {**options[-1], "sizes": sorted({size for one in options for size in one["sizes"]})},
        "sessions": [session for results in several for session in results["sessions"]],
        "micro": {name: figures for results in several for name, figures in results["micro"].items()},
    }


def _together(several: Sequence[dict[str, str]]) -> dict[str, str]:
    """For each key, all that was said under it."""
    keys = dict.fromkeys(key for facts in several for key in facts)
    return {key: " and ".join(dict.fromkeys(facts[key] for facts in several if facts.get(key))) for key in keys}
