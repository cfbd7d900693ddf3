"""The judge of what a language model has learned: independent columns, nats, shares, figures of written rows."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from benchmarks import dependence, learning
from benchmarks.dependence import (
    INDEPENDENT,
    LONG,
    MODELS,
    NATS,
    OTHER_START,
    RARE_ROWS,
    SHARE,
    SMOOTHED,
    SMOOTHINGS,
    STRICT,
    independent_nats,
    learned,
    nats_of,
    tokens_of,
    with_shares,
)
from benchmarks.learning import CHOOSING, CONFIRMING, PROTOCOL, REAL_PAIRS, WRITTEN_PAIRS
from benchmarks.protocol import Options
from benchmarks.reserved import is_reserved
from benchmarks.tables import Rows, Split, Table
from benchmarks.tests.frames import classes_table, task_of
from imbllm_autogluon.oversampling.methods import generator_of

if TYPE_CHECKING:
    from imbllm_autogluon.oversampling.generator import LanguageGenerator

BARELY = {"method": "imbllm", "layers": 1, "width": 16, "pretrain_steps": 2, "steps": 2}


def two_columns(n: int = 60) -> Table:
    """A category and a flag that tells it in the rare class; the common class has a further city."""
    rng = np.random.default_rng(0)
    is_rare = np.arange(n) % 3 == 0
    city = np.where(is_rare, rng.choice(["Oslo", "Bergen"], n), rng.choice(["Oslo", "Bergen", "Narvik"], n))
    frame = pd.DataFrame({"city": city, "north": city != "Oslo", "label": np.where(is_rare, "yes", "no")})
    return Table(frame, "label", "cities")


def fitted(split: Split, **changed: object) -> LanguageGenerator:
    return generator_of({**BARELY, **changed}, random_state=0, threads=1).fit(split.real.X, split.real.y, split.counts)


def test_the_rarest_class_is_wanted_once_more_and_small_classes_are_left_out() -> None:
    split = learning.split_of(classes_table({"no": 90, "often": 40, "yes": 20, "few": 9}), 0)
    assert split.classes == ["no", "often", "yes"]
    assert split.counts == {"yes": 12}
    assert (split.test.y == "yes").sum() == 8


def test_tables_are_many_reserved_and_either_for_choosing_or_for_confirming() -> None:
    assert len({*CHOOSING, *CONFIRMING}) == len(CHOOSING) + len(CONFIRMING) == len(PROTOCOL.tables) >= 14
    assert all(is_reserved(name) for name in PROTOCOL.tables)


def test_the_other_models_learn_the_fold_for_longer_or_start_otherwise() -> None:
    found = learning.methods_of(Options(settings={"steps": 7, "pretrain_steps": 30, "pretrained": True}))
    assert found["ImbLLM"] == {"method": "imbllm", "steps": 7, "pretrain_steps": 30, "pretrained": True}
    assert found[LONG] == {**found["ImbLLM"], "pretrain_steps": 120}
    assert found[OTHER_START] == {**found["ImbLLM"], "pretrained": False}


def test_every_possible_row_together_has_probability_one() -> None:
    split = learning.split_of(two_columns(), 0)
    generator = fitted(split)
    rows = pd.DataFrame(list(product(["Oslo", "Bergen", "Narvik"], [False, True])), columns=["city", "north"])
    every = split._replace(test=Rows(rows, pd.Series(["yes"] * 6, name="label")))
    encoding, tokens = generator.language_model.encoding, tokens_of(generator, rows, every.test.y)
    fold = tokens_of(generator, split.real.X, split.real.y)
    rare = fold.take(np.flatnonzero(split.real.y == "yes"))
    of_columns = independent_nats(encoding, fold, rare, tokens, (5.0,))
    assert np.exp(-of_columns).sum() == pytest.approx(1.0)
    order = np.tile([2, 0, 1], (6, 1))
    label = tokens.with_present(np.tile([False, False, True], (6, 1)))
    model = generator.language_model
    of_model = model.log_likelihoods(tokens, order) - model.log_likelihoods(label, order)
    assert np.exp(of_model).sum() == pytest.approx(1.0, abs=1e-5)


def test_independent_columns_have_the_smoothed_shares_of_the_class() -> None:
    split = learning.split_of(two_columns(), 0)
    generator = fitted(split)
    fold, rare = split.real.X, split.real.X[(split.real.y == "yes").to_numpy()]
    asked = pd.DataFrame({"city": ["Narvik", "Oslo"], "north": [True, False]})
    of_fold, of_rare, of_asked = (
        tokens_of(generator, X, pd.Series(["yes"] * len(X), name="label")) for X in (fold, rare, asked)
    )
    found = independent_nats(generator.language_model.encoding, of_fold, of_rare, of_asked, (5.0,))
    for row, nats in zip(asked.to_dict("records"), found, strict=True):
        expected = 0.0
        for name, value in row.items():
            share = ((fold[name] == value).sum() + 0.5) / (len(fold) + 0.5 * fold[name].nunique())
            expected -= np.log(((rare[name] == value).sum() + 5 * share) / (len(rare) + 5))
        assert nats == pytest.approx(expected)


def test_the_smoothing_that_suits_the_learned_rare_rows_is_found_without_the_unseen_ones() -> None:
    """Rare rows that are spread as the fold is want many pseudo-rows, those of one value few."""
    rng = np.random.default_rng(0)
    n = 400
    label = np.where(np.arange(n) < 40, "yes", "no")
    for is_alike in (True, False):
        values = rng.integers(0, 30, n)
        values = values if is_alike else np.where(label == "yes", 7, values)
        table = Table(pd.DataFrame({"a": values, "label": label}), "label", "numbers")
        split = learning.split_of(table, 0)
        generator = fitted(split)
        fold = tokens_of(generator, split.real.X, split.real.y)
        tables = (
            fold,
            fold.take(np.flatnonzero(split.real.y == "yes")),
            tokens_of(generator, split.test.X, split.test.y),
        )
        encoding = generator.language_model.encoding
        best = independent_nats(encoding, *tables, SMOOTHINGS)
        end = independent_nats(encoding, *tables, (SMOOTHINGS[-1 if is_alike else 0],))
        np.testing.assert_allclose(best, end)


def test_a_value_without_a_token_costs_nothing() -> None:
    split = learning.split_of(two_columns(), 0)
    generator = fitted(split)
    fold = tokens_of(generator, split.real.X, split.real.y)
    asked = pd.DataFrame({"city": ["Paris", "Oslo"], "north": [True, True]})
    tokens = tokens_of(generator, asked, pd.Series(["yes", "yes"], name="label"))
    assert tokens.present.tolist() == [[False, True, True], [True, True, True]]
    unknown, known = independent_nats(generator.language_model.encoding, fold, fold, tokens, (5.0,))
    assert 0 < unknown < known
    order = np.tile([2, 0, 1], (2, 1))
    unknown, known = -generator.language_model.log_likelihoods(tokens, order)
    assert 0 < unknown < known


def test_a_model_that_was_trained_knows_unseen_rows_better_than_independent_columns_do() -> None:
    split = learning.split_of(two_columns(300), 0)
    untrained, trained = (
        {"steps": 1, "pretrain_steps": 0, "learning_rate": 1e-12},
        {"steps": 150, "pretrain_steps": 150},
    )
    barely, well = (nats_of(fitted(split, **settings), split, 0) for settings in (untrained, trained))
    assert barely[INDEPENDENT] == well[INDEPENDENT]
    assert well[NATS] < well[SMOOTHED] - 0.3 < barely[NATS]


def test_strongest_pairs_are_chosen_by_learned_rows_and_real_where_unseen() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 200))
    real = pd.DataFrame({"a": a, "b": b, "c": -a, "d": ["x", "y"] * 100, "e": [0, 1] * 100})
    weak = abs(real["a"].corr(real["b"], "spearman"))  # of a with b and of b with c; that of a with c is -1
    found = learning.strongest_pairs(real, real.assign(c=a), real.assign(c=a**2))
    assert found[WRITTEN_PAIRS] == pytest.approx((weak - 1 - weak) / 3)
    assert abs(found[REAL_PAIRS]) < 0.2, "no pair of the unseen rows is strong"
    assert learning.strongest_pairs(real, real, real)[REAL_PAIRS] == pytest.approx((1 + 2 * weak) / 3)
    assert learning.strongest_pairs(real[["a", "b", "d", "e"]], real, real) == {}


@pytest.mark.parametrize("name", ["none", "SMOTE-NC", "other real rows", "ImbLLM"])
def test_every_method_has_its_figures(name: str) -> None:
    table = classes_table({"no": 120, "yes": 60})
    task = task_of(PROTOCOL, table, name)
    figures = learning.measure(task._replace(methods={name: {**task.spec, **(BARELY if name == "ImbLLM" else {})}}))
    precision = {"average precision, LightGBM", "average precision, logistic regression"}
    assert (precision <= set(figures)) == (name != "other real rows")
    assert ("coverage" in figures) == (name != "none")
    assert ({NATS, INDEPENDENT, SMOOTHED, "fit s"} <= set(figures)) == (name == "ImbLLM")
    assert figures.get(RARE_ROWS, 60.0) == 60.0
    known = {metric.name for metric in PROTOCOL.metrics} | {RARE_ROWS}
    assert set(figures) <= known


def figures_of(tables: dict[str, dict[str, list[float]]]) -> pd.DataFrame:
    """Nats of all models and of independent columns by table and split, all tables of 80 rare rows."""
    rows = [
        (table, split, method, metric, value)
        for table, found in tables.items()
        for split in range(2)
        for method in MODELS
        for metric, value in (
            (NATS, found[method][split]),
            (INDEPENDENT, found["independent"][split]),
            (SMOOTHED, found["independent"][split] - 1.0),
            (RARE_ROWS, 80.0),
        )
    ]
    return pd.DataFrame(rows, columns=["table", "split", "method", "metric", "value"]).assign(versions="1")


NATS_OF_TABLES = {
    "flare": {"independent": [10.0, 12.0], "ImbLLM": [8.0, 9.0], LONG: [6.0, 8.0], OTHER_START: [9.0, 9.0]},
    "pc1": {"independent": [5.0, 5.0], "ImbLLM": [4.9, 5.0], LONG: [4.9, 4.8], OTHER_START: [4.9, 4.9]},
    "stroke": {"independent": [7.0, 7.0], "ImbLLM": [8.0, 8.0], LONG: [6.0, 6.0], OTHER_START: [5.0, 5.0]},
}


def test_a_share_is_the_gain_over_independent_columns_beside_the_best_gain() -> None:
    found = with_shares(figures_of(NATS_OF_TABLES))
    mean = found.groupby(["metric", "method", "table"])["value"].mean()
    assert mean[SHARE, "ImbLLM"].to_dict() == pytest.approx({"flare": 2.5 / 4, "stroke": -1 / 2})
    assert mean[STRICT, "ImbLLM"].to_dict() == pytest.approx({"flare": 1.5 / 3, "stroke": -2 / 1})
    assert mean[SHARE, LONG].to_dict() == pytest.approx({"flare": 1.0, "stroke": 1 / 2})
    assert mean[SHARE, OTHER_START].to_dict() == pytest.approx({"flare": 2 / 4, "stroke": 1.0})


def test_the_page_tells_shares_and_tables_without_dependence() -> None:
    page = learned(with_shares(figures_of(NATS_OF_TABLES)), PROTOCOL)
    rows = {line.split("|")[1].strip(): line for line in page.splitlines() if line.startswith("|")}
    assert "none found" in rows["pc1"]
    assert "0.62" in rows["flare"]
    assert "For choosing" in rows["flare"]
    assert "For confirming" in rows["stroke"]
    assert "does NOT hold**: 0.06 of 2 tables (asked: at least 0.8); none found: pc1; its own floor: none" in page
    assert "above those of independent columns: **does NOT hold**: stroke" in page


def test_a_model_that_no_other_one_surpasses_is_called_its_own_floor() -> None:
    others = {LONG: [20.0, 30.0], OTHER_START: [9.0, 9.0]}
    spoiled = {"flare": {"independent": [10.0, 12.0], "ImbLLM": [8.0, 9.0], **others}}
    page = learned(with_shares(figures_of(spoiled)), PROTOCOL)
    assert "1.00 of 1 tables (asked: at least 0.8); none found: none; its own floor: flare" in page


def test_without_the_other_models_there_is_no_share() -> None:
    tidy = figures_of(NATS_OF_TABLES).query("method == 'ImbLLM'")
    assert with_shares(tidy)["metric"].nunique() == 4
    assert learned(tidy, PROTOCOL) == ""
    assert dependence.room_of(tidy, INDEPENDENT).empty
