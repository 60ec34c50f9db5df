"""Whether anything makes the API server stumble: aggregated APIs, namespaces that do not end, webhooks that nobody answers."""

from __future__ import annotations

from collections.abc import Iterator

from eksnetpol.execution.gathering import named
from eksnetpol.execution.seeing import Observation, condition_of, holds, pending
from eksnetpol.interfaces.acting import Hands
from eksnetpol.model.conditions import Answering
from eksnetpol.model.kinds import API_SERVICE, ENDPOINT_SLICE, MUTATING_WEBHOOKS, NAMESPACE, VALIDATING_WEBHOOKS, Json


def answering(condition: Answering, hands: Hands) -> Observation:
    """Return whether discovery is whole, namespaces end, and webhooks that fail closed are served."""
    troubles = [words for name, words in _troubles(hands) if name not in condition.except_for]
    if troubles:
        return pending(f"the API server stumbles: {named(troubles)}")
    return holds("every APIService is available, no namespace hangs, and every webhook that fails closed is served")


def _troubles(hands: Hands) -> Iterator[tuple[str, str]]:
    for api in hands.objects(API_SERVICE):
        available = condition_of(api, "Available")
        if available.get("status") == "False":
            why = available.get("message") or available.get("reason") or "no reason given"
            name = api["metadata"]["name"]
            yield name, f"APIService {name} is not available ({why}), so that no namespace can be deleted"
    for namespace in hands.objects(NAMESPACE):
        if (namespace.get("status") or {}).get("phase") == "Terminating":
            name = namespace["metadata"]["name"]
            yield name, f"namespace {name} is Terminating{_held(namespace)}"
    yield from _webhooks(hands)


def _webhooks(hands: Hands) -> Iterator[tuple[str, str]]:
    served: dict[tuple[str, str], bool] = {}
    for kind in (VALIDATING_WEBHOOKS, MUTATING_WEBHOOKS):
        for configuration in hands.objects(kind):
            for webhook in configuration.get("webhooks") or ():
                service = (webhook.get("clientConfig") or {}).get("service")
                if not service or webhook.get("failurePolicy", "Fail") != "Fail":
                    continue
                key = (str(service["namespace"]), str(service["name"]))
                if key not in served:
                    served[key] = _has_endpoints(hands, *key)
                if not served[key]:
                    name = configuration["metadata"]["name"]
                    to = "/".join(key)
                    who = f"webhook {webhook['name']} of {name}"
                    yield name, f"{who} fails closed and Service {to} has no ready endpoint (mend its pods)"


def _has_endpoints(hands: Hands, namespace: str, name: str) -> bool:
    slices = hands.objects(ENDPOINT_SLICE, namespace=namespace, selector=f"kubernetes.io/service-name={name}")
    return any(
        # A condition that is not said means ready (discovery.k8s.io/v1).
        (endpoint.get("conditions") or {}).get("ready") is not False
        for one in slices
        for endpoint in one.get("endpoints") or ()
    )


def _held(namespace: Json) -> str:
    said = [
        str(one.get("message", ""))
        for one in (namespace.get("status") or {}).get("conditions") or ()
        if one.get("status") == "True" and one.get("message")
    ]
    return f": {said[0]}" if said else ""
