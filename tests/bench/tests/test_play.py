# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a run of the playbook says at its end."""

from __future__ import annotations

import pytest
from benchmarks import play
from homelab.shell import LabError

SAID = """\
TASK [homelab.lantern.verify : Show the verdicts] ******************************
ok: [localhost] => {"msg": "node1 : ok=1 changed=9 of it"}

PLAY RECAP *********************************************************************
home-router                : ok=18   changed=1    unreachable=0    failed=0    skipped=9    rescued=0    ignored=0
localhost                  : ok=31   changed=12   unreachable=0    failed=0    skipped=14   rescued=0    ignored=0
node1                      : ok=40   changed=0    unreachable=0    failed=0    skipped=21   rescued=0    ignored=0
"""


def test_changes_are_those_of_all_hosts() -> None:
    assert play.changed(SAID) == 13


def test_a_run_without_a_recap_is_none_that_changed_nothing() -> None:
    with pytest.raises(LabError, match="without a recap"):
        play.changed(SAID.partition("PLAY RECAP")[0])
