"""Templates under ``templates/`` filled in and read back: nothing sees their text, only the objects it stands for."""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

import yaml
from jinja2 import Environment, FunctionLoader, StrictUndefined

from eksnetpol.assets.locate import root
from eksnetpol.model.kinds import Json


def rendered(template: str, **variables: Any) -> Json:
    """Return the one object that *template*, a path under ``templates/``, stands for with *variables*.

    Raises `jinja2.UndefinedError` where the template names a variable that is not given.
    """
    text = environment().get_template(template).render(variables)
    found: Json = yaml.load(text, Loader=yaml.CSafeLoader)
    return found


@lru_cache(maxsize=1)
def environment() -> Environment:
    """Return how templates are filled in: what is not given is an error, and nothing is kept of the tags' own lines."""
    made = Environment(
        loader=FunctionLoader(source),
        autoescape=False,  # noqa: S701 - YAML knows no HTML: values go through `tojson`, which quotes them
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.policies["json.dumps_function"] = _quoted
    return made


_PAIR = re.compile(r"\\ud([89ab][0-9a-f]{2})\\ud([c-f][0-9a-f]{2})")


def _quoted(value: Any, **options: Any) -> str:
    """Return *value* as JSON that is YAML too: a character beyond 16 bits is one escape in YAML, two in JSON."""
    return _PAIR.sub(lambda pair: f"\\U{_beyond(pair[1], pair[2]):08x}", json.dumps(value, **options))


def _beyond(high: str, low: str) -> int:
    return 0x10000 + ((int(high, 16) - 0x800) << 10) + (int(low, 16) - 0xC00)


def source(name: str) -> str:
    """Return the text of a template by its path under ``templates/``."""
    place = root("templates")
    for part in name.split("/"):
        place = place / part
    return place.read_text(encoding="utf-8")
