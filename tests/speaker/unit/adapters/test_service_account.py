# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a pod finds the API server, and the token that changes under it."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from lantern.adapters.kube import service_account
from lantern.adapters.kube.service_account import TokenAuth

REQUEST = httpx2.Request("GET", "https://10.96.0.1/api")


def authority() -> bytes:
    """A certificate as a cluster's authority has it, in PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "kubernetes")])
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + timedelta(days=3650))
    signed = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(key, SHA256())
    return signed.public_bytes(Encoding.PEM)


def test_outside_a_pod_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert service_account.access(tmp_path) is None
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.96.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    assert service_account.access(tmp_path) is None


@pytest.mark.parametrize(
    ("host", "url"), [("10.96.0.1", "https://10.96.0.1:443"), ("fd00::1", "https://[fd00::1]:443")]
)
def test_in_a_pod_only_the_clusters_own_authority_is_trusted(
    host: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", host)
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    (tmp_path / "token").write_text("secret\n")
    with pytest.raises(OSError, match="No such file"):
        service_account.access(tmp_path)
    (tmp_path / "ca.crt").write_text("no certificate")
    with pytest.raises(ssl.SSLError):
        service_account.access(tmp_path)
    (tmp_path / "ca.crt").write_bytes(authority())
    found = service_account.access(tmp_path)
    assert found is not None and found.server == url
    assert len(found.tls.get_ca_certs()) == 1


def test_token_is_read_once_and_again_after_a_refusal(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    auth = TokenAuth(token)
    assert next(auth.auth_flow(REQUEST)).headers["Authorization"] == "Bearer first"
    token.write_text("second\n")
    flow = auth.auth_flow(REQUEST)
    assert next(flow).headers["Authorization"] == "Bearer first"
    assert flow.send(httpx2.Response(401)).headers["Authorization"] == "Bearer second"
    flow = auth.auth_flow(REQUEST)
    assert next(flow).headers["Authorization"] == "Bearer second"
    with pytest.raises(StopIteration):
        flow.send(httpx2.Response(200))
