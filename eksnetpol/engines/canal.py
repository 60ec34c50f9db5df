"""Canal: Calico's policies on flannel's network; always a full CNI."""

from __future__ import annotations

from eksnetpol.engines.engine import Engine, Mode, Presence, Surroundings, presence


def detect(around: Surroundings) -> Presence | None:
    """Recognise Canal by its DaemonSet."""
    return presence("canal", "Canal", around.daemonset("canal"), Mode.FULL_CNI)


ENGINE = Engine("canal", "Canal", ("projectcalico.org",), detect)
