from __future__ import annotations

from pathlib import Path

import pytest

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.settings import secret, settings


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"IMBLLM_CACHE_DIR": "/a/b", "XDG_CACHE_HOME": "/c"}, Path("/a/b")),
        ({"IMBLLM_CACHE_DIR": "", "XDG_CACHE_HOME": "/c"}, Path("/c/imbllm_autogluon")),
        ({"XDG_CACHE_HOME": ""}, Path.home() / ".cache" / "imbllm_autogluon"),
        ({}, Path.home() / ".cache" / "imbllm_autogluon"),
    ],
)
def test_the_cache_folder_is_the_own_variable_then_the_desktop_standard_then_home(
    environment: dict[str, str], folder: Path
) -> None:
    assert settings(environment).cache_dir == folder


@pytest.mark.parametrize(("value", "shown"), [("1", True), ("yes", True), ("0", False), ("OFF", False), ("No", False)])
def test_progress_can_be_switched(value: str, shown: bool) -> None:
    assert settings({"IMBLLM_PROGRESS": value}).progress is shown


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("environment", [{}, {"IMBLLM_PROGRESS": ""}])
def test_by_default_progress_is_shown_on_terminals_alone(
    environment: dict[str, str], terminal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stream:
        def isatty(self) -> bool:
            return terminal

        def write(self, text: str) -> int:
            return len(text)

    monkeypatch.setattr("sys.stderr", Stream())
    assert settings(environment).progress is terminal


def test_a_process_without_error_stream_shows_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", None)
    assert settings({}).progress is False


def test_the_environment_of_the_process_is_read_at_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMBLLM_CACHE_DIR", "/first")
    assert settings().cache_dir == Path("/first")
    monkeypatch.setenv("IMBLLM_CACHE_DIR", "/second")
    assert settings().cache_dir == Path("/second")


def test_a_secret_is_read_by_the_name_of_its_variable_and_must_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "hf_secret")
    assert secret("MY_TOKEN") == "hf_secret"
    monkeypatch.setenv("MY_TOKEN", "")
    with pytest.raises(InvalidInputError, match="'MY_TOKEN' should hold a token, but is not set"):
        secret("MY_TOKEN")
