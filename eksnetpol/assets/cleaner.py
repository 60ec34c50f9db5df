"""Jobs that take an engine's rules out of a node's kernel: its agent leaves them there when it goes.

Which chains, sets and tables are an engine's own: projectcalico/calico (felix, rules and ipsets), cloudnativelabs/kube-router
(pkg/controllers/netpol). Tables are never flushed whole: kube-proxy's and aws-node's rules are in the same ones.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from eksnetpol.assets.rendering import environment, rendered
from eksnetpol.model.kinds import JOB, Json, ObjectRef

NAMESPACE = "kube-system"
CLEANS = "eksnetpol.io/cleans"
"""The label of a Job whose value is the engine it cleans up after."""

_LABELS = {"app.kubernetes.io/managed-by": "eksnetpol", "app.kubernetes.io/name": "eksnetpol-cleaner"}
SECONDS = 600
"""How long a Job may take on one node before Kubernetes ends it."""


@dataclass(frozen=True, slots=True)
class Traces:
    """What an engine leaves in a kernel, as extended regular expressions; ``comments`` marks rules outside its own chains."""

    chains: str
    comments: str
    sets: str
    tables: str = ""


TRACES: Mapping[str, Traces] = {
    "calico": Traces(
        chains="(cali|felix)-[A-Za-z0-9_.-]+",
        comments="cali:[A-Za-z0-9_-]+",
        sets="cali(40|60|4t|6t)[A-Za-z0-9_.:-]*|felix-[A-Za-z0-9_.:-]*",
        tables="calico",
    ),
    "kube-router": Traces(
        chains="KUBE-ROUTER-[A-Z]+|KUBE-POD-FW-[A-Z0-9]+|KUBE-NWPLCY-[A-Z0-9]+",
        comments="kube-router netpol",
        sets="(inet6:)?(KUBE-(SRC|DST)-[A-Z0-9]+|kube-router-[A-Za-z0-9_-]+)",
        tables="kube-router-filter-ipv[46]",
    ),
}
"""Engines that can be left in place: those whose rules are taken out of a kernel that goes on running."""

OWN_COMMANDS: Mapping[str, tuple[str, ...]] = {"kube-router": ("--cleanup-config",)}
"""Arguments by which an engine's own image cleans a node, where its project has any."""


def can_clean(engine: str) -> bool:
    """Say whether it is known what *engine* leaves behind on a node."""
    return engine in TRACES


def cleaner_ref(node: str) -> ObjectRef:
    """Return what the Job of a node is called: names of nodes may be longer than those of Jobs."""
    return ObjectRef.to(JOB, f"eksnetpol-clean-{hashlib.sha256(node.encode()).hexdigest()[:10]}", NAMESPACE)


def cleaner(engine: str, node: str, image: str, *, own_command: bool = False) -> Json:
    """Return the Job that cleans *node* with *image*: by the script, or with *own_command* by the image's own command.

    Raises `KeyError` for an engine of which it is not known what it leaves behind.
    """
    return rendered(
        "cleaner/job.yaml.j2",
        name=cleaner_ref(node).name,
        namespace=NAMESPACE,
        engine=engine,
        node=node,
        image=image,
        command=[] if own_command else ["/bin/sh", "-c", script(engine)],
        args=list(OWN_COMMANDS[engine]) if own_command else [],
        labels={**_LABELS, CLEANS: engine},
        seconds=SECONDS,
    )


@lru_cache(maxsize=8)
def script(engine: str) -> str:
    """Return what the Job runs, for a POSIX shell with awk, grep and one of iptables' back-ends at least."""
    traces = TRACES[engine]
    template = environment().get_template("cleaner/clean.sh.j2")
    return template.render(
        chains=shlex.quote(traces.chains),
        comments=shlex.quote(traces.comments),
        sets=shlex.quote(traces.sets),
        tables=shlex.quote(traces.tables),
    )
