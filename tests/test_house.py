"""The house stays as it is drawn: imports, sizes, names, what the wheel carries, what the lock resolved."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted((ROOT / "eksnetpol").rglob("*.py"))
LONGEST_MODULE = 400
WORKSHOP = re.compile(r"(?<![\w.])/(?:work|root)/|\bNP\d{3}\b|\.library\b")


def test_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines <= LONGEST_MODULE


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name]


def test_the_repository_speaks_of_the_project_alone() -> None:
    said = []
    for path in tracked():
        if path == Path(__file__) or not path.is_file() or "tests/data" in str(path) or path.suffix in {".gz", ".sum"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
            if WORKSHOP.search(line):
                said.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}")
    assert said == []


def test_the_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "docs.generate", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_nothing_is_left_for_later() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX)\b|raise NotImplementedError")
    found = [str(p.relative_to(ROOT)) for p in SOURCES if unfinished.search(p.read_text(encoding="utf-8"))]
    assert found == []


def test_boto3_resolved_to_a_release_of_this_decade() -> None:
    # kubernetes 37.0.2 beside an unbounded boto3 resolves, without any error, to boto3 0.0.3.
    major, minor = (int(part) for part in version("boto3").split(".")[:2])
    assert (major, minor) >= (1, 40)
    assert version("kubernetes") != "37.0.2"


def test_the_installed_packages_are_those_of_the_lock() -> None:
    lock = (ROOT / "requirements" / "run.lock").read_text(encoding="utf-8")
    pinned = dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", lock, flags=re.MULTILINE))
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    direct = {re.split(r"[><=!~]", d)[0].strip().lower() for d in project["dependencies"]}
    assert direct <= set(pinned)
    assert {name: version(name) for name in direct} == {name: pinned[name] for name in direct}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_carries_templates_iam_and_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert "eksnetpol/py.typed" in names
    for folder, inside in (("templates", "eksnetpol/_assets/templates"), ("iam", "eksnetpol/_assets/iam")):
        here = {str(p.relative_to(ROOT / folder)) for p in (ROOT / folder).rglob("*") if p.is_file()}
        assert here, f"{folder}/ is empty"
        assert {f"{inside}/{name}" for name in here} <= names
    data = {f"eksnetpol/data/{p.name}" for p in (ROOT / "eksnetpol" / "data").iterdir()}
    assert data <= names


def test_the_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); from eksnetpol.__main__ import main; "
        "sys.argv[1:] = ['checks', 'list']; sys.exit(main())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(site)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "kubernetes-version-supports-policy" in done.stdout
