from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.bench.speed import environments
from imbllm_autogluon.bench.speed.environments import MARKER, environment, great_environment, python_of, run_command
from imbllm_autogluon.errors import MissingDependencyError
from imbllm_autogluon.settings import settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

PARTS = [["torch==1"], ["peer==2", "pandas==3"]]


@pytest.fixture
def commands(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that were run; making a virtual environment only writes its interpreter."""
    ran: list[list[str]] = []

    def stand_in(command: Sequence[str]) -> None:
        ran.append(list(command))
        if "venv" in command:
            python = python_of(folder_of("peer"))
            python.parent.mkdir(parents=True)
            python.touch()

    monkeypatch.setattr(environments, "run_command", stand_in)
    return ran


def folder_of(name: str) -> Path:
    return settings().cache_dir / "environments" / name


def test_an_environment_is_made_part_by_part_in_the_given_order(commands: list[list[str]]) -> None:
    python = environment("peer", PARTS)
    assert python == python_of(folder_of("peer"))
    assert commands[0][:3] == [sys.executable, "-m", "venv"]
    assert [command[:4] for command in commands[1:]] == [[str(python), "-m", "pip", "install"]] * 2
    assert commands[1][-1:] == ["torch==1"]
    assert commands[2][-2:] == ["peer==2", "pandas==3"]


def test_a_finished_environment_is_used_again(commands: list[list[str]]) -> None:
    first = environment("peer", PARTS)
    commands.clear()
    assert environment("peer", PARTS) == first
    assert commands == []


def test_other_requirements_make_it_anew(commands: list[list[str]]) -> None:
    environment("peer", PARTS)
    (folder_of("peer") / "left over").touch()
    commands.clear()
    environment("peer", [["torch==2"]])
    assert len(commands) == 2
    assert not (folder_of("peer") / "left over").exists()


@pytest.mark.parametrize("lost", [MARKER, "python"])
def test_half_an_environment_is_made_anew(commands: list[list[str]], lost: str) -> None:
    environment("peer", PARTS)
    (python_of(folder_of("peer")) if lost == "python" else folder_of("peer") / lost).unlink()
    commands.clear()
    environment("peer", PARTS)
    assert len(commands) == 3


def test_a_failed_one_leaves_nothing_that_looks_ready(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    makes = environments.run_command

    def fails_at_pip(command: Sequence[str]) -> None:
        makes(command)
        if "peer==2" in command:
            raise MissingDependencyError("no such release")

    monkeypatch.setattr(environments, "run_command", fails_at_pip)
    with pytest.raises(MissingDependencyError, match="no such release"):
        environment("peer", PARTS)
    assert not folder_of("peer").exists()


def test_be_great_gets_the_library_versions_of_this_process(
    commands: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = {}
    monkeypatch.setattr(environments, "environment", lambda name, parts: asked.setdefault(name, parts))
    great_environment()
    assert asked["be_great"][0] == [f"torch=={version('torch').partition('+')[0]}"]
    assert "be-great==0.0.14" in asked["be_great"][1]
    assert f"transformers=={version('transformers')}" in asked["be_great"][1]
    assert json.dumps(asked)  # what the marker holds


def test_a_failing_command_is_reported_by_its_last_line_and_the_remedy() -> None:
    script = "import sys; print('looking'); print('ERROR: no space left', file=sys.stderr); sys.exit(3)"
    with pytest.raises(MissingDependencyError, match=r"ended with 3: ERROR: no space left\. .*--great-python"):
        run_command([sys.executable, "-c", script])
    run_command([sys.executable, "-c", ""])
