# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`make bench`: measures, adds the results to docs/benchmarks.json, writes docs/benchmarks.md and its picture."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from homelab import demo
from homelab.shell import LabError, paint, stage

from . import clients, kept, lab, machine, metallb, picture, report
from .api import ClusterApi, RefusedError
from .audit import start as start_audit
from .catalogue import scenarios
from .contenders import CONTENDERS, LANTERN, NOBODY, Contender
from .scenario import Extent, Lab, Scenario
from .session import Session, load

MICRO = ("allocate", "libraries")
# Enough of each burst to say what the API server alone needs.
FLOOR = "burst"


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    # So that the lab is taken down when this is ended by a signal.
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        if options.render is None:
            added = [_measure(options)]
        else:
            added = [json.loads(file.read_text()) for file in options.render]
        _write(added, options.output)
    except (LabError, OSError, ValueError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    names = list(dict.fromkeys(scenario.name for scenario in scenarios(Extent())))
    parser = argparse.ArgumentParser(prog="make bench BENCH=…", description=__doc__)
    every = [*names, *MICRO]
    parser.add_argument("--rows", type=_among(every), default=every, metavar="NAME,…", help=f"of {', '.join(every)}")
    parser.add_argument(
        "--contenders", type=_among(CONTENDERS), default=list(CONTENDERS), metavar="NAME,…",
        help=f"of {', '.join(CONTENDERS)}",
    )  # fmt: skip
    parser.add_argument("--runs", type=_positive, default=3, metavar="N", help="labs for each contender (default 3)")
    parser.add_argument("--sizes", type=_sizes, default=(1000,), metavar="N,…", help="Services (default 1000)")
    parser.add_argument("--failovers", type=_positive, default=20, metavar="N", help="deaths of each kind (default 20)")
    parser.add_argument("--minutes", type=_positive, default=30, metavar="N", help="of bad cables (default 30)")
    parser.add_argument("--output", type=Path, default=lab.PROJECT / "docs", metavar="FOLDER", help="default: docs")
    parser.add_argument(
        "--render", type=Path, nargs="*", metavar="FILE", help="measure nothing: add these raw results, write the page"
    )
    return parser


def _among(known: Sequence[str] | dict[str, Contender]) -> Any:
    def parse(text: str) -> list[str]:
        chosen = text.split(",")
        if unknown := [name for name in chosen if name not in known]:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose of {', '.join(known)}")
        return chosen

    return parse


def _positive(text: str) -> int:
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: give a whole number from 1 on")
    return int(text)


def _sizes(text: str) -> tuple[int, ...]:
    return tuple(sorted({_positive(part) for part in text.split(",")}))


def _measure(options: argparse.Namespace) -> dict[str, Any]:
    contenders = [CONTENDERS[name] for name in options.contenders]
    extent = Extent(sizes=options.sizes, failovers=options.failovers, impaired_minutes=options.minutes)
    chosen = [scenario for scenario in scenarios(extent) if scenario.name in options.rows]
    if chosen:
        for contender in contenders:
            contender.prepare()
    results: dict[str, Any] = {
        "machine": machine.facts(),
        "versions": {contender.name: contender.version() for contender in contenders},
        "options": {"rows": options.rows, "runs": options.runs, **extent.options()},
        "sessions": [],
        "micro": {},
    }
    file = lab.folder() / f"results-{datetime.datetime.now():%Y%m%d-%H%M%S}.json"
    for run in range(1, options.runs + 1 if chosen else 1):
        # In turn, so that what else the machine does meets all of them.
        for place, contender in itertools.product(dict.fromkeys(scenario.lab for scenario in chosen), contenders):
            wanted = [item for item in chosen if item.lab == place and _is_due(item, contender, run)]
            results["sessions"] += [_session(contender, wanted, run)] if wanted else []
            file.write_text(json.dumps(results, indent=1))
    if "allocate" in options.rows:
        results["micro"] |= _allocate(options.contenders, options.runs)
    if "libraries" in options.rows:
        results["micro"]["libraries"] = clients.measure()
    file.write_text(json.dumps(results, indent=1))
    print(f"raw results: {file}")
    return results


def _is_due(scenario: Scenario, contender: Contender, run: int) -> bool:
    if contender is NOBODY:
        return scenario.name == FLOOR
    if contender is not LANTERN and not scenario.lab.deployed:
        return False
    return run == 1 or not scenario.once


def _session(contender: Contender, wanted: list[Scenario], run: int) -> dict[str, Any]:
    print(paint(f"{contender.title}, run {run}", "1"))
    busy = load()
    place = wanted[0].lab
    with _lab(place):
        api = ClusterApi.of_lab()
        with stage("the API server keeps an audit log"):
            audit = start_audit(api)
        if place.deployed:
            contender.deploy()
        else:
            demo.fetch()
        session = Session.begin(contender, api, audit)
        for scenario in wanted:
            _run(session, scenario)
        session.services.watch.stop()
        api.close()
        return {"run": run, "load": busy, **session.report()}


@contextlib.contextmanager
def _lab(place: Lab) -> Iterator[None]:
    lab.use(os.environ.get("LAB_NAME", "bench-run"))
    with stage("a new lab"):
        lab.up(lan=place.lan, nodes=place.nodes)
    try:
        yield
    finally:
        lab.down()


def _run(session: Session, scenario: Scenario) -> None:
    """Do one scenario; what goes wrong is a failure of its rows, not the end of everything."""
    print(f"  {scenario.rows[0].what} …", end="", flush=True)
    started = time.monotonic()
    try:
        scenario.measure(session)
    except (TimeoutError, LabError, RefusedError, OSError) as error:
        session.failures[scenario.rows[0].key] = str(error)
        for row in scenario.rows:
            session.values.setdefault(row.key, None)
    # Without a load balancer only some rows have a figure.
    row = next((row for row in scenario.rows if row.key in session.values), scenario.rows[0])
    first = session.values.get(row.key)
    shown = paint("failed", "31") if first is None else f"{first:.3g} {row.unit}"
    print(f" {shown} {paint(f'({time.monotonic() - started:.0f} s)', '2')}", flush=True)
    for key in {row.key for row in scenario.rows} & session.failures.keys():
        print(paint(f"    {key}: {session.failures[key]}", "31"), flush=True)


def _allocate(contenders: list[str], runs: int) -> dict[str, dict[str, list[float]]]:
    """Microseconds for one address out of a nearly full /16."""
    found: dict[str, dict[str, list[float]]] = {}
    if "lantern" in contenders:
        with stage("Lantern: one address out of a /16 with 60,000 in use"):
            source = str(lab.PROJECT / "speaker/src")
            command = [sys.executable, str(Path(__file__).with_name("allocation.py")), str(runs)]
            done = subprocess.run(command, env={**os.environ, "PYTHONPATH": source}, capture_output=True, text=True)
            if done.returncode:
                raise LabError(f"Lantern's allocation was not measured: {done.stderr.strip()[-800:]}")
            seconds = json.loads(done.stdout)
            found["lantern"] = {
                "allocate": [value * 1e6 for value in seconds["address"]],
                "allocate_pass": [value * 1e3 for value in seconds["pass"]],
            }
    if "metallb" in contenders:
        with stage("MetalLB: the same"):
            found["metallb"] = {"allocate": [value * 1e6 for value in metallb.allocation_seconds(runs)]}
    return found


def _write(added: Iterable[kept.Results], folder: Path) -> None:
    """Add results to those in `folder`, and make page and picture of all."""
    folder.mkdir(parents=True, exist_ok=True)
    file, page = folder / "benchmarks.json", folder / "benchmarks.md"
    several: list[kept.Results] = json.loads(file.read_text()) if file.exists() else []
    for results in added:
        counted = {row.key for item in scenarios(Extent.of(results["options"])) for row in item.rows if row.counted}
        several = kept.add(several, results, counted)
    results = kept.merge(several)
    lines = (json.dumps(one, separators=(",", ":")) for one in several)
    file.write_text("[\n" + ",\n".join(lines) + "\n]\n")
    page.write_text(report.markdown(results))
    if curves := report.curves(results):
        (folder / report.PICTURE).write_text(picture.burst(curves))
    print(f"{page} is written")


if __name__ == "__main__":
    sys.exit(main())
