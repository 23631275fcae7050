# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""`lantern convert`: an old ConfigMap in, custom resources out."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from lantern.adapters.yaml_text import load
from lantern.cli import main

GOLDEN = Path(__file__).resolve().parents[2] / "golden/convert"
INPUTS = sorted(GOLDEN.glob("*.yaml"))
MINIMAL = "address-pools: [{name: home, protocol: layer2, addresses: [192.168.2.128/25]}]"
CONFIG_MAP = f'kind: ConfigMap\ndata: {{config: "{MINIMAL}"}}\n'


def converted(capsys: pytest.CaptureFixture[str], text: str, *arguments: str) -> tuple[int, str, str]:
    """Exit status, standard output and standard error for this input on standard input."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.stdin", io.StringIO(text))
        status = main(["convert", *arguments], {})
    out, err = capsys.readouterr()
    return status, out, err


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: path.stem)
def test_golden_pairs(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(path)], {}) == 0
    assert capsys.readouterr().out == path.with_suffix(".golden").read_text()


def test_there_are_golden_pairs() -> None:
    assert len(INPUTS) >= 5


@pytest.mark.parametrize(
    ("text", "arguments", "namespace"),
    [
        (MINIMAL, [], "metallb-system"),
        (MINIMAL, ["-", "--namespace=lb"], "lb"),
        (CONFIG_MAP, [], "metallb-system"),
        (f"{CONFIG_MAP}metadata: {{namespace: balancer, name: x}}", [], "balancer"),
        (f"{CONFIG_MAP}metadata: {{namespace: balancer}}", ["--namespace", "lb"], "lb"),
        (f"---\nkind: Namespace\n---\n{CONFIG_MAP}---\nkind: Service\n---\n", [], "metallb-system"),
    ],
)
def test_namespace(text: str, arguments: list[str], namespace: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = converted(capsys, text, *arguments)
    assert (status, err) == (0, "")
    found = [item for item in load(out) if item is not None]
    assert [item["kind"] for item in found] == ["IPAddressPool", "L2Advertisement"]  # type: ignore[index]
    assert {item["metadata"]["namespace"] for item in found} == {namespace}  # type: ignore[index]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (MINIMAL.replace("layer2", "l2"), 'protocol is "l2", but layer2 or bgp is needed'),
        (MINIMAL.replace("addresses", "adresses"), 'Did you mean "addresses"?'),
        (CONFIG_MAP.replace("layer2", "l2"), 'ConfigMap metallb-system/config, address pool "home": protocol'),
        ("a: 1\na: 2", 'standard input: line 2: the key "a" is given twice'),
        ("", "0 YAML documents; give one ConfigMap, or the text inside it"),
        (f"{MINIMAL}\n---\n{MINIMAL}", "2 YAML documents"),
        ("kind: Pod", '0 ConfigMaps with a key "config" under data; give exactly one'),
        ("kind: ConfigMap\ndata: {other: x}", "0 ConfigMaps"),
        (f"{CONFIG_MAP}---\n{CONFIG_MAP}", "2 ConfigMaps"),
        ('kind: ConfigMap\ndata: {config: "a: [1"}', "line 1: "),
        ('kind: ConfigMap\ndata: {config: "a: 1\\n---\\nb: 2"}', "config holds 2 YAML documents"),
        (MINIMAL.replace("home", "Ä"), '"Ä": Kubernetes takes no such name, and no good one can be made of it'),
        (
            "address-pools: [{name: A_b, protocol: bgp, addresses: [10.0.0.0/24]},"
            "{name: a-b, protocol: bgp, addresses: [10.0.1.0/24]}]",
            'address pool "a-b" would be named "a-b", as another one is',
        ),
        ("peers: [{my-asn: 1, peer-asn: 2, peer-address: 10.0.0.1, peer-port: 20000}]", "peer-port 20000 cannot be"),
    ],
)
def test_problem_prints_nothing_but_the_problem(text: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = converted(capsys, text)
    assert (status, out) == (1, "")
    assert err.startswith("lantern: ") and told in err and err.count("\n") == 1


def test_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "/nonexistent/config.yaml"], {}) == 1
    assert "No such file" in capsys.readouterr().err
