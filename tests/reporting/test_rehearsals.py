"""What people and programs see of a rehearsal: one that goes well, one that breaks what must hold, one that stops."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import jsonschema
import pytest
import yaml
from msgspec.structs import replace

from eksnetpol.migration.timeline import Rehearsal
from eksnetpol.operations.migration import source_of
from eksnetpol.operations.rehearsal import rehearse_migration
from eksnetpol.policy.profile import Profile
from eksnetpol.reporting import rehearsal_view as view
from eksnetpol.reporting import rehearsals
from tests.migration.shops import brought, plan, snapshot

Golden = Callable[[str, str], None]
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@cache
def went(how: str) -> Rehearsal:
    """Return a rehearsal that goes *well*, is *broken*, or is *stopped*."""
    made, mine = plan(), snapshot()
    if how == "broken":
        made = replace(made, steps=tuple(s for s in made.steps if s.id not in {"apply/shop/db", "soak"}))
    return rehearse_migration(
        made,
        mine,
        source_of(mine, "calico"),
        brought(),
        profile=Profile(family="ipv4"),
        prepare=lambda cluster: cluster.doom_nodes(["node-b"] if how == "stopped" else []),
    )


@pytest.mark.parametrize("how", ["well", "broken", "stopped"])
def test_what_people_see(golden: Golden, how: str) -> None:
    done = went(how)
    assert view.outcome(done) == how
    assert done.exit_code == (how != "well")
    golden(f"migration/rehearse.{how}.txt", rehearsals.render(done, "text", 100, verbose=how == "well"))
    golden(f"migration/rehearse.{how}.md", rehearsals.render(done, "markdown", 100))


@pytest.mark.parametrize("how", ["well", "broken", "stopped"])
def test_what_programs_see_is_as_its_schema_says(how: str) -> None:
    found = json.loads(rehearsals.render(went(how), "json", 80))
    jsonschema.Draft202012Validator(rehearsals.schema()).validate(found)
    assert found["outcome"] == how
    assert found["exitCode"] == (how != "well")
    assert found["looks"] > 50
    assert bool(found["violations"]) == (how == "broken")
    assert yaml.safe_load(rehearsals.render(went(how), "yaml", 80)) == found


def test_a_document_that_lacks_something_is_not_as_the_schema_says() -> None:
    found = json.loads(rehearsals.render(went("well"), "json", 80))
    del found["outcome"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(rehearsals.schema()).validate(found)


def test_times_from_the_beginning() -> None:
    assert [view.clock(seconds) for seconds in (0, 47.2, 3599, 3600, 40000)] == ["0:00", "0:47", "59:59", "1:00:00", "11:06:40"]


def test_the_page_runs_nothing_and_asks_nobody() -> None:
    page = rehearsals.render(went("well"), "html", 80)
    assert "<script" not in page
    asking = re.sub(r'content="[^"]*"', "", page)
    assert re.findall(r"(?:href|src)=|url\(|style=\"", asking) == []
    assert "default-src &#39;none&#39;" in page


def test_what_is_named_by_others_is_escaped() -> None:
    named = replace(went("well"), title="<img src=x onerror=alert(1)>")
    assert "<img" not in rehearsals.render(named, "html", 80)
    assert r"\<img" in rehearsals.render(named, "markdown", 80)


def test_the_picture_is_as_long_as_the_rehearsal() -> None:
    page = rehearsals.render(went("well"), "html", 80)
    rects = [tuple(map(float, found)) for found in re.findall(r'x="([\d.]+)" y="[\d.]+" width="([\d.]+)"', page)]
    assert max(x + width for x, width in rects) == pytest.approx(1000, abs=1)
    soak = re.search(r'width="([\d.]+)"[^>]*><title>soak', page)
    assert soak is not None
    assert float(soak[1]) > 700, "ten minutes of thirteen"


@pytest.mark.skipif(BROWSER is None, reason="no Chromium is installed")
def test_the_page_in_a_browser(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(rehearsals.render(went("broken"), "html", 80), encoding="utf-8")
    assert BROWSER is not None
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/browser"]
    picture = tmp_path / "page.png"
    address = f"file://{tmp_path}/page.html"
    subprocess.run([*command, f"--screenshot={picture}", address], capture_output=True, timeout=120, check=True)
    assert picture.stat().st_size > 10_000
    dom = subprocess.run([*command, "--dump-dom", address], capture_output=True, text=True, timeout=120, check=True).stdout
    assert dom.count("<rect ") > 20
    assert 'class="rehearsal broken"' in dom
    assert "I3" in dom
