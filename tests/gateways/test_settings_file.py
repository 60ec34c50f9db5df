from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from eksnetpol.errors import UnreadableInput, UsageError
from eksnetpol.gateways import settings_file
from eksnetpol.model.findings import Severity
from eksnetpol.model.settings import Settings, TargetSettings, WaiverSetting

WHOLE = """\
fail-on = "warning"
fail-on-unknown = true
select = ["nodes", "api-*"]
outputs = ["text", "sarif=out.sarif"]

[severity]
kubernetes-version-supports-policy = "advice"

[target]
cluster = "prod"
role-arn = "arn:aws:iam::111122223333:role/reader"

[[waivers]]
check = "standalone-pods"
object = "pod/shop/*"
reason = "debug pods of the shop"
expires = 2027-01-31
owner = "shop team"

[[waivers]]
check = "node-images"
object = "node/*"
reason = "replaced in March"
expires = "2027-03-31"
"""


def test_every_setting_is_read() -> None:
    assert settings_file.parse(WHOLE, "eksnetpol.toml") == Settings(
        fail_on="warning",
        fail_on_unknown=True,
        select=("nodes", "api-*"),
        severity={"kubernetes-version-supports-policy": Severity.ADVICE},
        outputs=("text", "sarif=out.sarif"),
        target=TargetSettings(cluster="prod", role_arn="arn:aws:iam::111122223333:role/reader"),
        waivers=(
            WaiverSetting("standalone-pods", "pod/shop/*", "debug pods of the shop", date(2027, 1, 31), "shop team"),
            WaiverSetting("node-images", "node/*", "replaced in March", date(2027, 3, 31)),
        ),
    )


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ('fail_on = "never"', ":1", "there is no setting 'fail_on'; did you mean 'fail-on'?"),
        ('\n[target]\nrole_arn = "x"', ":3", "there is no setting 'target.role_arn'; did you mean 'role-arn'?"),
        ("zzz = true", ":1", "known are any-file, baseline, color, exit-zero"),
        ('fail-on = "error"', ":1", "fail-on: invalid enum value 'error'"),
        ("# first\nselect = 3", ":2", "select: expected `array`, got `int`"),
        ("select = [\n  3\n]", ":1", "select[0]: expected `str`, got `int`"),
        ('[severity]\na = "advice"\nb = "loud"', ":3", "severity.b: invalid enum value 'loud'"),
        ('[[waivers]]\ncheck = "a"\nobject = "b"', ":1", "waivers[0]: object missing required field `reason`"),
        (
            '[[waivers]]\ncheck = "a"\nobject = "b"\nreason = "c"\n\n[[waivers]]\ncheck = "a"\nuntil = 2027-01-01',
            ":8",
            "there is no setting 'waivers[1].until'",
        ),
        (
            '[[waivers]]\ncheck = "a"\nobject = "b"\nreason = "c"\nexpires = "soon"',
            ":5",
            "waivers[0].expires: invalid RFC3339 encoded date",
        ),
        ("a = 1\na = 2", ":2", "this is not TOML: cannot overwrite a value"),
        ("a = [1", ":1", "this is not TOML"),
        ("a = " + "[" * 5000, "", "nested too deeply"),
    ],
)
def test_mistakes_name_the_line_and_what_was_meant(text: str, place: str, words: str) -> None:
    with pytest.raises(UnreadableInput) as raised:
        settings_file.parse(text, "here.toml")
    assert raised.value.place == f"here.toml{place}"
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


def test_bytes_that_are_no_text_name_their_line(tmp_path: Path) -> None:
    file = tmp_path / "eksnetpol.toml"
    file.write_bytes(b'select = ["a"]\n# \xff\n')
    with pytest.raises(UnreadableInput, match=r"eksnetpol.toml:2: this is not UTF-8"):
        settings_file.read(file)


def test_a_byte_order_mark_is_no_key(tmp_path: Path) -> None:
    file = tmp_path / "eksnetpol.toml"
    file.write_bytes(b'\xef\xbb\xbffail-on = "never"\n')
    assert settings_file.read(file)[0].fail_on == "never"


def test_the_nearest_file_up_to_the_root_of_the_repository_holds(tmp_path: Path) -> None:
    (tmp_path / "eksnetpol.toml").write_text('fail-on = "advice"', encoding="utf-8")
    root = tmp_path / "repository"
    below = root / "deploy" / "shop"
    below.mkdir(parents=True)
    (root / ".git").mkdir()
    assert settings_file.read(start=below) == (Settings(), None)
    (root / "eksnetpol.toml").write_text('fail-on = "warning"', encoding="utf-8")
    assert settings_file.read(start=below) == (Settings(fail_on="warning"), (root / "eksnetpol.toml").resolve())
    (root / "deploy" / "eksnetpol.toml").write_text('fail-on = "never"', encoding="utf-8")
    assert settings_file.read(start=below)[0].fail_on == "never"


def test_outside_of_a_repository_only_the_folder_itself_counts(tmp_path: Path) -> None:
    (tmp_path / "eksnetpol.toml").write_text('fail-on = "advice"', encoding="utf-8")
    below = tmp_path / "a"
    below.mkdir()
    assert settings_file.find(tmp_path) == tmp_path / "eksnetpol.toml"
    assert settings_file.find(below) is None


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        settings_file.read(tmp_path / "absent.toml")
    with pytest.raises(UsageError, match="cannot be read"):
        settings_file.read(tmp_path)
