"""Which pods are behind a Service of a simulated cluster, and what depends on there being any: aggregated APIs and webhooks.

Where Services were not read, or one selects nothing by itself, it is taken to be answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from eksnetpol.model.kinds import API_SERVICE, ENDPOINT_SLICE, MUTATING_WEBHOOKS, SERVICE, VALIDATING_WEBHOOKS, Json, ObjectRef
from eksnetpol.model.objects.pods import labels_of
from eksnetpol.simulation.ground import Ground
from eksnetpol.simulation.pods import Phase, PodTable, SimPod, uid_of

OF_SERVICE = "kubernetes.io/service-name"
_FAILS = ("FailedDiscoveryCheck", "failing or missing response: no ready endpoint")


class Services:
    """Services, and the APIServices that lead to them."""

    def __init__(self, ground: Ground, table: PodTable) -> None:
        self._ground, self._table = ground, table
        self._watched: set[str] = set()
        self._untold: set[str] = set()
        """APIServices that answered although nobody was seen behind them: nothing is said of them."""
        self._seen = -1
        self._moved = False
        self._matters: dict[tuple[str, bytes], bool] = {}
        for api in ground.known(API_SERVICE):
            if (service := _service_of(api)) is not None:
                self._watched.add(service[0])
                if _is_available(api) and not self.answers(*service):
                    self._untold.add(api["metadata"]["name"])
        table.listeners.append(self._pod_changed)

    @property
    def unavailable(self) -> tuple[str, ...]:
        """The APIServices that do not answer."""
        return tuple(api["metadata"]["name"] for api in self._ground.known(API_SERVICE) if not _is_available(api))

    def answers(self, namespace: str, name: str) -> bool:
        """Say whether a ready pod is behind a Service, as far as that can be told."""
        if not self._ground.knows(SERVICE):
            return True
        service = self._ground.get(ObjectRef.to(SERVICE, name, namespace))
        if service is None:
            return False
        return not _selector(service) or any(pod.phase is Phase.READY for pod in self._behind(service))

    def turn(self) -> None:
        """Say of each aggregated API whether it is available."""
        seen = self._ground.version(API_SERVICE) + self._ground.version(SERVICE)
        if not self._moved and seen == self._seen:
            return
        self._moved = False
        self._matters.clear()
        for api in self._ground.known(API_SERVICE):
            service = _service_of(api)
            if service is None:
                continue
            self._watched.add(service[0])
            there = self.answers(*service)
            if api["metadata"]["name"] in self._untold and self._ground.get(ObjectRef.to(SERVICE, service[1], service[0])):
                continue
            if there != _is_available(api):
                self._ground.put({**api, "status": {**api.get("status", {}), "conditions": [_condition(there)]}})
        self._seen = self._ground.version(API_SERVICE) + self._ground.version(SERVICE)

    def slices(self, namespace: str, service: str) -> Iterator[Json]:
        """Yield the EndpointSlices of a namespace, or of all; of one *service* where it is named."""
        found = [s for s in self._ground.known(SERVICE) if namespace in {"", s["metadata"].get("namespace", "")}]
        for one in found:
            meta = one["metadata"]
            if service in {"", meta["name"]}:
                yield {
                    "apiVersion": ENDPOINT_SLICE.api_version,
                    "kind": ENDPOINT_SLICE.name,
                    "metadata": {
                        "name": f"{meta['name']}-{uid_of(meta['name'])[:5]}",
                        "namespace": meta.get("namespace", ""),
                        "labels": {OF_SERVICE: meta["name"]},
                    },
                    "addressType": "IPv4",
                    "endpoints": list(self._endpoints(one)),
                }

    def _endpoints(self, service: Json) -> Iterator[Json]:
        if not _selector(service):
            yield {"addresses": [], "conditions": {"ready": True}}
        for pod in self._behind(service):
            if pod.address:
                target = {"kind": "Pod", "namespace": pod.namespace, "name": pod.name, "uid": pod.uid}
                ready = pod.phase is Phase.READY
                yield {"addresses": [pod.address], "conditions": {"ready": ready}, "targetRef": target, "nodeName": pod.node}

    def _behind(self, service: Json) -> Iterator[SimPod]:
        wanted = _selector(service).items()
        known: dict[bytes, bool] = {}
        for pod in self._table.in_namespace(service["metadata"].get("namespace", "")):
            raw = pod.labels
            if raw not in known:
                known[raw] = wanted <= labels_of(raw).items()
            if known[raw]:
                yield pod

    def _pod_changed(self, pod: SimPod, _: Phase | None) -> None:
        if pod.namespace not in self._watched or self._moved:
            return
        key = (pod.namespace, pod.labels)
        if key not in self._matters:
            labels = labels_of(pod.labels).items()
            self._matters[key] = any(wanted <= labels for wanted in self._selected(pod.namespace))
        self._moved = self._matters[key]

    def _selected(self, namespace: str) -> Iterator[Any]:
        for api in self._ground.known(API_SERVICE):
            service = _service_of(api)
            if service is not None and service[0] == namespace:
                live = self._ground.get(ObjectRef.to(SERVICE, service[1], namespace)) if self._ground.knows(SERVICE) else None
                if live is not None:
                    yield _selector(live).items()

    # --- admission ---

    def refusing(self, verb: str, ref: ObjectRef, labels: Json) -> str:
        """Return why no webhook can be asked about a change that has to be, empty where none has or all can."""
        operation = {"create": "CREATE", "delete": "DELETE"}.get(verb, "UPDATE")
        for kind in (VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS):
            for configuration in self._ground.known(kind):
                for hook in configuration.get("webhooks") or ():
                    service = (hook.get("clientConfig") or {}).get("service")
                    if not service or hook.get("failurePolicy", "Fail") != "Fail" or not _asks(hook, operation, ref, labels):
                        continue
                    if not self.answers(str(service["namespace"]), str(service["name"])):
                        where = f'service "{service["name"]}" in namespace "{service["namespace"]}"'
                        return f'failed calling webhook "{hook.get("name")}": no endpoints available for {where}'
        return ""


def _selector(service: Json) -> dict[str, str]:
    found: dict[str, str] = (service.get("spec") or {}).get("selector") or {}
    return found


def _service_of(api: Json) -> tuple[str, str] | None:
    service = (api.get("spec") or {}).get("service")
    return (str(service.get("namespace", "")), str(service.get("name", ""))) if service else None


def _is_available(api: Json) -> bool:
    conditions: list[dict[str, Any]] = (api.get("status") or {}).get("conditions") or []
    return all(one.get("status") == "True" for one in conditions if one.get("type") == "Available")


def _condition(available: bool) -> Json:
    if available:
        return {"type": "Available", "status": "True", "reason": "Passed", "message": "all checks passed"}
    return {"type": "Available", "status": "False", "reason": _FAILS[0], "message": _FAILS[1]}


def _asks(hook: Json, operation: str, ref: ObjectRef, labels: Json) -> bool:
    kind = ref.of_kind
    wanted = (hook.get("objectSelector") or {}).get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return any(
        {"*", operation} & set(rule.get("operations") or ())
        and {"*", kind.group} & set(rule.get("apiGroups") or ())
        and {"*", "*/*", kind.plural} & set(rule.get("resources") or ())
        for rule in hook.get("rules") or ()
    )
