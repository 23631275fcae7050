# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Answers of the API server as sentences."""

from __future__ import annotations

import json

import pytest
from ansible_collections.homelab.lantern.plugins.module_utils._cluster import messages

POOL = {"kind": "IPAddressPool", "metadata": {"name": "home", "namespace": "metallb-system"}}


def status(message, causes=()):
    return json.dumps({"message": message, "details": {"causes": list(causes)}})


def test_names():
    assert messages.name_of(POOL) == "IPAddressPool metallb-system/home"
    assert messages.name_of({"kind": "Node", "metadata": {"name": "n1"}}) == "Node n1"
    assert messages.name_of({}) == "object without a name"


def test_an_invalid_value_is_told_with_its_field_and_remedy():
    body = status("long text", [{"field": "spec.addresses", "message": "Required value"}])
    assert messages.explain("apply", messages.name_of(POOL), 422, body) == (
        "Cannot apply IPAddressPool metallb-system/home: spec.addresses: Required value. "
        "Correct the value named above; it usually comes from the inventory."
    )


@pytest.mark.parametrize(
    "code, body, told",
    [
        (403, status("pods is forbidden"), "administrator's kubeconfig"),
        (500, status("etcd is sad."), "etcd is sad. The API server itself has a problem"),
        (500, status("failed to create typed patch object (x): .data.k: expected string"), "Correct the value"),
        (
            500,
            status('failed calling webhook "v.metallb.io": connection refused'),
            "does not answer: start its program",
        ),
        (503, b"<html>proxy</html>", "<html>proxy</html>"),
        (418, "", "HTTP status 418"),
        (400, "[1]", "HTTP status 400"),
    ],
)
def test_every_kind_of_answer_becomes_a_sentence(code, body, told):
    assert told in messages.explain("apply", "x", code, body)


def test_a_dead_server_is_named_with_the_innermost_cause():
    cause = (
        "HTTPSConnectionPool(host='10.0.0.9', port=6443): Max retries exceeded with url: /version (Caused by "
        "NewConnectionError(\"HTTPSConnection(host='10.0.0.9', port=6443): Failed to establish a new connection: "
        '[Errno 111] Connection refused"))'
    )
    text = messages.unreachable("https://10.0.0.9:6443", cause)
    assert text.startswith("The API server https://10.0.0.9:6443 does not answer (")
    assert "Connection refused)" in text and "Max retries" not in text


def test_a_foreign_certificate_is_no_dead_server():
    text = messages.unreachable("https://h", "(Caused by SSLError('[SSL: CERTIFICATE_VERIFY_FAILED] self signed'))")
    assert "certificate that the kubeconfig does not trust" in text
