"""A fitted LatentDiff on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor
from tests.regression.latent import QUICK, skewed_table

if TYPE_CHECKING:
    from pathlib import Path

X, Y = skewed_table(120)
SMALL = {**QUICK, "encoder_epochs": 3, "diffusion_steps": 20}


def _fitted(**settings: Any) -> LatentDiffRegressor:
    return LatentDiffRegressor(random_state=3, threads=1, **{**SMALL, **settings}).fit(X, Y)


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
    fitted = _fitted(**settings)
    loaded = LatentDiffRegressor.load(fitted.save(tmp_path / "model"), threads=1)
    strange = X.assign(size=np.nan, town="Narvik")
    for rows in (X, strange):
        np.testing.assert_array_equal(loaded.predict(rows), fitted.predict(rows))
    assert loaded.config() == fitted.config()
    assert list(loaded.feature_names_in_) == list(X.columns)


def test_the_report_comes_back(tmp_path: Path) -> None:
    fitted = _fitted()
    report = LatentDiffRegressor.load(fitted.save(tmp_path)).report_
    pd.testing.assert_frame_equal(report.bins, fitted.report_.bins, check_dtype=False)
    assert report.seconds == fitted.report_.seconds
    assert (report.ratio, report.notes) == (fitted.report_.ratio, fitted.report_.notes)


def test_the_head_of_a_loaded_regressor_can_be_trained_anew(tmp_path: Path) -> None:
    fitted = _fitted()
    loaded = LatentDiffRegressor.load(fitted.save(tmp_path), threads=1)
    found = [model.refit_head(X, Y, generation_ratio=0.3).predict(X) for model in (fitted, loaded)]
    np.testing.assert_allclose(found[1], found[0])


def test_a_fit_on_an_array_is_stored_too(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    fitted = LatentDiffRegressor(random_state=0, threads=1, **SMALL).fit(rows, np.exp(rows[:, 0]))
    loaded = LatentDiffRegressor.load(fitted.save(tmp_path))
    np.testing.assert_array_equal(loaded.predict(rows), fitted.predict(rows))
    assert not hasattr(loaded, "feature_names_in_")


def test_a_folder_that_holds_no_whole_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoredStateError, match="no usable LatentDiff"):
        LatentDiffRegressor.load(tmp_path)
    _fitted(method="none").save(tmp_path)
    (weights,) = tmp_path.rglob("*.safetensors")
    weights.write_bytes(b"broken")
    with pytest.raises(StoredStateError, match="no usable LatentDiff"):
        LatentDiffRegressor.load(tmp_path)


def test_nothing_is_written_where_it_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    fitted = _fitted(method="none")
    with pytest.raises(InvalidInputError, match="is a file"):
        fitted.save(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"
