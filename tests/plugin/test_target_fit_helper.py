"""AutoGluon's own acceptance test of a model class, run on twins of a regression."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from autogluon.tabular.models import LGBModel, RFModel
from autogluon.tabular.testing import FitHelper
from autogluon.tabular.testing.fit_helper import DatasetLoaderHelper

from imbllm_autogluon.plugin.models import GeneratorModel
from imbllm_autogluon.plugin.stage import FoldOversampler
from imbllm_autogluon.plugin.twins import twin_of
from tests.plugin.target_fits import SMALL
from tests.plugin.test_latent_diff_model_searched import enough_rows

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.filterwarnings("ignore")  # on toy tables of 4 rows metrics warn of constant inputs
@pytest.mark.parametrize(
    ("rows", "model_class", "hyperparameters"),
    [
        ("enough", twin_of(LGBModel), {"num_boost_round": 20}),
        ("toy", twin_of(RFModel), {"n_estimators": 20}),
        ("enough", GeneratorModel, {}),
        pytest.param("toy", twin_of(LGBModel), {}, marks=pytest.mark.exhaustive),
        pytest.param("enough", twin_of(RFModel), {"n_estimators": 20}, marks=pytest.mark.exhaustive),
        pytest.param("toy", GeneratorModel, {}, marks=pytest.mark.exhaustive),
    ],
)
def test_a_model_of_a_regression_passes_the_acceptance_test_of_autogluon(
    rows: str,
    model_class: type,
    hyperparameters: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)  # the helper writes its predictors into the current folder
    if rows == "enough":
        monkeypatch.setitem(DatasetLoaderHelper.toy_map, "toy_regression", enough_rows)
    seen: list[int] = []
    rows_of = FoldOversampler.rows

    def watch(oversampler: Any, model: Any, *rest: Any) -> Any:
        seen.append(1)
        return rows_of(oversampler, model, *rest)

    monkeypatch.setattr(FoldOversampler, "rows", watch)
    FitHelper.verify_model(
        model_cls=model_class,
        model_hyperparameters={
            **hyperparameters,
            "ag.num_cpus": 1,
            **{f"ag.{key}": value for key, value in SMALL.items()},
        },
        problem_types=["regression"],
        extra_metrics=True,
    )
    assert bool(seen) == (rows == "enough")
