"""The original columns behind AutoGluon's codes, and rows written in them."""

from __future__ import annotations

import datetime
import ipaddress
import pickle
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from autogluon.common.features.feature_metadata import FeatureMetadata
from autogluon.features.generators import IdentityFeatureGenerator, PipelineFeatureGenerator
from autogluon.tabular import TabularPredictor

from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.plugin.classifier_model import _features_made_of_texts
from imbllm_autogluon.plugin.original_features import (
    OriginalColumns,
    RawView,
    exact_view,
    kinds_of_features,
    stack_features,
    text_features,
    unwritten_features,
)
from imbllm_autogluon.plugin.presets import make_preset
from imbllm_autogluon.plugin.stage import OversamplingMixin
from imbllm_autogluon.rebalancing.rows import ROWS_CACHE
from tests.language.pretrained import save_pretrained
from tests.plugin.tables import QUICK, imbalanced_table

if TYPE_CHECKING:
    from collections.abc import Iterator

X = pd.DataFrame(
    {"flag": [0, 1], "note.words": [1, 2], "city": pd.Categorical([0, 1]), "base": [0.1, 0.9], "n": [3, 4]}
)
METADATA = FeatureMetadata(
    type_map_raw={"flag": "int", "note.words": "int", "city": "category", "base": "float", "n": "int"},
    type_group_map_special={"bool": ["flag"], "text_ngram": ["note.words"], "stack": ["base"]},
)


def test_autogluons_metadata_tells_what_dtypes_do_not() -> None:
    assert kinds_of_features(METADATA, X) == {"flag": "boolean", "note.words": "text", "city": "categorical"}


def test_stack_features_are_the_predictions_of_a_lower_level() -> None:
    assert stack_features(METADATA, X) == ["base"]
    assert stack_features(METADATA, X.drop(columns="base")) == []


def test_predictions_of_a_lower_level_and_columns_unknown_to_autogluon_are_not_written() -> None:
    wider = X.assign(weight=0.5)
    assert unwritten_features(METADATA, wider) == ["base", "weight"]
    assert unwritten_features(METADATA, X.drop(columns="base")) == []
    assert unwritten_features(None, wider) == []


def test_without_metadata_dtypes_decide_alone() -> None:
    assert kinds_of_features(None, X) == {"city": "categorical"}


TEXTS = pd.DataFrame({"note_raw_text": ["a b", "c"], "note": pd.Categorical([0, 1]), "note.words": [2, 1], "n": [3, 4]})
OF_TEXTS = FeatureMetadata(
    type_map_raw={"note_raw_text": "object", "note": "category", "note.words": "int", "n": "int"},
    type_group_map_special={"text": ["note_raw_text"], "text_as_category": ["note"], "text_special": ["note.words"]},
)


def test_a_model_that_reads_texts_takes_counts_of_words_for_numbers() -> None:
    assert kinds_of_features(OF_TEXTS, TEXTS, read=True) == {"note_raw_text": "text", "note": "categorical"}
    assert kinds_of_features(METADATA, X, read=True) == {"flag": "boolean", "city": "categorical"}


def test_what_is_made_of_texts_is_said_by_them_where_they_are_there() -> None:
    assert set(_features_made_of_texts(OF_TEXTS)) == {"note", "note.words"}
    assert _features_made_of_texts(METADATA) == []


N_ROWS = 160
WORDS = ["good", "bad", "late", "paid", "slow", "bill", "client", "call"]


def table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = imbalanced_table(N_ROWS, rare=0.25)
    frame["smoker"] = rng.choice(["ja", "nein"], N_ROWS)
    frame.loc[rng.random(N_ROWS) < 0.1, "city"] = None
    return frame


def with_texts() -> pd.DataFrame:
    rng = np.random.default_rng(2)
    texts = [" ".join(rng.choice(WORDS, 6)) for _ in range(N_ROWS)]
    return imbalanced_table(N_ROWS, rare=0.25).assign(note=texts)


def fit(path: Path, frame: pd.DataFrame, twin: dict[str, Any] | None = None, **options: Any) -> TabularPredictor:
    predictor = TabularPredictor("paid", eval_metric="roc_auc", path=str(path), verbosity=0)
    portfolio = {"DUMMY": {}} if twin is None else {"LR_IMB": twin}
    return predictor.fit(
        frame, hyperparameters=portfolio, fit_weighted_ensemble=False, num_cpus=1, ag_args_fit=QUICK, **options
    )


class Doubled(IdentityFeatureGenerator):
    """Makes of calls what no view can take back."""

    def _transform(self, X: pd.DataFrame) -> pd.DataFrame:
        return super()._transform(X).assign(calls=2 * X["calls"])

    def _fit_transform(self, X: pd.DataFrame, **kwargs: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
        return self._transform(X), self.feature_metadata_in.type_group_map_special


def recorded(
    patch: pytest.MonkeyPatch, path: Path, frame: pd.DataFrame, twin: dict[str, Any], **options: Any
) -> SimpleNamespace:
    """A fit, what it gave to the generator, and what came back from it."""
    seen = SimpleNamespace()
    train, write = ImbLLM.fit, OversamplingMixin.write_rows

    def fit_and_note(self: ImbLLM, X: pd.DataFrame, y: pd.Series, *rest: Any, **kwargs: Any) -> ImbLLM:
        seen.raw, seen.labels, seen.kinds = X, y, dict(kwargs["kinds"])
        return train(self, X, y, *rest, **kwargs)

    def write_and_note(self: OversamplingMixin, X: pd.DataFrame, y: pd.Series, *rest: Any) -> Any:
        rows = write(self, X, y, *rest)
        seen.X, seen.y, seen.written, seen.written_labels, seen.report = X, y, rows.X, rows.y, rows.report
        return rows

    patch.setattr(ImbLLM, "fit", fit_and_note)
    patch.setattr(OversamplingMixin, "write_rows", write_and_note)
    seen.predictor = fit(path, frame, twin, **options)
    return seen


def view_of(predictor: TabularPredictor, frame: pd.DataFrame) -> tuple[RawView, pd.DataFrame]:
    """The view, and the rows as models see them."""
    X = predictor.transform_features(frame.drop(columns="paid"))
    view = exact_view(Path(predictor.path), X, predictor.feature_metadata)
    assert view is not None
    return view, X


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    with pytest.MonkeyPatch.context() as patch:
        yield recorded(patch, tmp_path_factory.mktemp("raw") / "p", table(), {})


@pytest.fixture(scope="module")
def seen_texts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    with pytest.MonkeyPatch.context() as patch:
        yield recorded(patch, tmp_path_factory.mktemp("texts") / "p", with_texts(), {})


def test_the_generator_learns_from_the_original_values(seen: SimpleNamespace) -> None:
    original = table().loc[seen.raw.index]
    assert list(seen.raw.columns) == [name for name in original if name != "paid"]
    for name in ("income", "calls", "member", "since"):
        pd.testing.assert_series_equal(seen.raw[name], original[name])
    assert seen.raw["member"].dtype == bool
    assert seen.raw["since"].dtype == "datetime64[ns]"
    # None and NaN are both a missing cell.
    assert seen.raw["city"].fillna("?").tolist() == original["city"].fillna("?").tolist()
    assert seen.kinds == {"city": "categorical", "member": "boolean", "since": "datetime", "smoker": "categorical"}


def test_the_generator_learns_the_names_of_the_labels(seen: SimpleNamespace) -> None:
    pd.testing.assert_series_equal(seen.labels, table()["paid"].loc[seen.labels.index], check_dtype=False)
    assert seen.report["original_features"] is True
    assert [each["label"] for each in seen.report["classes"]] == ["no"]


def test_written_rows_come_back_in_the_columns_dtypes_and_codes_of_the_fold(seen: SimpleNamespace) -> None:
    assert list(seen.written.columns) == list(seen.X.columns)
    assert seen.written.dtypes.equals(seen.X.dtypes)
    assert seen.written_labels.dtype == seen.y.dtype
    assert set(seen.written_labels) == {int(seen.y.value_counts().idxmin())}


def test_the_parts_of_a_written_date_agree_with_it(seen: SimpleNamespace) -> None:
    moments = pd.to_datetime(seen.written["since"])
    assert len(set(moments)) > 1
    for part in ("year", "month", "day", "dayofweek"):
        assert seen.written[f"since.{part}"].tolist() == getattr(moments.dt, part).tolist()


def test_the_rows_are_the_same_whether_they_were_just_written_or_read_from_the_cache(seen: SimpleNamespace) -> None:
    with pytest.MonkeyPatch.context() as patch:
        again = recorded(patch, Path(seen.predictor.path + "-again"), table(), {"ag.imbllm.cache_dir": cache_of(seen)})
    assert again.report["written_here"] is False
    pd.testing.assert_frame_equal(again.written, seen.written)
    pd.testing.assert_series_equal(again.written_labels, seen.written_labels)


def test_every_language_model_learns_from_the_original_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    great = recorded(monkeypatch, tmp_path / "p", table(), {"ag.imbllm.method": "great"})
    assert (great.report["method"], great.report["original_features"]) == ("great", True)
    assert set(great.written_labels) == {int(great.y.value_counts().idxmin())}


def cache_of(seen: SimpleNamespace) -> str:
    return str(Path(seen.predictor.path) / "utils" / "imbllm")


def test_columns_made_of_texts_are_copied_together_from_one_real_row(seen_texts: SimpleNamespace) -> None:
    derived = text_features(seen_texts.predictor.feature_metadata, seen_texts.X)
    assert any(name.startswith("__nlp__") for name in derived)
    assert any(name.startswith("note.") for name in derived)
    real = {tuple(row) for row in seen_texts.X[derived].to_numpy()}
    assert {tuple(row) for row in seen_texts.written[derived].to_numpy()} <= real
    assert seen_texts.report["original_features"] is True
    assert "note" not in seen_texts.raw


def test_features_of_a_written_text_are_made_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    backbone = {"ag.imbllm.backbone": str(save_pretrained(tmp_path / "llama", "llama")), "ag.imbllm.device": "cpu"}
    raw_text = {"enable_raw_text_features": True}
    seen = recorded(monkeypatch, tmp_path / "p", with_texts(), backbone, _feature_generator_kwargs=raw_text)
    assert seen.kinds["note"] == "text"
    texts = seen.written["note_raw_text"]
    assert not set(texts) & set(seen.X["note_raw_text"])
    counts = text_features(seen.predictor.feature_metadata, seen.X)
    assert any(name.startswith("__nlp__.") for name in counts)
    made = seen.predictor._learner.feature_generator.transform(with_texts().head(len(texts)).assign(note=list(texts)))
    pd.testing.assert_frame_equal(made[counts].reset_index(drop=True), seen.written[counts].reset_index(drop=True))
    assert seen.report["classes"][0]["texts_written"] == len(texts)


def test_presets_let_texts_through_where_twins_write_them() -> None:
    for options, lets in (
        ({}, False),
        ({"backbone": "smollm2"}, True),
        ({"backbone": "smollm2", "texts": "copy"}, False),
    ):
        made = make_preset("medium_quality", **options)  # type: ignore[arg-type]
        assert ("enable_raw_text_features" in (made.get("_feature_generator_kwargs") or {})) == lets


def test_a_table_of_nothing_but_texts_is_balanced_by_repeating_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = recorded(monkeypatch, tmp_path / "p", with_texts()[["note", "paid"]], {})
    real = {tuple(row) for row in seen.X.to_numpy()}
    assert {tuple(row) for row in seen.written.to_numpy()} <= real
    assert seen.report["classes"][0]["method"] == "duplication"


def test_raw_view_off_hands_over_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = recorded(monkeypatch, tmp_path / "p", table(), {"ag.imbllm.original_features": False})
    assert codes_were_used(seen)


def test_a_feature_generator_of_the_users_own_leads_to_codes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = PipelineFeatureGenerator(generators=[[Doubled()]], verbosity=0)
    numbers = table()[["income", "calls", "paid"]].assign(more=range(N_ROWS)).fillna(0.0)
    seen = recorded(monkeypatch, tmp_path / "p", numbers, {}, feature_generator=own)
    assert codes_were_used(seen)


def test_a_view_that_changes_real_rows_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RawView, "is_exact", lambda *_: False)
    assert codes_were_used(recorded(monkeypatch, tmp_path / "p", table(), {}))


def codes_were_used(seen: SimpleNamespace) -> bool:
    same = list(seen.raw.columns) == list(seen.X.columns) and set(seen.labels) == {0, 1}
    return same and "original_features" not in seen.report and seen.written.dtypes.equals(seen.X.dtypes)


def test_without_the_file_of_the_learner_there_is_no_view(tmp_path: Path) -> None:
    rows = pd.DataFrame({"a": [1]})
    assert exact_view(None, rows, None) is None
    assert exact_view(tmp_path, rows, None) is None
    (tmp_path / "learner.pkl").write_bytes(b"not a pickle")
    assert exact_view(tmp_path, rows, None) is None


def test_a_view_is_read_again_when_the_predictor_was_fitted_again(tmp_path: Path) -> None:
    towns = table().rename(columns={"city": "town"})
    predictor, other = fit(tmp_path / "p", table()), fit(tmp_path / "q", towns)
    first = view_of(predictor, table())[0]
    assert view_of(predictor, table())[0].columns is first.columns
    (tmp_path / "p" / "learner.pkl").write_bytes((tmp_path / "q" / "learner.pkl").read_bytes())
    X = other.transform_features(towns.drop(columns="paid"))
    second = exact_view(tmp_path / "p", X, other.feature_metadata)
    assert second is not None
    assert "town" in second.columns.categories


RNG = np.random.default_rng(3)
MOMENTS = pd.Series(pd.date_range("2020-01-01", periods=N_ROWS, freq="7h"))


@pytest.mark.parametrize(
    ("column", "original"),
    [
        (np.ones(N_ROWS, dtype=int), None),
        (np.full(N_ROWS, np.nan), None),
        ([f"id {i}" for i in range(N_ROWS)], None),
        (RNG.choice([3, 7], N_ROWS), {0, 7}),
        (RNG.choice([0, 1], N_ROWS), {0, 1}),
        (RNG.choice([np.nan, 7.5], N_ROWS), {0.0, 7.5}),
        (pd.Categorical(RNG.integers(0, 4, N_ROWS) * 10), {0, 10, 20, 30}),
        (np.where(RNG.random(N_ROWS) < 0.1, [f"once {i}" for i in range(N_ROWS)], RNG.choice(["a", "b"], N_ROWS)), ...),
        (pd.array(RNG.choice(["a", "b", "c"], N_ROWS), dtype="string"), {"a", "b", "c"}),
        (MOMENTS.mask(RNG.random(N_ROWS) < 0.1), ...),
        (MOMENTS.dt.tz_localize("Europe/Oslo"), ...),
        (MOMENTS.astype("datetime64[us]"), set(MOMENTS)),
        (MOMENTS.astype("datetime64[s]"), set(MOMENTS)),
        (MOMENTS.dt.strftime("%Y-%m-%d %H:%M"), set(MOMENTS)),
        (RNG.random(N_ROWS).astype("float32"), ...),
    ],
    ids=[
        "constant", "empty", "identifiers", "two numbers", "zero and one", "one number", "numbered categories",
        "rare categories", "string", "missing dates", "dates of a zone", "microseconds", "seconds", "dates as text",
        "float32",
    ],
)  # fmt: skip
def test_real_rows_come_back_exactly_from_columns_of_every_type(column: Any, original: Any, tmp_path: Path) -> None:
    frame = imbalanced_table(N_ROWS)
    frame["x"] = pd.Series(column).set_axis(frame.index)
    view, X = view_of(fit(tmp_path / "p", frame), frame)
    raw, kinds = view.raw(X)
    if original == {0, 7}:  # any other number would count as one of the two
        assert kinds["x"] == "categorical"
    if original is None:  # AutoGluon dropped the column
        assert "x" not in raw
    elif original is not ...:
        assert set(raw["x"].dropna()) == original


ODD_VALUES: dict[str, list[Any]] = {
    "two dates": [datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)],
    "two times": [datetime.time(1), datetime.time(2)],
    "ranges": [*pd.cut([1, 5, 9], 3)],
    "a boolean beside texts": [True, "no", "?"],
    "fractions": [Fraction(1, 3), Fraction(1, 7), Fraction(1, 2)],
    "addresses": [ipaddress.ip_address("1.1.1.1"), ipaddress.ip_address("1.1.1.2")],
    "paths": [Path("a"), Path("b"), Path("c")],
    "half characters": ["a\udc80", "b", "c"],
    "infinite or not": [np.inf, 1.5],
    "moments, one in a zone": [pd.Timestamp("2020-01-01", tz="UTC"), pd.Timestamp("2020-01-01")],
}


# AutoGluon makes an index of the timestamps.
@pytest.mark.filterwarnings("ignore:Dtype inference on a pandas object:FutureWarning")
@pytest.mark.parametrize("labels", [("yes", "no"), (datetime.date(2020, 1, 1), datetime.date(2021, 1, 1))], ids=str)
def test_what_no_file_holds_is_written_and_stored_in_codes_of_real_values(
    labels: tuple[Any, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = imbalanced_table(N_ROWS, rare=0.25)
    frame["paid"] = frame["paid"].map({"yes": labels[0], "no": labels[1]})
    for name, values in ODD_VALUES.items():
        places = RNG.integers(0, len(values), N_ROWS)
        frame[name] = pd.Series([values[place] for place in places], dtype=object, index=frame.index)
    seen = recorded(monkeypatch, tmp_path / "p", frame, {})
    assert seen.report["original_features"] is True
    assert ROWS_CACHE.keys(Path(cache_of(seen))) == [seen.report["rows"]]
    for name in ODD_VALUES:
        assert len(set(seen.written[name])) > 1, name
        assert set(seen.written[name]) <= set(seen.X[name]), name


Fitted = tuple[pd.DataFrame, pd.DataFrame, OriginalColumns]
"""The original table, its rows as models see them, and how they came about."""


def noted_table() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = imbalanced_table(N_ROWS, rare=0.25).assign(smoker=rng.choice(["ja", "nein"], N_ROWS))
    frame.loc[rng.random(N_ROWS) < 0.1, "city"] = None
    words = ["good", "bad", "late", "paid", "slow", "bill", "client", "call"]
    frame["note"] = [" ".join(rng.choice(words, 6)) for _ in range(N_ROWS)]
    frame.loc[rng.random(N_ROWS) < 0.1, "note"] = None
    return frame


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fitted]:
    predictor = TabularPredictor("paid", path=str(tmp_path_factory.mktemp("columns") / "p"), verbosity=0)
    raw_text = {"enable_raw_text_features": True}
    predictor.fit(noted_table(), hyperparameters={"DUMMY": {}}, num_cpus=1, _feature_generator_kwargs=raw_text)
    original = noted_table().drop(columns="paid")
    X = predictor.transform_features(original)
    return original, X, OriginalColumns.from_generator(predictor._learner.feature_generator)


def test_rows_of_models_become_rows_of_the_original_table(fitted: Fitted) -> None:
    original, X, columns = fitted
    raw, kinds = columns.raw(X)
    assert list(raw.columns) == list(original.columns)
    assert raw.index.equals(original.index)
    for name in ("income", "calls", "member", "since"):
        pd.testing.assert_series_equal(raw[name], original[name])
    for name in ("city", "note"):
        assert raw[name].fillna("?").tolist() == original[name].fillna("?").tolist()
        assert raw[name].isna().any()
    assert kinds == {
        "city": "categorical",
        "member": "boolean",
        "since": "datetime",
        "smoker": "categorical",
        "note": "text",
    }


def test_of_two_texts_the_one_that_is_not_stored_is_written_as_the_opposite(fitted: Fitted) -> None:
    original, X, columns = fitted
    known = columns.booleans["smoker"]
    expected = [value if value == known else f"not {known}" for value in original["smoker"]]
    assert columns.raw(X)[0]["smoker"].tolist() == expected


def test_columns_that_a_model_does_not_have_are_left_out(fitted: Fitted) -> None:
    _, X, columns = fitted
    raw, kinds = columns.raw(X[["city", "calls"]])
    assert list(raw.columns) == ["calls", "city"]
    assert kinds == {"city": "categorical"}


def test_parts_of_dates_say_nothing_more_and_other_columns_do(fitted: Fitted) -> None:
    _, X, columns = fitted
    wider = X.assign(LightGBM_BAG_L1=0.5)
    beyond = columns.beyond(wider)
    assert "LightGBM_BAG_L1" in beyond
    assert "since.year" in X.columns
    assert not [name for name in beyond if name.startswith("since") or name in columns.names]
    assert "note_raw_text" not in beyond
    assert any(name.startswith("__nlp__") for name in beyond)


def test_it_is_small_and_survives_a_pickle_without_autogluons_objects(fitted: Fitted) -> None:
    _, X, columns = fitted
    stored = pickle.dumps(columns)
    assert len(stored) < 20_000
    assert b"autogluon.features" not in stored
    again = pickle.loads(stored)
    pd.testing.assert_frame_equal(again.raw(X)[0], columns.raw(X)[0])


def test_a_category_that_was_not_there_is_missing(fitted: Fitted) -> None:
    _, X, columns = fitted
    raw, _ = columns.raw(X[["city"]].head(3).assign(city=pd.Categorical([np.nan] * 3, X["city"].cat.categories)))
    assert raw["city"].isna().all()
