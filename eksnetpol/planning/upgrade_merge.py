"""Three manifests made one: what upstream shipped, what is live, what upstream ships now.

What somebody changed stays; what nobody changed follows upstream. Of two things upstream decides alone, because nothing else
works with its images: how a container is probed, and what it says of its own version. Images keep their registry.

The result names only fields that become different, so that applying it touches nothing else.
"""

from __future__ import annotations

import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from eksnetpol.facts.vpc_cni import flags_of
from eksnetpol.fields.paths import Path, keys_of, text
from eksnetpol.fields.paths import field as named
from eksnetpol.fields.paths import key as entry_of
from eksnetpol.model.kinds import Json
from eksnetpol.model.kubernetes import HostPath
from eksnetpol.model.versions import ImageReference

KEYS: Mapping[str, tuple[str, ...]] = {
    "containers": ("name",),
    "initContainers": ("name",),
    "volumes": ("name",),
    "env": ("name",),
    "volumeMounts": ("mountPath",),
    "ports": ("containerPort", "protocol"),
}
"""Lists of a DaemonSet whose entries have keys (the API's ``x-kubernetes-list-map-keys``); all others are one value."""

_DEFAULTS: Mapping[str, str] = {"protocol": "TCP"}

FOLLOWED = frozenset(
    {
        *map(named, ("livenessProbe", "readinessProbe", "startupProbe", "app.kubernetes.io/version")),
        entry_of({"name": "VPC_CNI_VERSION"}),
    }
)
"""What upstream decides whatever is live: an ipamd that listens elsewhere never gets ready under the old probe."""

LEFT = frozenset({named("imagePullPolicy")})
"""What is never written into a container that is there: a look does not keep it, and nodes whose images were brought to them
by hand start no pod under ``Always``."""

FILLED_IN: Mapping[str, Any] = {named("type"): ""}
"""What the API server writes where a manifest says nothing (``hostPath.type``), of the fields that upstream came to say later."""

_ABSENT: Any = object()


@dataclass(slots=True)
class Merge:
    """What came of it. ``wanted`` is a partial object, None where nothing changes.

    ``before`` has the live value of everything in ``wanted`` that is live, ``added`` are the paths of what is not. ``kept``
    names what upstream changed and somebody else had changed before. ``gone`` are the paths of what upstream took away: an apply
    takes away only what it owns, so most of it stays, without meaning to the newer version.
    """

    wanted: Json | None = None
    before: Json | None = None
    added: list[Path] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    gone: list[Path] = field(default_factory=list)


def three_way(base: Json, live: Json, target: Json) -> Merge:
    """Merge three objects of one name: upstream's old one, the live one as far as it is known, upstream's new one.

    *live* is completed first: see `completed`.
    """
    merge = Merge()
    wanted = _walk(base, live, target, (), merge)
    if wanted is _ABSENT:
        return merge
    head = {k: target[k] for k in ("apiVersion", "kind")}
    name = {k: target["metadata"][k] for k in ("name", "namespace") if k in target["metadata"]}
    wanted.pop("status", None)
    merge.wanted = {**head, **wanted, "metadata": {**name, **wanted.get("metadata", {})}}
    before = _then(merge.wanted, live, merge.added, ())
    merge.before = {**head, **before, "metadata": {**name, **before.get("metadata", {})}}
    return merge


def _walk(base: Any, live: Any, target: Any, at: Path, merge: Merge) -> Any:
    """Return what of *target* is to be written over *live*, `_ABSENT` for nothing."""
    if base == target and not _must_follow(at):
        return _ABSENT
    if isinstance(target, Mapping) and isinstance(base, Mapping | None) and isinstance(live, Mapping | None):
        if live is None and base:
            merge.kept.append(_said(at))
            return _ABSENT
        return _walk_mapping(base or {}, live or {}, target, at, merge)
    keys = _keys(at)
    if keys and all(isinstance(x, Sequence | None) for x in (base, live, target)):
        return _walk_list(base or (), live or (), target or (), at, merge)
    return _leaf(base, live, target, at, merge)


def _walk_mapping(base: Mapping[str, Any], live: Mapping[str, Any], target: Mapping[str, Any], at: Path, merge: Merge) -> Any:
    changed = {}
    for key, new in target.items():
        old, now = base.get(key), live.get(key)
        found = _walk(old, now, new, (*at, named(key)), merge)
        if found is not _ABSENT:
            changed[key] = found
    for key in base.keys() - target.keys():
        if key in live:
            merge.gone.append((*at, named(key)))
    return changed or _ABSENT


def _walk_list(base: Sequence[Any], live: Sequence[Any], target: Sequence[Any], at: Path, merge: Merge) -> Any:
    keys = _keys(at)
    old, now, new = (_by_key(entries, keys) for entries in (base, live, target))
    changed = []
    for key, entry in new.items():
        below = (*at, key)
        if key not in now:
            if key in old:
                # Somebody took it out, an agent container they do without, say.
                if old[key] != entry:
                    merge.kept.append(_said(below))
            else:
                changed.append(dict(entry))
            continue
        if key not in old:
            if now[key] != entry:
                merge.kept.append(_said(below))
            continue
        found = _walk(old[key], now[key], entry, below, merge)
        if found is not _ABSENT:
            changed.append({**{k: entry[k] for k in keys if k in entry}, **found})
    merge.gone.extend((*at, key) for key in old if key not in new and key in now)
    return changed or _ABSENT


def _leaf(base: Any, live: Any, target: Any, at: Path, merge: Merge) -> Any:
    if at[-1] == named("args"):
        wanted: Any = merged_args(base or (), live or (), target or ())
    elif at[-1] == named("image"):
        wanted = moved_image(str(live), str(target))
    elif at[-1] in LEFT:
        return _ABSENT
    elif live == base or _must_follow(at) or (base is None and live == FILLED_IN.get(at[-1], _ABSENT)):
        wanted = target
    else:
        if live != target:
            merge.kept.append(_said(at))
        return _ABSENT
    return _ABSENT if wanted == live else wanted


def _must_follow(at: Path) -> bool:
    return any(part in FOLLOWED for part in at)


def merged_args(base: Sequence[str], live: Sequence[str], target: Sequence[str]) -> list[str]:
    """Return *live* with upstream's changes from *base* to *target*: new flags, changed defaults, flags that went.

    Flags of the user's own, and values they changed, stay. No flag comes in that the target's manifest does not have, because
    the agent exits for one that it does not know.
    """
    old, now, new = (flags_of(tuple(args)) for args in (base, live, target))
    merged = list(live)
    for flag in old.keys() - new.keys():
        if now.get(flag) == old[flag]:
            merged = [a for a in merged if _flag(a) != flag]
    for flag, value in new.items():
        if flag not in now:
            if flag not in old:
                merged.append(f"--{flag}={value}")
        elif now[flag] == old.get(flag) and value != now[flag]:
            merged = [f"--{flag}={value}" if _flag(a) == flag else a for a in merged]
    return merged


def moved_image(live: str, target: str) -> str:
    """Return *target*'s tag in the registry that *live* is in; a digest of the old image goes."""
    found, new = ImageReference.parse(live), ImageReference.parse(target)
    return f"{found.repository}:{new.tag}"


def _flag(arg: str) -> str:
    return arg.lstrip("-").partition("=")[0] if arg.startswith("-") else ""


def _then(wanted: Any, live: Any, added: list[Path], at: Path) -> Any:
    """Return the live values of what *wanted* names; the paths of what is not live go to *added*."""
    keys = _keys(at)
    if isinstance(wanted, Mapping):
        found = {}
        for key, value in wanted.items():
            if isinstance(live, Mapping) and key in live:
                found[key] = _then(value, live[key], added, (*at, named(key)))
            else:
                added.append((*at, named(key)))
        return found
    if keys and isinstance(wanted, Sequence) and isinstance(live, Sequence):
        now = _by_key(live, keys)
        entries = []
        for key, entry in _by_key(wanted, keys).items():
            if key in now:
                entries.append(_then(entry, {**now[key], **{k: entry[k] for k in keys if k in entry}}, added, (*at, key)))
            else:
                added.append((*at, key))
        return entries
    return live


def completed(live: Json, stock: Json, kind: Any) -> Json:
    """Return *live*, a snapshot's object of the struct *kind*, with the fields that no look keeps as *stock* has them.

    Such a field may be anything in the cluster; upstream's value is the best guess there is. Fields that a look keeps are as
    they are in *live*, absent ones absent. Values that were not let through are *stock*'s too.
    """
    filled = _fill(live, stock, kind)
    return filled if isinstance(filled, dict) else dict(live)


def _fill(live: Any, stock: Any, kind: Any) -> Any:
    kind = _plain(kind)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and isinstance(live, Mapping) and isinstance(stock, Mapping):
        fields = {f.encode_name: f.type for f in msgspec.structs.fields(kind)}
        filled = dict(live)
        for key, value in stock.items():
            if key not in fields:
                filled[key] = value
            elif key in live:
                filled[key] = _fill(live[key], value, fields[key])
            elif isinstance(value, Mapping) and _hides(_plain(fields[key]), value):
                filled[key] = _fill({}, value, fields[key])
        if kind is HostPath:
            filled.setdefault("type", "")
        return _unseen(filled, stock)
    element = _element(kind)
    if element is not None and isinstance(live, Sequence) and isinstance(stock, Sequence):
        keys = next((k for k in (("name",), ("mountPath",), ("containerPort",)) if _has(live, k) and _has(stock, k)), None)
        if keys is None:
            return live
        known = _by_key(stock, keys)
        return [_fill(entry, known[key], element) if key in known else entry for key, entry in _by_key(live, keys).items()]
    return live


def _unseen(filled: dict[str, Any], stock: Mapping[str, Any]) -> dict[str, Any]:
    """Put *stock*'s value into a variable whose own was not let through."""
    if set(filled) == {"name"} and ("value" in stock or "valueFrom" in stock):
        return {**filled, **stock}
    return filled


def _hides(kind: Any, value: Mapping[str, Any]) -> bool:
    """Say whether a look may have left *value* out although it is there: it keeps none of what is in it."""
    if not (isinstance(kind, type) and issubclass(kind, msgspec.Struct)):
        return False
    fields = {f.encode_name: f.type for f in msgspec.structs.fields(kind)}
    return all(key not in fields or (isinstance(v, Mapping) and _hides(_plain(fields[key]), v)) for key, v in value.items())


def _plain(kind: Any) -> Any:
    """Return what an optional type is when it is there."""
    options = [t for t in typing.get_args(kind) if t is not type(None)]
    return options[0] if len(options) == 1 and type(None) in typing.get_args(kind) else kind


def _element(kind: Any) -> Any:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else None


def _has(entries: Iterable[Any], keys: tuple[str, ...]) -> bool:
    return all(isinstance(e, Mapping) and all(k in e for k in keys) for e in entries)


def _keys(at: Path) -> tuple[str, ...]:
    """Return the keys of the entries of the list at *at*; none where it is one value."""
    return KEYS.get(at[-1].removeprefix("f:"), ()) if at else ()


def _by_key(entries: Iterable[Mapping[str, Any]], keys: tuple[str, ...]) -> dict[str, Mapping[str, Any]]:
    return {entry_of({k: e.get(k, _DEFAULTS.get(k, "")) for k in keys}): e for e in entries}


_UNSAID = {*map(named, ("spec", "template", "metadata", "containers", "initContainers", "value", "hostPath"))}


def _said(at: Path) -> str:
    """Return a path as people say it: ``aws-node env ENABLE_POD_ENI``."""
    words = [str(next(iter(keys_of(part).values()), "")) or text((part,)).removeprefix(".") for part in at if part not in _UNSAID]
    return " ".join(words)


# --- permissions --------------------------------------------------------------------------------------------------------

Rule = Mapping[str, Any]


def merged_rules(base: Sequence[Rule], live: Sequence[Rule], target: Sequence[Rule], needed: Sequence[Rule] = ()) -> list[Json]:
    """Return a ClusterRole's rules: upstream's new ones, with what somebody granted besides and without what they took away.

    *needed* is granted whatever upstream says.
    """
    old, now, new = (frozenset(_grants(rules)) for rules in (base, live, target))
    wanted = (now - (old - new)) | (new - old) | frozenset(_grants(needed))
    if wanted == now:
        return [dict(rule) for rule in live]
    rules = [dict(rule) for rule in target if frozenset(_grants([rule])) <= wanted]
    granted = frozenset(_grants(rules))
    for rule in (*live, *target, *needed):
        missing = frozenset(_grants([rule])) & wanted - granted
        if missing:
            rules.extend(_rules(missing))
            granted |= missing
    return rules


Grant = tuple[str, str, str, str, str]


def _grants(rules: Iterable[Rule]) -> Iterator[Grant]:
    """Yield what *rules* grant, one by one: group, resource, name, path, verb."""
    for rule in rules:
        verbs = rule.get("verbs") or ()
        for verb in verbs:
            for path in rule.get("nonResourceURLs") or ():
                yield ("", "", "", path, verb)
            for group in rule.get("apiGroups") or ():
                for resource in rule.get("resources") or ():
                    for name in rule.get("resourceNames") or ("",):
                        yield (group, resource, name, "", verb)


def _rules(grants: Iterable[Grant]) -> Iterator[Json]:
    """Yield rules that grant exactly *grants*, those that differ in the verb alone together."""
    verbs: dict[tuple[str, str, str, str], list[str]] = {}
    for group, resource, name, path, verb in sorted(grants):
        verbs.setdefault((group, resource, name, path), []).append(verb)
    for (group, resource, name, path), allowed in verbs.items():
        if path:
            yield {"nonResourceURLs": [path], "verbs": allowed}
        else:
            names = {"resourceNames": [name]} if name else {}
            yield {"apiGroups": [group], "resources": [resource], **names, "verbs": allowed}
