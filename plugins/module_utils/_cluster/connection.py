# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the API server is and who we are there. PRIVATE to the homelab.lantern collection.

The credentials come as a file or as text; the text is never written to disk by us and never printed.
"""

from __future__ import annotations

import os
import traceback
import typing as t
from urllib.parse import urlsplit, urlunsplit

from ansible.module_utils.basic import missing_required_lib

from .api import Cluster
from .errors import ClusterError

try:
    import yaml
    from kubernetes import client, config, dynamic

    LIBRARY_PROBLEM = None
except ImportError:
    LIBRARY_PROBLEM = traceback.format_exc()

if t.TYPE_CHECKING:  # pragma: no cover
    from ansible.module_utils.basic import AnsibleModule

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1", "0.0.0.0")
SECRET_KEYS = ("client-key-data", "client-certificate-data", "token", "password", "id-token", "refresh-token")


def argument_spec(**more: dict[str, t.Any]) -> dict[str, t.Any]:
    """The options of homelab.lantern.cluster (doc fragment) plus those of one module."""
    spec: dict[str, t.Any] = {
        "kubeconfig": {"type": "path"},
        "kubeconfig_content": {"type": "str", "no_log": True},
        "context": {"type": "str"},
        "api_host": {"type": "str"},
        "request_timeout": {"type": "int", "default": 20},
    }
    spec.update(more)
    return spec


MUTUALLY_EXCLUSIVE = [("kubeconfig", "kubeconfig_content")]


def rewrite_loopback(server: str, host: str | None) -> str:
    """Give `server` (an URL) the address `host` if it points at the machine it was written on, as k3s' file does."""
    parts = urlsplit(server)
    if not host or parts.hostname not in LOOPBACK_HOSTS:
        return server
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if parts.port is None else f"{shown}:{parts.port}"
    return urlunsplit((parts.scheme, netloc, parts.path, parts.query, parts.fragment))


def secrets_of(kubeconfig: t.Any) -> set[str]:
    """Every credential inside a kubeconfig: what must not appear in any output of a module."""
    if isinstance(kubeconfig, dict):
        found = {str(value) for key, value in kubeconfig.items() if key in SECRET_KEYS and isinstance(value, str)}
        return found.union(*(secrets_of(value) for value in kubeconfig.values()), set())
    if isinstance(kubeconfig, list):
        return set().union(*(secrets_of(item) for item in kubeconfig), set())
    return set()


def parse_kubeconfig(text: str, origin: str) -> dict[str, t.Any]:
    """The kubeconfig as a mapping; ClusterError if `text` is none."""
    try:
        parsed = yaml.safe_load(text)
    except yaml.YAMLError as exc:
        # The parser's message may quote the file, and the file holds keys: only the place is told.
        mark = getattr(exc, "problem_mark", None)
        where = f" (line {mark.line + 1})" if mark else ""
        raise ClusterError(f"{origin} is not valid YAML{where}: copy the file from the control plane again.") from None
    if not isinstance(parsed, dict) or not parsed.get("clusters"):
        raise ClusterError(
            f"{origin} is not a kubeconfig, it names no cluster: set lantern_kubeconfig to the file that kubectl uses."
        )
    return parsed


def read_kubeconfig(path: str) -> str:
    """The text of a kubeconfig file; ClusterError naming path and remedy if it cannot be read."""
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as stream:
            return stream.read()
    except OSError as exc:
        raise ClusterError(
            f"The kubeconfig {path} cannot be read: {exc.strerror}. Set lantern_kubeconfig to a file on the "
            "machine that "
            "runs Ansible, or leave it out so that it is read from the first control plane node."
        ) from exc


def connect(module: AnsibleModule) -> Cluster:
    """A Cluster from the module's options. Ends the module if the Python package is missing; ClusterError otherwise."""
    if LIBRARY_PROBLEM is not None:
        module.fail_json(msg=missing_required_lib("kubernetes"), exception=LIBRARY_PROBLEM)
    options = module.params
    if options["kubeconfig_content"]:
        origin, text = "The kubeconfig read from the control plane", options["kubeconfig_content"]
    elif options["kubeconfig"]:
        origin, text = f"The kubeconfig {options['kubeconfig']}", read_kubeconfig(options["kubeconfig"])
    else:
        raise ClusterError("No way to the cluster is given: set kubeconfig or kubeconfig_content.")
    parsed = parse_kubeconfig(text, origin)
    module.no_log_values.update(secrets_of(parsed))
    settings = client.Configuration()
    try:
        if options["kubeconfig_content"]:
            config.load_kube_config_from_dict(
                parsed, context=options["context"], client_configuration=settings, temp_file_path=module.tmpdir
            )
        else:  # not from the parsed text: the file may name certificates by paths relative to itself
            config.load_kube_config(
                options["kubeconfig"],
                context=options["context"],
                client_configuration=settings,
                persist_config=False,
                temp_file_path=module.tmpdir,
            )
    except config.ConfigException as exc:
        raise ClusterError(f"{origin} cannot be used: {exc}.") from exc
    settings.host = rewrite_loopback(settings.host, options["api_host"])
    # The library's own three retries hide a refused connection for a long time; our callers retry where it helps.
    settings.retries = 1
    # The library keeps discovery results in a shared file that outlives the cluster: ours is the module's own.
    cache = os.path.join(module.tmpdir, "lantern-discovery.json")

    def make() -> t.Any:
        return dynamic.DynamicClient(client.ApiClient(settings), cache_file=cache)

    return Cluster(make, server=settings.host, timeout=options["request_timeout"])


def finish(module: AnsibleModule, work: t.Callable[[], dict[str, t.Any]]) -> t.NoReturn:
    """End the module with what `work` returns, or with the text of the ClusterError that it raises."""
    try:
        result = work()
    except ClusterError as exc:
        module.fail_json(msg=str(exc))
    module.exit_json(**result)
