"""Probes at the command line: asked for by naming an image, shown in plan and rehearsal, bounded by numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from eksnetpol.gateways import snapshot_file
from tests.cli.conftest import Ended
from tests.migration.towns import town

Cli = Callable[..., Ended]
IMAGES = ("--cleaner-image", "example.com/cleaner:1", "--probe-image", f"example.com/probe@sha256:{'0f' * 32}")


@pytest.fixture
def shop(quiet_place: Path) -> str:
    """The file of a shop under Calico."""
    snapshot_file.save(town("calico_by_operator").snapshot, quiet_place / "shop.json")
    return "shop.json"


def test_a_rehearsal_shows_what_is_tried(cli: Cli, shop: str) -> None:
    ended = cli("migrate", "rehearse", "--snapshot", shop, *IMAGES, "--width", "150", "-v")
    assert ended.out.startswith("WELL: ")
    assert "3 baseline" in ended.out
    for step in ("baseline/probe", "roll/batch-1/probe", "close/probes-gone"):
        assert step in ended.out
    assert "look at objects alone" not in ended.out
    plain = cli("migrate", "rehearse", "--snapshot", shop, *IMAGES[:2], "--width", "150", "-v")
    assert "baseline/probe" not in plain.out
    assert "no connection is tried (--probe-image)" in plain.out


def test_the_plan_names_the_image_and_what_may_fail(cli: Cli, shop: str) -> None:
    ended = cli("migrate", "run", "--snapshot", shop, *IMAGES, "--plan", "--abort-after", "3", "--probes", "2", "-o", "json")
    steps = {step["id"]: step for step in json.loads(ended.out)["steps"]}
    probe = steps["roll/batch-1/probe"]
    assert (probe["action"]["do"], probe["action"]["image"]) == ("probe", IMAGES[3])
    assert (len(probe["action"]["tries"]), probe["until"]["mayFail"]) == (2, 3)


@pytest.mark.parametrize("option", ["--cleaner-image", "--probe-image"])
@pytest.mark.parametrize("image", ["", "bad image", "example.com/Probe", "example.com/probe:", "example.com/probe@sha256:0f"])
def test_what_no_kubelet_would_pull_is_wrong_usage(cli: Cli, shop: str, option: str, image: str) -> None:
    ended = cli("migrate", "rehearse", "--snapshot", shop, option, image)
    assert ended.code == 2
    assert f"{image!r} is no image" in ended.err
    assert ended.out == ""


ANYWHERE = ("cleaner", "cleaner:1", "localhost:5000/a/b-c__d.e", f"1.dkr.ecr.eu-west-1.amazonaws.com/x:v1@sha256:{'a' * 64}")


@pytest.mark.parametrize("image", ANYWHERE)
def test_images_of_any_registry_are_taken(cli: Cli, shop: str, image: str) -> None:
    ended = cli("migrate", "rehearse", "--snapshot", shop, "--cleaner-image", image, "--probe-image", image)
    assert ended.out.startswith("WELL: ")
    assert "which image" not in ended.out


@pytest.mark.parametrize("said", [("--probes", "0"), ("--probes", "201"), ("--abort-after", "-1")])
def test_numbers_that_mean_nothing_are_wrong_usage(cli: Cli, shop: str, said: tuple[str, str]) -> None:
    ended = cli("migrate", "rehearse", "--snapshot", shop, *IMAGES, *said)
    assert ended.code == 2
    assert said[0] in ended.err
