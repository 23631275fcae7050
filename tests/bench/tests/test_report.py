# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The page and the picture out of results as the measurements leave them."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from typing import Any

import pytest
from benchmarks import kept, picture, report
from benchmarks.catalogue import scenarios, tables
from benchmarks.scenario import Extent


def _session(contender: str, run: int, **values: float | None) -> dict[str, Any]:
    return {
        "contender": contender,
        "run": run,
        "load": 0.5 * run,
        "values": {key.replace("__", "@"): value for key, value in values.items()},
        "samples": {},
        "failures": {},
        "writes": {},
        "curve": [],
    }


@pytest.fixture
def results() -> dict[str, Any]:
    ours = [_session("lantern", run, burst_last__1000=20.0 + run, single_p50=20.0) for run in (1, 2, 3)]
    theirs = [_session("metallb", run, burst_last__1000=80.0, single_p50=40.0) for run in (1, 2, 3)]
    theirs[2]["values"]["burst_last@1000"] = None
    theirs[2]["failures"]["burst_last@1000"] = "4 Service(s) without an address after 600 s"
    ours[0]["writes"] = {"burst@1000": {"controller: patch services/status": 1000}}
    ours[0]["curve"] = [[0.0, 0.1], [0.5, 0.9]]
    return {
        "machine": {"Kernel": "6.1"},
        "versions": {"lantern": "1.0", "metallb": "v0.16.1", "nobody": ""},
        "options": {"sizes": [1000]},
        "sessions": [*ours, *theirs, _session("nobody", 1, burst_created__1000=9.6)],
        "micro": {"lantern": {"allocate": [8.0, 9.0]}, "metallb": {"allocate": [26_000.0]}},
    }


def _row(page: str, start: str) -> list[str]:
    line = next(line for line in page.splitlines() if line.startswith(f"| {start}"))
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_rows_hold_target_both_contenders_and_the_ratio(results: dict[str, Any]) -> None:
    page = report.markdown(results)
    assert _row(page, "1,000 Services created by 8 clients")[3:] == ["≤ 25 ✓", "22 (21–23)", "80, failed 1×", "3.64×"]
    assert _row(page, "One Service on an idle cluster")[2:] == ["ms", "≤ 30 ✓", "20", "40", "2×"]
    assert _row(page, "One more address out of a /16")[2:] == ["µs", "≤ 20 ✓", "8.5 (8–9)", "26,000", "3,059×"]


def test_results_of_several_measurements_make_one_page(results: dict[str, Any]) -> None:
    more = {
        **results,
        "machine": {"Kernel": "6.2"},
        "versions": {"lantern": "1.1"},
        "options": {"sizes": [5000]},
        "sessions": [_session("lantern", 1, burst_last__5000=130.0), _session("lantern", 1, single_p50=26.0)],
        "micro": {},
    }
    page = report.markdown(kept.merge(kept.add([results], more, ())))
    assert _row(page, "5,000 Services created by 8 clients")[3:] == ["", "130", "–", ""]
    assert _row(page, "One Service on an idle cluster")[4:] == ["26", "40", "1.54×"], "the latest of each contender"
    assert _row(page, "1,000 Services created by 8 clients")[4:] == ["22 (21–23)", "80, failed 1×", "3.64×"]
    assert _row(page, "One more address out of a /16")[4] == "8.5 (8–9)"
    assert "| Kernel | 6.1 and 6.2 |" in page and "| Measured | Lantern 1.0 and 1.1, MetalLB v0.16.1 |" in page


def test_a_row_measured_again_leaves_nothing_of_the_earlier_time(results: dict[str, Any]) -> None:
    again = _session("metallb", 1, burst_last__1000=70.0)
    again |= {"writes": {"burst@1000": {"controller: patch": 1}}, "curve": [[0.0, 0.3]]}
    results["sessions"][3] |= {"writes": {"burst@1000": {"controller: update": 2}}, "curve": [[0.0, 0.2]]}
    results["sessions"][3]["samples"] = {"burst_last@1000": [1.0], "single_p50": [40.0, 41.0]}
    more = {**results, "sessions": [again], "micro": {"metallb": {"allocate": [1.0]}}}
    first, second = kept.add(kept.add([], results, {"single_p50", "burst_last@1000"}), more, ())
    theirs = [session for session in first["sessions"] if session["contender"] == "metallb"]
    assert [list(session["values"]) for session in theirs] == [["single_p50"]] * 3
    assert theirs[0]["samples"] == {"single_p50": [40.0, 41.0]}
    assert [session["failures"] for session in theirs] == [{}] * 3, "what failed then was done again"
    assert theirs[0]["writes"] == {} and theirs[0]["curve"] == []
    assert list(first["micro"]) == ["lantern"] and second["sessions"] == [again]
    ours = [session for session in first["sessions"] if session["contender"] == "lantern"]
    assert ours == results["sessions"][:3]


def test_results_that_are_all_measured_again_go(results: dict[str, Any]) -> None:
    assert kept.add([results], results, ()) == [results]


def test_samples_that_no_page_shows_are_not_kept(results: dict[str, Any]) -> None:
    results["sessions"][0]["samples"] = {"cut_cached_p95": [0.5, 0.6], "arp_p50@1000": [200.0] * 3000}
    results["sessions"][1]["curve"] = [[0.0, 0.2]]
    (slim,) = kept.add([], results, {"cut_cached_p95"})
    assert slim["sessions"][0]["samples"] == {"cut_cached_p95": [0.5, 0.6]}
    assert [session["curve"] for session in slim["sessions"][:2]] == [[[0.0, 0.1], [0.5, 0.9]], []]


def test_no_results_make_no_page() -> None:
    with pytest.raises(ValueError, match="measure something"):
        kept.merge([])


def test_a_target_that_is_missed_is_said_so(results: dict[str, Any]) -> None:
    for session in results["sessions"]:
        session["values"]["single_p50"] = 31.0
    assert _row(report.markdown(results), "One Service on an idle cluster")[3] == "≤ 30 ✗"


def test_failures_versions_writes_and_the_floor_are_told(results: dict[str, Any]) -> None:
    page = report.markdown(results)
    assert "- MetalLB, run 3, burst_last@1000: 4 Service(s) without an address" in page
    assert "| Measured | Lantern 1.0, MetalLB v0.16.1 |" in page
    assert "| burst, 1,000 Services | Lantern | controller: patch services/status | 1,000 |" in page
    assert "Creating 1,000 Services takes 9.6 s where no load balancer runs" in page
    assert f"]({report.PICTURE})" in page


def test_a_row_that_nobody_measured_is_left_out(results: dict[str, Any]) -> None:
    assert "SIGKILL" not in report.markdown(results)


def test_the_keys_of_rows_are_unique() -> None:
    keys = [row.key for scenario in scenarios(Extent(sizes=(100, 1000, 5000))) for row in scenario.rows]
    assert len(keys) == len(set(keys))


def test_every_row_is_in_a_table() -> None:
    extent = Extent(sizes=(1000, 5000))
    told = {row.key for _, rows in tables(extent) for row in rows}
    assert {row.key for scenario in scenarios(extent) for row in scenario.rows} <= told


def test_rows_about_speakers_have_tables_of_their_own(results: dict[str, Any]) -> None:
    results["sessions"] += [
        _session("lantern", 1, cut_cached_p95=0.6, arp_p50__1000=240.0, arp_rate__1000=12_500.0),
        _session("metallb", 1, cut_cached_p95=6.9, arp_p50__1000=250.0, arp_rate__1000=12_000.0),
    ]
    results["sessions"][-2]["samples"] = {"cut_cached_p95": [0.5, 0.6]}
    results["sessions"][-1]["samples"] = {"cut_cached_p95": [6.9]}
    page = report.markdown(results)
    assert "## Failover" in page
    assert _row(page, "Owner's cable pulled → pages again, client with")[2:] == [
        "s", "≤ 1 ✓", "0.6, 2 times", "6.9, once", "11.5×",
    ]  # fmt: skip
    assert _row(page, "ARP with 1,000 addresses, answer")[2:] == ["µs", "≤ MetalLB ✓", "240", "250", "1.04×"]
    assert _row(page, "ARP with 1,000 addresses, answers")[3:] == ["≥ 12,000 ✓", "12,500", "12,000", "1.04×"]


def test_the_playbook_has_a_table_of_its_own(results: dict[str, Any]) -> None:
    results["sessions"] += [_session("lantern", 1, site_first=120.0, site_again=41.0, site_changed=0)]
    results["sessions"][-1]["samples"] = {"site_again": [40.0, 41.0, 42.0]}
    page = report.markdown(results)
    assert "## Playbook" in page
    assert _row(page, "`site.yml`, all stages, first run")[2:] == ["s", "", "120", "–", ""]
    assert _row(page, "The same, run again")[2:] == ["s", "≤ 45 ✓", "41, 3 times", "–", ""]
    assert _row(page, "The same, changed by it")[2:] == ["tasks", "0 ✓", "0", "–", ""]


def test_what_is_measured_is_kept_with_the_results() -> None:
    extent = Extent(sizes=(100,), failovers=4, impaired_minutes=1)
    assert Extent.of(extent.options()) == extent
    assert Extent.of({"sizes": [1000]}) == Extent(), "results of before there were such rows"


def test_the_picture_has_two_lines_for_each_contender() -> None:
    drawn = picture.burst({"Lantern": [(0.0, 0.2), (1.0, 1.1)], "Metal & LB": [(0.0, 4.0), (2.0, 8.0)]})
    root = ElementTree.fromstring(drawn)
    lines = root.findall("{*}polyline")
    assert len(lines) == 4
    last = [float(line.attrib["points"].split()[-1].split(",")[0]) for line in lines]
    assert last[3] == max(last), "the last address of the slower one is at the right edge"
    assert "Metal & LB: has its IP" in {text.text for text in root.findall("{*}text")}


def test_nothing_measured_gives_no_picture() -> None:
    with pytest.raises(ValueError, match="nothing to draw"):
        picture.burst({})
