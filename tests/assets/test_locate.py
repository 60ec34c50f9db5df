"""The files beside the code are found; an install without them says so."""

from __future__ import annotations

import pytest

from eksnetpol.assets.locate import root


def test_templates_are_found_in_the_checkout() -> None:
    assert (root("templates") / "report" / "report.html.j2").is_file()


def test_an_install_without_the_folder_says_so() -> None:
    with pytest.raises(FileNotFoundError, match="installed without its 'no-such' folder"):
        root("no-such")
