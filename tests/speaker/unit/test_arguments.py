# Copyright (c) 2026, Lantern contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Arguments and environment to settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from lantern.arguments import SettingsError, load
from lantern.cli import main
from lantern.l2.announcing import Options
from lantern.settings import ControllerSettings, ConvertSettings, ExplainSettings, GossipSettings, SpeakerSettings

ENVIRON = {"METALLB_NAMESPACE": "metallb-system", "METALLB_NODE_NAME": "node1"}
NOWHERE = Path("/nonexistent/namespace")


def test_defaults_from_the_environment() -> None:
    assert load(["controller"], ENVIRON, NOWHERE) == ControllerSettings(namespace="metallb-system")
    assert load(["speaker"], ENVIRON, NOWHERE) == SpeakerSettings(namespace="metallb-system", node_name="node1")


def test_arguments_win() -> None:
    argv = ["speaker", "--namespace=ns", "--node-name=n", "--lb-class=c", "--log-level=debug", "--health-probe-port=9"]
    assert load([*argv, "--ignore-exclude-lb"], ENVIRON, NOWHERE) == SpeakerSettings(
        namespace="ns", node_name="n", lb_class="c", log_level="debug", health_probe_port=9, ignore_exclude_lb=True
    )


def test_namespace_of_the_service_account_is_the_last_resort(tmp_path: Path) -> None:
    file = tmp_path / "namespace"
    file.write_text("from-file\n")
    assert load(["controller"], {}, file).namespace == "from-file"


def test_speaker_listens_on_the_loopback_and_the_controller_everywhere() -> None:
    speaker = load(["speaker"], ENVIRON, NOWHERE)
    controller = load(["controller"], ENVIRON, NOWHERE)
    assert (speaker.health_probe_host, controller.health_probe_host) == ("127.0.0.1", None)


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        load(["speaker", "--log-level=loud", "--health-probe-port=x"], {}, NOWHERE)
    assert len(caught.value.problems) == 4
    assert "METALLB_NODE_NAME" in str(caught.value) and '"loud"' in str(caught.value)


def test_unusable_settings_end_with_status_2_and_one_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["speaker", "--namespace=x"], {}) == 2
    assert capsys.readouterr().err == "lantern: no node name: pass --node-name or set METALLB_NODE_NAME\n"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["--version"], {})
    assert caught.value.code == 0
    assert capsys.readouterr().out == "lantern 0.1.0\n"


def test_convert_needs_neither_cluster_nor_environment() -> None:
    assert load(["convert"], {}, NOWHERE) == ConvertSettings(file="-", namespace="")
    argv = ["convert", "old.yaml", "--namespace=lb"]
    assert load(argv, {}, NOWHERE) == ConvertSettings(file="old.yaml", namespace="lb")


@pytest.mark.parametrize("command", ["controller", "speaker"])
def test_name_of_the_old_config_map(command: str) -> None:
    for argv, expected in (([command], "config"), ([command, "--config=metallb-config"], "metallb-config")):
        found = load(argv, ENVIRON, NOWHERE)
        assert not isinstance(found, ConvertSettings) and found.config_map == expected


@pytest.mark.parametrize(
    ("argument", "told"),
    [
        ("--lease-duration=soon", '--lease-duration "soon" is not a number of seconds'),
        ("--lease-renew=0", '--lease-renew "0" is not a number of seconds'),
        ("--lease-duration=2", "--lease-duration 2 is too short for --lease-renew 1"),
        ("--lan=192.168.2", "192.168.2"),
        ("--router=home", "home"),
        ("--memory-size=-1", '--memory-size "-1" is not a number of Services'),
    ],
)
def test_wrong_values_of_the_controller_are_named(argument: str, told: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(["controller", argument], ENVIRON, NOWHERE)
    (problem,) = error.value.problems
    assert told in problem


def test_explain_finds_the_configuration_in_its_usual_place() -> None:
    settings = load(["explain", "service", "media/tv"], {}, NOWHERE)
    assert settings == ExplainSettings(service=("media", "tv"), namespace="metallb-system")
    assert load(["explain", "service", "tv"], {}, NOWHERE) == ExplainSettings(
        service=("default", "tv"), namespace="metallb-system"
    )
    asked = load(["explain", "service", "tv", "--ignore-exclude-lb", "--health-probe-port=9"], {}, NOWHERE)
    assert isinstance(asked, ExplainSettings) and asked.ignore_exclude_lb and asked.port == 9


def test_how_the_speaker_announces() -> None:
    argv = ["speaker", "--announce-interval=60", "--probe-time=0", "--ping-rate=10"]
    settings = load(argv, ENVIRON, NOWHERE)
    assert isinstance(settings, SpeakerSettings) and settings.answer_ping
    assert settings.layer2 == Options(refresh_seconds=60.0, probe_seconds=0.0, pings_per_second=10)
    silent = load(["speaker", "--ping-rate=0"], ENVIRON, NOWHERE)
    assert isinstance(silent, SpeakerSettings) and not silent.answer_ping


def test_numbers_of_the_speaker_that_are_none_are_told() -> None:
    with pytest.raises(SettingsError) as caught:
        load(["speaker", "--announce-interval=-1", "--probe-time=soon", "--ping-rate=1.5"], ENVIRON, NOWHERE)
    flags = [problem.split()[0] for problem in caught.value.problems]
    assert flags == ["--announce-interval", "--probe-time", "--ping-rate"]


def test_label_of_gossip() -> None:
    settings = load(["speaker", "--gossip-label=home"], ENVIRON, NOWHERE)
    assert isinstance(settings, SpeakerSettings) and settings.gossip == GossipSettings(label="home")
    with pytest.raises(SettingsError) as caught:
        load(["speaker", f"--gossip-label={'é' * 128}"], ENVIRON, NOWHERE)
    (problem,) = caught.value.problems
    assert problem.endswith("is too long: give at most 255 bytes")
