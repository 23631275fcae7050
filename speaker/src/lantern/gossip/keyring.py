# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The cluster's keys: AES-GCM as memberlist frames it (security.go).

Sealed bytes: version, nonce of 12, ciphertext, tag of 16. Version 1 has no padding; version 0, spoken by protocol 1
only, pads to 16 bytes (PKCS #7) and is read but never written.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from lantern.gossip.faults import DropReason, PeerError

NONCE_BYTES = 12
OVERHEAD_BYTES = 29
KEY_SIZES = (16, 24, 32)
_HEAD = 1 + NONCE_BYTES
_BLOCK = 16


class Keyring:
    """Keys in order: the first encrypts, each is tried to decrypt. To rotate, give every node the new key as second,
    then as first, then alone. Raises ValueError for a key of a wrong size.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        for key in keys:
            if len(key) not in KEY_SIZES:
                raise ValueError(f"gossip key of {len(key)} bytes: give 16, 24 or 32")
        self._ciphers = [AESGCM(key) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._ciphers)

    def encrypt(self, plain: bytes, associated: bytes, nonce: bytes) -> bytes:
        """Sealed bytes, 29 more than `plain`. A nonce must never be used twice with one key."""
        return b"\x01" + nonce + self._ciphers[0].encrypt(nonce, plain, associated)

    def decrypt(self, data: bytes, associated: bytes) -> bytes:
        """Raises PeerError (UNDECIPHERABLE)."""
        if len(data) < OVERHEAD_BYTES or data[0] > 1:
            raise PeerError(DropReason.UNDECIPHERABLE, "not in memberlist's encrypted form")
        nonce, ciphertext = data[1:_HEAD], data[_HEAD:]
        for cipher in self._ciphers:
            try:
                plain = cipher.decrypt(nonce, ciphertext, associated)
            except InvalidTag:
                continue
            return _unpad(plain) if data[0] == 0 else plain
        raise PeerError(DropReason.UNDECIPHERABLE, "no key fits")


def _unpad(plain: bytes) -> bytes:
    count = plain[-1] if plain else 0
    if not 1 <= count <= _BLOCK or not plain.endswith(bytes((count,)) * count):
        raise PeerError(DropReason.UNDECIPHERABLE, "wrong padding")
    return plain[:-count]


def metallb_key(secret: bytes) -> bytes:
    """The key that MetalLB's speakers make of the content of `secretkey`.

    They append the SHA-256 of nothing to the secret, where hashing it was meant, and use the first 32 bytes
    (MetalLB, internal/speakerlist/speakerlist.go: Go's `Sum(b)` appends to b).
    """
    return (secret + hashlib.sha256().digest())[:32]
