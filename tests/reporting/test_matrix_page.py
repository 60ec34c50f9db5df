"""The page of a matrix in a real browser, where there is one: its script may run, draws, and filters."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from eksnetpol.policy.cells import table
from eksnetpol.reporting import matrix_html
from eksnetpol.reporting.matrix_view import MatrixPage
from tests.policy import shop

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

Open = Callable[[str], str]


@pytest.fixture
def opened(tmp_path: Path) -> Open:
    """Open the page of the shop, let a script act on it, and return what it looks like then."""
    if BROWSER is None:
        pytest.skip("no Chromium is installed")
    program = BROWSER
    page = "".join(matrix_html.write(MatrixPage(table(shop.engine()), shop.VPC_CNI, "shop")))

    def open_(script: str) -> str:
        text = page
        if script:
            # The page's own policy would not let a stranger's script run, which is what it is for.
            text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
            text = text.replace("</body>", f"<script>{script}</script></body>")
        (tmp_path / "page.html").write_text(text, encoding="utf-8")
        command = [program, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/browser"]
        done = subprocess.run(
            [*command, "--virtual-time-budget=2000", "--dump-dom", f"file://{tmp_path}/page.html"],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    return open_


SET = """function set(id, value) {
  var e = document.getElementById(id); e.value = value; e.dispatchEvent(new Event('input', {bubbles: true}));
}"""
KEY = "document.querySelector('.scroll').dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}));"


def said(dom: str, id_: str) -> str:
    found = re.search(rf'<(\w+)[^>]*(?:id|class)="{id_}"[^>]*>(.*?)</\1>', dom)
    assert found is not None
    return re.sub(r"<[^>]*>", "", found[2])


def test_its_own_script_runs_under_its_own_policy(opened: Open) -> None:
    dom = opened("")
    assert "Content-Security-Policy" in dom
    assert said(dom, "shown") == "13 sources, 13 destinations"


STEPS = {
    "set('to', 'db')": "13 sources, 1 destinations",
    "set('from-space', '0')": "1 sources, 13 destinations",
    "set('from', 'cache'); set('to', 'api')": "1 sources, 2 destinations",
    "set('port', '5432'); set('to', 'db'); set('show', '12')": "3 sources, 1 destinations",
    "set('show', '3')": "2 sources, 2 destinations",
    "set('from', 'nobody')": "0 sources, 13 destinations",
    f"set('from', 'deployment/web'); set('to', 'shop/deployment/api'); {KEY}": (
        "shop/Deployment/web \u2192 shop/Deployment/api: TCP 8080"
    ),
    f"set('from', 'cache'); set('to', 'shop/deployment/api'); {KEY}": (
        "shop/DaemonSet/cache \u2192 shop/Deployment/api: all between some pods"
    ),
}
"""What a person does, each from the page as it opens, and what it says then: which are left, or the pair pointed at."""


def test_a_person_can_filter_and_point(opened: Open) -> None:
    told = "document.querySelector('.detail').textContent"
    ask = f"out.push({told}.indexOf('\u2192') < 0 ? document.getElementById('shown').textContent : {told});"
    reset = "['from-space', 'to-space', 'from', 'to', 'port', 'show'].forEach(function (id) { set(id, ''); });"
    steps = " ".join(f"{reset} {step}; {ask}" for step in STEPS)
    script = f"{SET} var out = []; {steps} document.querySelector('h1').textContent = out.join(' | ');"
    heading = re.search(r"<h1>(.*?)</h1>", opened(script))
    assert heading is not None
    assert heading[1].split(" | ") == list(STEPS.values())
