from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eksnetpol.gateways.yaml_reader import documents
from eksnetpol.gateways.yaml_scalars import Unreadable, resolve
from tests.testbed.build import Components

pytestmark = pytest.mark.testbed

DATA = sorted((Path(__file__).parent.parent / "data").rglob("*.yaml"))
HEAD = "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: a}\n"
PIECES = [
    "0x",
    "0o",
    "0b",
    "1_0",
    "e+",
    "E-",
    ".5",
    "00",
    "08",
    "_",
    "yes",
    "No",
    "on",
    "OFF",
    "null",
    "1e3",
    "0777",
    "-0",
    "+",
    "-",
    "9223372036854775808",
    "12:30",
    "2020-01-01",
    "1.0",
    "~",
    "y",
    "N",
    "T",
]


def kubectl(programs: Components, folder: Path, *words: str) -> list[Any]:
    """Return what kubectl makes of a file, without any API server."""
    command = [
        str(programs.program("kubectl")),
        "--cache-dir",
        str(folder),
        "patch",
        "--local",
        "--type=merge",
        "-p",
        "{}",
        "-o",
        "json",
    ]
    done = subprocess.run([*command, *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text, decoder, found, at = done.stdout.strip(), json.JSONDecoder(), [], 0
    while at < len(text):
        value, at = decoder.raw_decode(text, at)
        found.append(value)
        at += len(text[at:]) - len(text[at:].lstrip())
    return found


def objects(data: bytes) -> Iterator[Any]:
    """Yield what we make of *data*, lists taken apart as kubectl does."""
    for document in documents(data, "f"):
        items = document.value.get("items") if document.value.get("kind", "").endswith("List") else None
        yield from [document.value] if items is None else items


@pytest.mark.parametrize("path", DATA, ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_manifests_of_others_are_read_as_kubectl_reads_them(path: Path, programs: Components, tmp_path: Path) -> None:
    ours = list(objects(path.read_bytes()))
    if any("kind" not in thing for thing in ours):
        assert path.name.startswith(("kustomization", "values", "Chart"))
        return
    assert ours == kubectl(programs, tmp_path, "-f", str(path))


def is_plain(text: str) -> bool:
    try:
        events = [e for e in yaml.parse(f"a: {text}\n", Loader=yaml.CSafeLoader) if isinstance(e, yaml.ScalarEvent)]
        resolve(text)
    except (yaml.YAMLError, Unreadable):
        return False
    return len(events) == 2 and events[1].value == text


scalars = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=3).map("".join),
    st.text("0123456789abcdefxXoObBeE+-._yYnNtTrRuUlLsSaAiIfF~:", min_size=1, max_size=6),
).filter(is_plain)


@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(scalars, min_size=100, max_size=200))
def test_plain_scalars_are_what_kubectl_takes_them_for(programs: Components, tmp_path: Path, words: list[str]) -> None:
    text = HEAD + "data:\n" + "".join(f"  k{i}: {word}\n" for i, word in enumerate(words))
    (tmp_path / "scalars.yaml").write_text(text, encoding="utf-8")
    (theirs,) = kubectl(programs, tmp_path, "-f", str(tmp_path / "scalars.yaml"))
    (ours,) = objects(text.encode())
    for i, word in enumerate(words):
        a, b = ours["data"][f"k{i}"], theirs["data"][f"k{i}"]
        if isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool):
            # kubectl keeps what does not fit 63 bits, and all fractions, as a float.
            assert a == pytest.approx(b, rel=1e-9), word
            assert not isinstance(b, bool), word
        else:
            assert (a, type(a)) == (b, type(b)), word
