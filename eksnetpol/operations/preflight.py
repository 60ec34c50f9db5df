"""Preflight: every check that a change calls for, asked of one look at a cluster, and judged. Changes nothing, asks nobody."""

from __future__ import annotations

import logging

from eksnetpol.checks.catalog import catalog
from eksnetpol.checks.choose import choose
from eksnetpol.checks.judge import judge
from eksnetpol.checks.run import run
from eksnetpol.facts.declare import Lookup
from eksnetpol.model.findings import Baseline, Intent, Report
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot

_log = logging.getLogger(__name__)


def preflight(
    snapshot: ClusterSnapshot,
    settings: Settings | None = None,
    intent: Intent = Intent.ENABLE,
    baseline: Baseline | None = None,
    facts: Lookup | None = None,
) -> Report:
    """Return whether the cluster in *snapshot* is ready for *intent*, with everything that was found.

    *baseline* is a former report (`reporting.json_v1.read_baseline`); what it found already does not count. *facts* are those of
    *snapshot*, where somebody else asks them too: each is worked out once. Raises `UsageError` when *settings* names what there
    is not (`checks.choose.validate`). The traceback of a check that broke goes to the log.
    """
    settings = settings or Settings()
    to_run, left_out = choose(catalog(), settings, intent)
    answers = run(to_run, snapshot, facts)
    for answer in answers:
        if answer.trace:
            _log.debug("%s broke\n%s", answer.check.id, answer.trace)
    return judge((*answers, *left_out), settings, snapshot, intent=intent, baseline=baseline)
