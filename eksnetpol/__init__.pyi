from eksnetpol.checks.catalog import catalog as list_checks
from eksnetpol.errors import EksNetpolError
from eksnetpol.gateways.collect import collect
from eksnetpol.gateways.manifest_files import read_manifests
from eksnetpol.gateways.session import TargetOptions, connect
from eksnetpol.gateways.settings_file import read as read_settings
from eksnetpol.gateways.snapshot_file import load as load_snapshot
from eksnetpol.gateways.snapshot_file import save as save_snapshot
from eksnetpol.interfaces import SilentObserver
from eksnetpol.model.findings import Intent, Outcome, Report, Severity, Verdict
from eksnetpol.model.redaction import redact
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot
from eksnetpol.operations.preflight import preflight
from eksnetpol.reporting.formats import render

__version__: str

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
