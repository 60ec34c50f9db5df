"""Takes the snapshots that ``make demo`` replays, live, from the scenarios: `python -m tests.testbed.record [NAME …]`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.testbed.aws import Aws
from tests.testbed.scenario import scenarios
from tests.testbed.world import ROOT, World, running

CLUSTERS = ROOT / "demo" / "clusters"


def record(world: World) -> Path:
    """Save one look at a running scenario, as somebody who holds exactly the permissions that the tool asks for."""
    grant(world)
    path = CLUSTERS / f"{world.scenario.name}.json.gz"
    done = world.live("snapshot", "save", str(path), "-v")
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    sys.stderr.write(done.stderr.splitlines()[-1] + "\n")
    return path


def grant(world: World) -> None:
    """Give the group of readers what ``templates/rbac`` grants."""
    shown = world.run("permissions", "show", "preflight", "--rbac-only")
    assert shown.returncode == 0, shown.stderr
    world.plane.apply(shown.stdout)


def main(names: list[str]) -> None:
    """Record the scenarios called *names*, or all."""
    CLUSTERS.mkdir(parents=True, exist_ok=True)
    for described in scenarios():
        if names and described.name not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            aws = Aws.start(Path(folder))
            try:
                with running(described, Path(folder) / "plane", aws) as world:
                    record(world)
            finally:
                aws.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
