"""What a check is, and how it is declared."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

from eksnetpol.facts.declare import Input, inputs_of
from eksnetpol.facts.declare import catalog as facts_catalog
from eksnetpol.model.findings import Evidence, Finding, Intent, Severity, Unknown

Said = Finding | Unknown | Evidence
Question = Callable[..., Iterator[Said]]

LIMIT = "https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy.html"
CONFIGURE = "https://docs.aws.amazon.com/eks/latest/userguide/cni-network-policy-configure.html"
TROUBLESHOOT = "https://docs.aws.amazon.com/eks/latest/userguide/network-policies-troubleshooting.html"
BEST_PRACTICES = "https://docs.aws.amazon.com/eks/latest/best-practices/network-security.html"
DISABLE = "https://docs.aws.amazon.com/eks/latest/userguide/network-policy-disable.html"
AUTO_MODE = "https://docs.aws.amazon.com/eks/latest/userguide/auto-net-pol.html"
CNI_README = "https://github.com/aws/amazon-vpc-cni-k8s/blob/master/README.md"
AGENT_README = "https://github.com/aws/aws-network-policy-agent/blob/main/README.md"

ALL_INTENTS = frozenset(Intent) - {Intent.VERIFY}

BEFORE_POLICY = frozenset({Intent.ENABLE, Intent.MIGRATE})
"""Intents after which the cluster enforces where it did not: what they need is no reason against upgrading towards it."""
ENFORCING = ALL_INTENTS - {Intent.DISABLE}
"""Whenever policies are enforced afterwards."""
LINT_ALONE: frozenset[Intent] = frozenset()
"""Asked by `policy lint` and for no change: a matter of style, which would be said of nearly every policy."""


class NotApplicable(Exception):
    """Raised by a check when its question does not arise in this cluster; the text says why."""


@dataclass(frozen=True, slots=True)
class Check:
    """One question, fully described. ``about`` says whether an answer speaks of the cluster or of the objects given."""

    id: str
    family: str
    title: str
    severity: Severity
    docs: str
    sources: tuple[str, ...]
    intents: frozenset[Intent]
    about: Literal["cluster", "objects"]
    inputs: tuple[Input, ...]
    rationale: str
    ask: Question

    @property
    def asked_for(self) -> str:
        """The changes it is asked for, in words."""
        return ", ".join(i.value for i in Intent if i in self.intents) or "`policy lint` alone"


def check(
    *,
    title: str,
    severity: Severity,
    docs: str,
    sources: tuple[str, ...] = (),
    intents: frozenset[Intent] = ALL_INTENTS,
    about: Literal["cluster", "objects"] = "cluster",
) -> Callable[[Question], Check]:
    """Declare the decorated function a check. Its module gives id and family, its parameters what it reads.

    *title* states the healthy case; *docs* is the page a person should read next; *sources* are ``owner/repo#n`` or URLs the
    rule comes from; *intents* are the changes under consideration in which it is asked. Raises `TypeError` when a parameter is
    neither a section nor a fact, or when there is no docstring: at import, so that no such check can exist.
    """

    def declare(ask: Question) -> Check:
        facts_catalog()
        _, family, module = ask.__module__.rsplit(".", 2)
        if module != ask.__name__:
            message = f"{ask.__module__}: the check must bear the module's name, not {ask.__name__}"
            raise TypeError(message)
        if not ask.__doc__:
            message = f"{ask.__module__}: the docstring is what `checks explain` prints; write one"
            raise TypeError(message)
        return Check(
            id=module.replace("_", "-"),
            family=family,
            title=title,
            severity=severity,
            docs=docs,
            sources=sources,
            intents=intents,
            about=about,
            inputs=inputs_of(ask),
            rationale=inspect.cleandoc(ask.__doc__),
            ask=ask,
        )

    return declare
