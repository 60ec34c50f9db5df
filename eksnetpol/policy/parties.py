"""What people call the two sides of a question, and what these words mean to an engine.

``NAMESPACE/NAME`` is a workload or a pod, ``NAMESPACE/KIND/NAME`` the one of that kind, ``svc:NAMESPACE/NAME`` a Service's
ClusterIP; an address is the pod or Service that has it; a CIDR is all its addresses; ``internet`` is every public address.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count

import msgspec

from eksnetpol.errors import UsageError
from eksnetpol.model.kubernetes import Pod, Service
from eksnetpol.model.objects.metadata import PodMeta
from eksnetpol.model.objects.pods import PodStatus
from eksnetpol.policy.addresses import parse_cidr
from eksnetpol.policy.answers import Addresses, Atlas, Engine, Party, Pods, ServiceAddress, Workload
from eksnetpol.policy.outside import RESERVED
from eksnetpol.policy.world import World

INTERNET = "internet"
SERVICE = "svc:"

_FORMS = "NAMESPACE/NAME, NAMESPACE/KIND/NAME, svc:NAMESPACE/NAME, an address, a CIDR, or internet"
_KINDS: Mapping[str, str] = {
    "pod": "Pod", "pods": "Pod", "po": "Pod",
    "deployment": "Deployment", "deployments": "Deployment", "deploy": "Deployment",
    "statefulset": "StatefulSet", "statefulsets": "StatefulSet", "sts": "StatefulSet",
    "daemonset": "DaemonSet", "daemonsets": "DaemonSet", "ds": "DaemonSet",
    "replicaset": "ReplicaSet", "replicasets": "ReplicaSet", "rs": "ReplicaSet",
    "cronjob": "CronJob", "cronjobs": "CronJob", "cj": "CronJob",
    "job": "Job", "jobs": "Job",
    "service": "Service", "services": "Service", "svc": "Service",
}  # fmt: skip
"""Kinds as kubectl lets them be typed."""

_NEAR, _NAMED, _ALIKE = 3, 6, 0.7
_BY_NAME = "planned"


@dataclass(frozen=True, slots=True)
class Named:
    """What a word means. ``notes`` say what may surprise about it."""

    party: Party
    title: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Planned:
    """A pod that does not exist yet: what it will be called by is its labels. ``name`` is one that no pod has."""

    namespace: str
    labels: tuple[tuple[str, str], ...]
    name: str
    account: str = ""
    """Its service account; empty for the one of pods that name none."""

    @property
    def title(self) -> str:
        """What to call it."""
        words = ",".join(f"{key}={value}" for key, value in self.labels) or "without labels"
        return f"{self.namespace}/{{{words}}}"

    @property
    def pod(self) -> Pod:
        """The pod, running, with an address that nobody knows."""
        labels = msgspec.Raw(msgspec.json.encode(dict(self.labels)))
        meta = PodMeta(name=self.name, namespace=self.namespace, labels=labels)
        return Pod(metadata=meta, status=PodStatus(phase="Running"))


def planned(wanted: Iterable[tuple[str, Mapping[str, str]]], world: World) -> tuple[Planned, ...]:
    """Return a pod for each different (namespace, labels) of *wanted*, in order.

    Names have no dash, so that none of them shares its beginning with a pod there is.
    """
    names = names_of_nobody(world)
    known: dict[tuple[str, tuple[tuple[str, str], ...]], Planned] = {}
    for namespace, labels in wanted:
        key = (namespace, tuple(sorted(labels.items())))
        if key not in known:
            known[key] = Planned(*key, next(names))
    return tuple(known.values())


def names_of_nobody(world: World) -> Iterator[str]:
    """Yield names for pods that do not exist; they have no dash, so that none shares its beginning with a pod there is."""
    taken = {p.name.rpartition("-")[0] or p.name for p in world.pods}
    return (name for number in count(1) if (name := f"{_BY_NAME}{number}") not in taken)


def resolve(text: str, engine: Engine) -> Named:
    """Return what *text* means in the world of *engine*; raise `UsageError` with the nearest names where it means nothing."""
    return Directory(engine).party(text)


@dataclass(frozen=True)
class Directory:
    """The names of an engine's world, looked up fast. ``extra`` are the planned pods that the engine was built with."""

    engine: Engine
    extra: tuple[Planned, ...] = ()
    _known: dict[str, Named] = field(default_factory=dict, repr=False)

    @property
    def _atlas(self) -> Atlas:
        return self.engine.atlas

    def party(self, text: str) -> Named:
        """Return what *text* means; raise `UsageError` with the nearest names where it means nothing or several things."""
        if text not in self._known:
            self._known[text] = self._party(text.strip())
        return self._known[text]

    def labelled(self, namespace: str, labels: Mapping[str, str]) -> Named:
        """Return the planned pod of *namespace* with *labels*; it must be among ``extra``.

        It is another pod each time, so that one asked about with itself is two with the same labels.
        """
        one = self._extra[namespace, tuple(sorted(labels.items()))]
        index = self._atlas.class_of[namespace, one.name]
        return Named(Pods(1 << index, one.title, (one.pod,)), one.title, self._of_namespace(namespace))

    def workload(self, workload: Workload) -> Named:
        """Return *workload* as a party."""
        return Named(Pods(self._atlas.workloads[workload], str(workload)), str(workload))

    # --- by what the word looks like ----------------------------------------------------------------------------------

    def _party(self, text: str) -> Named:
        if text.lower() == INTERNET:
            return self._internet()
        if text.startswith(SERVICE):
            return self._service(text.removeprefix(SERVICE), text)
        head, slash, tail = text.partition("/")
        if _is_address(head):
            return self._address(head) if not slash else self._cidr(text)
        parts = text.split("/")
        if not all(parts) or not slash or len(parts) > 3:  # noqa: PLR2004 - namespace, kind, name
            raise UsageError(f"{text!r} names nothing; expected {_FORMS}{self._hint_for_bare(text)}")
        if len(parts) == 2:  # noqa: PLR2004 - namespace, name
            return self._named(head, tail)
        return self._of_kind(*parts)

    def _named(self, namespace: str, name: str) -> Named:
        workloads = self._by_name.get((namespace, name), ())
        pod = self._pod(namespace, name)
        if pod is not None and not any(w.kind == "Pod" for w in workloads):
            if workloads:
                raise self._ambiguous(namespace, name, [*map(str, workloads), f"{namespace}/Pod/{name}"])
            return pod
        if len(workloads) > 1:
            raise self._ambiguous(namespace, name, map(str, workloads))
        if workloads:
            return self.workload(workloads[0])
        raise self._nothing(namespace, name, "workload or pod")

    def _of_kind(self, namespace: str, kind: str, name: str) -> Named:
        wanted = _KINDS.get(kind.lower(), kind)
        if wanted == "Service":
            return self._service(f"{namespace}/{name}", f"{namespace}/{kind}/{name}")
        if wanted == "Pod":
            pod = self._pod(namespace, name)
            if pod is not None:
                return pod
            raise self._nothing(namespace, name, "pod")
        for workload in self._by_name.get((namespace, name), ()):
            if workload.kind.lower() == wanted.lower():
                return self.workload(workload)
        raise self._nothing(namespace, name, wanted)

    def _pod(self, namespace: str, name: str) -> Named | None:
        index = self._atlas.class_of.get((namespace, name))
        if index is None or any((one.namespace, one.name) == (namespace, name) for one in self.extra):
            return None
        for pod in self._atlas.universe.classes[index].pods:
            if pod.metadata.name == name and pod.metadata.namespace == namespace:
                title = f"{namespace}/Pod/{name}"
                return Named(Pods(1 << index, title, (pod,)), title)
        return None

    def _service(self, name: str, text: str) -> Named:
        namespace, _, rest = name.partition("/")
        service = self.engine.world.service_by_name.get((namespace, rest))
        if service is None:
            known = {f"{s.namespace}/{s.name}": f"{SERVICE}{s.namespace}/{s.name}" for s in self.engine.world.services}
            raise UsageError(f"there is no Service {name}{_near(name, known)}")
        if service.is_headless or service.spec.type == "ExternalName":
            why = "is headless" if service.is_headless else "is of type ExternalName"
            raise UsageError(f"{text}: the Service {name} {why}, so it has no ClusterIP; ask for its pods or addresses")
        return Named(ServiceAddress(service, f"{SERVICE}{name}"), f"{SERVICE}{name}")

    def _address(self, text: str) -> Named:
        try:
            address = str(ipaddress.ip_address(text))
        except ValueError:
            raise UsageError(f"{text!r} is no address") from None
        width = 32 if "." in address else 128
        here = Addresses(f"{address}/{width}", address)
        pod = self._pod_by_address.get(address)
        if pod is not None:
            found = self._pod(pod.namespace, pod.name)
            if found is not None:
                return Named(found.party, found.title, (f"{address} is the address of the pod {pod.namespace}/{pod.name}",))
        service = self._service_by_address.get(address)
        if service is not None:
            title = f"{SERVICE}{service.namespace}/{service.name}"
            note = f"{address} is the ClusterIP of the Service {service.namespace}/{service.name}"
            return Named(ServiceAddress(service, title), title, (note,))
        node = self._node_by_address.get(address)
        note = f"{address} is the address of the node {node}" if node else ""
        return Named(here, address, (note,) if note else ())

    def _cidr(self, text: str) -> Named:
        network = parse_cidr(text)
        if network is None:
            raise UsageError(f"{text!r} is no CIDR; expected an address and the length of its prefix, e.g. 10.0.0.0/8")
        if network.prefixlen == network.max_prefixlen:
            return self._address(str(network.network_address))
        notes = (f"{text} is read as {network}",) if str(network) != text else ()
        return Named(Addresses(str(network), str(network)), str(network), notes)

    def _internet(self) -> Named:
        version = 6 if self.engine.profile.family == "ipv6" else 4
        return Named(Addresses("::/0" if version == 6 else "0.0.0.0/0", INTERNET, RESERVED[version]), INTERNET)  # noqa: PLR2004

    # --- what there is ------------------------------------------------------------------------------------------------

    @cached_property
    def _extra(self) -> Mapping[tuple[str, tuple[tuple[str, str], ...]], Planned]:
        return {(one.namespace, one.labels): one for one in self.extra}

    @cached_property
    def _by_name(self) -> Mapping[tuple[str, str], Sequence[Workload]]:
        found: dict[tuple[str, str], list[Workload]] = {}
        hidden = {(one.namespace, one.name) for one in self.extra}
        for workload in self._atlas.workloads:
            key = (workload.namespace, workload.name)
            if key not in hidden:
                found.setdefault(key, []).append(workload)
        return found

    @cached_property
    def _pod_by_address(self) -> Mapping[str, Pod]:
        # Finished pods keep an address that another may have by now, and pods on the host network have their node's.
        return {
            p.status.pod_ip: p
            for p in self.engine.world.pods
            if p.status.pod_ip and not p.spec.host_network and not p.is_terminal
        }

    @cached_property
    def _service_by_address(self) -> Mapping[str, Service]:
        return {
            address: s
            for s in self.engine.world.services
            for address in (s.spec.cluster_ip, *s.spec.cluster_i_ps)
            if address and address != "None"
        }

    @cached_property
    def _node_by_address(self) -> Mapping[str, str]:
        return {a.address: n.name for n in self.engine.world.nodes for a in n.status.addresses if a.address}

    @cached_property
    def _namespaces(self) -> Sequence[str]:
        world = self.engine.world
        named = (n.name for n in world.namespaces)
        of_policies = (p.namespace for p in (*world.network_policies, *world.application_policies))
        own = {one.namespace for one in self.extra}
        of_pods = (name for name in self._atlas.universe.in_namespace if name not in own or self._has_pods(name))
        return tuple(dict.fromkeys((*named, *of_pods, *of_policies)))

    def _has_pods(self, namespace: str) -> bool:
        hidden = {one.name for one in self.extra}
        return any(p.namespace == namespace and p.name not in hidden for p in self.engine.world.pods)

    def _of_namespace(self, namespace: str) -> tuple[str, ...]:
        if namespace in self._namespaces:
            return ()
        return (f"there is no namespace {namespace} yet{_near(namespace, self._namespaces)}",)

    # --- what went wrong ----------------------------------------------------------------------------------------------

    def _nothing(self, namespace: str, name: str, what: str) -> UsageError:
        finished = next((p for p in self.engine.world.pods if (p.namespace, p.name) == (namespace, name)), None)
        if finished is not None and finished.is_terminal:
            return UsageError(f"the pod {namespace}/{name} has finished ({finished.status.phase}); nothing reaches it any more")
        elsewhere = [str(w) for (_, other), ws in self._by_name.items() if other == name for w in ws]
        if (namespace, name) in self.engine.world.service_by_name:
            elsewhere.append(f"{SERVICE}{namespace}/{name}")
        if elsewhere:
            hint = f"; there is {_some(elsewhere)}"
        else:
            names = {f"{w.namespace}/{w.name}": str(w) for ws in self._by_name.values() for w in ws}
            hint = _near(f"{namespace}/{name}", names)
        if not hint and namespace not in self._namespaces:
            return UsageError(f"there is no namespace {namespace}{_near(namespace, self._namespaces)}")
        inside = [w.name for (space, _), ws in self._by_name.items() if space == namespace for w in ws]
        if not hint and inside:
            hint = f"; {namespace} has {_some(inside)}"
        return UsageError(f"there is no {what} {namespace}/{name}{hint}")

    def _hint_for_bare(self, text: str) -> str:
        bare = text.strip("/").rpartition("/")[2]
        found = [f"{w.namespace}/{w.name}" for (_, name), ws in self._by_name.items() if name == bare for w in ws]
        return f"; did you mean {_some(found)}?" if found else ""

    def _ambiguous(self, namespace: str, name: str, titles: Iterable[str]) -> UsageError:
        return UsageError(f"{namespace}/{name} could be {' or '.join(titles)}; say which")


def pods_of(party: Party, atlas: Atlas) -> tuple[Pod, ...]:
    """Return all pods that *party* means; none where it is no pods."""
    if not isinstance(party, Pods):
        return ()
    return party.pods or tuple(p for c in atlas.universe.members(party.classes) for p in c.pods)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        # 10.0.0.300 is meant to be one, and is no namespace.
        return text.replace(".", "").isdigit() and "." in text
    return True


def _near(text: str, known: Iterable[str] | Mapping[str, str]) -> str:
    """Return a hint at the nearest of *known* names; of a mapping, its values are what to show."""
    shown = known if isinstance(known, Mapping) else {name: name for name in known}
    close = difflib.get_close_matches(text, list(shown), n=_NEAR, cutoff=_ALIKE)
    if close:
        # What is a letter apart is meant, and what shares the namespace alone is not.
        best = difflib.SequenceMatcher(None, text, close[0]).ratio()
        close = [c for c in close if difflib.SequenceMatcher(None, text, c).ratio() >= best - 0.05]
    return f"; did you mean {' or '.join(shown[c] for c in close)}?" if close else ""


def _some(names: Iterable[str]) -> str:
    ordered = list(dict.fromkeys(names))
    more = len(ordered) - _NAMED
    return ", ".join(ordered[:_NAMED]) + (f" and {more} more" if more > 0 else "")

