from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from imbllm_autogluon.jobs.contenders import base_models, contenders, is_generator
from imbllm_autogluon.plugin.ensemble import fit_ensemble
from imbllm_autogluon.plugin.models import LatentDiffModel
from tests.jobs.fits import binary_outcome


@dataclass
class FakePredictor:
    """The few things that `contenders` asks a predictor for."""

    classes: dict[str, type]
    refitted: dict[str, str] = field(default_factory=dict)
    plain_wins: bool = False
    made: list[list[str]] = field(default_factory=list)
    saved: bool = False
    model_best: str = "WeightedEnsemble_L2"
    problem_type: str = "binary"

    @property
    def _trainer(self) -> FakePredictor:
        return self

    def get_model_names(self, stack_name: str) -> list[str]:
        assert stack_name == "core"
        return list(self.classes)

    def get_model_attribute(self, name: str, attribute: str) -> type:
        assert attribute == "type_inner"
        return self.classes[name]

    def model_refit_map(self) -> dict[str, str]:
        return self.refitted

    def refit_full(self, model: str) -> dict[str, str]:
        return {model: f"{model}_FULL"}

    def set_model_best(self, model: str, save_trainer: bool) -> None:
        self.model_best, self.saved = model, save_trainer


@pytest.fixture(autouse=True)
def ensembles(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a stand-in they are only noted; those of a real predictor are fitted."""

    def fit(predictor: Any, models: list[str], suffix: str) -> str | None:
        if not isinstance(predictor, FakePredictor):
            return fit_ensemble(predictor, models, suffix)
        predictor.made.append(models)
        name = f"WeightedEnsemble_L2{suffix}"
        if predictor.plain_wins:
            predictor.model_best = name
        return name

    monkeypatch.setattr("imbllm_autogluon.jobs.contenders.fit_ensemble", fit)


def generator() -> type:
    from imbllm_autogluon.plugin.models import GeneratorModel

    return GeneratorModel


def twin() -> type:
    from autogluon.tabular.models import LGBModel

    from imbllm_autogluon.plugin.twins import twin_of

    return twin_of(LGBModel)


def test_the_plain_ensemble_is_made_of_plain_models_only() -> None:
    outcome = binary_outcome()
    plain = outcome.predictor._trainer.load_model(outcome.comparison.contenders.plain)
    assert set(plain.base_model_names) <= {"KNeighbors_BAG_L1", "LinearModel_BAG_L1"}
    assert outcome.comparison.contenders.whole == "WeightedEnsemble_L2"


@pytest.mark.parametrize(("plain_wins", "best"), [(False, "WeightedEnsemble_L2"), (True, "WeightedEnsemble_L2Plain")])
def test_predictions_use_the_plain_ensemble_where_it_is_better_out_of_fold(plain_wins: bool, best: str) -> None:
    predictor = FakePredictor({"LightGBM": int, "LightGBMImb": twin()}, plain_wins=plain_wins)
    models = contenders(predictor)
    assert (models.whole, models.plain) == ("WeightedEnsemble_L2", "WeightedEnsemble_L2Plain")
    assert (predictor.model_best, predictor.saved) == (best, True)


def test_a_refitted_predictor_gets_a_refitted_plain_ensemble() -> None:
    refitted = {"WeightedEnsemble_L2": "WeightedEnsemble_L2_FULL", "LightGBM": "LightGBM_FULL"}
    classes = {"LightGBM": int, "LightGBM_FULL": int, "LightGBMImb": twin()}
    predictor = FakePredictor(classes, refitted, plain_wins=True, model_best="WeightedEnsemble_L2_FULL")
    models = contenders(predictor)
    assert (models.whole, models.plain) == ("WeightedEnsemble_L2_FULL", "WeightedEnsemble_L2Plain_FULL")
    assert predictor.made[0] == ["LightGBM"]
    assert predictor.model_best == "WeightedEnsemble_L2_FULL"


def test_the_generator_is_neither_plain_nor_a_twin() -> None:
    predictor = FakePredictor({"ImbLLM": generator(), "LightGBM": int, "LightGBMImb": twin()})
    assert base_models(predictor) == (["LightGBM"], ["LightGBMImb"])
    assert [name for name in predictor.classes if is_generator(predictor, name)] == ["ImbLLM"]
    contenders(predictor)
    assert predictor.made[0] == ["LightGBM"]


@pytest.mark.parametrize(
    ("classes", "ours"),
    [
        ({"LatentDiff": LatentDiffModel}, "LatentDiff"),
        ({"LightGBMImb": twin()}, "twins"),
        ({"LightGBMImb": twin(), "LatentDiff": LatentDiffModel}, "twins and LatentDiff"),
    ],
)
def test_latent_diff_is_no_plain_model(classes: dict[str, type], ours: str) -> None:
    predictor = FakePredictor({"LightGBM": int, **classes}, problem_type="regression")
    assert contenders(predictor).ours == ours
    assert predictor.made[0] == ["LightGBM"]


def test_a_regression_of_plain_models_says_what_it_lacks() -> None:
    reason = contenders(FakePredictor({"LightGBM": int}, problem_type="regression")).reason
    assert reason == "no twin and no LatentDiff was fitted, so the ensemble holds plain models only"


def test_a_generator_without_its_twins_is_nothing_to_compare() -> None:
    predictor = FakePredictor({"ImbLLM": generator(), "LightGBM": int})
    assert contenders(predictor).plain is None


@pytest.mark.parametrize(("classes", "reason"), [({"LightGBM": int}, "no twin"), ({"LightGBMImb": twin()}, "no plain")])
def test_with_one_sort_of_model_there_is_nothing_to_compare(classes: dict[str, type], reason: str) -> None:
    predictor = FakePredictor(classes)
    models = contenders(predictor)
    assert models.plain is None
    assert reason in models.reason
    assert not predictor.made
