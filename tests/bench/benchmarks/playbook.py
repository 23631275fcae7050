# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How long Lantern's playbook takes, and what it still changes where all is in order: the rows about the playbook."""

from __future__ import annotations

import statistics

from . import play
from .figures import Row
from .scenario import Lab, Scenario
from .session import Session

# A LAN as homes have it: the stage reserve asks for every address of the pool.
LAB = Lab(name="site", lan="192.168.2.0/24", nodes=4, deployed=False)
AGAIN = 3


def scenarios() -> tuple[Scenario, ...]:
    return (
        Scenario(
            name="site",
            rows=(
                Row(
                    key="site_first",
                    what="`site.yml`, all stages, first run",
                    how="four nodes, one Service; downloads are there, and the image if it was ever built",
                ),
                Row(
                    key="site_again",
                    what="The same, run again",
                    how=f"median of {AGAIN}; nothing is to be done",
                    target=45,
                    counted=True,
                ),
                Row(
                    key="site_changed",
                    what="The same, changed by it",
                    how=f"its recap, all hosts, worst of {AGAIN}",
                    unit="tasks",
                    target=0,
                ),
            ),
            measure=_measure,
            lab=LAB,
            once=True,
        ),
    )


def _measure(session: Session) -> None:
    page = session.services.name("page")
    session.services.create(page)
    first = play.site()
    session.record("site_first", first.seconds)
    session.services.wait([page])
    again = [play.site() for _ in range(AGAIN)]
    seconds = [run.seconds for run in again]
    session.record("site_again", statistics.median(seconds), seconds)
    session.record("site_changed", max(run.changed for run in again))
