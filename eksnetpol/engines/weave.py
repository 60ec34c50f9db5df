"""Weave Net (weaveworks/weave, archived): always the whole CNI."""

from __future__ import annotations

from eksnetpol.engines.engine import Engine, Mode, Presence, Surroundings, presence


def detect(around: Surroundings) -> Presence | None:
    """Recognise Weave Net by its DaemonSet; it has no kinds of its own."""
    return presence("weave", "Weave Net", around.daemonset("weave-net"), Mode.FULL_CNI)


ENGINE = Engine("weave", "Weave Net", (), detect)
