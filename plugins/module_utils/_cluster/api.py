# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every call that Lantern's modules make to the API server. PRIVATE to the homelab.lantern collection.

Objects go in and come out as plain dictionaries. What the server refuses is a ClusterError with a remedy; an object
that does not exist is None, as that is an ordinary state.
"""

from __future__ import annotations

import http.client
import time
import typing as t

from . import messages
from .errors import ClusterError, RefusedError, UnservedKindError

try:
    import urllib3
    from kubernetes.client import ApiClient
    from kubernetes.client.exceptions import ApiException
    from kubernetes.dynamic.exceptions import ResourceNotFoundError
except ImportError:  # reported by connection.connect(), which every module calls first
    urllib3 = ApiClient = ApiException = ResourceNotFoundError = None

FIELD_MANAGER = "lantern"
KIND_RETRY_SECONDS = 0.5


class Cluster:
    """One API server. `make` builds the library's client on first use, so that an unreachable server is our error."""

    def __init__(self, make: t.Callable[[], t.Any], *, server: str, timeout: int) -> None:
        self.server = server
        self._make = make
        self._timeout = timeout
        self._client: t.Any = None

    # -- reading ---------------------------------------------------------------------------------------------------

    def get(self, api_version: str, kind: str, name: str, namespace: str | None = None) -> dict[str, t.Any] | None:
        """The object, or None if it or its kind does not exist."""
        subject = messages.name_of({"kind": kind, "metadata": {"name": name, "namespace": namespace}})
        try:
            resource = self.resource(api_version, kind)
        except UnservedKindError:
            return None
        return self._call("read", subject, True, resource.get, name=name, namespace=namespace)

    def list(
        self, api_version: str, kind: str, namespace: str | None = None, **selectors: str
    ) -> list[dict[str, t.Any]]:
        """All objects of a kind, in `namespace` or everywhere; [] if the kind is not served.

        `selectors`: label_selector, field_selector. Each object says its kind as if it had been read alone.
        """
        try:
            resource = self.resource(api_version, kind)
        except UnservedKindError:
            return []
        found = self._call("list", kind, True, resource.get, namespace=namespace, **selectors)
        items = [] if found is None else found.get("items") or []
        # The API server leaves them out of a list's items.
        return [dict(item, apiVersion=api_version, kind=kind) for item in items]

    def log(self, namespace: str, pod: str, container: str, lines: int, previous: bool = False) -> str:
        """The last lines of a container's log; "" if there is none or the node does not hand it out."""
        try:
            text = _core(self.client.client).read_namespaced_pod_log(
                pod, namespace, container=container, tail_lines=lines, previous=previous, _request_timeout=self._timeout
            )
        except (ApiException, urllib3.exceptions.HTTPError):
            # A log is an extra beside the real error: without it that error must still be shown.
            return ""
        return str(text or "")

    def ask_pod(self, namespace: str, pod: str, port: int, path: str, seconds: float) -> str:
        """What a pod answers to an HTTP GET of `path` on its own loopback address; "" if it does not answer.

        By port forwarding, as the speaker's metrics are not for the LAN.
        """
        from kubernetes.stream import portforward

        try:
            # A client of its own: the library changes the client by which it opens a stream.
            api = _core(ApiClient(self.client.configuration))
            forwarded = portforward(
                api.connect_get_namespaced_pod_portforward,
                pod,
                namespace,
                ports=str(port),
                _request_timeout=seconds,
            )
            return _get(forwarded.socket(port), path, seconds)
        except (ApiException, urllib3.exceptions.HTTPError, http.client.HTTPException, OSError):
            # Whoever asks has other sources: a pod that is silent may be the very trouble that is looked for.
            return ""

    # -- writing ---------------------------------------------------------------------------------------------------

    def apply(self, manifest: dict[str, t.Any], *, dry_run: bool = False) -> dict[str, t.Any]:
        """Server-side apply as field manager `lantern`, taking over fields that others had set."""
        resource = self.resource(manifest["apiVersion"], manifest["kind"])
        done = self._call(
            "apply",
            messages.name_of(manifest),
            False,
            resource.server_side_apply,
            body=manifest,
            namespace=manifest["metadata"].get("namespace"),
            field_manager=FIELD_MANAGER,
            force_conflicts=True,
            **_dry(dry_run),
        )
        return t.cast("dict[str, t.Any]", done)

    def create(self, manifest: dict[str, t.Any], *, dry_run: bool = False) -> dict[str, t.Any] | None:
        """Create the object; None if it has come into being in the meantime (then it is left as it is)."""
        resource = self.resource(manifest["apiVersion"], manifest["kind"])
        try:
            return self._call(
                "create",
                messages.name_of(manifest),
                False,
                resource.create,
                body=manifest,
                namespace=manifest["metadata"].get("namespace"),
                field_manager=FIELD_MANAGER,
                **_dry(dry_run),
            )
        except RefusedError as refusal:
            if refusal.code == 409:
                return None
            raise

    def merge(
        self, manifest: dict[str, t.Any], patch: dict[str, t.Any], *, subresource: str = "", dry_run: bool = False
    ) -> dict[str, t.Any]:
        """A JSON merge patch of the object that `manifest` names, or of its `subresource`."""
        resource = self.resource(manifest["apiVersion"], manifest["kind"])
        if subresource:
            resource = getattr(resource, subresource)
        done = self._call(
            "change",
            messages.name_of(manifest),
            False,
            resource.patch,
            body=patch,
            name=manifest["metadata"]["name"],
            namespace=manifest["metadata"].get("namespace"),
            content_type="application/merge-patch+json",
            field_manager=FIELD_MANAGER,
            **_dry(dry_run),
        )
        return t.cast("dict[str, t.Any]", done)

    def delete(self, manifest: dict[str, t.Any], *, orphan: bool = False, dry_run: bool = False) -> None:
        """Delete the object with all it owns, or without (`orphan`). It may be gone only later.

        Nothing happens if it does not exist.
        """
        try:
            resource = self.resource(manifest["apiVersion"], manifest["kind"])
        except UnservedKindError:
            return
        self._call(
            "delete",
            messages.name_of(manifest),
            True,
            resource.delete,
            name=manifest["metadata"]["name"],
            namespace=manifest["metadata"].get("namespace"),
            propagation_policy="Orphan" if orphan else "Foreground",
            **_dry(dry_run),
        )

    def evict(self, namespace: str, pod: str) -> bool:
        """Ask a pod to go; False while its disruption budget forbids that. True also if it is gone already."""
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": namespace}}
        evictions = self.resource("v1", "Pod").subresources["eviction"]
        try:
            self._call(
                "evict", f"Pod {namespace}/{pod}", True, evictions.create, body=body, name=pod, namespace=namespace
            )
        except RefusedError as refusal:
            if refusal.code == 429:
                return False
            raise
        return True

    # -- kinds -----------------------------------------------------------------------------------------------------

    @property
    def client(self) -> t.Any:
        if self._client is None:
            self._client = self._guard("connect to", "the API server", self._make)
        return self._client

    def resource(self, api_version: str, kind: str) -> t.Any:
        """The library's handle of a kind; UnservedKindError if the API server does not know it."""
        try:
            return self._guard("look up", kind, self.client.resources.get, api_version=api_version, kind=kind)
        except ResourceNotFoundError as exc:
            raise UnservedKindError(
                f"The cluster {self.server} serves no {kind} of {api_version}: run the deploy stage, it installs "
                "that kind."
            ) from exc

    def await_kind(self, api_version: str, kind: str, seconds: float) -> None:
        """Wait until a kind is served: a fresh definition needs a second or two. UnservedKindError if not."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.resource(api_version, kind)
                return
            except UnservedKindError:
                if time.monotonic() >= deadline:
                    raise
            time.sleep(KIND_RETRY_SECONDS)
            self.client.resources.invalidate_cache()

    # -- one place for everything that can go wrong ------------------------------------------------------------------

    def _call(
        self, verb: str, subject: str, may_lack: bool, function: t.Callable[..., t.Any], **options: t.Any
    ) -> t.Any:
        """The answer as a dictionary; None for 404 if the object `may_lack`."""
        try:
            answer = self._guard(verb, subject, function, _request_timeout=self._timeout, **options)
        except RefusedError as refusal:
            if may_lack and refusal.code == 404:
                return None
            raise
        return answer.to_dict() if hasattr(answer, "to_dict") else answer

    def _guard(self, verb: str, subject: str, function: t.Callable[..., t.Any], **options: t.Any) -> t.Any:
        try:
            return function(**options)
        except ApiException as exc:
            raise RefusedError(messages.explain(verb, subject, exc.status or 0, exc.body), exc.status or 0) from exc
        except (urllib3.exceptions.HTTPError, OSError) as exc:
            raise ClusterError(messages.unreachable(self.server, exc)) from exc


def _core(client: t.Any) -> t.Any:
    """The library's class for Pods and the like, imported where it is used: it brings models of all kinds with it, and
    that takes longer than all that most modules do."""
    from kubernetes.client import CoreV1Api

    return CoreV1Api(client)


def _get(stream: t.Any, path: str, seconds: float) -> str:
    """The body of the answer to GET `path` on an open connection; "" unless its status is 200.

    The answer's end is told by its headers: container runtimes close a forwarded connection only a second later.
    """
    stream.setblocking(True)
    stream.settimeout(seconds)
    connection = http.client.HTTPConnection("localhost", timeout=seconds)
    connection.sock = stream
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.read().decode(errors="replace") if answer.status == 200 else ""
    finally:
        connection.close()


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dry_run": "All"} if dry_run else {}
