# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node refuses to be told."""

from __future__ import annotations

import pytest
from lantern.gossip.config import LAN, WAN, GossipConfig, Security

ADDRESS = bytes((10, 0, 0, 1))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"name": ""}, "gossip name ''"),
        ({"name": "n" * 256}, "1 to 255 bytes"),
        ({"address": b"123"}, "gossip address 313233"),
        ({"address": bytes(4)}, "one host's address"),
        ({"port": 0}, "gossip port 0"),
        ({"port": 65536}, "1 to 65535"),
        ({"meta": bytes(513)}, "gossip meta has 513 bytes"),
        ({"security": Security(label=bytes(256))}, "gossip label has 256 bytes"),
    ],
)
def test_impossible_values_are_refused(settings: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        GossipConfig(**{"name": "n1", "address": ADDRESS, **settings})  # type: ignore[arg-type]


def test_keys_are_not_shown() -> None:
    assert "secret" not in repr(GossipConfig(name="n", address=ADDRESS, security=Security(keys=(b"secret" * 4,))))


def test_versions_as_metallb_sends_them() -> None:
    assert GossipConfig(name="n", address=ADDRESS).versions == bytes((1, 5, 2, 0, 0, 0))


def test_wan_is_more_patient() -> None:
    assert WAN.probe_interval_seconds == 5 > LAN.probe_interval_seconds
