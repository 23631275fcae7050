# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who writes what to the API server, by its own audit log.

The server's request metrics do not name the user; its audit log does. The policy records writes of the load
balancer's service accounts only, so that the log costs next to nothing and the same for every contender.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import msgspec
import yaml
from homelab.shell import LabError

from . import lab
from .api import ClusterApi
from .pods import SYSTEM

_MANIFEST = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_POLICY_FILE = "/etc/kubernetes/audit-policy.yaml"
_LOG = "/var/log/kubernetes/audit.log"
_POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "verbs": ["get", "list", "watch"]},
        {"level": "Metadata", "userGroups": [f"system:serviceaccounts:{SYSTEM}"]},
        {"level": "None"},
    ],
}
_RESTART_SECONDS = 120


class _User(msgspec.Struct):
    username: str = ""


class _Object(msgspec.Struct):
    resource: str = ""
    subresource: str = ""


class _Answer(msgspec.Struct):
    code: int = 0


class _Entry(msgspec.Struct):
    verb: str
    user: _User
    object: _Object = msgspec.field(default_factory=_Object, name="objectRef")
    answer: _Answer = msgspec.field(default_factory=_Answer, name="responseStatus")


_decode = msgspec.json.Decoder(_Entry).decode


@dataclass(frozen=True, order=True, slots=True)
class Write:
    """A kind of write: which service account, which verb, which resource (services/status), whether it succeeded."""

    account: str
    verb: str
    resource: str
    accepted: bool = True

    def __str__(self) -> str:
        return f"{self.account}: {self.verb} {self.resource}{'' if self.accepted else ' (refused)'}"


@dataclass(frozen=True, slots=True)
class AuditLog:
    """The audit log of the running lab; `position` marks a moment, `since` counts from there."""

    path: Path

    def position(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def since(self, position: int) -> Counter[Write]:
        """Writes by kind since `position`. A Lease's renewals are counted like all others."""
        counted: Counter[Write] = Counter()
        if not self.path.exists():
            return counted
        with self.path.open("rb") as file:
            if position:
                # The line that was being written then, or nothing but the end of the one before.
                file.seek(position - 1)
                file.readline()
            for line in file:
                if line.endswith(b"\n"):
                    counted[_kind(_decode(line))] += 1
        return counted


def _kind(entry: _Entry) -> Write:
    target = entry.object
    resource = f"{target.resource}/{target.subresource}" if target.subresource else target.resource
    return Write(entry.user.username.rpartition(":")[2], entry.verb, resource, entry.answer.code < 400)


def start(api: ClusterApi) -> AuditLog:
    """Have the lab's API server keep the log: a change of its manifest, after which kubelet starts it anew.

    Raises:
        LabError: the API server did not come back.
    """
    manifest = yaml.safe_load(lab.on("node1", f"cat {_MANIFEST}"))
    _add_audit(manifest["spec"])
    lab.on("node1", f"cat > {_POLICY_FILE}", stdin=json.dumps(_POLICY))
    # Written beside and moved: kubelet must not read half a manifest.
    new = f"{_MANIFEST.replace('/manifests', '')}.new"
    lab.on("node1", f"cat > {new} && mv {new} {_MANIFEST}", stdin=yaml.safe_dump(manifest))
    # A graceful stop would wait for half a minute for watches to end that end by themselves.
    lab.on("node1", "sleep 1; pkill -KILL -x kube-apiserver")
    deadline = time.monotonic() + _RESTART_SECONDS
    while not (_restarted() and api.answers()):
        if time.monotonic() > deadline:
            raise LabError(f"the API server did not start anew with an audit log in {_RESTART_SECONDS} s")
        time.sleep(0.5)
    return AuditLog(lab.root("node1") / _LOG.lstrip("/"))


def _add_audit(spec: dict[str, object]) -> None:
    container = spec["containers"][0]  # type: ignore[index]
    container["command"] += [
        f"--audit-policy-file={_POLICY_FILE}",
        f"--audit-log-path={_LOG}",
        "--audit-log-maxsize=2000",
    ]
    folder = str(Path(_LOG).parent)
    for name, path, kind in (("audit-policy", _POLICY_FILE, "File"), ("audit-log", folder, "DirectoryOrCreate")):
        container["volumeMounts"].append({"name": name, "mountPath": path, "readOnly": kind == "File"})
        spec["volumes"].append({"name": name, "hostPath": {"path": path, "type": kind}})  # type: ignore[attr-defined]


def _restarted() -> bool:
    try:
        return bool(lab.run("exec", "node1", "--", "pgrep", "--full", "audit-log-path").strip())
    except LabError:
        return False
