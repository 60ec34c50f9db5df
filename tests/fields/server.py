"""A real API server, asked in its own words: nothing of the product between the test and the answer."""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from eksnetpol.model.kinds import Json, Kind, ObjectRef
from tests.testbed.cluster import ControlPlane

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
PLAIN = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the API server answered."""

    status: int
    body: Any

    @property
    def ok(self) -> bool:
        """Say whether it is no refusal."""
        return self.status < 300


class Server:
    """One connection that is kept open."""

    def __init__(self, plane: ControlPlane) -> None:
        url = urlsplit(plane.url)
        context = ssl.create_default_context(cadata=plane.ca_pem)
        self._connection = http.client.HTTPSConnection(str(url.hostname), url.port, context=context, timeout=30)
        self._headers = {"Authorization": f"Bearer {plane.token()}", "Accept": PLAIN}

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def ask(self, method: str, path: str, body: Any = None, *, content: str = PLAIN, **query: str) -> Answer:
        """Return the answer to a request; *query* are its parameters."""
        target = f"{path}?{urlencode(query)}" if query else path
        headers = self._headers | ({"Content-Type": content} if body is not None else {})
        self._connection.request(method, target, None if body is None else json.dumps(body), headers)
        answer = self._connection.getresponse()
        said = answer.read()
        # Of a kind that is not served it says so in plain text.
        return Answer(answer.status, json.loads(said) if said.startswith(b"{") else {"message": said.decode()})

    def get(self, ref: ObjectRef) -> Json | None:
        """Return an object, None where it cannot be had."""
        answer = self.ask("GET", place(ref.of_kind, ref.namespace, ref.name))
        return answer.body if answer.ok else None

    def create(self, obj: Json, manager: str, **query: str) -> Answer:
        """POST an object."""
        ref = ObjectRef.of(obj)
        return self.ask("POST", place(ref.of_kind, ref.namespace), obj, fieldManager=manager, **query)

    def apply(self, obj: Json, manager: str, *, force: bool = False, **query: str) -> Answer:
        """Apply it server-side."""
        ref = ObjectRef.of(obj)
        said = {"fieldManager": manager, "force": str(force).lower()} | query
        return self.ask("PATCH", place(ref.of_kind, ref.namespace, ref.name), obj, content=APPLY, **said)

    def patch(self, ref: ObjectRef, operations: list[Json], manager: str) -> Answer:
        """Do a JSON patch."""
        path = place(ref.of_kind, ref.namespace, ref.name)
        return self.ask("PATCH", path, operations, content=JSON_PATCH, fieldManager=manager)

    def replace(self, obj: Json, manager: str, subresource: str = "") -> Answer:
        """PUT an object."""
        ref = ObjectRef.of(obj)
        path = place(ref.of_kind, ref.namespace, ref.name) + (f"/{subresource}" if subresource else "")
        return self.ask("PUT", path, obj, fieldManager=manager)

    def delete(self, ref: ObjectRef, uid: str = "") -> Answer:
        """DELETE an object."""
        body = {"preconditions": {"uid": uid}} if uid else {}
        return self.ask("DELETE", place(ref.of_kind, ref.namespace, ref.name), body)


def place(kind: Kind, namespace: str = "", name: str = "") -> str:
    """Return the path of an object, or of all of a kind."""
    root = f"/apis/{kind.api_version}" if kind.group else f"/api/{kind.version}"
    inside = f"/namespaces/{namespace}" if kind.namespaced and namespace else ""
    return f"{root}{inside}/{kind.plural}" + (f"/{name}" if name else "")


def namespace_for(server: Server, name: str) -> str:
    """Make a namespace."""
    made = server.ask("POST", "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
    assert made.ok, made
    return name
