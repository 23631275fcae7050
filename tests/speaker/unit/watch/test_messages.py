# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages between speakers as bytes; the hexadecimal ones are the format that other versions rely on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from lantern.tenure import Bulletin, Tenure
from lantern.watch import messages
from lantern.watch.messages import (
    Answer,
    BrokenMessageError,
    Delta,
    Edition,
    Offer,
    Page,
    Probe,
    Report,
    Stamp,
    Suspicion,
)

V4, V6 = bytes((10, 0, 0, 1)), bytes(15) + b"\x01"
STAMP = Stamp(Edition(1, 2), Edition(3, 4))
WORD = Bulletin(ready=True, leaving=True, interfaces={"eth0": b"\x02\0\0\0\0\x01"}, in_use=frozenset({V4}))


def test_probe_as_bytes() -> None:
    data = messages.encode_probe(Probe(7, STAMP))
    assert data.hex() == "4c570201" + "00000007" + "00000001" + "00000002" + "00000003" + "00000004"
    assert messages.decode(data) == Probe(7, STAMP)
    assert messages.decode(messages.encode_probe(Answer(7, STAMP))) == Answer(7, STAMP)


def test_page_as_bytes() -> None:
    bulletin = replace(WORD, tenures={V4: Tenure(5, 8.0), V6: Tenure(6, 9.5)})
    (data,) = messages.encode_bulletin(Edition(1, 2), bulletin, now=10.0)
    word = "0501" + "0465746830" + "020000000001" + "01" + "04" + V4.hex()
    entries = "040a000001" + "00000005" + "000007d0" + "10" + V6.hex() + "00000006" + "000001f4"
    assert data.hex() == "4c570203" + "00000001" + "00000002" + "0000" + "0001" + word + entries
    page = messages.decode(data)
    assert page == Page(Edition(1, 2), 0, 1, WORD, {V4: (5, 2.0), V6: (6, 0.5)})
    assert messages.tenures(page.entries, now=100.0) == {V4: Tenure(5, 98.0), V6: Tenure(6, 99.5)}


def test_a_word_never_fills_a_message() -> None:
    keys = frozenset(number.to_bytes(16, "big") for number in range(100))
    interfaces = {f"{number:015}": bytes(6) for number in range(100)}
    bulletin = Bulletin(interfaces=interfaces, tenures={V4: Tenure(1, 0.0)}, in_use=keys)
    (data,) = messages.encode_bulletin(Edition(1, 2), bulletin, now=0.0)
    page = messages.decode(data)
    assert isinstance(page, Page) and len(data) <= messages.MAX_BYTES
    assert len(page.word.interfaces) == 32 and len(page.word.in_use) == 16 and page.word.in_use < keys


def test_long_bulletin_has_several_pages_none_too_long() -> None:
    tenures = {number.to_bytes(4, "big"): Tenure(number + 1, 0.0) for number in range(1000)}
    pages = messages.encode_bulletin(Edition(1, 2), Bulletin(tenures=tenures), now=0.0)
    assert len(pages) == 12 and max(map(len, pages)) <= messages.MAX_BYTES
    decoded = [messages.decode(data) for data in pages]
    assert [(page.page, page.pages) for page in decoded if isinstance(page, Page)] == [(i, 12) for i in range(12)]
    assert sum(len(page.entries) for page in decoded if isinstance(page, Page)) == 1000


def test_delta() -> None:
    bulletin = replace(WORD, tenures={V4: Tenure(5, 8.0)})
    data = messages.encode_delta(Edition(1, 9), 8, bulletin, [V4], [V6], now=10.0)
    assert data is not None
    assert messages.decode(data) == Delta(Edition(1, 9), 8, WORD, {V4: (5, 2.0)}, (V6,))


def test_delta_that_does_not_fit_is_none() -> None:
    keys = [number.to_bytes(4, "big") for number in range(300)]
    tenures = dict.fromkeys(keys, Tenure(1, 0.0))
    assert messages.encode_delta(Edition(1, 2), 1, Bulletin(tenures=tenures), keys, [], now=0.0) is None
    assert messages.encode_delta(Edition(1, 2), 1, Bulletin(), [], keys, now=0.0) is None


def test_suspicion_report_and_offer() -> None:
    assert messages.decode(messages.encode_suspicion("node1", 0.25)) == Suspicion("node1", 0.25)
    assert messages.decode(messages.encode_report("node1", heard=True)) == Report("node1", True)
    assert messages.decode(messages.encode_report("node1", heard=False)) == Report("node1", False)
    (data,) = messages.encode_offers([(V4, 3), (V6, 4)])
    assert messages.decode(data) == Offer(((V4, 3), (V6, 4)))
    many = messages.encode_offers([(number.to_bytes(4, "big"), 1) for number in range(200)])
    assert len(many) == 3 and max(map(len, many)) <= messages.MAX_BYTES


def test_numbers_too_great_are_cut() -> None:
    (data,) = messages.encode_bulletin(Edition(1, 2), Bulletin(tenures={V4: Tenure(1, -1e9)}), now=0.0)
    page = messages.decode(data)
    assert isinstance(page, Page) and page.entries[V4][1] == pytest.approx(0xFFFFFFFF / 1000)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4c5702",
        "4c570101" + "00" * 20,
        "4c570263",
        "4c570201" + "00" * 19,
        "4c570203" + "00000001" + "00000002" + "0001" + "0001" + "0000",
        "4c570203" + "00000001" + "00000002" + "0000" + "ffff" + "0000",
        "4c570203" + "00000001" + "00000002" + "0000" + "0001" + "000000" + "050a00000101" + "00" * 8,
        "4c570203" + "00000001" + "00000002" + "0000" + "0001" + "000000" + "040a000001" + "00" * 7,
        "4c570205" + "00000000" + "05" + "6e6f",
        "4c570206" + "01" + "01ff",
    ],
)
def test_what_is_no_message(text: str) -> None:
    with pytest.raises(BrokenMessageError):
        messages.decode(bytes.fromhex(text))
