"""Errors over rare targets as metrics of AutoGluon."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin import scorers
from imbllm_autogluon.plugin.scorers import few_mae, geometric_mean_error, many_mae, medium_mae, shot_scorer
from imbllm_autogluon.regression.bins import TargetBins
from imbllm_autogluon.regression.metrics import shot_metrics
from tests.fresh import run_afresh
from tests.regression.frames import skewed

if TYPE_CHECKING:
    from pathlib import Path

READY = [few_mae, medium_mae, many_mae, geometric_mean_error]


@pytest.fixture(scope="module")
def targets() -> tuple[np.ndarray, np.ndarray]:
    """True and predicted targets with bins of all three sorts."""
    rng = np.random.default_rng(0)
    y = rng.exponential(1.0, 600)
    return y, y + rng.normal(0, 0.2 + 0.2 * y)


@pytest.mark.parametrize("shot", ["few", "medium", "many"])
def test_a_scorer_of_training_bins_gives_the_error_of_the_metrics_table(
    shot: Any, targets: tuple[np.ndarray, np.ndarray]
) -> None:
    y, predicted = targets
    bins = TargetBins.fit(y[:500])
    counts = bins.counts(y[:500])
    scorer = shot_scorer(bins, counts, shot)
    expected = shot_metrics(y[500:], predicted[500:], bins, counts).loc[shot, "MAE"]
    assert scorer.name == f"{shot}_mae"
    assert scorer(y[500:], predicted[500:]) == pytest.approx(-expected)
    assert scorer.error(y[500:], predicted[500:]) == pytest.approx(expected)


@pytest.mark.parametrize(("scorer", "shot"), [(few_mae, "few"), (medium_mae, "medium"), (many_mae, "many")])
def test_ready_scorers_lay_bins_over_the_true_targets(
    scorer: Any, shot: str, targets: tuple[np.ndarray, np.ndarray]
) -> None:
    y, predicted = targets
    bins = TargetBins.fit(y)
    assert scorer.error(y, predicted) == pytest.approx(
        shot_metrics(y, predicted, bins, bins.counts(y)).loc[shot, "MAE"]
    )


def test_the_geometric_mean_is_that_of_the_metrics_table(targets: tuple[np.ndarray, np.ndarray]) -> None:
    y, predicted = targets
    bins = TargetBins.fit(y)
    expected = shot_metrics(y, predicted, bins, bins.counts(y)).loc["all", "GM"]
    assert geometric_mean_error.error(y, predicted) == pytest.approx(expected)


@pytest.mark.parametrize("scorer", READY, ids=str)
@pytest.mark.parametrize("kind", [list, pd.Series, lambda y: pd.Series(y, dtype="float32").to_numpy()[:, None]])
def test_scorers_take_any_kind_of_array(scorer: Any, kind: Any, targets: tuple[np.ndarray, np.ndarray]) -> None:
    y, predicted = targets
    assert scorer(kind(y), kind(predicted)) == pytest.approx(scorer(y, predicted), rel=1e-3)


@pytest.mark.parametrize("scorer", READY, ids=str)
def test_exact_answers_have_the_best_score(scorer: Any, targets: tuple[np.ndarray, np.ndarray]) -> None:
    assert scorer(targets[0], targets[0]) == pytest.approx(scorer.optimum, abs=1e-5)


def test_where_no_row_is_of_the_sort_the_error_is_over_all_rows() -> None:
    bins = TargetBins(np.array([0.0, 5.0, 10.0]))
    scorer = shot_scorer(bins, [200, 5])
    assert scorer.error(np.array([1.0, 2.0]), np.array([2.0, 4.0])) == 1.5
    assert many_mae.error(np.array([1.0, 2.0]), np.array([2.0, 4.0])) == 1.5


def test_equal_or_single_true_targets_are_scored() -> None:
    assert few_mae.error([3.0, 3.0], [4.0, 6.0]) == 2.0
    assert few_mae.error([3.0], [4.0]) == 1.0


def test_weights_of_rows_count() -> None:
    bins = TargetBins(np.array([0.0, 5.0, 10.0]))
    scorer = shot_scorer(bins, [200, 5])
    y, predicted = np.array([1.0, 7.0, 8.0]), np.array([1.0, 8.0, 11.0])
    assert scorer.error(y, predicted, sample_weight=[5.0, 3.0, 1.0]) == 1.5
    assert scorer.error(y, predicted, sample_weight=[5.0, 0.0, 0.0]) == 2.0


@pytest.mark.parametrize(
    ("counts", "shot", "message"),
    [
        ([1, 2, 3], "few", "shape"),
        ([200, 5], "med", "did you mean 'medium'"),
        ([200, 0], "few", "there are: many"),
        ([200, 5], "medium", "there are: few, many"),
    ],
)
def test_bad_bins_and_sorts_are_refused(counts: list[int], shot: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        shot_scorer(TargetBins(np.array([0.0, 5.0, 10.0])), counts, shot)


@pytest.mark.parametrize("name", ["few_mae", "medium_mae", "many_mae", "geometric_mean_error"])
def test_ready_scorers_can_be_pickled(name: str, targets: tuple[np.ndarray, np.ndarray]) -> None:
    y, predicted = targets
    scorer = pickle.loads(pickle.dumps(getattr(scorers, name)))
    assert scorer(y, predicted) == getattr(scorers, name)(y, predicted)


def test_a_fresh_process_that_imported_nothing_scores_with_a_pickled_scorer(tmp_path: Path) -> None:
    bins = TargetBins(np.array([0.0, 5.0, 10.0]))
    (tmp_path / "scorer.pkl").write_bytes(pickle.dumps(shot_scorer(bins, [200, 5])))
    code = (
        "import pickle, sys\n"
        "scorer = pickle.load(open(sys.argv[1], 'rb'))\n"
        "print(scorer.name, scorer.error([1.0, 7.0], [1.0, 9.0]))"
    )
    process = run_afresh(code, tmp_path / "scorer.pkl")
    assert process.stdout.split() == ["few_mae", "2.0"]


@pytest.mark.parametrize("ready", [True, False])
def test_a_fit_is_judged_by_it_and_a_loaded_predictor_too(ready: bool, tmp_path: Path) -> None:
    X, y = skewed(200)
    bins = TargetBins.fit(y, n_bins=6)
    metric = few_mae if ready else shot_scorer(bins, bins.counts(y))
    predictor = TabularPredictor("price", path=str(tmp_path), eval_metric=metric, verbosity=0)
    quick = {"GBM": {"num_boost_round": 10}, "LR": {}}
    predictor.fit(X.assign(price=y), hyperparameters=quick, num_bag_folds=2, num_cpus=1)
    loaded = TabularPredictor.load(str(tmp_path), verbosity=0)
    test, truth = skewed(100, seed=3)
    board = loaded.leaderboard(test.assign(price=truth), extra_metrics=[geometric_mean_error]).set_index("model")
    score = board.loc["LightGBM_BAG_L1", "score_test"]
    assert score == pytest.approx(metric(truth, loaded.predict(test, model="LightGBM_BAG_L1")), rel=1e-5)
    assert (board[["score_val", "geometric_mean_error"]] < 0).all(axis=None)
    assert loaded.eval_metric.name == "few_mae"
