from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from benchmarks import __main__ as main
from benchmarks.protocol import Options, Protocol, Result

if TYPE_CHECKING:
    from pathlib import Path

    import click


def invoke(*words: str) -> click.testing.Result:
    return CliRunner().invoke(main.app(), words)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the runner was asked for; it measures nothing."""
    seen: dict[str, Any] = {}

    def run(protocol: Protocol, options: Options, **given: Any) -> Result:
        seen.update(protocol=protocol.name, options=options, **given)
        return Result(None, {})  # type: ignore[arg-type]

    def write(result: Result, protocol: Protocol, name: str, folder: Path) -> str:
        seen.update(name=name)
        return "page.md"

    monkeypatch.setattr(main, "run", run)
    monkeypatch.setattr(main.report, "write_result", write)
    return seen


def test_help_lists_every_protocol() -> None:
    listed = invoke("--help").stdout
    assert all(f"  {name.replace('_', '-')} " in listed for name in main.NAMES)
    assert set(main.protocols()) == set(main.NAMES)


def test_a_command_hands_its_options_to_the_runner(asked: dict[str, Any]) -> None:
    words = "--table a.csv:x --table b.csv:y>=2 --rows 300 --repeats 1 --seed 7 --threads 2 --method CTGAN --kept 1"
    given = "--setting temperature=1.0 --setting time_limit=none --processes 3 --fresh --results paper_slow"
    result = invoke("paper", *words.split(), *given.split())
    assert (result.exit_code, result.stdout) == (0, "page.md\n")
    settings, tables = {"temperature": 1.0, "time_limit": None}, ("a.csv:x", "b.csv:y>=2")
    numbers = {"rows": 300, "repeats": 1, "seed": 7, "threads": 2}
    expected = Options(tables=tables, methods=("CTGAN",), settings=settings, own={"kept": 1.0}, **numbers)
    assert asked == {"protocol": "paper", "options": expected, "processes": 3, "fresh": True, "name": "paper_slow"}


def test_what_is_not_asked_for_is_left_to_the_protocol(asked: dict[str, Any]) -> None:
    assert invoke("regression-autogluon").exit_code == 0
    assert asked["name"] == "regression_autogluon"
    own = {"family": ("GBM", "CAT", "RF"), "folds": 4, "bins": 50}
    assert {name: tuple(v) if isinstance(v, list) else v for name, v in asked["options"].own.items()} == own
    assert (asked["options"].rows, asked["options"].tables, asked["fresh"]) == (None, (), False)


@pytest.mark.parametrize("name", main.NAMES)
def test_claims_and_references_name_methods_and_metrics_that_there_are(name: str) -> None:
    protocol = main.protocols()[name]
    known = set(protocol.all_methods(protocol.with_defaults(Options())))
    assert {*protocol.slow, *protocol.always, *protocol.references} <= known
    for claim in protocol.claims:
        assert {claim.method, *((claim.against,) if isinstance(claim.against, str) else claim.against)} <= known
        assert claim.metric in {metric.name for metric in protocol.metrics}


def test_bad_input_is_one_line() -> None:
    result = invoke("paper", "--table", "nothing")
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert "a table is named" in result.stderr


def test_a_result_is_of_the_protocol_with_the_longest_name() -> None:
    names = {"paper_natural": "paper", "regression_autogluon": "regression_autogluon", "regression": "regression"}
    assert {name: main.protocol_of(name).name for name in names} == names
    assert invoke("report", "nothing").exit_code == 2
