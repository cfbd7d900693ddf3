"""Free texts, from a table to the classifier's sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from autogluon.tabular import TabularPredictor
from sklearn.metrics import roc_auc_score

from imbllm_autogluon.plugin.presets import make_preset
from tests.language.pretrained import save_pretrained
from tests.plugin.classifier_fits import NAME, QUICK, children, fit, with_notes
from tests.shared import TINY

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.plugin.classifier_model import ClassifierModel

SOME = {"warmup_steps": 40, "steps": 40}


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
    assert twin.imbllm_report["oversampling"]["raw_view"] is True
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
