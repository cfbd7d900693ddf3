from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.oversampling import near_copies
from imbllm_autogluon.oversampling.great import GReaT
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.oversampling.near_copies import NearRows
from imbllm_autogluon.oversampling.neighbours import MixedSpace
from imbllm_autogluon.oversampling.pred_llm_generator import PredLLMGenerator
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.target_imbllm import TargetImbLLM
from tests.oversampling.tables import labels, mixed, quick, read

METHODS = [ImbLLM, GReaT, PredLLMGenerator]


def test_the_limit_is_the_quantile_of_the_rows_distances_to_their_nearest_other_one() -> None:
    schema, cells = read(mixed(60))
    space = MixedSpace.fit(schema, cells)
    _, apart = space.nearest(cells, cells, 1, same=True)
    near = NearRows.of(schema, cells, 0.25)
    assert near is not None
    assert near.limit == pytest.approx(np.quantile(apart, 0.25))
    assert near.copies(cells).all()
    assert not near.copies(cells.take([])).size


def test_real_rows_of_the_same_table_are_refused_about_as_often_as_the_quantile_says() -> None:
    rng = np.random.default_rng(0)
    schema, cells = read(pd.DataFrame({"a": rng.normal(size=4_000), "b": rng.normal(size=4_000)}))
    near = NearRows.of(schema, cells.take(np.arange(2_000)), 0.2)
    assert near is not None
    assert near.copies(cells.take(np.arange(2_000, 4_000))).mean() == pytest.approx(0.2, abs=0.04)


def test_repeated_real_rows_leave_nothing_to_refuse() -> None:
    schema, cells = read(pd.DataFrame({"a": [1.0, 1.0, 2.0, 2.0, 5.0, 5.0], "b": list("xxyyxx")}))
    near = NearRows.of(schema, cells, 0.5)
    assert near is not None
    assert not near.copies(cells).any()


@pytest.mark.parametrize(("rows", "quantile"), [(30, 0.0), (1, 0.5)])
def test_nothing_is_measured_where_nothing_is_refused(rows: int, quantile: float) -> None:
    schema, cells = read(mixed(30))
    assert NearRows.of(schema, cells.take(np.arange(rows)), quantile) is None


def test_the_limit_of_many_rows_comes_from_some_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    schema, cells = read(mixed(300))
    whole = NearRows.of(schema, cells, 0.5)
    monkeypatch.setattr(near_copies, "MOST_MEASURED", 100)
    some = NearRows.of(schema, cells, 0.5)
    assert whole is not None
    assert some is not None
    assert some.limit == pytest.approx(whole.limit, rel=0.2)
    assert some.limit != whole.limit


def table(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    return pd.DataFrame(
        {"a": rng.normal(size=n).round(2), "b": rng.normal(size=n).round(2), "c": rng.choice(list("xy"), n)}
    )


def distances(X: pd.DataFrame, y: pd.Series[Any], rows: pd.DataFrame, label: str) -> np.ndarray[Any, Any]:
    """Of each written row of a class to its nearest real one."""
    schema, _ = read(X)
    real = schema.encode(X[y == label])
    return MixedSpace.fit(schema, real).nearest(schema.encode(rows), real, 1)[1][:, 0]


@pytest.mark.parametrize("method", METHODS)
def test_every_method_writes_exact_counts_without_near_copies_and_says_how_many_there_were(method: Any) -> None:
    X, y = table(), labels(60, 40, 20)
    config = quick(near_copies=0.5, start="class") if method is PredLLMGenerator else quick(near_copies=0.5)
    generator = method(config, random_state=0, threads=1).fit(X, y, {"c": 40, "b": 10})
    rows, written = generator.sample()
    assert written.value_counts().to_dict() == {"c": 40, "b": 10}
    schema, _ = read(X)
    for entry in generator.report.classes:
        near = NearRows.of(schema, schema.encode(X[y == entry.label]), 0.5)
        assert near is not None
        found = int(near.copies(schema.encode(rows[written == entry.label])).sum())
        assert found == entry.near_copies_kept
        assert entry.near_copies_dropped > entry.near_copies_kept
    assert sum(entry.near_copies_kept for entry in generator.report.classes) < 10
    plain = method(quick(), random_state=0, threads=1).fit(X, y, {"c": 40})
    assert (distances(X, y, plain.sample()[0], "c") < distances(X, y, rows[written == "c"], "c").min()).any()
    assert plain.report.classes[0].near_copies_dropped == 0


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_rare", [4, 30])
def test_no_method_returns_an_exact_copy_where_it_can_be_avoided(method: Any, n_rare: int) -> None:
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.integers(0, 9, 90 + n_rare), "b": rng.integers(0, 9, 90 + n_rare)})
    y = labels(90, n_rare)
    generator = method(quick(), random_state=0, threads=1).fit(X, y, {"b": 40})
    rows, _ = generator.sample()
    known = set(map(tuple, X.to_numpy()))
    (entry,) = generator.report.classes
    assert sum(tuple(row) in known for row in rows.to_numpy()) == entry.copies_kept <= 25
    assert entry.copies_dropped > 0


def test_rows_of_rare_targets_keep_their_distance_too() -> None:
    X = table()
    y = pd.Series(np.random.default_rng(0).gamma(2.0, 10.0, len(X)).round(2), name="price")
    bins = TargetBins.fit(y, 3)
    writer = TargetImbLLM(quick(near_copies=0.5), random_state=0, threads=1).fit(X, y, bins, {1: 12, 2: 12})
    rows, targets = writer.sample()
    assert len(rows) == len(targets) == 24
    assert sum(entry.near_copies_dropped for entry in writer.report.classes) > 0
