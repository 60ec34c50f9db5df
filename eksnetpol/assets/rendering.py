"""Templates under ``templates/`` filled in and read back: nothing sees their text, only the objects it stands for."""

from __future__ import annotations

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
    text = _environment().get_template(template).render(variables)
    found: Json = yaml.load(text, Loader=yaml.CSafeLoader)
    return found


@lru_cache(maxsize=1)
def _environment() -> Environment:
    # YAML knows no HTML: every value goes through `tojson`, which is a quoted YAML scalar.
    return Environment(
        loader=FunctionLoader(_source), autoescape=False, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )  # noqa: S701


def _source(name: str) -> str:
    place = root("templates")
    for part in name.split("/"):
        place = place / part
    return place.read_text(encoding="utf-8")
