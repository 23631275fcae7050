# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Kubernetes API server on the loopback: etcd and kube-apiserver, nothing else.

Services get cluster addresses and watches work as everywhere; there is no scheduler, no kubelet and no pod, so
EndpointSlices and Nodes are written by the test.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2

TOKEN = "admin-token-of-the-test"
NAMESPACE = "metallb-system"
ONE_FAMILY = "10.96.0.0/16"
BOTH_FAMILIES = f"{ONE_FAMILY},fd00:96::/112"
"""What cluster addresses are taken from."""
ACCOUNTS = ("controller", "speaker")
"""Service accounts that can be acted as; they may do what the test grants them."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class ApiServer:
    """Starts in the folder `work`; `stop` ends what was started here, by its process id."""

    def __init__(self, binaries: Path, work: Path, service_ranges: str = BOTH_FAMILIES) -> None:
        self.binaries = binaries
        self._work = work
        self._service_ranges = service_ranges
        self._etcd_port, self._peer_port, self.port = free_port(), free_port(), free_port()
        self._etcd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self.kubeconfig = work / "kubeconfig"
        self.write_kubeconfig(self.kubeconfig, self.port)
        self._http = httpx2.Client(
            base_url=f"https://127.0.0.1:{self.port}",
            verify=False,
            trust_env=False,
            headers={"Authorization": f"Bearer {TOKEN}"},
            timeout=10,
        )

    def write_kubeconfig(self, path: Path, port: int, account: str = "") -> None:
        """For the administrator, or one of ACCOUNTS."""
        cluster = {"server": f"https://127.0.0.1:{port}", "insecure-skip-tls-verify": True}
        path.write_text(
            json.dumps(
                {
                    "apiVersion": "v1",
                    "kind": "Config",
                    "current-context": "test",
                    "clusters": [{"name": "test", "cluster": cluster}],
                    "users": [{"name": "test", "user": {"token": account or TOKEN}}],
                    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
                }
            )
        )

    def start(self) -> None:
        """Start etcd if it is not running, and the API server; returns when it answers."""
        if self._etcd is None:
            self._etcd = self._spawn("etcd", *self._etcd_arguments())
        if not (self._work / "sa.key").exists():
            command = ["openssl", "genrsa", "-out", str(self._work / "sa.key"), "2048"]
            subprocess.run(command, check=True, capture_output=True)
            groups = f'"system:serviceaccounts,system:serviceaccounts:{NAMESPACE}"'
            accounts = [f"{name},system:serviceaccount:{NAMESPACE}:{name},{name},{groups}\n" for name in ACCOUNTS]
            (self._work / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n{''.join(accounts)}")
        self._server = self._spawn("kube-apiserver", *self._server_arguments())
        self._await_ready()

    def stop_server(self) -> None:
        """Only the API server, without a farewell to its clients; etcd keeps the objects."""
        if self._server is not None:
            self._server.kill()
            self._server.wait(10)
        self._server = None

    def stop(self) -> None:
        self.stop_server()
        _end(self._etcd)
        self._etcd = None
        self._http.close()

    def request(self, method: str, path: str, body: Any = None, kind: str = "application/json") -> Any:
        """One request; returns the decoded answer. Raises httpx2.HTTPStatusError for a refusal."""
        response = self.send(method, path, body, kind)
        response.raise_for_status()
        return response.json()

    def send(
        self, method: str, path: str, body: Any = None, kind: str = "application/json", **headers: str
    ) -> httpx2.Response:
        """One request; returns the answer as it is, also a refusal."""
        content = None if body is None else json.dumps(body)
        return self._http.request(method, path, content=content, headers={"Content-Type": kind, **headers})

    def create(self, path: str, body: dict[str, Any]) -> Any:
        return self.request("POST", path, body)

    def get(self, path: str) -> Any:
        return self.request("GET", path)

    def delete(self, path: str) -> None:
        self.request("DELETE", path)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self.request("PATCH", path, body, "application/merge-patch+json")

    def apply_crds(self, folder: Path) -> None:
        """Apply the CustomResourceDefinitions that people deploy, and wait until they are served."""
        command = [str(self.binaries / "kubectl"), f"--kubeconfig={self.kubeconfig}"]
        subprocess.run([*command, "apply", "-f", str(folder)], check=True, capture_output=True, timeout=60)
        wait = ["wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"]
        subprocess.run([*command, *wait], check=True, capture_output=True, timeout=60)

    def _etcd_arguments(self) -> list[str]:
        client, peer = f"http://127.0.0.1:{self._etcd_port}", f"http://127.0.0.1:{self._peer_port}"
        return [
            f"--data-dir={self._work}/etcd",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            "--unsafe-no-fsync",
        ]

    def _server_arguments(self) -> list[str]:
        key = f"{self._work}/sa.key"
        return [
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            f"--secure-port={self.port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--authorization-mode=RBAC",
            f"--token-auth-file={self._work}/tokens.csv",
            f"--cert-dir={self._work}/certificates",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            f"--service-cluster-ip-range={self._service_ranges}",
            "--disable-admission-plugins=ServiceAccount",
            "--shutdown-delay-duration=0s",
            "--endpoint-reconciler-type=none",
        ]

    def _spawn(self, program: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self._work / f"{program}.log").open("ab") as log:
            return subprocess.Popen(
                [str(self.binaries / program), *arguments], stdout=log, stderr=log, start_new_session=True
            )

    def _await_ready(self, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for process, name in ((self._etcd, "etcd"), (self._server, "kube-apiserver")):
                if process is not None and process.poll() is not None:
                    raise RuntimeError(f"{name} ended; see {self._work}/{name}.log")
            with suppress(httpx2.HTTPError):
                if self._http.get("/readyz").status_code == 200:
                    return
            time.sleep(0.2)
        raise RuntimeError(f"kube-apiserver was not ready in {seconds} s; see {self._work}/kube-apiserver.log")


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.poll() is not None:
        return
    os.kill(process.pid, signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(10)
