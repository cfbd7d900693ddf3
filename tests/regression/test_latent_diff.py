"""The LatentDiff regressor as users meet it."""

from __future__ import annotations

import pickle
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor
from tests.regression.latent import BRIEF, QUICK, skewed_table


def _regressor(**settings: Any) -> LatentDiffRegressor:
    return LatentDiffRegressor(random_state=0, threads=1, **{**BRIEF, **settings})


@pytest.fixture(scope="module")
def fitted() -> LatentDiffRegressor:
    return _regressor().fit(*skewed_table())


def test_it_learns_a_table_of_mixed_columns() -> None:
    learned = _regressor(**QUICK).fit(*skewed_table())
    X, y = skewed_table(500, seed=1)
    assert learned.score(X, y) > 0.6
    assert learned.n_features_in_ == 3
    assert len(learned.bins_) == 10
    assert learned.encoder_ is learned.model_.encoder


@pytest.mark.parametrize("method", ["none", "lds", "fds", "dense_weight", "balanced_mse", "rank_sim"])
def test_every_peer_learns_on_the_same_encoder(method: str) -> None:
    model = _regressor(method=method, encoder_epochs=8).fit(*skewed_table())
    X, y = skewed_table(500, seed=1)
    assert model.score(X, y) > 0.3
    assert set(model.report_.seconds) == {"encoder"}


def test_the_same_seed_predicts_the_same_and_another_does_not(fitted: LatentDiffRegressor) -> None:
    X, y = skewed_table()
    again, other = clone(fitted).fit(X, y), clone(fitted).set_params(random_state=1).fit(X, y)
    assert np.array_equal(again.predict(X), fitted.predict(X))
    assert not np.allclose(other.predict(X), fitted.predict(X))


def test_a_pickled_regressor_predicts_the_same(fitted: LatentDiffRegressor) -> None:
    X, _ = skewed_table()
    back = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(back.predict(X), fitted.predict(X))
    assert back.report_.bins.equals(fitted.report_.bins)


def test_targets_are_never_rounded_and_their_unit_does_not_matter() -> None:
    X, y = skewed_table()
    whole = y.round().astype("int64")
    predicted = _regressor().fit(X, whole).predict(X)
    assert predicted.dtype == np.float64
    assert (predicted != predicted.round()).any()
    # A power of two scales without rounding.
    assert _regressor().fit(X, whole * 1024.0).predict(X) == pytest.approx(1024 * predicted)


def test_a_shift_and_unknown_categories_do_not_break_prediction(fitted: LatentDiffRegressor) -> None:
    X, _ = skewed_table()
    strange = X.assign(town="Bodø", size=np.nan).set_index(pd.Index(range(7, 407)))
    assert np.isfinite(fitted.predict(strange)).all()


def test_rows_of_weight_0_do_not_move_the_head_of_real_features() -> None:
    X, y = skewed_table()
    weights = np.where(np.arange(400) < 200, 1.0, 0.0)
    spoiled = y.mask(weights == 0, y + 500)
    encoder = _regressor(method="none", encoder_epochs=8)
    light = encoder.fit(X, spoiled, sample_weight=weights).predict(X[:200])
    heavy = encoder.fit(X, spoiled).predict(X[:200])
    assert abs(light - y[:200]).mean() < 0.5 * abs(heavy - y[:200]).mean()


def test_fitting_leaves_the_process_as_it_was() -> None:
    torch.manual_seed(5)
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    _regressor(encoder_epochs=1, diffusion_steps=1).fit(*skewed_table(60))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.get_num_threads() == threads


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("n", "change", "message"),
    [
        (40, lambda y: y * 0 + 3.0, "the target must have at least 2 distinct values; got 3.0 in all 40 rows"),
        (19, lambda y: y, "needs at least 20 rows; got n_samples = 19"),
        (40, lambda y: y.mask(y.index == 4, NAN), "must be finite in every row; got nan in row 4"),
        (40, lambda y: y.mask(y.index == 4, INF), "must be finite in every row; got inf in row 4"),
        (40, lambda y: y.astype(str) + " kr", "the target must be a number in every row"),
        (40, lambda y: y[:-1], "the same number of rows; got 40 and 39"),
    ],
)
def test_targets_that_cannot_be_learned_are_refused_with_the_remedy(n: int, change: Any, message: str) -> None:
    X, y = skewed_table(n)
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        _regressor().fit(X, change(y))


def test_infinite_columns_are_refused_by_name() -> None:
    X, y = skewed_table(40)
    with pytest.raises(InvalidInputError, match="age"):
        _regressor().fit(X.assign(age=X["age"].mask(X.index == 3, INF)), y)


@pytest.mark.parametrize(("weights", "message"), [(-1.0, "got -1.0 as its lowest"), (0.0, "is zero in every row")])
def test_useless_weights_are_refused(weights: float, message: str) -> None:
    X, y = skewed_table(40)
    with pytest.raises(InvalidInputError, match=message):
        _regressor().fit(X, y, sample_weight=np.full(40, weights))


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"no parameter 'guidence' \(did you mean 'guidance'\?\)"):
        LatentDiffRegressor(guidence=2.0)


def test_twenty_rows_are_enough() -> None:
    X, y = skewed_table(20)
    assert np.isfinite(_regressor().fit(X, y).predict(X)).all()


@pytest.mark.parametrize(
    "settings",
    [{"generation_ratio": 0.3}, {"guidance": 2.0}, {"gate": "none", "head": "linear"}, {"synthetic": "copies"}],
)
def test_a_refitted_head_answers_as_a_whole_fit_with_the_same_settings(
    fitted: LatentDiffRegressor, settings: dict[str, Any]
) -> None:
    X, y = skewed_table()
    before = fitted.predict(X)
    quick = fitted.refit_head(X, y, **settings)
    whole = clone(fitted).set_params(**settings).fit(X, y)
    assert quick.predict(X) == pytest.approx(whole.predict(X))
    assert quick.get_params() == whole.get_params()
    assert quick.encoder_ is fitted.encoder_
    assert np.array_equal(fitted.predict(X), before)


def test_a_head_is_not_refitted_with_settings_of_the_encoder(fitted: LatentDiffRegressor) -> None:
    X, y = skewed_table()
    with pytest.raises(InvalidInputError, match=r"unknown setting 'encoder_width'.*the settings are: .*guidance"):
        fitted.refit_head(X, y, encoder_width=8)
    untreated = clone(fitted).set_params(method="none", encoder_epochs=1).fit(X, y)
    with pytest.raises(InvalidInputError, match="only method='latent_diff' trains a head anew"):
        untreated.refit_head(X, y)
