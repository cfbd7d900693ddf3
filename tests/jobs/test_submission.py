"""Predictions in the form of a competition's sample."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from imbllm_autogluon.errors import ImbLLMError
from imbllm_autogluon.jobs.predict import predict_table
from imbllm_autogluon.jobs.submission import _asked_for, submission
from imbllm_autogluon.tables.io import read_table, write_table
from tests.jobs.fits import binary_outcome, houses, mixed_table, multiclass_outcome, target_outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAMES = ("test.csv", "sample.csv")


def unseen() -> pd.DataFrame:
    """Rows to predict with their label, a column more, and ids with leading zeros."""
    rows = mixed_table({"no": 9, "yes": 4}, seed=5)
    return rows.assign(id=[f"{place:03d}" for place in range(len(rows))], more=1.5)


def shuffled(ids: pd.Series[Any]) -> pd.Series[Any]:
    return ids.sample(frac=1, random_state=3).reset_index(drop=True)


def test_ids_columns_and_order_of_the_sample_are_kept_in_the_file(tmp_path: Path) -> None:
    predictor, test = binary_outcome().predictor, unseen()
    write_table(pd.DataFrame({"target": 0.5, "id": shuffled(test["id"])}), tmp_path / "sample.csv")
    sample = read_table(tmp_path / "sample.csv")
    table, content = submission(predictor, test, sample, sources=NAMES)
    chances = predict_table(predictor, test, proba=True).set_axis(test["id"])["yes"]
    assert table["target"].tolist() == chances[sample["id"]].tolist()
    assert content == "probabilities of 'yes' in 'target'; 13 rows, ids from 'id', in the order of sample.csv."
    write_table(table, tmp_path / "out.csv")
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert [line.split(",")[1] for line in lines] == ["id", *shuffled(test["id"])]
    assert lines[0] == "target,id"


def test_without_ids_the_order_of_the_test_table_counts() -> None:
    predictor, test = binary_outcome().predictor, unseen().drop(columns=["id", "label"])
    table, content = submission(predictor, test, pd.DataFrame({"answer": ["no"] * len(test)}))
    assert table["answer"].tolist() == predict_table(predictor, test)["label"].tolist()
    assert content == "classes in 'answer'; 13 rows, in the order of the test table."


@pytest.mark.parametrize("prefix", ["", "Status_", "label "])
def test_columns_named_like_classes_get_their_probabilities_and_a_class_too_rare_to_learn_none(prefix: str) -> None:
    predictor, test = multiclass_outcome().predictor, unseen()
    sample = pd.DataFrame({"id": test["id"], **{f"{prefix}{name}": 0.25 for name in "cbda"}})
    table, _ = submission(predictor, test, sample)
    assert list(table) == list(sample)
    assert table.drop(columns="id").sum(axis=1).to_numpy() == pytest.approx(1)
    assert table[f"{prefix}b"].tolist() == predict_table(predictor, test, proba=True)["b"].tolist()
    assert set(table[f"{prefix}d"]) == {0}


def test_numbers_fill_one_column() -> None:
    predictor, test = target_outcome().predictor, houses(20, seed=4).drop(columns="price")
    table, content = submission(predictor, test.assign(Id=range(20)), pd.DataFrame({"Id": range(19, -1, -1), "y": 0}))
    assert table["y"].tolist() == predict_table(predictor, test)["price"].tolist()[::-1]
    assert content.startswith("numbers in 'y'")


def sample_of(**columns: Any) -> pd.DataFrame:
    return pd.DataFrame({"id": unseen()["id"], **columns})


BAD_SAMPLES: dict[str, tuple[Callable[[], Any], pd.DataFrame, dict[str, Any], str]] = {
    "ids of one only": (
        binary_outcome,
        sample_of(y=0.5).replace({"id": {"003": "x3"}}),
        {},
        r"ids in 'id' are not the same: 1 only in test.csv \('003'\); 1 only in sample.csv \('x3'\); take files",
    ),
    "fewer rows": (binary_outcome, sample_of(y=0.5)[:5], {}, r"8 only in test.csv \('005', '006', '007', ...\)"),
    "lost zeros": (
        binary_outcome,
        sample_of(y=0.5).astype({"id": int}),
        {},
        r"test.csv \('000', '001', '002', ...\).*sample.csv \('0', .*write these numbers alike",
    ),
    "repeated ids": (
        binary_outcome,
        sample_of(y=0.5).replace({"id": {"003": "004"}}),
        {},
        "sample.csv: the column of ids 'id' repeats '004'; each row needs its own",
    ),
    "missing ids": (
        binary_outcome,
        sample_of(y=0.5).replace({"id": {"003": None}}),
        {},
        r"sample.csv: the column of ids 'id' is empty in 1 row\(s\)",
    ),
    "no such ids": (
        binary_outcome,
        sample_of(y=0.5),
        {"id_column": "Id"},
        r"test.csv has no column of ids 'Id' \(did you mean 'id'\?\)",
    ),
    "two shared": (binary_outcome, sample_of(y=0.5, more=1.5), {}, "share 'id', 'more': say with --id"),
    "no ids and other rows": (
        binary_outcome,
        sample_of(y=0.5)[["y"]][:5],
        {},
        "5 rows and test.csv 13",
    ),
    "nothing to fill": (binary_outcome, sample_of(), {}, "no column to fill"),
    "other columns": (
        multiclass_outcome,
        sample_of(a=0.1, b=0.1, e=0.8),
        {},
        r"'a', 'b', 'e' to fill, which are not named like the classes of 'label' \('a', 'b', 'c', 'd'\)",
    ),
    "unknown class": (binary_outcome, sample_of(y="Yes"), {}, "column 'y' holds 'Yes', no class of 'label'"),
    "probabilities of several": (multiclass_outcome, sample_of(y="a"), {"answers": "proba"}, "leave out --proba"),
    "classes in several": (multiclass_outcome, sample_of(a=0, b=0, c=0, d=0), {"answers": "classes"}, "--classes"),
    "classes of numbers": (target_outcome, sample_of(price=0), {"answers": "classes"}, "leave out --classes"),
    "two numbers": (
        target_outcome,
        sample_of(price=0, y=1),
        {},
        "'price', 'y' to fill, and .* one number",
    ),
    "words for numbers": (
        target_outcome,
        sample_of(price="low"),
        {},
        "has 'low' in column 'price', and",
    ),
}


@pytest.mark.parametrize(("outcome", "sample", "options", "message"), BAD_SAMPLES.values(), ids=BAD_SAMPLES)
def test_a_sample_that_does_not_fit_is_refused_and_says_why(
    outcome: Callable[[], Any], sample: pd.DataFrame, options: dict[str, Any], message: str
) -> None:
    test = unseen() if outcome is not target_outcome else houses(13).drop(columns="price").assign(id=unseen()["id"])
    with pytest.raises(ImbLLMError, match=message):
        submission(outcome().predictor, test, sample, sources=NAMES, **options)


@pytest.mark.parametrize(
    ("cells", "metric_reads_classes", "problem", "wanted"),
    [
        ([0.5, 0.5], True, "binary", "proba"),
        ([0.0, 0.0], True, "binary", "proba"),
        ([0, 0], True, "binary", "classes"),
        ([0, 0], False, "binary", "proba"),
        ([0, 1], False, "binary", "proba"),
        ([0, 1], True, "binary", "classes"),
        ([None, None], False, "binary", "proba"),
        ([None, None], True, "binary", "classes"),
        ([2, 2], True, "binary", "proba"),
        ([0, 0], False, "multiclass", "classes"),
        ([7, 7], False, "multiclass", "classes"),
    ],
)
def test_cells_and_metric_say_whether_probabilities_are_asked_for(
    tmp_path: Path, cells: list[Any], metric_reads_classes: bool, problem: str, wanted: str
) -> None:
    metric = SimpleNamespace(needs_pred=metric_reads_classes, name="the metric")
    predictor: Any = SimpleNamespace(problem_type=problem, label="y", eval_metric=metric, path=str(tmp_path))
    assert _asked_for(pd.Series(cells, name="y"), ["0", "1"], predictor, "sample.csv")[0] == wanted
    (tmp_path / "imbllm_fit.json").write_text('{"effort": {"metric chosen": false}}')
    if cells == [0, 1]:
        assert _asked_for(pd.Series(cells, name="y"), ["0", "1"], predictor, "sample.csv")[0] == "classes"


def test_names_of_classes_ask_for_classes_whatever_the_metric() -> None:
    predictor = binary_outcome().predictor
    assert not predictor.eval_metric.needs_pred
    assert _asked_for(pd.Series(["no", "no"]), ["no", "yes"], predictor, "sample.csv") == ("classes", "")
