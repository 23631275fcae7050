# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys: memberlist's form of AES-GCM, rotation, and the key MetalLB makes."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from lantern.gossip.faults import DropReason, PeerError
from lantern.gossip.keyring import Keyring, metallb_key

OLD, NEW = b"o" * 32, b"n" * 16
NONCE = bytes(range(12))


def refused(ring: Keyring, data: bytes, associated: bytes = b"") -> DropReason:
    with pytest.raises(PeerError) as caught:
        ring.decrypt(data, associated)
    return caught.value.reason


@pytest.mark.parametrize("size", [16, 24, 32])
def test_form_and_round_trip(size: int) -> None:
    key = b"k" * size
    ring = Keyring([key])
    data = ring.encrypt(b"secret", b"label", NONCE)
    assert data == b"\x01" + NONCE + AESGCM(key).encrypt(NONCE, b"secret", b"label")
    assert len(data) == len(b"secret") + 29
    assert ring.decrypt(data, b"label") == b"secret"


@pytest.mark.parametrize("size", [0, 15, 33])
def test_other_key_sizes_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match="16, 24 or 32"):
        Keyring([b"k" * size])


def test_each_step_of_a_rotation_understands_the_step_before() -> None:
    steps = [Keyring([OLD]), Keyring([OLD, NEW]), Keyring([NEW, OLD]), Keyring([NEW])]
    for before, after in zip(steps, steps[1:], strict=False):
        assert after.decrypt(before.encrypt(b"x", b"", NONCE), b"") == b"x"
        assert before.decrypt(after.encrypt(b"x", b"", NONCE), b"") == b"x"
    assert refused(steps[3], steps[0].encrypt(b"x", b"", NONCE)) is DropReason.UNDECIPHERABLE


def test_whatever_was_changed_is_refused() -> None:
    ring = Keyring([OLD])
    data = ring.encrypt(b"secret", b"label", NONCE)
    for position in range(len(data)):
        changed = bytearray(data)
        changed[position] ^= 1
        assert refused(ring, bytes(changed), b"label") is DropReason.UNDECIPHERABLE
    assert refused(ring, data, b"other") is DropReason.UNDECIPHERABLE
    for length in range(len(data)):
        assert refused(ring, data[:length], b"label") is DropReason.UNDECIPHERABLE


def padded(plain: bytes) -> bytes:
    """Version 0 of the form."""
    return b"\x00" + NONCE + AESGCM(OLD).encrypt(NONCE, plain, b"")


@pytest.mark.parametrize("plain", [b"", b"x" * 15, b"x" * 16])
def test_padding_of_version_0_is_taken_off(plain: bytes) -> None:
    count = 16 - len(plain) % 16
    assert Keyring([OLD]).decrypt(padded(plain + bytes((count,)) * count), b"") == plain


@pytest.mark.parametrize("plain", [b"", b"x" * 15 + b"\x00", b"x" * 15 + b"\x11", b"x" * 14 + b"\x01\x02"])
def test_wrong_padding_is_refused(plain: bytes) -> None:
    assert refused(Keyring([OLD]), padded(plain)) is DropReason.UNDECIPHERABLE


def test_metallb_key_of_a_long_secret_is_its_beginning() -> None:
    assert metallb_key(b"0123456789abcdef0123456789abcdefLONGER") == b"0123456789abcdef0123456789abcdef"


def test_metallb_key_of_its_own_short_secret_ends_in_the_digest_of_nothing() -> None:
    key = metallb_key(b"abcdefghijklmnopqrstuv")
    assert key == b"abcdefghijklmnopqrstuv" + bytes.fromhex("e3b0c44298fc1c149afb")
    assert len(metallb_key(b"")) == 32
