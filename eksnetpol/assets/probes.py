"""Jobs that try connections, from pods that policies take for those of a workload. Which these are: `migration.probing`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from eksnetpol.assets.rendering import environment, rendered
from eksnetpol.model.kinds import Json, ObjectRef

PROBES = "eksnetpol.io/probe"
"""The label of a probe's Job and pod; its value is the Job's name."""

SETTLE, WAIT, PAUSE, TRIES = 20, 3, 5, 3
"""Seconds before the first try, for a connection, and before it is tried again; and how often. Chosen: the agent and the
controller take seconds to follow a new pod."""

SECONDS = 1200
"""How long a Job may take."""
KEPT = SECONDS + 600
"""Seconds that one that has ended stays where nobody deletes it: until the last of its gate has."""


def probe_job(
    ref: ObjectRef, labels: Mapping[str, str], image: str, lines: Iterable[tuple[int, str, int, bool]], node: str = ""
) -> Json:
    """Return the Job that tries *lines*, each a number, an address, a port and whether it is expected to be open."""
    return rendered(
        "probes/job.yaml.j2",
        name=ref.name,
        namespace=ref.namespace,
        image=image,
        labels=dict(labels),
        script=script(),
        lines=[f"{number} {at} {port} {'open' if is_open else 'closed'}" for number, at, port, is_open in lines],
        node=node,
        seconds=SECONDS,
        kept=KEPT,
    )


@lru_cache(maxsize=8)
def script(settle: int = SETTLE, wait: int = WAIT, pause: int = PAUSE, tries: int = TRIES) -> str:
    """Return what a probe runs, for a POSIX shell with nc, or with bash and timeout; times in seconds."""
    return environment().get_template("probes/probe.sh.j2").render(settle=settle, wait=wait, pause=pause, tries=tries)
