"""The language-model classifier inside AutoGluon."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.common.space import Categorical, Int
from autogluon.core.utils.exceptions import TimeLimitExceeded
from autogluon.tabular import TabularPredictor
from autogluon.tabular.testing import FitHelper
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from imbllm_autogluon.classification import ClassifierConfig, LanguageModelClassifier
from imbllm_autogluon.classification.config import RECOMMENDED, RECOMMENDED_FOR_TEXTS, DebiasingConfig
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin import classifier_model
from imbllm_autogluon.plugin.classifier_model import _SEARCHED_MEASURES, ClassifierModel
from imbllm_autogluon.plugin.presets import make_preset
from tests.fresh import run_afresh
from tests.language.pretrained import save_pretrained
from tests.plugin.classifier_fits import NAME, QUICK, alone, children, codes, fit, with_notes
from tests.plugin.tables import imbalanced_table
from tests.plugin.tuned_fits import EACH_SEARCH, study_trials
from tests.shared import TINY

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


FOLDS = 3
BAG = f"{NAME}_BAG_L1"

PREDICT = """
import sys, pandas as pd
from autogluon.tabular import TabularPredictor
predictor = TabularPredictor.load(sys.argv[1], verbosity=0)
predictor.predict_proba(pd.read_parquet(sys.argv[2]), model=sys.argv[3]).to_parquet(sys.argv[4])
"""


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return imbalanced_table(200, rare=0.2)


@pytest.fixture(scope="module")
def predictor(table: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> TabularPredictor:
    portfolio = {"IMBLLM_CLF": {**QUICK, "calibration": "bias"}, "LR": {}}
    return fit(tmp_path_factory.mktemp("bagged") / "p", table, hyperparameters=portfolio, num_bag_folds=FOLDS)


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return imbalanced_table(30, seed=1).drop(columns="paid")


def test_it_is_a_model_of_a_bagged_fit_and_of_its_ensemble(predictor: TabularPredictor, table: pd.DataFrame) -> None:
    board = predictor.leaderboard().set_index("model")
    assert BAG in board.index
    assert board["score_val"].notna().all()
    assert set(predictor._trainer.load_model("WeightedEnsemble_L2").base_model_names) <= {BAG, "LinearModel_BAG_L1"}
    assert len(predictor.predict_proba_oof(BAG)) == len(table)
    assert len(children(predictor, BAG)) == FOLDS


def test_it_reads_categories_booleans_dates_and_labels_by_their_names(predictor: TabularPredictor) -> None:
    model = children(predictor, BAG)[0]
    schema = model.model.schema
    read = {column.name: column for column in schema.columns}
    assert list(read) == ["income", "calls", "city", "member", "since"]
    assert set(read["city"].categories) == {"Oslo", "Bergen", "Tromsø"}
    assert {name: read[name].kind for name in ("member", "since")} == {"member": "boolean", "since": "datetime"}
    assert set(schema.label.categories) == {"yes", "no"}
    assert model.imbllm_report["original_columns"] is True


def test_what_a_fit_read_and_learned_stands_in_the_information_on_the_model(predictor: TabularPredictor) -> None:
    report = children(predictor, BAG)[0].get_info()["imbllm"]
    assert report["rows"] == {"yes": 106, "no": 27}
    assert report["held_out"] > 0
    assert report["steps"] == {"warm-up": 2, "label": 2}
    assert report["not_read"] == []


def test_a_fresh_process_predicts_the_same(predictor: TabularPredictor, rows: pd.DataFrame, tmp_path: Path) -> None:
    rows.to_parquet(tmp_path / "rows.parquet")
    process = run_afresh(PREDICT, predictor.path, tmp_path / "rows.parquet", BAG, tmp_path / "out.parquet")
    assert process.returncode == 0, process.stderr
    found = pd.read_parquet(tmp_path / "out.parquet")
    pd.testing.assert_frame_equal(found, predictor.predict_proba(rows, model=BAG), atol=1e-6)


def test_without_the_learners_file_a_fitted_model_still_reads_original_columns(
    predictor: TabularPredictor, rows: pd.DataFrame, tmp_path: Path
) -> None:
    model = children(predictor, BAG)[0]
    X = predictor.transform_features(rows)
    before = model.predict_proba(X)
    model.set_contexts(str(tmp_path / "elsewhere"))
    np.testing.assert_array_equal(model.predict_proba(X), before)


@pytest.fixture(scope="module")
def refitted(predictor: TabularPredictor) -> str:
    """Name of the model that was fitted again on all rows."""
    name: str = predictor.refit_full(BAG, num_cpus=1)[BAG]
    return name


def test_it_can_be_fitted_again_on_all_rows(predictor: TabularPredictor, refitted: str, rows: pd.DataFrame) -> None:
    assert predictor.predict_proba(rows, model=refitted).notna().all(axis=None)
    (whole,) = children(predictor, refitted)
    assert sum(whole.imbllm_report["rows"].values()) == 200
    assert whole.imbllm_report["original_columns"] is True
    assert whole.get_info()["val_in_fit"] is False


def test_values_that_were_not_there_in_training_are_answered(predictor: TabularPredictor, rows: pd.DataFrame) -> None:
    strange = rows.assign(city="Narvik", income=np.nan, calls=10**6)
    assert predictor.predict_proba(strange, model=BAG).notna().all(axis=None)


def test_it_answers_as_the_classifier_of_scikit_learn_does_on_the_original_table(
    predictor: TabularPredictor, refitted: str, table: pd.DataFrame, rows: pd.DataFrame
) -> None:
    (whole,) = children(predictor, refitted)
    settings = {key: value for key, value in whole.params.items() if key != "random_state"}
    peer = LanguageModelClassifier(random_state=whole.random_seed, threads=1).set_params(**settings)
    peer.fit(table.drop(columns="paid"), table["paid"], sample_weight=None)
    expected = pd.DataFrame(peer.predict_proba(rows), rows.index, list(peer.classes_))
    pd.testing.assert_frame_equal(predictor.predict_proba(rows, model=refitted), expected, check_dtype=False, atol=1e-6)


def test_it_learns(tmp_path: Path) -> None:
    predictor = fit(tmp_path / "p", imbalanced_table(400, rare=0.2, signal=4.0), {"pretrain_steps": 60, "steps": 60})
    new = imbalanced_table(200, rare=0.2, seed=5, signal=4.0)
    assert roc_auc_score(new["paid"] == "yes", predictor.predict_proba(new)["yes"]) > 0.8


def test_with_permuted_labels_it_does_not_beat_chance_out_of_fold(tmp_path: Path) -> None:
    table = imbalanced_table(400, rare=0.25)
    table["paid"] = np.random.default_rng(0).permutation(table["paid"])
    settings = {"pretrain_steps": 40, "steps": 40, "first_stage": "logistic"}
    predictor = fit(tmp_path / "p", table, settings, num_bag_folds=3)
    area = roc_auc_score(table["paid"] == "yes", predictor.predict_proba_oof(BAG)["yes"])
    assert area == pytest.approx(0.5, abs=0.12)


def test_weights_of_rows_count_and_their_column_is_no_feature(tmp_path: Path, table: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    predictions = []
    for name, weight in (("even", 1.0), ("uneven", np.where(rng.random(len(table)) < 0.5, 0.1, 3.0))):
        predictor = fit(tmp_path / name, table.assign(weight=weight), sample_weight="weight", num_bag_folds=0)
        assert "weight" not in [column.name for column in children(predictor)[0].model.schema.columns]
        predictions.append(predictor.predict_proba(table, model=NAME).to_numpy())
    assert not np.allclose(*predictions)


@pytest.mark.parametrize(("metric", "decisions"), [("balanced_accuracy", "matched"), ("log_loss", "argmax")])
def test_matched_decisions_are_in_the_probabilities_where_nothing_else_decides(
    metric: str, decisions: str, tmp_path: Path
) -> None:
    X, y = codes(150, 3)
    model = alone(tmp_path, "multiclass", metric)
    model.fit(X=X, y=y, num_classes=3, num_cpus=1, num_gpus=0)
    assert model.params["decisions"] == decisions
    calibrated, biases = model.model.probabilities(X), model.model.calibration.decision_biases
    assert bool(biases.any()) == (decisions == "matched")
    moved = softmax(np.log(calibrated) + biases, axis=1)[:, np.argsort(model.model.schema.label.categories)]
    np.testing.assert_allclose(model.predict_proba(X), moved, atol=1e-3)
    np.testing.assert_array_equal(model.predict(X), moved.argmax(axis=1))


def test_decisions_of_two_classes_are_left_to_the_threshold_of_autogluon(tmp_path: Path) -> None:
    X, y = codes(150, 2)
    model = alone(tmp_path, "binary", "f1", decisions="matched")
    model.fit(X=X, y=y, num_cpus=1, num_gpus=0)
    positive = list(model.model.schema.label.categories).index(1)
    np.testing.assert_allclose(model.predict_proba(X), model.model.probabilities(X)[:, positive], atol=1e-6)


def test_a_class_that_the_fold_lacks_gets_no_probability(tmp_path: Path) -> None:
    X, y = codes(150, 3)
    held = y < 2
    model = alone(tmp_path, "multiclass", "log_loss")
    model.fit(X=X[held], y=y[held], num_classes=4, num_cpus=1, num_gpus=0)
    probabilities = model._predict_proba(X)
    assert probabilities.shape == (150, 4)
    assert not probabilities[:, 2:].any()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)


def test_a_fold_of_one_class_is_refused(tmp_path: Path) -> None:
    X, y = codes(50, 2)
    with pytest.raises(InvalidInputError, match="one class, 0"):
        alone(tmp_path, "binary", "roc_auc").fit(X=X, y=0 * y, num_classes=2, num_cpus=1, num_gpus=0)


@pytest.mark.parametrize("label", [[10, 20, 30], [True, False], [1.5, 2.5], ["b", "a", "ä"]], ids=str)
def test_probabilities_belong_to_their_classes_whatever_the_labels_are(label: list[Any], tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    place = rng.integers(0, len(label), 160)
    table = pd.DataFrame({"x": place + rng.normal(0, 0.05, 160), "paid": [label[i] for i in place]})
    predictor = fit(tmp_path, table, {"pretrain_steps": 40, "steps": 60}, eval_metric="log_loss")
    predicted = predictor.predict(table, model=NAME)
    assert (predicted == table["paid"]).mean() > 0.9
    assert set(children(predictor)[0].model.schema.label.categories) == set(label)


def test_without_a_predictor_it_reads_codes(tmp_path: Path, fold: tuple[pd.DataFrame, pd.Series]) -> None:
    X, y = fold
    model = alone(tmp_path, "binary", "roc_auc")
    model.fit(X=X, y=y, num_cpus=1, num_gpus=0)
    assert model.imbllm_report["original_columns"] is False
    assert set(model.model.schema.label.categories) == {0, 1}
    assert {column.name: column.kind for column in model.model.schema.columns}["city"] == "categorical"
    assert model.predict_proba(X).shape == (120,)


def test_the_same_seed_gives_the_same_probabilities_and_another_one_others(tmp_path: Path) -> None:
    X, y = codes(100, 2)
    found = []
    for place, seed in enumerate((1, 1, 2)):
        model = alone(tmp_path / str(place), "binary", "roc_auc", random_state=seed)
        found.append(model.fit(X=X, y=y, num_cpus=1, num_gpus=0).predict_proba(X))
    np.testing.assert_array_equal(found[0], found[1])
    assert not np.allclose(found[0], found[2])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"wieghting": "inverse"}, "did you mean 'weighting'"),
        ({"weighting": "iverse"}, "did you mean 'inverse'"),
        ({"stepps": Int(1, 2)}, "did you mean 'steps'"),
        ({"steps": Int(-5, 2)}, "steps must be a whole number"),
    ],
)
def test_bad_settings_are_refused_when_the_model_is_made(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ClassifierModel(hyperparameters=settings)


@pytest.mark.parametrize("backbone", ["compact", "smollm2"])
def test_the_defaults_of_its_search_spaces_are_the_fit_without_a_search(backbone: str, tmp_path: Path) -> None:
    model = ClassifierModel(
        path=str(tmp_path), name="m", problem_type="binary", eval_metric="f1", hyperparameters={"backbone": backbone}
    )
    X, y = codes(50, 2)
    model.initialize(X=X, y=y)
    settings = {key: value for key, value in model.params.items() if key != "random_state"}
    config = ClassifierConfig.from_flat(settings)
    without = {**config.flat(), **vars(config.resolved_language())}
    spaces = model._get_default_searchspace()
    assert {name: space.default for name, space in spaces.items()} == {name: without[name] for name in spaces}


@pytest.mark.parametrize("limit", [0.0, 0.05])
def test_a_time_limit_that_is_too_short_is_told_to_autogluon(
    limit: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A fast machine does the usual number of steps in a twentieth of a second.
    monkeypatch.setattr(classifier_model, "_LEAST_LABEL_STEPS", 10_000)
    X, y = codes(150, 2)
    model = alone(tmp_path, "binary", "roc_auc", pretrain_steps=500, steps=20_000)
    with pytest.raises(TimeLimitExceeded):
        model.fit(X=X, y=y, time_limit=limit, num_cpus=1, num_gpus=0)
    assert not model.is_fit()


def test_training_stops_at_its_share_of_the_time_limit(tmp_path: Path) -> None:
    X, y = codes(150, 2)
    model = alone(tmp_path, "binary", "roc_auc", pretrain_steps=20, steps=10**6)
    model.fit(X=X, y=y, time_limit=4.0, num_cpus=1, num_gpus=0)
    assert model.imbllm_report["stopped_by"]["label"] == "time limit"
    assert model.imbllm_report["seconds"] < 4.0


def test_a_probe_of_a_pretrained_backbone_is_a_model_of_a_fit_under_a_clock(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    probe = {"backbone": str(save_pretrained(tmp_path / "llama", "llama")), "tuning": "probe"}
    found = fit(tmp_path / "p", table, probe, num_bag_folds=2, time_limit=300, eval_metric="balanced_accuracy")
    assert [child.imbllm_report["steps"] for child in children(found, BAG)] == [{}, {}]
    assert children(found, BAG)[0].model.config.text_words == RECOMMENDED_FOR_TEXTS["text_words"]
    assert len(found.predict_proba_oof(BAG)) == len(table)


@pytest.mark.parametrize("stored", [True, False])
def test_noisy_rows_are_learned_by_every_fold_and_validated_on_by_none(
    table: pd.DataFrame, stored: bool, tmp_path: Path
) -> None:
    noisy: Any = imbalanced_table(90, rare=0.5, seed=3)
    if stored:
        noisy.to_csv(tmp_path / "noisy.csv", index=False)
    given = str(tmp_path / "noisy.csv") if stored else noisy
    found = fit(tmp_path / "p", table, {"noisy": given}, num_bag_folds=2)
    assert [child.imbllm_report["noisy_rows"] for child in children(found, BAG)] == [90, 90]
    assert [sum(child.imbllm_report["rows"].values()) for child in children(found, BAG)] == [100, 100]
    assert all(child.imbllm_report["original_columns"] for child in children(found, BAG))
    assert len(found.predict_proba_oof(BAG)) == len(table)


def test_a_table_of_noisy_rows_that_is_not_there_or_lacks_a_column_is_refused(
    table: pd.DataFrame, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=r"there is no table of noisy rows at gone\.csv"):
        alone(tmp_path, "binary", "roc_auc", noisy="gone.csv")
    with pytest.raises(Exception, match="the noisy rows have no column 'city'; give them all columns"):
        fit(tmp_path / "p", table, {"noisy": table.drop(columns="city")}, raise_on_model_failure=True)


def test_noisy_rows_of_classes_that_the_fold_lacks_are_left_out(table: pd.DataFrame, tmp_path: Path) -> None:
    found = fit(tmp_path / "p", table, {"noisy": table.assign(paid="never")})
    assert children(found)[0].imbllm_report["noisy_rows"] == 0


def test_on_a_higher_level_it_also_reads_predictions_of_the_lower_one(tmp_path: Path, table: pd.DataFrame) -> None:
    portfolio = {1: {"LR": {}}, 2: {"IMBLLM_CLF": QUICK}}
    predictor = fit(tmp_path, table, hyperparameters=portfolio, num_bag_folds=2, num_stack_levels=1)
    read = [column.name for column in children(predictor, f"{NAME}_BAG_L2")[0].model.schema.columns]
    assert read == ["income", "calls", "city", "member", "since", "LinearModel_BAG_L1"]


def test_a_fit_goes_on_without_it_where_its_backbone_is_absent(tmp_path: Path, table: pd.DataFrame) -> None:
    settings = {"backbone": str(tmp_path / "none"), "local_files_only": True}
    predictor = fit(tmp_path / "p", table, hyperparameters={"IMBLLM_CLF": settings, "LR": {}})
    assert predictor.model_names() == ["LinearModel", "WeightedEnsemble_L2"]


def test_its_estimate_of_memory_grows_with_the_model_and_the_table() -> None:
    X, _ = codes(200, 2)

    def estimate(rows: pd.DataFrame, settings: Mapping[str, Any]) -> int:
        estimated = ClassifierModel.estimate_memory_usage_static(
            X=rows, hyperparameters=dict(settings), problem_type="binary", num_classes=2
        )
        return int(estimated)

    small = estimate(X, {})
    assert 0 < small < 1e9
    assert estimate(X, {"width": 512, "layers": 8}) > small
    assert estimate(X, {"backbone": "smollm2", "random_state": 3}) > small
    assert estimate(pd.concat([X] * 99), {}) > small


def test_a_gpu_is_asked_for_by_pretrained_backbones_only(monkeypatch: pytest.MonkeyPatch) -> None:
    manager = "imbllm_autogluon.plugin.classifier_model.ResourceManager"
    monkeypatch.setattr(f"{manager}.get_gpu_count_torch", lambda cuda_only: 4)
    monkeypatch.setattr(f"{manager}.get_cpu_count", lambda: 3)
    assert ClassifierModel(hyperparameters={})._get_default_resources() == (3, 0)
    assert ClassifierModel(hyperparameters={"backbone": "smollm2"})._get_default_resources() == (3, 1)


@pytest.mark.filterwarnings("ignore")  # on toy tables of 4 and 6 rows metrics warn of constant inputs
def test_it_passes_the_acceptance_test_of_autogluon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the helper writes its predictors into the current folder
    FitHelper.verify_model(
        model_cls=ClassifierModel, model_hyperparameters={**QUICK, "ag.num_cpus": 1}, extra_metrics=True
    )


FEW = {"weighting": Categorical("none", "inverse"), "oversampling_cap": 2.0, "focal_gamma": 1.0, "learning_rate": 1e-3}


@EACH_SEARCH
def test_every_trial_of_a_search_is_a_model_of_the_fit(searcher: str, folds: int, tmp_path: Path) -> None:
    search = {"num_trials": 3, "searcher": searcher, "scheduler": "local"}
    predictor = fit(
        tmp_path / "p",
        imbalanced_table(120),
        FEW,
        num_bag_folds=folds,
        hyperparameter_tune_kwargs=search,
        fit_weighted_ensemble=False,
    )
    names = predictor.model_names()
    assert names
    assert all(f"{NAME}{'_BAG_L1' if folds else ''}/T" in name for name in names)
    if searcher == "imbllm_optuna":
        trials = study_trials(predictor.path, f"{NAME}{'_BAG_L1' if folds else ''}")
        assert trials[0].params == {"weighting": "none"}


def test_left_to_itself_a_search_tries_the_default_settings_first(tmp_path: Path) -> None:
    search = {"num_trials": 1, "searcher": "imbllm_optuna", "scheduler": "local"}
    own = {"steps": 2, "layers": 1, "width": 16}
    usual = {**vars(DebiasingConfig()), **RECOMMENDED}
    fit(tmp_path / "p", imbalanced_table(100), own, hyperparameter_tune_kwargs=search, fit_weighted_ensemble=False)
    (trial,) = study_trials(tmp_path / "p", NAME)
    assert trial.params == {"learning_rate": 3e-3, **{name: usual[name] for name in _SEARCHED_MEASURES}}


def test_a_search_over_a_probe_varies_nothing_that_a_training_alone_heeds(tmp_path: Path) -> None:
    probe = {"backbone": str(save_pretrained(tmp_path / "llama", "llama")), "tuning": "probe"}
    assert set(alone(tmp_path, "binary", "f1", **probe)._get_default_searchspace()) == {"weighting"}


SOME = {"pretrain_steps": 40, "steps": 40}


def texts_of(model: ClassifierModel) -> list[str]:
    """Names of the columns of free text in the sentences of a model."""
    return [text.name for text in model.model.language_model.vocabulary.texts]


@pytest.mark.parametrize("options", [{}, {"_feature_generator_kwargs": {"enable_raw_text_features": True}}])
def test_texts_are_read_as_they_are_and_words_are_not_counted_beside_them(
    options: dict[str, Any], tmp_path: Path
) -> None:
    predictor = fit(tmp_path / "p", with_notes(), SOME, **options)
    (model,) = children(predictor)
    assert texts_of(model) == ["note"]
    assert "note_raw_text" in model.features
    assert not [name for name in model.features if "__nlp__" in name or name.startswith("note.")]
    new = with_notes(200).sample(100, random_state=0)
    assert roc_auc_score(new["paid"] == "yes", predictor.predict_proba(new, model=NAME)["yes"]) > 0.9


def test_where_texts_are_kept_back_counts_of_words_are_read(tmp_path: Path) -> None:
    off = {"_feature_generator_kwargs": {"enable_raw_text_features": False}}
    (model,) = children(fit(tmp_path / "p", with_notes(), **off))
    assert texts_of(model) == []
    assert [column.name for column in model.model.schema.columns if str(column.name).startswith("__nlp__")]


def test_a_missing_text_and_one_of_unknown_words_are_answered(tmp_path: Path) -> None:
    table = with_notes()
    predictor = fit(tmp_path / "p", table)
    for note in (None, "", "Zzyzx quux"):
        assert predictor.predict_proba(table.head(5).assign(note=note), model=NAME).notna().all(axis=None)


def test_a_table_of_nothing_but_a_text_is_read(tmp_path: Path) -> None:
    table = with_notes()[["note", "paid"]]
    predictor = fit(tmp_path / "p", table, SOME)
    assert roc_auc_score(table["paid"] == "yes", predictor.predict_proba(table, model=NAME)["yes"]) > 0.9


def test_our_presets_let_texts_through_to_it_and_twins_live_with_them(tmp_path: Path) -> None:
    preset = make_preset({}, classifier=True, method="random")
    predictor = fit(
        tmp_path / "p",
        with_notes(),
        presets=[preset],
        hyperparameters={"LR": {}},
        ag_args_fit={"max_time_limit": 5},
    )
    assert {NAME, "LinearModel", "LinearModelImb"} <= set(predictor.model_names())
    assert texts_of(children(predictor)[0]) == ["note"]


def test_a_twin_writes_rows_of_a_table_with_raw_texts(tmp_path: Path) -> None:
    quick = {f"ag.imbllm.{key}": value for key, value in TINY.items()}
    predictor = fit(tmp_path / "p", with_notes(), hyperparameters={"IMBLLM_CLF": QUICK, "LR_IMB": quick})
    twin = predictor._trainer.load_model("LinearModelImb")
    assert twin.imbllm_report["added"]
    assert twin.imbllm_report["oversampling"]["original_features"] is True
    assert isinstance(predictor.predict(with_notes(), model="LinearModelImb"), pd.Series)


@pytest.mark.parametrize("clauses", ["text", pytest.param("tokens", marks=pytest.mark.exhaustive)])
def test_a_pretrained_backbone_reads_names_and_texts(clauses: str, tmp_path: Path) -> None:
    folder = str(save_pretrained(tmp_path / "model", "llama"))
    own = {"backbone": folder, "clauses": clauses, "tuning": "top_blocks"}
    portfolio = {"IMBLLM_CLF": {**own, "steps": 2, "text_words": 16}}
    predictor = fit(tmp_path / "p", with_notes(120), hyperparameters=portfolio, num_bag_folds=2)
    model = children(predictor, f"{NAME}_BAG_L1")[0]
    assert model.params["instruction"] is True
    assert texts_of(model) == ["note"]
    assert set(model.model.schema.label.categories) == {"yes", "no"}
    again = TabularPredictor.load(predictor.path, verbosity=0)
    rows = with_notes(120).head(9)
    pd.testing.assert_frame_equal(again.predict_proba(rows), predictor.predict_proba(rows), atol=1e-6)
