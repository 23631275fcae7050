# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the deploy role's templates make: programs that take their flags, pods that may do no more than they need."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from ansible.plugins.filter.core import FilterModule
from lantern import arguments
from lantern.settings import ControllerSettings, SpeakerSettings

ROLE = Path(__file__).resolve().parents[3] / "roles/deploy"
TEMPLATES = ("workloads.yaml.j2", "network.yaml.j2", "rbac.yaml.j2", "namespace.yaml.j2")
# What the role's defaults take from the inventory or from earlier tasks.
FACTS = {
    "deploy_image_name": "localhost/lantern:1",
    "deploy_controller_replicas": 2,
    "deploy_lans": ["192.168.2.0/24"],
    "deploy_router": "192.168.2.1",
}


def manifests(**variables: Any) -> list[dict[str, Any]]:
    environment = jinja2.Environment(trim_blocks=True, undefined=jinja2.StrictUndefined)
    environment.filters.update(FilterModule().filters())
    given = {**yaml.safe_load((ROLE / "defaults/main.yml").read_text()), **FACTS, **variables}
    texts = [environment.from_string((ROLE / "templates" / name).read_text()).render(given) for name in TEMPLATES]
    return [found for text in texts for found in yaml.safe_load_all(text) if found]


def pod(component: str, **variables: Any) -> dict[str, Any]:
    """The pod's spec."""
    (found,) = (
        item["spec"]["template"]["spec"]
        for item in manifests(**variables)
        if item["kind"] in ("Deployment", "DaemonSet") and item["metadata"]["name"] == component
    )
    assert isinstance(found, dict)
    return found


def settings(component: str, **variables: Any) -> Any:
    """What the program makes of what it is started with."""
    (container,) = pod(component, **variables)["containers"]
    fields = {"metadata.namespace": "metallb-system", "spec.nodeName": "node1", "status.podIP": "192.168.2.11"}
    environ = {
        item["name"]: item.get("value") or fields.get(item["valueFrom"]["fieldRef"]["fieldPath"], "")
        for item in container["env"]
    }
    return arguments.load(container["args"], environ)


def test_programs_take_what_the_role_gives_them() -> None:
    controller, speaker = settings("controller"), settings("speaker")
    assert isinstance(controller, ControllerSettings) and isinstance(speaker, SpeakerSettings)
    assert (controller.lans, controller.router) == (("192.168.2.0/24",), "192.168.2.1")
    assert (speaker.node_name, speaker.gossip.bind_address) == ("node1", "192.168.2.11")
    assert (speaker.gossip.secret_folder, speaker.gossip.label) == ("/etc/ml_secret_key", "")
    assert settings("speaker", deploy_gossip_label='home: 1 # "\u00e9').gossip.label == 'home: 1 # "\u00e9'


@pytest.mark.parametrize(
    ("variable", "value", "setting", "expected"),
    [
        ("election", "hash", "elect_by_hash", True),
        ("hold_time", 5, "hold_seconds", 5.0),
        ("ping_rate", 0, "answer_ping", False),
        ("lb_class", "home/lan", "lb_class", "home/lan"),
        ("config_map", "old", "config_map", "old"),
        ("log_level", "debug", "log_level", "debug"),
        ("ignore_exclude_lb", True, "ignore_exclude_lb", True),
        # As --extra-vars gives it.
        ("ignore_exclude_lb", "false", "ignore_exclude_lb", False),
    ],
)
def test_variable_reaches_the_speaker(variable: str, value: Any, setting: str, expected: object) -> None:
    assert getattr(settings("speaker", **{f"deploy_{variable}": value}), setting) == expected


@pytest.mark.parametrize(("component", "added"), [("controller", []), ("speaker", ["NET_RAW"])])
def test_pod_may_do_no_more_than_it_needs(component: str, added: list[str]) -> None:
    spec = pod(component)
    assert "initContainers" not in spec
    assert not {"hostPID", "hostIPC", "shareProcessNamespace"} & spec.keys()
    assert bool(spec.get("hostNetwork")) is (component == "speaker")
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = spec["containers"]
    context = container["securityContext"]
    assert context["capabilities"]["drop"] == ["ALL"] and context["capabilities"].get("add", []) == added
    assert context["allowPrivilegeEscalation"] is False and context["readOnlyRootFilesystem"] is True
    assert "privileged" not in context and "seccompProfile" not in context
    # Nothing of the node's file system, and nothing that can be written.
    assert all({"secret", "configMap"} & volume.keys() for volume in spec.get("volumes", []))
    assert all(mount["readOnly"] is True for mount in container.get("volumeMounts", []))


def test_controller_is_nobody() -> None:
    context = pod("controller")["securityContext"]
    assert context["runAsNonRoot"] is True and context["runAsUser"] == context["runAsGroup"] == 65534


def test_tokens_are_the_kubelets_and_expire() -> None:
    """Without a token of its own a pod gets a projected one; those in Secrets are valid for ever."""
    for item in manifests():
        assert item["kind"] != "Secret"
        if item["kind"] == "ServiceAccount":
            assert not {"secrets", "automountServiceAccountToken"} & item.keys()
    for component in ("controller", "speaker"):
        spec = pod(component)
        assert spec["serviceAccountName"] == component and "automountServiceAccountToken" not in spec
        names = {volume["secret"]["secretName"] for volume in spec.get("volumes", []) if "secret" in volume}
        assert names <= {"memberlist"}


def test_speakers_metrics_are_not_for_the_lan() -> None:
    """It is on the node's own network, where network policies do not hold."""
    speaker, (container,) = settings("speaker"), pod("speaker")["containers"]
    assert speaker.health_probe_host == "127.0.0.1"
    (port,) = container["ports"]
    assert port["containerPort"] == speaker.health_probe_port
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["host"] == "127.0.0.1"


def test_controller_is_reached_at_its_metrics_alone_and_reaches_the_api_server_alone() -> None:
    (policy,) = (item for item in manifests(deploy_api_ports=[16443]) if item["kind"] == "NetworkPolicy")
    labels = policy["spec"]["podSelector"]["matchLabels"]
    (deployment,) = (item for item in manifests() if item["kind"] == "Deployment")
    assert labels.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert policy["spec"]["policyTypes"] == ["Ingress", "Egress"]
    port = settings("controller").health_probe_port
    assert policy["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": port}]}]
    assert policy["spec"]["egress"] == [{"ports": [{"protocol": "TCP", "port": 16443}]}]
