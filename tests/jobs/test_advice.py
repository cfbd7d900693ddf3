"""Advice before a fit: what is found, what is not called a leak, and what is said of odd tables."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.datasets import load_hypothyroid
from imbllm_autogluon.errors import ImbLLMError
from imbllm_autogluon.jobs import advice as room
from imbllm_autogluon.jobs.advice import Advice, advise
from imbllm_autogluon.jobs.probe import Sample
from imbllm_autogluon.jobs.suspects import identifiers
from tests.cli_commands import imbllm

PAGES = {
    "results/autogluon": "benchmarks/results/autogluon.md",
    "results/decisions": "benchmarks/results/decisions.md",
    "results/regression_autogluon": "benchmarks/results/regression_autogluon.md",
    "results/regression_autogluon_twins": "benchmarks/results/regression_autogluon_twins.md",
    "results/texts": "benchmarks/results/texts.md",
    "guides/when-not-to-use": "docs/guides/when-not-to-use.md",
}
RNG = np.random.default_rng(0)
X = pd.DataFrame({"x": RNG.normal(size=200), "z": RNG.normal(size=200)})
ILL = (X["x"] + RNG.normal(size=200)) > 1.5


def table(**columns: Any) -> pd.DataFrame:
    return X.assign(sick=np.where(ILL, "ill", "well"), **columns)


def findings(advice: Advice) -> dict[str, str]:
    return {one["column"]: one["finding"] for one in advice.facts["findings"]}


@pytest.fixture(scope="module")
def busy() -> Advice:
    order = RNG.permutation(200)
    return advise(
        table(
            copied=np.where(ILL, 1, 0),
            cured=pd.Series(order).where(ILL & (order % 4 > 0)),  # known of the ill alone
            code=[f"u{number:05d}" for number in order],
            counter=np.arange(200) + 7,
            shop_id=order // 5,
            story=[f"a text of some words, number {number}" for number in order],
            same=1,
            **{"<b>": X["z"].mask(order < 9)},
        ),
        "sick",
        source="busy.csv",
    )


def test_identifiers_groups_and_columns_that_give_the_label_away_are_told_apart(busy: Advice) -> None:
    wanted = {"copied": "leak", "cured": "leak", "code": "identifier", "counter": "identifier", "shop_id": "group"}
    assert findings(busy) == wanted
    assert {one["column"]: one["do"].split(",")[0] for one in busy.facts["findings"]} == {
        "copied": "--ignore copied",
        "cured": "--ignore cured",
        "code": "--id code",
        "counter": "--ignore counter",
        "shop_id": "--ignore shop_id",
    }
    assert (busy.facts["columns"]["text"], busy.facts["columns"]["constant"]) == (["story"], ["same"])
    assert busy.facts["methods"][0]["method"] == "IMBLLM_CLF"
    assert "IMBLLM_CLF" not in {one["method"] for one in advise(table(), "sick").facts["methods"]}


def test_what_leaks_takes_no_part_in_the_expected_score(busy: Advice) -> None:
    assert busy.facts["expected"]["score"] < 0.9


def test_an_easy_table_has_strong_columns_and_no_leak() -> None:
    easy = table(**{name: np.where(ILL, 9, 0) + RNG.normal(size=200) for name in "abc"})
    assert findings(advise(easy, "sick")) == dict.fromkeys("abc", "strong")


def test_the_packaged_table_has_no_leak_and_the_defaults_of_a_fit() -> None:
    patients, diagnosis = load_hypothyroid()
    facts = advise(patients.assign(diagnosis=diagnosis), "diagnosis").facts
    assert "leak" not in {one["finding"] for one in facts["findings"]}
    assert (facts["metric"], facts["positive"]) == ("average_precision", "hypothyroid")
    assert facts["repeated"] == {"copies": 77, "disputed": 2}
    assert 0.05 < facts["expected"]["width"] < 0.25
    assert facts["cost"]["cpu_seconds"] > 60


def test_a_number_in_the_order_of_the_label_is_a_leak() -> None:
    prices = X.assign(price=3 * X["x"] + RNG.normal(size=200)).assign(tax=lambda rows: np.exp(rows["price"]))
    advice = advise(prices, "price")
    assert findings(advice) == {"tax": "leak"}
    assert (advice.facts["metric"], advice.facts["positive"]) == ("mean_absolute_error", None)
    assert sum(advice.facts["target"]["shots"].values()) == 200


def test_an_interval_is_as_wide_as_the_spread_over_fresh_tables() -> None:
    def error_rows(seed: int) -> Sample:
        rng = np.random.default_rng(seed)
        y = np.repeat([0.0, 1.0], [160, 40])
        cells = rng.normal(size=(200, 2)) + y[:, None]
        return Sample(("a", "b"), cells, np.zeros(2, dtype=bool), y, ("no", "yes"), np.ones(200))

    fresh = [error_rows(seed) for seed in range(24)]
    scores = [rows._scores(rows.out_of_fold(), np.ones((1, 200)))[0] for rows in fresh]
    foretold = np.mean([rows.score_and_error()[1] for rows in fresh[:2]])
    assert 2 / 3 < foretold / np.std(scores, ddof=1) < 4 / 3


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda: table().drop(columns="sick"), "has no label column 'sick'"),
        (lambda: table().assign(sick=None), "is missing in every row"),
        (lambda: table().assign(sick="ill"), "one class only"),
        (lambda: table().iloc[[0, int(np.argmax(ILL))]], "has 1 row"),
        (lambda: table().assign(sick=[f"case {n} of all" for n in range(200)]), "so have 199 others.*Is it the label"),
        (lambda: pd.concat([table(), X[["x"]]], axis=1), "occurs more than once"),
    ],
)
def test_a_table_that_nothing_can_be_learned_from_is_refused_by_name(made: Any, said: str) -> None:
    with pytest.raises(ImbLLMError, match=said):
        advise(made(), "sick")


def test_another_date_in_each_row_is_no_name_of_rows_and_an_address_is_one() -> None:
    days = pd.Series(pd.date_range("2020-01-01", periods=200))
    frame = pd.DataFrame(
        {
            "day": days.dt.strftime("%Y-%m-%d"),
            "noted": days.dt.strftime("%d.%m.%Y %H:%M"),
            "lasted": days - days[0],
            "ids": np.arange(200) * 1j,
            "address": [f"10.0.{n}.20" for n in range(200)],
            "number": [f"{n:03d}-45-6789" for n in range(200)],
        }
    )
    assert [one["column"] for one in identifiers(frame)] == ["address", "number"]


def test_odd_columns_are_set_aside_and_named() -> None:
    odd = table(
        lists=[[1, 2]] * 200,
        mixed=[place if place % 2 else "odd" for place in range(200)],
        day=pd.date_range("2020", periods=200, tz="UTC"),
        gap=X["z"].mask(RNG.random(200) < 0.4),
    )
    facts = advise(odd, "sick").facts
    assert facts["columns"]["unreadable"] == ["lists"]
    assert facts["columns"]["missing"][0]["column"] == "gap"
    assert advise(table()[["sick"]].assign(same=1), "sick").facts["expected"] is None


def test_few_rare_rows_are_to_be_collected_and_balanced_classes_left_alone() -> None:
    for sizes, method, verdict in (([8, 42], "more rows", "collect"), ([25, 25], "duplicates", "no")):
        told = advise(table().iloc[:50].assign(sick=np.repeat(["ill", "well"], sizes)), "sick").facts["methods"]
        assert {one["method"]: one["verdict"] for one in told}[method] == verdict


def test_figures_of_reasons_stand_on_the_pages_that_they_name() -> None:
    for one in (room._FOR_TEXTS, *(reason for reasons in room._WORTH.values() for reason in reasons)):
        text = Path(__file__).parents[2].joinpath(PAGES[one[3]]).read_text(encoding="utf-8")
        assert [figure for figure in re.findall(r"\d+\.\d+", one[2]) if figure not in text] == []


def test_the_command_prints_text_or_values_and_writes_a_page(busy: Advice, tmp_path: Path) -> None:
    table(id=range(200)).to_csv(tmp_path / "train.csv", index=False)
    words = ("inspect", tmp_path / "train.csv", "--label", "sick")
    done = imbllm(*words, "--json", "--html", tmp_path / "page.html")
    assert json.loads(done.stdout)["findings"][0]["do"] == "--id id"
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert not re.findall("<script|http", page)
    assert (busy.to_html().count("&lt;b&gt;"), busy.to_html().count("<b>")) == (1, 0)
    assert "leak           cured" in busy.to_text()
