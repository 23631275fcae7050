# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why something a peer sent was not taken."""

from __future__ import annotations

from enum import Enum


class DropReason(Enum):
    """Reasons are label values of a metric: few, stable, and each points at one kind of trouble."""

    EMPTY = "empty"
    LABEL = "label"
    NOT_ENCRYPTED = "notEncrypted"
    NO_KEY = "noKey"
    """Encrypted, but this node has no key at all."""
    UNDECIPHERABLE = "undecipherable"
    """No key fits, or the bytes were changed on the way."""
    CHECKSUM = "checksum"
    COMPRESSION = "compression"
    TOO_LARGE = "tooLarge"
    TRUNCATED = "truncated"
    UNKNOWN_TYPE = "unknownType"
    MALFORMED = "malformed"
    NOT_FOR_US = "notForUs"
    """A ping for another name: the sender's address list is out of date."""
    BAD_ADDRESS = "badAddress"
    VERSION = "version"
    """Protocol or delegate versions have nothing in common with the cluster's."""
    NAME_CONFLICT = "nameConflict"
    IMPLAUSIBLE_INCARNATION = "implausibleIncarnation"
    TOO_MANY_MEMBERS = "tooManyMembers"
    TOO_MANY_RELAYS = "tooManyRelays"
    TOO_MANY_STREAMS = "tooManyStreams"
    UNEXPECTED_MESSAGE = "unexpectedMessage"
    REMOTE_ERROR = "remoteError"
    STREAM_TIMEOUT = "streamTimeout"
    STREAM_CLOSED = "streamClosed"
    """The stream ended before its message did, or never opened."""


class PeerError(Exception):
    """Input that is not taken. It never leaves the machine: the caller inside turns it into `Dropped`."""

    def __init__(self, reason: DropReason, detail: str = "") -> None:
        super().__init__(f"{reason.value}: {detail}" if detail else reason.value)
        self.reason = reason
        self.detail = detail
