"""Turn on, prove and move to Kubernetes network policy on Amazon EKS, enforced by the Amazon VPC CNI.

The names below are the library; they are imported when they are used. One look, then questions to it::

    from eksnetpol import Settings, load_snapshot, preflight

    report = preflight(load_snapshot("shop.json.gz"), Settings(fail_on="warning"))
"""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"

__all__ = [
    "ClusterSnapshot",
    "EksNetpolError",
    "Intent",
    "Outcome",
    "Report",
    "Settings",
    "Severity",
    "SilentObserver",
    "TargetOptions",
    "Verdict",
    "__version__",
    "collect",
    "connect",
    "list_checks",
    "load_snapshot",
    "preflight",
    "read_manifests",
    "read_settings",
    "redact",
    "render",
    "save_snapshot",
]

_PLACES = {
    "ClusterSnapshot": "model.snapshot:ClusterSnapshot",
    "EksNetpolError": "errors:EksNetpolError",
    "Intent": "model.findings:Intent",
    "Outcome": "model.findings:Outcome",
    "Report": "model.findings:Report",
    "Settings": "model.settings:Settings",
    "Severity": "model.findings:Severity",
    "SilentObserver": "interfaces:SilentObserver",
    "TargetOptions": "gateways.session:TargetOptions",
    "Verdict": "model.findings:Verdict",
    "collect": "gateways.collect:collect",
    "connect": "gateways.session:connect",
    "list_checks": "checks.catalog:catalog",
    "load_snapshot": "gateways.snapshot_file:load",
    "preflight": "operations.preflight:preflight",
    "read_manifests": "gateways.manifest_files:read_manifests",
    "read_settings": "gateways.settings_file:read",
    "redact": "model.redaction:redact",
    "render": "reporting.formats:render",
    "save_snapshot": "gateways.snapshot_file:save",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _PLACES:
        raise AttributeError(f"module 'eksnetpol' has no attribute {name!r}")
    from importlib import import_module

    module, _, attribute = _PLACES[name].partition(":")
    value = getattr(import_module(f"eksnetpol.{module}"), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
