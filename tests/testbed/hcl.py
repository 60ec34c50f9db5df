"""HCL as Terraform reads it: a small program around hashicorp/hcl, built once like the control plane."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from tests.testbed.build import BuildError, cache, go_program

SOURCE = Path(__file__).parent / "hcl"
PROGRAM = "hcl"


def program() -> Path:
    """Return the program, after building it if that was never done; raise `BuildError`. Takes some ten seconds, once."""
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(SOURCE.iterdir()))).hexdigest()[:16]
    made = cache() / f"hcl-{digest}"
    if not made.exists():
        cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache(), prefix="building-hcl-") as temporary:
            source, output = Path(temporary, "source"), Path(temporary, PROGRAM)
            shutil.copytree(SOURCE, source)
            command = [go_program(), "build", "-ldflags", "-s -w", "-o", str(output), "."]
            done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=False)
            if done.returncode:
                raise BuildError(f"the reader of HCL cannot be built: {done.stderr.strip()}")
            # Two that build at once make the same; whoever is last replaces it whole.
            output.replace(made)
    return made


def evaluated(text: str) -> dict[str, Any]:
    """Return what *text* says: ``{type, labels, attributes, blocks}``; raise `ValueError` with what is wrong with it."""
    done = subprocess.run([program()], input=text.encode(), capture_output=True, check=False)
    if done.returncode:
        raise ValueError(done.stderr.decode())
    read: dict[str, Any] = json.loads(done.stdout)
    return read
