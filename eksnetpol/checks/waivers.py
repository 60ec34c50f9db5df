"""Waivers: findings that somebody accepts, for a reason and perhaps until a day.

They stand in the configuration (a check and a glob over subjects) or on the objects themselves, as the annotation
``waive.eksnetpol.io/<check-id>: "reason; until=2027-01-31"``. Those of the configuration are the operator's word, so mistakes in
them end the run before it begins (`choose.validate`); an annotation is anybody's word, so a mistake in it is a note and waives
nothing.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from fnmatch import fnmatchcase

from eksnetpol.model.admin_policies import AdminPolicy
from eksnetpol.model.findings import Subject
from eksnetpol.model.settings import Settings
from eksnetpol.model.snapshot import ClusterSnapshot, Seen

ANNOTATION = "waive.eksnetpol.io/"
_UNTIL = re.compile(r";\s*until\s*=\s*(?P<until>\S*)\s*$")
_NAMED_IN_NOTES = 3

_KINDS: Mapping[str, str] = {
    "nodes": "node",
    "namespaces": "namespace",
    "pods": "pod",
    "agent_pods": "pod",
    "daemonsets": "daemonset",
    "deployments": "deployment",
    "statefulsets": "statefulset",
    "disruption_budgets": "poddisruptionbudget",
    "jobs": "job",
    "cronjobs": "cronjob",
    "services": "service",
    "service_accounts": "serviceaccount",
    "configmaps": "configmap",
    "crds": "customresourcedefinition",
    "cluster_roles": "clusterrole",
    "cluster_role_bindings": "clusterrolebinding",
    "webhooks": "",
    "admission_policies": "validatingadmissionpolicy",
    "admission_bindings": "validatingadmissionpolicybinding",
    "api_services": "apiservice",
    "network_policies": "networkpolicy",
    "application_policies": "applicationnetworkpolicy",
    "cluster_policies": "clusternetworkpolicy",
    "admin_policies": "",
    "policy_endpoints": "policyendpoint",
    "cluster_policy_endpoints": "clusterpolicyendpoint",
    "security_group_policies": "",
    "eni_configs": "",
    "network_attachments": "",
    "node_classes": "",
    "engine_settings": "",
    "admission_engines": "",
    "scrapers": "",
}
# Sections whose objects can carry annotations, with their kind; empty where each object names its own.


@dataclass(slots=True)
class Waiver:
    """One waiver, wherever it stands. ``pattern`` is a glob over ``str(subject)``; ``used`` is set when it waived something."""

    check: str
    pattern: str
    reason: str
    expires: date | None
    owner: str = ""
    used: bool = False

    @property
    def words(self) -> str:
        """Why, by whom and until when."""
        owner = f" ({self.owner})" if self.owner else ""
        until = f", until {self.expires.isoformat()}" if self.expires else ""
        return f"{self.reason}{owner}{until}"


@dataclass(slots=True)
class Waivers:
    """All waivers of a run, as of one day."""

    today: date
    configured: dict[str, list[Waiver]] = field(default_factory=lambda: defaultdict(list))
    annotated: dict[tuple[str, str], Waiver] = field(default_factory=dict)
    mistakes: list[str] = field(default_factory=list)

    def reason(self, check: str, subject: str) -> str:
        """Return why the finding of *check* about *subject* is waived, or an empty text where it is not."""
        fitting = [w for w in self.configured.get(check, ()) if fnmatchcase(subject, w.pattern)]
        on_object = self.annotated.get((check, subject))
        if on_object:
            fitting.append(on_object)
        for waiver in fitting:
            waiver.used = True
        return next((w.words for w in fitting if not self._has_expired(w)), "")

    def notes(self, told: Collection[str], unknown: Mapping[str, Collection[str]]) -> Iterator[str]:
        """Yield what to say of waivers that did nothing.

        *told* are the ids of checks that said all they can say; of the others nobody knows yet what a waiver would match.
        *unknown* are the subjects, by check, that could not be judged.
        """
        yield from self.mistakes
        for waivers in self.configured.values():
            for waiver in waivers:
                yield from self._note(waiver, told, unknown)
        by_words: dict[tuple[str, str], list[str]] = defaultdict(list)
        for (check, subject), waiver in self.annotated.items():
            for note in self._note(waiver, told, unknown):
                by_words[check, note.removeprefix(f"the waiver of {check} for {subject} ")].append(subject)
        for (check, words), subjects in sorted(by_words.items()):
            yield f"the annotation {ANNOTATION}{check} on {_several(subjects)} {words}"

    def _note(self, waiver: Waiver, told: Collection[str], unknown: Mapping[str, Collection[str]]) -> Iterator[str]:
        name = f"the waiver of {waiver.check} for {waiver.pattern}"
        if self._has_expired(waiver) and waiver.expires:
            yield f"{name} expired on {waiver.expires.isoformat()} and no longer waives anything"
        elif not waiver.used and any(fnmatchcase(s, waiver.pattern) for s in unknown.get(waiver.check, ())):
            yield f"{name} meets something that could not be determined; a waiver does not settle that"
        elif not waiver.used and waiver.check in told:
            yield f"{name} matches no finding; remove it"

    def _has_expired(self, waiver: Waiver) -> bool:
        return waiver.expires is not None and waiver.expires < self.today


def gather(settings: Settings, snapshot: ClusterSnapshot, checks: Collection[str]) -> Waivers:
    """Return the waivers of *settings* and those on the objects of *snapshot*, as of the day it was taken.

    *checks* are the ids there are; an annotation that names another is a note.
    """
    waivers = Waivers(snapshot.taken_at.date())
    for w in settings.waivers:
        kind, slash, rest = w.object.partition("/")
        pattern = f"{kind.lower()}{slash}{rest}"
        waivers.configured[w.check].append(Waiver(w.check, pattern, w.reason.strip(), w.expires, w.owner or ""))
    unknown: dict[str, list[str]] = defaultdict(list)
    faulty: dict[tuple[str, str], list[str]] = defaultdict(list)
    for subject, check, text in _annotations(snapshot):
        if check not in checks:
            unknown[check].append(subject)
            continue
        try:
            reason, expires = _read(text)
        except ValueError as fault:
            faulty[check, str(fault)].append(subject)
            continue
        waivers.annotated[check, subject] = Waiver(check, subject, reason, expires)
    waivers.mistakes += [
        f"the annotation {ANNOTATION}{check} on {_several(subjects)} names no check and waives nothing"
        for check, subjects in sorted(unknown.items())
    ]
    waivers.mistakes += [
        f"the annotation {ANNOTATION}{check} on {_several(subjects)} waives nothing: {fault}"
        for (check, fault), subjects in sorted(faulty.items())
    ]
    return waivers


def _read(text: str) -> tuple[str, date | None]:
    found = _UNTIL.search(text)
    reason = (text[: found.start()] if found else text).strip(" ;\t\n")
    if not reason:
        raise ValueError('it gives no reason; write "reason; until=2027-01-31"')
    if not found:
        return reason, None
    try:
        return reason, date.fromisoformat(found["until"])
    except ValueError:
        raise ValueError(f"{found['until']!r} is no day such as 2027-01-31") from None


def _annotations(snapshot: ClusterSnapshot) -> Iterator[tuple[str, str, str]]:
    for section, kind in _KINDS.items():
        seen = getattr(snapshot, section)
        if not isinstance(seen, Seen):
            continue
        for thing in seen.value:
            annotations = thing.metadata.annotations
            if not annotations:
                continue
            for key, text in annotations.items():
                if key.startswith(ANNOTATION):
                    meta = thing.metadata
                    own = thing.title if isinstance(thing, AdminPolicy) else ""
                    subject = Subject(own or kind or thing.kind, meta.name, meta.namespace)
                    yield str(subject), key.removeprefix(ANNOTATION), text


def _several(subjects: Iterable[str]) -> str:
    ordered = sorted(subjects)
    more = len(ordered) - _NAMED_IN_NOTES
    return ", ".join(ordered[:_NAMED_IN_NOTES]) + (f" and {more} more" if more > 0 else "")
