"""The LatentDiff regressor as users meet it."""

from __future__ import annotations

import logging
import pickle
import re
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.cross_decomposition import PLSRegression
from sklearn.exceptions import NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.regression.config import AllocationConfig, EncoderConfig
from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor
from tests.regression.frames import BRIEF, QUICK, skewed_table

if TYPE_CHECKING:
    from pathlib import Path


def _regressor(**settings: Any) -> LatentDiffRegressor:
    return LatentDiffRegressor(random_state=0, threads=1).set_params(**{**BRIEF, **settings})


@pytest.fixture(scope="module")
def fitted() -> LatentDiffRegressor:
    return _regressor().fit(*skewed_table())


def test_it_learns_a_table_of_mixed_columns() -> None:
    learned = _regressor(**QUICK).fit(*skewed_table())
    X, y = skewed_table(500, seed=1)
    assert learned.score(X, y) > 0.6
    assert learned.n_features_in_ == 3
    assert len(learned.bins_) == 10


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


def test_few_settings_are_parameters_and_the_others_are_given_by_name() -> None:
    assert len(signature(LatentDiffRegressor).parameters) == 20
    regressor = LatentDiffRegressor(n_bins=7, settings={"encoder_depth": 3})
    assert (regressor.config().imbalance.n_bins, regressor.config().encoder.encoder_depth) == (7, 3)
    with pytest.warns(FutureWarning, match=r"write settings=\{'encoder_depth': 3\}"):
        assert LatentDiffRegressor(encoder_depth=3).config().encoder.encoder_depth == 3


def test_an_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(TypeError, match=r"no parameter 'guidence' \(did you mean 'guidance'\?\)"):
        LatentDiffRegressor(guidence=2.0)


def test_twenty_rows_are_enough() -> None:
    X, y = skewed_table(20)
    assert np.isfinite(_regressor().fit(X, y).predict(X)).all()


@pytest.mark.parametrize(
    "settings",
    [{"generation_ratio": 0.3}, {"gate": "none", "head": "linear"}, {"synthetic": "copies"}, {"head": "none"}],
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
    assert quick.encoders_ is fitted.encoders_
    assert np.array_equal(fitted.predict(X), before)


def test_a_head_is_not_refitted_with_settings_of_the_encoder(fitted: LatentDiffRegressor) -> None:
    X, y = skewed_table()
    with pytest.raises(InvalidInputError, match=r"unknown setting 'encoder_width'.*the settings are: .*guidance"):
        fitted.refit_head(X, y, encoder_width=8)
    untreated = clone(fitted).set_params(method="none", encoder_epochs=1).fit(X, y)
    with pytest.raises(InvalidInputError, match="only method='latent_diff' retrains a head"):
        untreated.refit_head(X, y)


def _model(n: int = 400, **settings: Any) -> LatentDiffRegressor:
    return _regressor(**settings).fit(*skewed_table(n))


@pytest.fixture(scope="module")
def model() -> LatentDiffRegressor:
    """With as many encoders as a fit has that names no number."""
    return _model(**{**QUICK, "encoder_folds": EncoderConfig.encoder_folds})


@pytest.fixture(scope="module")
def untreated() -> LatentDiffRegressor:
    return _model(**QUICK, method="none")


def test_the_report_says_what_each_bin_has_wants_and_got(model: LatentDiffRegressor) -> None:
    table = model.report_.bins
    assert table["n"].sum() == 400
    assert table["wanted"].sum() == round(0.7 * 400)
    assert (table["kept"] <= table["wanted"]).all()
    assert (table["accepted"] <= table["drawn"]).all()
    assert table["acceptance"].dropna().between(0, 1).all()
    assert (table.loc[table["n"] == 0, "wanted"] == 0).all()


def test_rare_bins_want_more_than_the_most_frequent_one(model: LatentDiffRegressor) -> None:
    table = model.report_.bins
    filled = table[table["n"] > 0]
    assert filled["wanted"].iloc[-1] > filled.loc[filled["n"].idxmax(), "wanted"]


def test_the_report_holds_curves_and_seconds_of_every_stage(model: LatentDiffRegressor) -> None:
    assert set(model.report_.seconds) == {"encoder", "choice", "denoiser", "sampling", "head"}
    assert set(model.report_.curves) == {"encoder", "denoiser"}
    assert [len(curve.train) for curve in model.report_.curves["encoder"]] == [QUICK["encoder_epochs"]] * 5


def test_every_row_is_described_by_the_encoder_that_has_not_seen_it(model: LatentDiffRegressor) -> None:
    X, y = skewed_table()
    encoders = model.encoders_
    assert np.bincount(encoders.fold).tolist() == [80] * 5
    every, honest = encoders.features(X), encoders.honest(X)
    assert every.shape == (5, 400, QUICK["feature_size"])
    assert all(np.array_equal(honest[i], every[encoders.fold[i], i]) for i in range(0, 400, 37))
    errors = np.abs(every[:, :, 0] - model._standardized(y.to_numpy()))
    unseen = encoders.fold == np.arange(5)[:, None]
    assert errors[unseen].mean() > errors[~unseen].mean()


def test_folds_spread_over_the_range_of_targets(model: LatentDiffRegressor) -> None:
    ranks = np.argsort(np.argsort(skewed_table()[1].to_numpy()))
    for number in range(5):
        assert sorted(ranks[model.encoders_.fold == number] // 5) == list(range(80))


def test_the_first_shared_feature_is_the_prediction_and_the_others_mean_the_same_to_all_encoders(
    model: LatentDiffRegressor,
) -> None:
    X, _ = skewed_table(500, seed=1)
    first = model.refit_head(*skewed_table(), head="none")
    features = model.encoders_.features(X)
    assert first.predict(X) == pytest.approx(model._centre + model._spread * features[:, :, 0].mean(0))
    assert np.corrcoef(features[0, :, 1], features[3, :, 1])[0, 1] > 0.5
    assert model.encoders_.features(skewed_table()[0])[0, :, 1:].std(0).max() == pytest.approx(1.0, abs=0.1)


def test_methods_without_a_retrained_head_have_one_encoder(untreated: LatentDiffRegressor) -> None:
    assert len(untreated.encoders_.encoders) == 1
    assert (untreated.encoders_.fold == 0).sum() == 40
    assert untreated.generator_ is None


def test_high_targets_are_predicted_higher_with_synthetic_features(
    model: LatentDiffRegressor, untreated: LatentDiffRegressor
) -> None:
    X, y = skewed_table(2000, seed=1)
    rare = (y > y.quantile(0.97)).to_numpy()
    plain = untreated.predict(X)[rare]
    assert model.predict(X)[rare].mean() > plain.mean()


def test_a_ratio_of_0_trains_the_head_on_real_features_alone() -> None:
    model = _model(generation_ratio=0.0)
    assert model.generator_ is None
    assert model.report_.bins["kept"].sum() == 0
    assert "head" in model.report_.seconds


def test_a_gate_that_lets_too_few_through_is_reported_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        model = _model(gate_quantile=0.0, gate_rounds=1, diffusion_steps=2)
    assert len(model.report_.notes) == 1
    assert "synthetic features are missing" in model.report_.notes[0]
    assert model.report_.notes[0] in caplog.text


def test_without_a_gate_every_bin_gets_what_it_wants() -> None:
    table = _model(gate="none").report_.bins
    assert (table["kept"] == table["wanted"]).all()
    assert table["acceptance"].dropna().eq(1).all()


def test_a_time_limit_ends_both_trainings_early() -> None:
    model = _model(n=60, time_limit=2.5, encoder_epochs=10_000, encoder_patience=10_000, diffusion_steps=10_000_000)
    assert model.report_.seconds["encoder"] < 2.25
    assert model.report_.seconds["denoiser"] < 1.5
    assert {curve.stopped for curve in model.report_.curves["encoder"]} == {"time"}
    assert np.isfinite(model.predict(skewed_table()[0])).all()


def test_a_bin_of_one_row_borrows_the_gate_of_all_bins() -> None:
    X, y = skewed_table()
    targets = y.to_numpy().copy()
    targets[0] = 3 * targets.max()
    model = _regressor().fit(X, targets)
    last = model.report_.bins.iloc[-1]
    assert last["n"] == 1
    assert last["wanted"] > 0
    assert np.isfinite(model.predict(X)).all()


def test_a_ratio_that_was_chosen_gives_the_same_head_as_the_same_ratio_given() -> None:
    settings = {"n": 600, "synthetic": "copies", "overall_budget": 10.0}
    chosen = _model(generation_ratio="auto", **settings)
    assert chosen.report_.ratio in {None, *AllocationConfig.tried_ratios}
    given = chosen.refit_head(*skewed_table(600), generation_ratio=0.35)
    again = chosen.refit_head(*skewed_table(600), generation_ratio=0.35, head_shrinkage=_shrinkage(given))
    X, _ = skewed_table(100, seed=2)
    assert again.predict(X) == pytest.approx(given.predict(X))
    assert given.report_.bins["wanted"].sum() == round(0.35 * 600)


def _shrinkage(model: LatentDiffRegressor) -> float:
    """That with the surest gain."""
    trials = model.report_.trials.iloc[1:]
    return float((trials["by_bin"] + trials["noise"]).idxmin()[1])


def test_copies_take_the_place_of_generated_features() -> None:
    model = _model(synthetic="copies")
    assert model.generator_ is None
    assert "sampling" in model.report_.seconds
    assert "denoiser" not in model.report_.curves
    assert model.report_.bins["kept"].sum() == round(0.7 * 400)


def test_the_progress_of_a_fit_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        _model(encoder_epochs=1, diffusion_steps=2)
    stages = ("encoder", "choice", "denoiser", "sampling", "head")
    assert [stage for stage in stages if f"LatentDiff: {stage} begins." in caplog.messages] == list(stages)


X, Y = skewed_table(120)


def _stored(**settings: Any) -> LatentDiffRegressor:
    return _regressor(encoder_epochs=3, **settings).fit(X, Y)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"head": "linear", "number_scaling": "standard", "number_embedding": "none", "architecture": "mlp"},
        {"method": "lds"},
        {"generation_ratio": 0.0},
    ],
)
def test_a_loaded_regressor_predicts_the_same_to_the_last_bit(settings: dict[str, Any], tmp_path: Path) -> None:
    fitted = _stored(**settings)
    loaded = LatentDiffRegressor.load(fitted.save(tmp_path / "model"), threads=1)
    strange = X.assign(size=np.nan, town="Narvik")
    for rows in (X, strange):
        np.testing.assert_array_equal(loaded.predict(rows), fitted.predict(rows))
    assert loaded.config() == fitted.config()
    assert list(loaded.feature_names_in_) == list(X.columns)


def test_the_report_comes_back(tmp_path: Path) -> None:
    fitted = _stored()
    report = LatentDiffRegressor.load(fitted.save(tmp_path)).report_
    pd.testing.assert_frame_equal(report.bins, fitted.report_.bins, check_dtype=False)
    assert report.seconds == fitted.report_.seconds
    assert (report.ratio, report.notes) == (fitted.report_.ratio, fitted.report_.notes)


def test_the_head_of_a_loaded_regressor_can_be_trained_anew(tmp_path: Path) -> None:
    fitted = _stored()
    loaded = LatentDiffRegressor.load(fitted.save(tmp_path), threads=1)
    found = [model.refit_head(X, Y, generation_ratio=0.3).predict(X) for model in (fitted, loaded)]
    np.testing.assert_allclose(found[1], found[0])


def _embeddings(n: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Given features that tell a skewed target."""
    rows = np.random.default_rng(seed).normal(size=(n, 30))
    return rows, np.exp(0.7 * rows[:, 0])


def test_given_features_are_read_by_a_ridge_regression_and_stored(tmp_path: Path) -> None:
    from sklearn.linear_model import LinearRegression

    rows, y = _embeddings()
    fitted = _regressor(encoder="given", head="none").fit(rows, y)
    linear = LinearRegression().fit(rows, y)
    assert np.corrcoef(fitted.predict(rows), linear.predict(rows))[0, 1] > 0.99
    assert fitted.encoders_.features(rows_of(rows)).shape == (2, 200, BRIEF["feature_size"])
    retrained = fitted.refit_head(rows, y, head="bent", synthetic="copies")
    unseen, truth = _embeddings(3000, seed=1)
    plain, rare = (np.abs(model.predict(unseen) - truth)[truth > 3].mean() for model in (fitted, retrained))
    assert rare < 0.8 * plain
    loaded = LatentDiffRegressor.load(retrained.save(tmp_path))
    np.testing.assert_array_equal(loaded.predict(rows), retrained.predict(rows))


def test_a_given_feature_that_hardly_varied_moves_no_prediction_far() -> None:
    rows, y = _embeddings()
    rows[:, 1] = 0.0
    rows[y.argmax(), 1] = 0.01
    fitted = _regressor(encoder="given").fit(rows, y)
    lit = rows.copy()
    lit[:, 1] = 1.0
    assert np.abs(fitted.predict(lit) - fitted.predict(rows)).max() < 0.5 * y.std()


def rows_of(array: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(array)


def test_a_transformer_is_fitted_without_each_fold(tmp_path: Path) -> None:
    rows, y = _embeddings()
    transformer = PLSRegression(4)
    fitted = _regressor(encoder=transformer).fit(rows, y)
    assert not hasattr(transformer, "x_weights_")
    first, second = (encoder.x_weights_ for encoder in fitted.encoders_.encoders[:2])
    assert not np.allclose(first, second)
    assert fitted.score(rows, y) > 0.5
    with pytest.raises(StoredStateError, match="a transformer cannot be stored"):
        fitted.save(tmp_path)


@pytest.mark.parametrize(
    ("settings", "cell", "message"),
    [
        ({"encoder": "images"}, 0.0, "encoder must be one of 'table', 'given'; got 'images'"),
        ({"encoder": "given", "method": "lds"}, 0.0, "peers train networks on the table"),
        ({"encoder": "given"}, float("nan"), "must be a finite number; 1 of 200 rows"),
        ({"encoder": "given"}, "Oslo", "every cell of X must be a number"),
    ],
)
def test_features_that_cannot_be_read_are_refused(settings: dict[str, Any], cell: Any, message: str) -> None:
    rows, y = _embeddings()
    frame = rows_of(rows).astype(object)
    frame.iloc[3, 2] = cell
    with pytest.raises(InvalidInputError, match=re.escape(message)):
        _regressor(**settings).fit(frame.infer_objects(), y)


def test_a_fit_on_an_array_is_stored_too(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    fitted = _regressor(encoder_epochs=3).fit(rows, np.exp(rows[:, 0]))
    loaded = LatentDiffRegressor.load(fitted.save(tmp_path))
    np.testing.assert_array_equal(loaded.predict(rows), fitted.predict(rows))
    assert not hasattr(loaded, "feature_names_in_")


def test_a_folder_that_holds_no_whole_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoredStateError, match="no usable LatentDiff"):
        LatentDiffRegressor.load(tmp_path)
    _stored(method="none").save(tmp_path)
    (weights,) = tmp_path.rglob("*.safetensors")
    weights.write_bytes(b"broken")
    with pytest.raises(StoredStateError, match="no usable LatentDiff"):
        LatentDiffRegressor.load(tmp_path)


def test_a_second_fit_that_fails_leaves_nothing_that_predicts(monkeypatch: pytest.MonkeyPatch) -> None:
    model = _stored(method="none")
    monkeypatch.setattr("imbllm_autogluon.regression.cross_fit.fit_encoders", None)
    with pytest.raises(TypeError):
        model.fit(X, Y)
    with pytest.raises(NotFittedError):
        model.predict(X)


def test_nothing_is_written_where_it_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    fitted = _stored(method="none")
    with pytest.raises(InvalidInputError, match="is a file"):
        fitted.save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


QUICKEST: dict[str, Any] = {
    "encoder_folds": 2,
    "architecture": "mlp",
    "number_embedding": "none",
    "encoder_depth": 1,
    "encoder_width": 32,
    "encoder_dropout": 0.0,
    "encoder_epochs": 5,
    "encoder_batch": 32,
    "encoder_learning_rate": 1e-2,
    "feature_size": 8,
    "denoiser_width": 16,
    "denoiser_blocks": 1,
    "diffusion_steps": 2,
    "sampling_steps": 1,
}

EXPECTED = dict.fromkeys(
    (
        "check_n_features_in_after_fitting",
        "check_regressors_no_decision_function",
        "check_sample_weight_equivalence_on_dense_data",
        "check_sample_weights_not_an_array",
        "check_sample_weights_not_overwritten",
        "check_sample_weights_pandas_series",
        "check_sample_weights_shape",
    ),
    "the check has fewer than 20 rows, which are refused: a distribution of features needs more",
)


@parametrize_with_checks(
    [LatentDiffRegressor(random_state=0, threads=1).set_params(**QUICKEST)], expected_failed_checks=lambda _: EXPECTED
)
def test_the_regressor_conforms_to_scikit_learn(estimator: LatentDiffRegressor, check: Any) -> None:
    check(estimator)
