"""A snapshot that can be given to somebody else: everything renamed that tells whose it is, each name to the same one everywhere.

Every check says the same of the result as of the original, about as many objects: what checks compare stays equal or different,
contained or not, of the same length (`eksnetpol.model.pseudonyms`), and what they know by name stays
(`eksnetpol.model.redaction_words`). What nobody has said to be harmless is taken for a name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from fnmatch import fnmatchcase
from typing import Any

import msgspec

from eksnetpol.model import eks
from eksnetpol.model import kubernetes as k8s
from eksnetpol.model.pseudonyms import Pseudonyms
from eksnetpol.model.redaction_words import AS_THEY_ARE, DOMAINS, KEYS
from eksnetpol.model.selectors import Requirement
from eksnetpol.model.snapshot import ClusterSnapshot, Origin, Seen, Unread

_KEPT_FIELDS = frozenset(
    """
    action actions addon_name addon_version addons ami_type architecture category cluster_version code configuration_schema
    effect error_code external_traffic_policy failure_policy http_endpoint http_protocol_ipv6 http_tokens instance_types
    internal_traffic_policy ip_family kubernetes_version line operation operations operator permission phase platform_version
    pod_isolation policy_types protocol region release_version restart_policy schema_digest scope server_version source state
    status storage subresource tier type types unhealthy_pod_eviction_policy validation_actions verb verbs version why
    """.split()  # noqa: SIM905 - a text is read, a list of fifty strings is not
)
# Fields of fixed vocabularies, and versions; by the field's name, in every struct that has it.

_PROSE_FIELDS = frozenset({"description", "kind", "message", "plural", "reason", "resource", "resources"})
# Sentences, and words that are somebody's name only where they are one elsewhere.

_GROUP_FIELDS = frozenset({"group", "api_groups", "api_version"})
_PATH_FIELDS = frozenset({"mount_path", "path", "non_resource_ur_ls"})
_KEY_FIELDS = frozenset({"finalizers", "load_balancer_class"})
_NAME_KEYS = frozenset({"domainNames", "groupIds", "hostname", "name", "names", "namespace", "namespaces", "securityGroups"})
_LABEL_FIELDS = frozenset({"labels", "match_labels", "selector", "node_selector", "tags"})
_QUANTITY_FIELDS = frozenset({"allocatable", "requests", "limits"})
_KEPT_STRUCTS = (k8s.NodeInfo, k8s.CrdVersion, eks.AddonRelease, eks.AddonSchema)

_PLAIN = frozenset({type(None), bool, int, float, datetime, date})
_ACCOUNT_DIGITS = 12
_LABEL_KEYS = frozenset({"labels", "matchLabels", "nodeSelector", "selector"})
_KEYED_LINE = re.compile(r"^(?P<key>\s*(?:-\s+)?[\"']?[\w./-]+[\"']?(?:\s*[:=]\s?|\s+(?=/)))(?P<value>.*)$")
_BOUNDARY = re.compile(r"[^\W_][*?]|[*?][^\W_]")


_APART = frozenset({"origins", "foreign_policies"})

LEFT_OUT = Unread("policies of other engines are left out of a snapshot that is made fit to share")


def redact(snapshot: ClusterSnapshot, *, salt: bytes) -> ClusterSnapshot:
    """Return *snapshot* with every identifying name, address, account, image and identifier replaced.

    The same *salt* gives the same names for the same words, so keep it to yourself; without it nobody can guess back, as one
    could by trying likely names.
    """
    text = msgspec.json.encode(snapshot).decode(errors="replace").lower()
    pseudonyms = Pseudonyms(salt, frozenset(re.split(r"[\W_]+", text)))
    del text
    # What is said in prose is renamed where it is a name elsewhere, so all names are met before anything is written.
    _Redaction(pseudonyms, snapshot).whole()
    return _Redaction(pseudonyms, snapshot).whole()


class _Redaction:
    """One walk over a snapshot."""

    def __init__(self, pseudonyms: Pseudonyms, snapshot: ClusterSnapshot) -> None:
        self._name = pseudonyms.name
        self._prose = pseudonyms.prose
        self._snapshot = snapshot
        self._raws: dict[tuple[str, bytes], msgspec.Raw] = {}
        self._namespaces = sorted(_namespaces(snapshot))
        self._rules: dict[str, Callable[[str], str]] = {
            **dict.fromkeys(_PROSE_FIELDS, self._prose),
            **dict.fromkeys(_GROUP_FIELDS, self._group),
            **dict.fromkeys(_PATH_FIELDS, self._setting),
            **dict.fromkeys(_KEY_FIELDS, self._key),
            "args": self._argument,
            "images": self._named_image,
            "image": self._image,
            "image_id": self._image,
            "configuration_values": self._configuration,
            "service_name": self._endpoint_service,
        }

    def whole(self) -> ClusterSnapshot:
        """Return the snapshot, walked through."""
        fields = {name: getattr(self._snapshot, name) for name in self._snapshot.__struct_fields__}
        origins = {self._subject(key): self._origin(origin) for key, origin in self._snapshot.origins.items()}
        changed = {name: self._value(value, name) for name, value in fields.items() if name not in _APART}
        foreign = changed["foreign_policies"] = self._snapshot.foreign_policies
        if isinstance(foreign, Seen) and foreign.value:
            # Selector languages, names and addresses in texts of another engine's own: nobody can say that all would be found.
            changed["foreign_policies"] = LEFT_OUT
        return ClusterSnapshot(**changed, origins=origins)

    # --- any value ----------------------------------------------------------------------------------------------------

    def _value(self, value: Any, field: str) -> Any:  # noqa: PLR0911 - one line per kind of value
        kind = type(value)
        if kind is str:
            return self._text(value, field)
        if kind in _PLAIN:
            return value
        if kind is tuple:
            if field == "selectors":
                return tuple(s for part in value for s in self._fargate(part))
            return tuple(self._value(part, field) for part in value) if value else value
        if kind is dict:
            return self._mapping(value, field) if value else value
        if kind is msgspec.Raw:
            return self._raw(value, field)
        if kind is Seen:
            return Seen(self._value(value.value, field), complete=value.complete)
        return self._struct(value) if isinstance(value, msgspec.Struct) else value

    def _struct(self, value: Any) -> Any:  # noqa: PLR0911 - one line per kind of value
        change = msgspec.structs.replace
        match value:
            case eks.Certificate():
                return eks.Certificate()
            case k8s.EnvVar():
                return value if value.value is None else change(value, value=self._setting(value.value))
            case k8s.ManagedField():
                fields = None if value.fields_v1 is None else self._fields(value.fields_v1)
                return change(value, manager=self._name(value.manager), fields_v1=fields)
            case eks.UpdateParam():
                return change(value, value=self._configuration(value.value))
            case eks.LogStreams():
                return change(value, group=self._name(value.group))
            case eks.Insight():
                return change(self._plain(value), name=value.name)
            case k8s.Taint():
                return change(value, key=self._key(value.key), value=self._label(value.key, value.value))
            case Requirement():
                values = tuple(self._label(value.key, part) for part in value.values)
                return change(value, key=self._key(value.key), values=values)
            case k8s.CustomResourceDefinition():
                return self._definition(value)
        return value if isinstance(value, _KEPT_STRUCTS) else self._plain(value)

    def _plain(self, value: Any) -> Any:
        changed = {}
        for name in value.__struct_fields__:
            old = getattr(value, name)
            new = self._value(old, name)
            if new is not old:
                changed[name] = new
        return msgspec.structs.replace(value, **changed) if changed else value

    def _definition(self, value: k8s.CustomResourceDefinition) -> k8s.CustomResourceDefinition:
        spec = value.spec
        changed: k8s.CustomResourceDefinition = self._plain(value)
        if _is_public(spec.group):
            meta = msgspec.structs.replace(changed.metadata, name=value.metadata.name)
            return msgspec.structs.replace(changed, metadata=meta, spec=spec)
        names = k8s.CrdNames(self._name(spec.names.plural), self._name(spec.names.kind))
        return msgspec.structs.replace(changed, spec=msgspec.structs.replace(changed.spec, names=names))

    def _text(self, text: str, field: str) -> str:
        if field in _KEPT_FIELDS or not text:
            return text
        return self._rules.get(field, self._name)(text)

    # --- labels, annotations, settings --------------------------------------------------------------------------------

    def _mapping(self, value: Mapping[str, Any], field: str) -> dict[str, Any]:
        if field in _QUANTITY_FIELDS:
            return dict(value)
        if field in _LABEL_FIELDS:
            return self._labels(value)
        if field == "annotations":
            return {self._key(key): self._annotation(key, text) for key, text in value.items()}
        if field == "data":
            return {key: self._configuration(text) for key, text in value.items()}
        return {key: self._any(part, key) for key, part in value.items()}

    def _labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        return {self._key(key): self._label(key, value) for key, value in labels.items()}

    def _label(self, key: str, value: Any) -> Any:
        return value if not isinstance(value, str) or AS_THEY_ARE.fullmatch(key) else self._name(value)

    def _key(self, key: str) -> str:
        domain, slash, _ = key.partition("/")
        if slash and _is_public(domain):
            return key
        return key if key in KEYS else self._name(key)

    def _annotation(self, key: str, text: str) -> str:
        if AS_THEY_ARE.fullmatch(key):
            return text
        waiver = key.startswith(("waive.eksnetpol.io/", "eksnetpol.io/"))
        return self._prose(text) if waiver or text[:1] in {"{", "["} else self._name(text)

    def _setting(self, text: str) -> str:
        """Return what a flag or variable is set to: paths and numbers stay, they are the software's own."""
        if text.startswith("/"):
            return self._prose(text)
        return text if text.isdigit() and len(text) != _ACCOUNT_DIGITS else self._name(text)

    def _argument(self, text: str) -> str:
        flag, given, value = text.partition("=")
        return f"{flag}={self._setting(value)}" if given and flag.startswith("-") else self._setting(text)

    def _group(self, text: str) -> str:
        group = text.partition("/")[0]
        return text if "." not in group or _is_public(group) else self._name(text)

    def _endpoint_service(self, text: str) -> str:
        return text if "amazonaws." in text and "vpce-svc" not in text else self._name(text)

    def _configuration(self, text: str) -> str:
        """Return a text of settings, JSON or lines, with its keys as they are and its values renamed."""
        try:
            value = msgspec.json.decode(text)
        except msgspec.DecodeError:
            return "\n".join(self._line(line) for line in text.split("\n"))
        if isinstance(value, dict | list):
            return msgspec.json.encode(self._any(value, "", self._setting)).decode()
        return self._setting(text)

    def _line(self, line: str) -> str:
        found = _KEYED_LINE.match(line)
        return f"{found['key']}{self._setting(found['value'])}" if found else self._setting(line)

    def _any(self, value: Any, key: str, rename: Callable[[str], str] | None = None) -> Any:
        """Return JSON of which nobody knows the types: keys stay but those of labels, and values are renamed as prose is."""
        if isinstance(value, dict):
            if key in _LABEL_KEYS and all(isinstance(part, str) for part in value.values()):
                return self._labels(value)
            if {"key", "operator"} <= set(value):
                return self._expression(value)
            return {name: self._any(part, name, rename) for name, part in value.items()}
        if isinstance(value, list):
            return [self._any(part, key, rename) for part in value]
        if not isinstance(value, str):
            return value
        return self._name(value) if key in _NAME_KEYS else (rename or self._prose)(value)

    def _fields(self, fields: Any) -> Any:
        """Return a set of owned fields, ``f:metadata: {f:labels: {f:app: {}}}``, its keys of labels and annotations renamed."""
        if not isinstance(fields, dict):
            return fields
        return {
            f"f:{self._key(key[2:])}" if key.startswith("f:") and "/" in key else self._prose(key): self._fields(part)
            for key, part in fields.items()
        }

    def _expression(self, value: Mapping[str, Any]) -> dict[str, Any]:
        key = value.get("key")
        values = value.get("values")
        renamed = dict(value)
        if isinstance(key, str):
            renamed["key"] = self._key(key)
            if isinstance(values, list):
                renamed["values"] = [self._label(key, part) for part in values]
        return renamed

    # --- pods, images, places -----------------------------------------------------------------------------------------

    def _raw(self, raw: msgspec.Raw, field: str) -> msgspec.Raw:
        key = (field, bytes(raw))
        if key not in self._raws:
            value = msgspec.json.decode(raw)
            if field == "labels":
                renamed = self._labels(value or {})
            else:
                containers = msgspec.json.decode(raw, type=tuple[k8s.Container, ...] | None)
                renamed = self._value(containers or (), field)
            self._raws[key] = msgspec.Raw(msgspec.json.encode(renamed))
        return self._raws[key]

    def _image(self, text: str) -> str:
        """Return an image with registry and path renamed; tag and digest stay."""
        rest, at, digest = text.partition("@")
        slash, colon = rest.rfind("/"), rest.rfind(":")
        tag = rest[colon:] if colon > slash else ""
        return f"{self._name(rest.removesuffix(tag) if tag else rest)}{tag}{at}{digest}"

    def _named_image(self, text: str) -> str:
        name, _, image = text.partition("=")
        return f"{self._name(name)}={self._image(image)}"

    def _fargate(self, selector: eks.FargateSelector) -> Iterable[eks.FargateSelector]:
        """Yield a selector for each namespace that a pattern matches: half a word cannot be renamed as the whole is."""
        labels = self._labels(selector.labels)
        matched = [n for n in self._namespaces if fnmatchcase(n, selector.namespace)]
        if not _BOUNDARY.search(selector.namespace) or not matched:
            matched = [selector.namespace]
        return [eks.FargateSelector(self._name(name), labels) for name in matched]

    def _subject(self, subject: str) -> str:
        kind, slash, rest = subject.partition("/")
        return f"{kind}{slash}{self._name(rest)}"

    def _origin(self, origin: Origin) -> Origin:
        return Origin(self._name(origin.file), origin.line)


def _is_public(domain: str) -> bool:
    return any(domain == public or domain.endswith(f".{public}") for public in DOMAINS)


def _namespaces(snapshot: ClusterSnapshot) -> set[str]:
    found = {pod.namespace for pod in _seen(snapshot.pods)}
    return found | {namespace.name for namespace in _seen(snapshot.namespaces)}


def _seen(section: Any) -> tuple[Any, ...]:
    return section.value if isinstance(section, Seen) else ()
