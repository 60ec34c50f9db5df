"""HTTP requests and answers, held to botocore's own model of a service.

Routing, parsing and validation follow the model both ways: a member that the model does not know is refused, in a request as
in an answer, so that the endpoint cannot drift from what AWS publishes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from botocore.model import OperationModel, ServiceModel, Shape
from botocore.session import get_session
from botocore.validate import ParamValidator

Json = dict[str, Any]


class NotOfTheModel(Exception):
    """A request or an answer that the service's model does not have."""


@dataclass(frozen=True, slots=True)
class Route:
    """An operation and what its path looks like."""

    operation: OperationModel
    method: str
    path: re.Pattern[str]


def load(service: str) -> ServiceModel:
    """Return botocore's model of *service*."""
    return get_session().get_service_model(service)


def routes(model: ServiceModel, operations: Mapping[str, object]) -> tuple[Route, ...]:
    """Return the routes of *operations*, the longest path first so that a fixed segment wins over a variable."""
    found = []
    for name in operations:
        operation = model.operation_model(name)
        template = operation.http["requestUri"].split("?")[0]
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
        found.append(Route(operation, operation.http["method"], re.compile(pattern)))
    return tuple(sorted(found, key=lambda r: (r.path.pattern.count("(?P"), -len(r.path.pattern))))


def find(table: tuple[Route, ...], method: str, target: str) -> tuple[Route, Mapping[str, str]] | None:
    """Return the route of a request and the variables of its path."""
    path = urlsplit(target).path
    for route in table:
        fits = route.path.fullmatch(path)
        if fits and route.method == method:
            return route, {k: unquote(v) for k, v in fits.groupdict().items()}
    return None


def parse(route: Route, variables: Mapping[str, str], target: str, body: bytes) -> Json:
    """Return the parameters of a request by member name; raise `NotOfTheModel` for what the model does not have."""
    shape = route.operation.input_shape
    query = parse_qs(urlsplit(target).query, keep_blank_values=True)
    given = _json(body)
    params: Json = {}
    for member, inner in shape.members.items():
        name = inner.serialization.get("name", member)
        match inner.serialization.get("location"):
            case "uri":
                params[member] = variables[name]
            case "querystring" if name in query:
                params[member] = _from_text(inner, query.pop(name))
            case None if name in given:
                params[member] = given.pop(name)
    strangers = sorted({*query, *given})
    if strangers:
        raise NotOfTheModel(f"{route.operation.name} has no member {', '.join(strangers)}")
    report = ParamValidator().validate(params, shape)
    if report.has_errors():
        raise NotOfTheModel(report.generate_report())
    for member, value in params.items():
        _constrain(shape.members[member], value, member)
    return params


def _json(body: bytes) -> Json:
    try:
        given = json.loads(body or b"{}")
    except ValueError as error:
        raise NotOfTheModel(f"the body is no JSON: {error}") from error
    if not isinstance(given, dict):
        raise NotOfTheModel("the body is no JSON object")
    return given


def _constrain(shape: Shape, value: Any, path: str) -> None:
    """Raise `NotOfTheModel` where a value is of the right type but outside what the model allows: botocore leaves that to AWS."""
    limits = shape.metadata
    match shape.type_name:
        case "structure":
            for member, inner in value.items():
                _constrain(shape.members[member], inner, f"{path}.{member}")
        case "list":
            for position, inner in enumerate(value):
                _constrain(shape.member, inner, f"{path}[{position}]")
        case "string":
            if limits.get("enum") and value not in limits["enum"]:
                raise NotOfTheModel(f"{path}: {value!r} is none of {limits['enum']}")
            if not re.search(limits.get("pattern", ""), value) or len(value) > limits.get("max", len(value)):
                raise NotOfTheModel(f"{path}: {value!r} does not satisfy {limits}")
        case "integer" if value > limits.get("max", value):
            raise NotOfTheModel(f"{path}: {value} is more than {limits['max']}")


def _from_text(shape: Shape, values: list[str]) -> Any:
    match shape.type_name:
        case "list":
            return values
        case "integer" if re.fullmatch(r"-?\d+", values[0]):
            return int(values[0])
        case "boolean" if values[0] in {"true", "false"}:
            return values[0] == "true"
        case _:
            return values[0]


def answer(shape: Shape, value: Any, path: str = "") -> Any:
    """Return *value* as the JSON of *shape*; raise `NotOfTheModel` for an unknown member, a missing one or a wrong type."""
    match shape.type_name:
        case "structure":
            if not isinstance(value, Mapping):
                raise NotOfTheModel(f"{path or 'the answer'} is no structure: {value!r}")
            strangers = sorted(set(value) - set(shape.members))
            missing = sorted(m for m in shape.required_members if m not in value)
            if strangers or missing:
                raise NotOfTheModel(f"{path or 'the answer'}: unknown {strangers}, missing {missing}")
            return {
                shape.members[k].serialization.get("name", k): answer(shape.members[k], v, f"{path}.{k}")
                for k, v in value.items()
                if v is not None
            }
        case "list":
            if not isinstance(value, list | tuple):
                raise NotOfTheModel(f"{path} is no list: {value!r}")
            return [answer(shape.member, v, f"{path}[{i}]") for i, v in enumerate(value)]
        case "map":
            return {k: answer(shape.value, v, f"{path}.{k}") for k, v in value.items()}
        case "timestamp":
            return (value if isinstance(value, datetime) else datetime.fromisoformat(value)).timestamp()
        case kind:
            wanted = {"string": str, "integer": int, "boolean": bool, "long": int, "double": float}[kind]
            if type(value) is not wanted:
                raise NotOfTheModel(f"{path} is no {kind}: {value!r}")
            if kind == "string" and shape.enum and value not in shape.enum:
                raise NotOfTheModel(f"{path}: {value!r} is none of {shape.enum}")
            return value
