"""The data of the JSON format, as YAML."""

from __future__ import annotations

import yaml

from eksnetpol.model.findings import Report
from eksnetpol.reporting.json_v1 import document
from eksnetpol.reporting.options import Options

_ENDLESS = 2**31 - 1


# libyaml's where PyYAML was built with it (a third of the time); every value is written out where it stands, without anchors.
Dumper: type[yaml.SafeDumper] = type(
    "Dumper", (getattr(yaml, "CSafeDumper", yaml.SafeDumper),), {"ignore_aliases": lambda _self, _data: True}
)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    # In quotes, nothing can begin a line of its own.
    quoted = not text.isprintable() or "::" in text or "##[" in text
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if quoted else None)


Dumper.add_representer(str, _text)


def write(report: Report, _options: Options) -> str:
    """Return *report* as one YAML document in ASCII, its keys sorted."""
    return dumped(document(report))


def dumped(value: object) -> str:
    """Return *value*, which is made of what JSON has, as one YAML document in ASCII, its keys sorted."""
    text = yaml.dump(value, Dumper=Dumper, sort_keys=True, width=_ENDLESS, allow_unicode=False)
    # The same string to a YAML reader, but no workflow command to a CI runner.
    return text.replace("##[", "#\\x23[")
