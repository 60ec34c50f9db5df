"""The real API server as EKS writes to it: applied as field manager ``eks``, with whatever conflicts the server itself finds."""

from __future__ import annotations

import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any

from eksnetpol.errors import Rejected, Unreachable
from eksnetpol.model.kinds import KINDS, Kind, ObjectRef
from eksnetpol.simulation.addon_effects import DAEMONSET_REF, MANAGER, perform
from eksnetpol.simulation.eks import Effect, Outcome
from tests.testbed.cluster import ControlPlane

Json = dict[str, Any]

ENI_CONFIG = Kind("ENIConfig", "eniconfigs", "crd.k8s.amazonaws.com", "v1alpha1", namespaced=False)
_KINDS = {(kind.api_version, kind.name): kind for kind in (*KINDS, ENI_CONFIG)}
_CONFLICT = "FieldManagerConflict"


@dataclass(slots=True)
class RealPlace:
    """Where the add-ons of an `EksEndpoint` are written: *plane*. ``effects`` are those it was told to perform, in order."""

    plane: ControlPlane
    effects: list[Effect] = field(default_factory=list)

    def perform(self, effect: Effect) -> Outcome:
        """Write what the effect says, or say why not."""
        self.effects.append(effect)
        return perform(effect, self)

    def daemonset(self, addon: str) -> Json | None:
        """Return ``aws-node`` with its status."""
        return self.get(DAEMONSET_REF) if addon == "vpc-cni" else None

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object, None where there is none."""
        status, found = self._ask("GET", ref)
        return None if status == 404 else _good(status, found)

    def conflicts(self, wanted: Json) -> tuple[str, ...]:
        """Return the fields that others own with other values, as the API server itself says."""
        status, found = self._ask("PATCH", ObjectRef.of(wanted), f"fieldManager={MANAGER}&dryRun=All", wanted)
        causes = found.get("details", {}).get("causes", ()) if status == 409 else ()
        fields = tuple(dict.fromkeys(c["field"] for c in causes if c.get("reason") == _CONFLICT))
        if not fields:
            _good(status, found)
        return fields

    def write(self, wanted: Json) -> None:
        """Apply by force."""
        _good(*self._ask("PATCH", ObjectRef.of(wanted), f"fieldManager={MANAGER}&force=true", wanted))

    def remove(self, ref: ObjectRef) -> None:
        """Delete an object; one that is not there is no error."""
        status, found = self._ask("DELETE", ref)
        if status != 404:
            _good(status, found)

    def _ask(self, method: str, ref: ObjectRef, query: str = "", body: Json | None = None) -> tuple[int, Json]:
        kind = _KINDS[ref.api_version, ref.kind]
        group = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
        place = f"/namespaces/{ref.namespace}" if kind.namespaced else ""
        url = f"{self.plane.url}{group}{place}/{kind.plural}/{ref.name}?{query}"
        headers = {"Authorization": f"Bearer {self.plane.token()}", "Content-Type": "application/apply-patch+yaml"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 - our own server
        context = ssl.create_default_context(cadata=self.plane.ca_pem)
        try:
            with urllib.request.urlopen(request, context=context, timeout=30) as answer:  # noqa: S310 - as above
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())
        except (OSError, HTTPException) as error:
            raise Unreachable(f"{method} {url}: {error}") from error


def _good(status: int, found: Json) -> Json:
    if status >= 300:
        raise Rejected(f"{status}: {found.get('message', found)}")
    return found
