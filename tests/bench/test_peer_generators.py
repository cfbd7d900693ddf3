from __future__ import annotations

import logging
import sys
from importlib.util import find_spec
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from imbllm_autogluon.bench.peer_generators import DEEP_PEERS, ctgan
from imbllm_autogluon.errors import MissingDependencyError, TableError

COUNTS = {"rare": 30, "odd": 5}


class StandIn:
    """Draws learned rows of the class asked for, a share of them with another label, and bends the numbers."""

    own = 0.5
    made: list[StandIn]

    def __init__(self, batch_size: int, patience: int) -> None:
        type(self).made.append(self)
        self.batch_size, self.patience = batch_size, patience
        self.generator = torch.nn.BatchNorm1d(2)

    def fit(self, data: pd.DataFrame, discrete_columns: list[str], epochs: int) -> None:
        assert not data.isna().any(axis=None)
        sys.stderr.write("Training")
        self.data, self.discrete, self.epochs = data, discrete_columns, epochs
        sizes = [data[name].nunique() for name in discrete_columns]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        interval = np.column_stack([starts[:-1], sizes])
        self.cond_generator = SimpleNamespace(interval=interval, n_opt=int(starts[-1]))

    def sample(self, n: int) -> pd.DataFrame:
        assert not self.generator.training
        asked = self.cond_generator.sample_zero(n)
        assert asked.shape == (n, self.cond_generator.n_opt)
        assert (asked.sum(axis=1) == 1).all()
        code = int(asked[0].argmax()) - int(self.cond_generator.interval[-1, 0])
        is_own = self.data["label"] == code
        places = np.where(
            np.random.random(n) < self.own,  # noqa: NPY002 - as CTGAN does
            np.random.choice(np.flatnonzero(is_own), n),  # noqa: NPY002
            np.random.choice(np.flatnonzero(~is_own), n),  # noqa: NPY002
        )
        drawn = self.data.iloc[places].reset_index(drop=True).astype(float)
        numbers = [name for name in drawn.columns if name.startswith("number")]
        return drawn.assign(**{name: drawn[name] * 1.3 for name in numbers})


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    class Fresh(StandIn):
        made: list[StandIn] = []  # noqa: RUF012 - of this test

    module = ModuleType("_ctgan.synthesizer")
    module._CTGANSynthesizer = Fresh  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "_ctgan", ModuleType("_ctgan"))
    monkeypatch.setitem(sys.modules, "_ctgan.synthesizer", module)
    return Fresh


def table() -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Each kind of column; a cell tells the class of its row."""
    rng = np.random.default_rng(0)
    y = pd.Series(["often"] * 60 + ["rare"] * 20 + ["odd"] * 10, name="what")
    own = y.map({"often": 0, "rare": 1, "odd": 2})
    amount = pd.Series(own * 10 + rng.random(90).round(3))
    X = pd.DataFrame(
        {
            "amount": amount.mask(rng.random(90) < 0.3),
            "visits": (own + rng.integers(0, 3, 90)).astype("int32"),
            "beds": pd.Series(own + 1, dtype="Int64").mask(rng.random(90) < 0.3),
            "rooms": (own + 3.0).mask(rng.random(90) < 0.3),
            "city": own.map({0: "Oslo", 1: "Bergen", 2: None}),
            "grade": pd.Categorical(
                own.map({0: "low", 1: "mid", 2: "high"}), ["low", "mid", "high", "top"], ordered=True
            ),
            "smokes": own > 0,
            7: rng.random(90).astype("float32"),
            "empty": np.full(90, np.nan),
        }
    )
    return X, y


def test_rows_have_the_classes_asked_for_the_columns_and_the_dtypes_of_the_real_ones(stand_in: type[StandIn]) -> None:
    X, y = table()
    written, labels = ctgan(X, y, COUNTS, seed=0)
    assert labels.tolist() == ["rare"] * 30 + ["odd"] * 5
    assert labels.name == "what"
    pd.testing.assert_series_equal(written.dtypes, X.dtypes)
    assert written.index.equals(labels.index)
    own = labels.eq("rare")
    assert (written.loc[own, "city"] == "Bergen").all()
    assert written.loc[~own, "city"].isna().all()
    assert written["grade"].tolist() == ["mid"] * 30 + ["high"] * 5
    assert written["smokes"].all()


def test_numbers_stay_in_their_range_and_gaps_come_back(stand_in: type[StandIn]) -> None:
    X, y = table()
    written, _ = ctgan(X, y, COUNTS, seed=0)
    for name in ("amount", "visits", "beds", 7):
        assert X[name].min() <= written[name].min() <= written[name].max() <= X[name].max()
    assert written["visits"].max() == X["visits"].max()
    assert set(written["rooms"].dropna()) <= {3.0, 4.0, 5.0}
    for name in ("amount", "beds"):
        assert 0 < written[name].isna().sum() < len(written)
    assert written["empty"].isna().all()


def test_the_label_is_the_last_condition_and_only_categories_gaps_and_it_are_discrete(stand_in: type[StandIn]) -> None:
    ctgan(*table(), COUNTS, seed=0)
    expected = [
        "missing 0",
        "missing 2",
        "missing 3",
        *(f"category {place}" for place in (4, 5, 6)),
        "missing 8",
        "label",
    ]
    assert stand_in.made[0].discrete == expected


def test_kinds_make_a_number_a_category(stand_in: type[StandIn]) -> None:
    X, y = table()
    written, _ = ctgan(X, y, COUNTS, seed=0, kinds={"visits": "categorical"})
    assert "category 1" in stand_in.made[0].discrete
    assert set(written["visits"]) <= set(X["visits"])


@pytest.mark.parametrize(
    ("rows", "batch", "epochs"), [(30, 40, 3000), (90, 40, 1500), (1050, 100, 300), (5000, 500, 300), (9000, 500, 300)]
)
def test_training_has_three_hundred_epochs_or_three_thousand_batches(
    stand_in: type[StandIn], rows: int, batch: int, epochs: int
) -> None:
    y = pd.Series(["often"] * (rows - 10) + ["rare"] * 10)
    ctgan(pd.DataFrame({"amount": np.arange(rows)}), y, {"rare": 2}, seed=0)
    made = stand_in.made[0]
    assert (made.batch_size, made.epochs) == (batch, epochs)
    assert made.patience > epochs


def test_rows_that_carry_another_label_fill_up_what_is_short_and_are_told(
    stand_in: type[StandIn], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(stand_in, "own", 0.0)
    with caplog.at_level(logging.WARNING):
        written, labels = ctgan(*table(), {"rare": 3}, seed=0)
    assert len(written) == 3
    assert labels.tolist() == ["rare"] * 3
    assert "3 of 3 rows of a class carry another label" in caplog.text


def test_progress_is_not_shown_and_global_generators_are_left_as_found(
    stand_in: type[StandIn], capsys: pytest.CaptureFixture[str]
) -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, second, other = (ctgan(*table(), COUNTS, seed=seed)[0] for seed in (1, 1, 2))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(other)
    assert capsys.readouterr().err == ""


def test_no_counts_make_no_rows(stand_in: type[StandIn]) -> None:
    X, y = table()
    written, labels = ctgan(X, y, {}, seed=0)
    assert (len(written), len(labels)) == (0, 0)
    pd.testing.assert_series_equal(written.dtypes, X.dtypes)


def test_too_few_rows_are_refused(stand_in: type[StandIn]) -> None:
    X, y = table()
    with pytest.raises(TableError, match="at least 10 rows; got 9"):
        ctgan(X.tail(9), y.tail(9), {"odd": 1}, seed=0)


def test_an_absent_package_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "_ctgan.synthesizer", None)
    with pytest.raises(MissingDependencyError, match="pip install --no-deps tabgan=="):
        DEEP_PEERS["ctgan"](*table(), COUNTS, seed=0)


needs_tabgan = pytest.mark.skipif(find_spec("_ctgan") is None, reason="the package tabgan is absent")


@needs_tabgan
def test_the_real_ctgan_writes_rows_of_the_real_columns_without_a_warning() -> None:
    X, y = table()
    threads = torch.get_num_threads()
    written, labels = ctgan(X, y, COUNTS, seed=0, epochs=10)
    assert torch.get_num_threads() == threads
    assert labels.value_counts().to_dict() == COUNTS
    pd.testing.assert_series_equal(written.dtypes, X.dtypes)
    assert written["beds"].dropna().isin([1, 2, 3]).all()


@needs_tabgan
@pytest.mark.slow
def test_the_real_ctgan_learns_which_city_goes_with_a_class() -> None:
    X, y = table()
    written, _ = ctgan(X, y, {"rare": 100}, seed=0, epochs=1000)
    assert written["city"].eq("Bergen").mean() > 1.5 * X["city"].eq("Bergen").mean()
