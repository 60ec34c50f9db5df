"""What the managed add-on was told (`configurationValues`), and which live field each key ends up in.

One text, JSON or YAML, is the whole configuration: EKS replaces it, it never merges. Keys are nested (``env``, ``nodeAgent``);
every value is text, ``"true"`` and ``"8163"`` included (DescribeAddonConfiguration's schema; the chart aws-vpc-cni has the same
keys).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from eksnetpol.facts.declare import fact
from eksnetpol.model.eks import Addon
from eksnetpol.model.kubernetes import Container, EnvVar
from eksnetpol.model.snapshot import Unread, Why

AGENT_FLAGS: Mapping[str, str] = {
    "enableNetworkPolicy": "enable-network-policy",
    "nodeAgent.enableCloudWatchLogs": "enable-cloudwatch-logs",
    "nodeAgent.enablePolicyEventLogs": "enable-policy-event-logs",
    "nodeAgent.enableIpv6": "enable-ipv6",
    "nodeAgent.metricsBindAddr": "metrics-bind-addr",
    "nodeAgent.healthProbeBindAddr": "health-probe-bind-addr",
    "nodeAgent.conntrackCacheCleanupPeriod": "conntrack-cache-cleanup-period",
    "nodeAgent.conntrackCacheTableSize": "conntrack-cache-table-size",
    "nodeAgent.logLevel": "log-level",
    "nodeAgent.networkPolicyAgentLogFileLocation": "log-file",
}
"""Key in the add-on's and the chart's values -> flag of the agent."""

ADDRESS_FLAGS = frozenset({"metrics-bind-addr", "health-probe-bind-addr"})
"""Flags whose value is ``:PORT`` while the key holds the port alone."""


def parse_values(text: str) -> Any:
    """Read configuration values, JSON first, else YAML; empty text is an empty document.

    Raises `ValueError` with what is wrong and where. YAML anchors are refused: a short text can stand for a huge document.
    """
    if not text.strip():
        return {}
    try:
        return json.loads(text)
    except RecursionError as error:
        raise ValueError("it is neither JSON nor YAML that anybody wrote: it is nested too deeply") from error
    except ValueError as not_json:
        return _yaml(text, not_json)


def _yaml(text: str, not_json: Exception) -> Any:
    import yaml

    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise ValueError("it uses YAML aliases, which this tool does not expand")
        read = yaml.safe_load(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = "" if mark is None else f" at line {mark.line + 1}, column {mark.column + 1}"
        looks_json = text.lstrip().startswith(("{", "["))
        said = not_json if looks_json else f"{error.problem or 'unreadable'}{place}"
        raise ValueError(f"it is neither JSON nor YAML: {said}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ValueError(f"it is neither JSON nor YAML: {error}") from error
    return _with_text_keys(read)


def _with_text_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _with_text_keys(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_with_text_keys(v) for v in value]
    return value


@fact
def addon_values(addon: Addon | None) -> Mapping[str, Any] | Unread | None:
    """The managed add-on's configuration values, None where EKS manages no add-on, unread where they cannot be parsed."""
    if addon is None:
        return None
    try:
        values = parse_values(addon.configuration_values)
    except ValueError as error:
        return Unread(f"the add-on's configuration values cannot be read: {error}", Why.UNREADABLE)
    if values is None:
        return {}
    if not isinstance(values, dict):
        return Unread(f"the add-on's configuration values are a {type(values).__name__}, not a mapping", Why.UNREADABLE)
    return values


def leaves(document: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value of *document* that is no mapping, with its dotted path."""
    for key, value in document.items():
        path = f"{above}{key}"
        if isinstance(value, Mapping) and value:
            yield from leaves(value, f"{path}.")
        else:
            yield path, value


def replaced(document: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """Return *document* with *value* at a dotted *path*; None takes the key away. *document* itself stays as it is."""
    head, _, rest = path.partition(".")
    changed = dict(document)
    if rest:
        below = changed.get(head)
        changed[head] = replaced(below if isinstance(below, Mapping) else {}, rest, value)
        if value is None and not changed[head]:
            del changed[head]
    elif value is None:
        changed.pop(head, None)
    else:
        changed[head] = value
    return changed


def text_of(value: Any) -> str:
    """Return a configured value as it would be written in text: booleans in lower case."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def variable(container: Container, name: str) -> EnvVar | None:
    """Return an environment variable, None where the container has none of that name. Its value may be None: not to be told."""
    return next((e for e in container.env if e.name == name), None)


def is_true(text: str | None) -> bool:
    """Say whether Go's ``strconv.ParseBool``, which reads the agent's flags, takes *text* for true."""
    return text in {"1", "t", "T", "true", "TRUE", "True"}


def is_false(text: str | None) -> bool:
    """Say whether Go's ``strconv.ParseBool`` takes *text* for false; what is neither is an error to it."""
    return text in {"0", "f", "F", "false", "FALSE", "False"}
