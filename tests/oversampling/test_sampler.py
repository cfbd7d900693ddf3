from __future__ import annotations

import datetime
import inspect
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.pipeline import make_pipeline
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import OneHotEncoder

from imbllm_autogluon import ImbLLMOverSampler
from imbllm_autogluon.errors import ClassTooSmallError, TableError
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.methods import GENERATORS
from tests.tables.frames import ODD, series_of

QUICK: dict[str, Any] = {"pretrain_steps": 1, "steps": 1, "random_state": 0, "plausibility": 0.0}
"""No row is refused as implausible: those of an untrained model all would be."""

Table = tuple[pd.DataFrame, "pd.Series[str]"]
pytestmark = pytest.mark.usefixtures("uniform_backbone")


@pytest.mark.parametrize(
    ("strategy", "rare_rows"),
    [
        ("auto", 170),
        ("minority", 170),
        ("not majority", 170),
        ("all", 170),
        (0.5, 85),
        ({"yes": 40}, 40),
        (lambda y: {"yes": 31}, 31),
    ],
)
def test_every_form_of_the_sampling_strategy_gives_exact_counts(
    small_table: Table, strategy: Any, rare_rows: int
) -> None:
    X, y = ImbLLMOverSampler(sampling_strategy=strategy, **QUICK).fit_resample(*small_table)
    assert len(X) == len(y)
    assert y.value_counts().to_dict() == {"no": 170, "yes": rare_rows}


def test_a_class_of_one_row_is_left_as_it_is_and_said_once_unless_it_is_named(
    small_table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    X, y = small_table
    y = y.astype(object).where(y.index != y.index[0], "lone")
    _, resampled = ImbLLMOverSampler(**QUICK).fit_resample(X, y)
    sizes = resampled.value_counts()
    assert (sizes["lone"], sizes["yes"]) == (1, sizes["no"])
    assert [record.getMessage() for record in caplog.records] == [
        "Too small to continue, and left as it is: 'lone' (1 row)."
    ]
    with pytest.raises(ClassTooSmallError, match=r"'lone' has 1 row"):
        ImbLLMOverSampler(sampling_strategy={"lone": 9}, **QUICK).fit_resample(X, y)


def test_real_rows_come_first_and_unchanged_and_the_mask_tells_them_apart(small_table: Table) -> None:
    sampler = ImbLLMOverSampler(**QUICK)
    X, y = sampler.fit_resample(*small_table)
    pd.testing.assert_frame_equal(X.iloc[:200], small_table[0])
    pd.testing.assert_series_equal(y.iloc[:200], small_table[1])
    assert sampler.synthetic_mask_.tolist() == [False] * 200 + [True] * 140
    assert set(y[sampler.synthetic_mask_]) == {"yes"}


def test_the_callers_table_is_not_modified(small_table: Table) -> None:
    X, y = small_table[0].copy(deep=True), small_table[1].copy(deep=True)
    ImbLLMOverSampler(**QUICK).fit_resample(X, y)
    pd.testing.assert_frame_equal(X, small_table[0])
    pd.testing.assert_series_equal(y, small_table[1])


def test_dtypes_of_every_family_come_back_as_they_went_in(small_table: Table) -> None:
    X, y = small_table
    rich = X.assign(
        nullable=pd.array(np.arange(200) % 7, dtype="Int16"),
        arrow=pd.Series(np.arange(200) % 5).astype("string[pyarrow]"),
        when=pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(200) % 40, unit="D"),
        single=np.linspace(0, 1, 200).round(2).astype("float32"),
        ordered=pd.Categorical(np.arange(200) % 3, categories=[2, 1, 0, 9], ordered=True),
    )
    resampled, _ = ImbLLMOverSampler(**QUICK).fit_resample(rich, y)
    assert resampled.dtypes.to_dict() == rich.dtypes.to_dict()
    assert resampled["when"].iloc[200:].between(rich["when"].min(), rich["when"].max()).all()


_HALF = np.arange(200) % 2
_UNUSUAL: dict[str, Any] = {
    "sparse": pd.arrays.SparseArray(1.0 * _HALF),
    "sparse gaps": pd.arrays.SparseArray(np.where(_HALF, 1.0, np.nan)),
    "day": pd.array(pd.date_range("2020", periods=200), dtype="date32[pyarrow]"),
    "time": pd.array([datetime.time(1 + i % 3) for i in range(200)], dtype="time64[us][pyarrow]"),
    "span": pd.array(pd.to_timedelta(range(200), unit="h"), dtype="duration[s][pyarrow]"),
    "bytes": pd.array([b"a", b"b"] * 100, dtype="binary[pyarrow]"),
    "nothing": pd.array([None] * 200, dtype="null[pyarrow]"),
    "half float": pd.array(np.linspace(0, 1, 200).astype("float16"), dtype="halffloat[pyarrow]"),
    "codes": pd.Series(["a", "b"] * 100).astype(pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))),
    "months": pd.period_range("2001", periods=200, freq="M"),
    "local": pd.date_range("2020-10-25", periods=200, tz="Europe/Zurich", freq="15min"),
    "only gaps": pd.Categorical([None] * 200, categories=["z"]),
    "no levels": pd.Categorical([None] * 200),
    "sets": [frozenset([i % 3]) for i in range(200)],
    "ends": np.where(_HALF, 2**63 - 1, -(2**63)),
    "near the end": 2**63 - 1 - np.arange(200),
    "huge": np.where(_HALF, 1.7e308, -1.7e308),
    "far": np.where(np.arange(200) == 3, 1e300, np.linspace(0, 1, 200)),
    "unknown": pd.array([True, False, None, True] * 50, dtype="boolean"),
    "like a clause": ["bought is yes, a is 1", ", ", "\n", "missing"] * 50,
}


def test_columns_of_unusual_dtypes_keep_them_and_get_cells_they_could_hold(small_table: Table) -> None:
    X = pd.DataFrame(_UNUSUAL)
    resampled, _ = ImbLLMOverSampler(**QUICK).fit_resample(X, small_table[1])
    pd.testing.assert_frame_equal(resampled.head(200), X)
    new = resampled.iloc[200:]
    for name in ("sparse", "bytes", "codes", "sets", "ends", "unknown", "like a clause"):
        assert set(new[name].dropna()) <= set(X[name].dropna())
    for name in ("day", "span", "local", "near the end", "huge", "far"):
        assert new[name].between(X[name].min(), X[name].max()).all()


@pytest.mark.parametrize("dtype", ["float64", "float32", "int64"])
def test_arrays_give_arrays_of_the_same_dtype(dtype: str) -> None:
    rng = np.random.default_rng(0)
    X, y = (10 * rng.normal(size=(80, 3))).astype(dtype), np.repeat([0, 1], [60, 20])
    resampled, labels = ImbLLMOverSampler(**QUICK).fit_resample(X, y)
    assert (type(resampled), resampled.dtype, resampled.shape) == (np.ndarray, X.dtype, (120, 3))
    assert np.bincount(labels).tolist() == [60, 60]


def test_lists_give_lists() -> None:
    X, y = [[float(i), i % 3] for i in range(40)], ["a"] * 30 + ["b"] * 10
    resampled, labels = ImbLLMOverSampler(**QUICK).fit_resample(X, y)
    assert (type(resampled), type(labels), len(resampled)) == (list, list, 60)


def test_the_same_seed_gives_the_same_rows_and_another_seed_others(small_table: Table) -> None:
    first, second, other = (
        ImbLLMOverSampler(**{**QUICK, "random_state": seed}).fit_resample(*small_table)[0] for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, second)
    assert not first.equals(other)


def test_balanced_classes_are_returned_as_they_are(small_table: Table) -> None:
    X, y = small_table[0].iloc[:60], pd.Series(["a", "b"] * 30)
    sampler = ImbLLMOverSampler(**QUICK)
    resampled, labels = sampler.fit_resample(X, y)
    pd.testing.assert_frame_equal(resampled, X)
    assert labels.tolist() == y.tolist()
    assert not sampler.synthetic_mask_.any()
    assert sampler.report_.classes == ()


def test_it_works_inside_a_pipeline_and_cross_validation(small_table: Table) -> None:
    columns = make_column_transformer(
        (SimpleImputer(), ["income", "visits", "member"]), (OneHotEncoder(handle_unknown="ignore"), ["city"])
    )
    pipeline = make_pipeline(ImbLLMOverSampler(**QUICK), columns, LogisticRegression(max_iter=2000))
    scores = cross_val_score(pipeline, *small_table, cv=3, scoring="roc_auc", error_score="raise")
    assert scores.mean() > 0.6


def test_few_parameters_are_shown_and_all_settings_can_be_got_and_set_with_the_defaults_of_the_configuration() -> None:
    signature = inspect.signature(ImbLLMOverSampler).parameters
    own = {"sampling_strategy", "method", "random_state", "kinds", "threads", "settings"}
    assert own < set(signature)
    assert len(signature) <= 20
    assert {k: v for k, v in ImbLLMOverSampler().get_params().items() if k not in own} == GeneratorConfig().flat()
    assert ImbLLMOverSampler(settings={"beta": 0.5}).set_params(beta=0.9).config().measures.beta == 0.9


def test_other_settings_as_keywords_are_accepted_with_a_warning() -> None:
    with pytest.warns(FutureWarning, match=r"write settings=\{'start': 'class'\}"):
        assert ImbLLMOverSampler(start="class").config().query.start == "class"


def test_a_setting_that_nobody_knows_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(TypeError, match=r"no parameter 'temprature' \(did you mean 'temperature'\?\)"):
        ImbLLMOverSampler(temprature=1.0)


def test_the_mask_is_that_of_the_rows_that_are_there_where_pred_llm_gives_fewer(small_table: Table) -> None:
    settings = {"candidates_per_row": 1.0}
    sampler = ImbLLMOverSampler(sampling_strategy={"yes": 200}, method="pred_llm", settings=settings, **QUICK)
    X, y = sampler.fit_resample(*small_table)
    made = sampler.report_.classes[0].made
    assert 0 < made < sampler.report_.classes[0].requested
    assert len(X) == len(y) == len(sampler.synthetic_mask_) == len(small_table[0]) + made
    assert sampler.synthetic_mask_.sum() == made
    assert set(y[sampler.synthetic_mask_]) == {"yes"}


def test_its_representation_names_what_differs_from_the_defaults() -> None:
    sampler = ImbLLMOverSampler(method="pred_llm", steps=9, settings={"start": "class"})
    assert repr(sampler) == "ImbLLMOverSampler(method='pred_llm', settings={'start': 'class'}, steps=9)"


@pytest.mark.parametrize("method", GENERATORS)
def test_every_method_writes_the_wanted_rows_and_is_named_in_the_report(small_table: Table, method: str) -> None:
    sampler = ImbLLMOverSampler(sampling_strategy={"yes": 50}, method=method, **QUICK)
    X, y = sampler.fit_resample(*small_table)
    assert type(sampler.generator_) is GENERATORS[method]
    assert sampler.report_.method == method
    assert y.value_counts().to_dict() == {"no": 170, "yes": 50}
    pd.testing.assert_frame_equal(X.iloc[:200], small_table[0])
    assert X.dtypes.to_dict() == small_table[0].dtypes.to_dict()


def test_a_clone_has_the_same_parameters_and_set_params_changes_one() -> None:
    sampler = ImbLLMOverSampler(temperature=1.3, kinds={"zip": "categorical"})
    assert clone(sampler).get_params() == sampler.get_params()
    assert sampler.set_params(temperature=0.9).config().language.temperature == 0.9


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("sampling_strategy", -1.0),
        ("random_state", "seven"),
        ("threads", 0),
        ("temperature", 0.0),
        ("temperature", "0.7"),
        ("k_neighbors", 0),
        ("weighting", "inverted"),
        ("target_prior", {"no": 0.5}),
        ("candidates_per_row", 0.5),
        ("start", "label"),
        ("order", "y first"),
        ("column_order_share", 1.5),
        ("interpolation_ratio", -1),
        ("kinds", 3),
        ("method", "smote"),
    ],
)
def test_a_parameter_outside_its_range_is_refused_by_name(small_table: Table, parameter: str, value: Any) -> None:
    with pytest.raises(ValueError, match=parameter):
        ImbLLMOverSampler(**QUICK).set_params(**{"method": "pred_llm", parameter: value}).fit_resample(*small_table)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: X.assign(income=np.inf), "income"),
        (lambda X: X.set_axis(["a", "a", "income", "c"], axis=1), "a"),
    ],
)
def test_a_table_that_cannot_be_used_names_the_column(small_table: Table, spoil: Any, message: str) -> None:
    sampler = ImbLLMOverSampler(**QUICK, kinds={"income": "continuous"})
    with pytest.raises(TableError, match=message):
        sampler.fit_resample(spoil(small_table[0]), small_table[1])


@settings(max_examples=2, deadline=None)
@given(data=st.data())
def test_columns_that_nobody_can_read_keep_their_dtype_and_get_real_cells(data: st.DataObject) -> None:
    X = pd.DataFrame({kind: data.draw(series_of(kind, 24)) for kind in ODD})
    rows, _ = ImbLLMOverSampler(**QUICK).fit_resample(X.assign(n=range(24)), ["rare"] * 8 + ["common"] * 16)
    assert rows[X.columns].dtypes.equals(X.dtypes)
    for kind in ODD:
        real, written = ({(type(cell), repr(cell)) for cell in part} for part in (X[kind], rows[kind][24:]))
        assert written <= real, kind


def test_an_unreadable_column_is_copied_from_the_nearest_real_row_and_named_once(
    small_table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    X, y = small_table[0][["income"]], small_table[1]
    X = X.assign(pair=[[income] for income in X["income"]])
    for _ in range(2):
        sampler = ImbLLMOverSampler(**QUICK)
        rows = sampler.fit_resample(X, y)[0][200:]
    real = X["income"][y == "yes"].dropna().to_numpy()
    for income, (copied,) in rows.dropna().to_numpy().tolist():
        assert abs(real - income).min() == abs(copied - income)
    assert sum("'pair' holds cells of type list" in message for message in caplog.messages) == 1
    assert "'pair'" in sampler.report_.excluded["pair"]


NAMES: list[Any] = [
    pd.Index([("a", 1), ("b", 2)], tupleize_cols=False),
    pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["of", "number"]),
    pd.Index([np.int64(3), 0], name="place"),
    [None, "None"],
    [0, "zero"],
    [1.5, np.nan],
    [True, 1.5],
    pd.Index([pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01")]),
    [np.int64(2), "a\udc80"],
]


@pytest.mark.parametrize("names", NAMES, ids=str)
def test_columns_of_any_name_keep_it(small_table: Table, names: Any) -> None:
    X = small_table[0].iloc[:, :2].set_axis(names, axis=1)
    sampler = ImbLLMOverSampler(**QUICK, kinds={X.columns[0]: "categorical"})
    rows, _ = sampler.fit_resample(X, small_table[1])
    pd.testing.assert_index_equal(rows.columns, X.columns)
    assert sampler.generator_.schema.columns[0].kind == "categorical"
    assert rows.dtypes.tolist() == X.dtypes.tolist()


def test_sparse_matrices_are_refused() -> None:
    with pytest.raises(TypeError, match=r"[Ss]parse"):
        ImbLLMOverSampler(**QUICK).fit_resample(sparse.eye(20, format="csr"), [0] * 15 + [1] * 5)


def test_user_kinds_reach_the_generator(small_table: Table) -> None:
    X = small_table[0].assign(zip=[f"{i % 9:05d}" for i in range(200)])
    sampler = ImbLLMOverSampler(kinds={"visits": "categorical"}, **QUICK)
    resampled, _ = sampler.fit_resample(X, small_table[1])
    kinds = {column.name: column.kind for column in sampler.generator_.schema.columns}
    assert kinds["visits"] == "categorical"
    assert set(resampled["zip"]) == set(X["zip"]), "digit strings stay strings"


def array_of(kind: str) -> np.ndarray[Any, Any]:
    """80 rows of three columns."""
    rng = np.random.default_rng(0)
    words = rng.choice(["u", "v", "w, x", "é"], (80, 3))
    if kind == "object":
        return np.column_stack([words[:, 0].astype(object), rng.integers(0, 9, 80), rng.normal(size=80)])
    return words if kind == "text" else rng.random((80, 3)) < 0.5


@pytest.mark.parametrize("kind", ["object", "text", "boolean"])
def test_arrays_of_words_booleans_and_objects_come_back_as_such(kind: str) -> None:
    X, y = array_of(kind), np.repeat(["a", "b"], [60, 20])
    resampled, labels = ImbLLMOverSampler(**QUICK).fit_resample(X, y)
    assert (resampled.dtype, resampled.shape, labels.dtype) == (X.dtype, (120, 3), y.dtype)
    assert resampled[:80].tolist() == X.tolist()
    assert {type(cell) for cell in resampled.ravel().tolist()} == {type(cell) for cell in X.ravel().tolist()}


def test_an_infinite_column_of_an_array_is_copied_as_that_of_a_frame_is() -> None:
    X = np.random.default_rng(0).normal(size=(80, 2))
    X[::7, 1] = np.inf
    written = ImbLLMOverSampler(**QUICK).fit_resample(X, np.repeat(["a", "b"], [60, 20]))[0][80:]
    assert set(written[:, 1]) <= set(X[60:, 1])


@pytest.mark.parametrize("gap", ["x", None])
def test_the_numbers_of_mixed_lists_stay_numbers(gap: str | None) -> None:
    """NumPy makes text of them; trees would then split on strings."""
    X = [["u" if i % 3 else "v", i, i / 4, gap if i % 7 == 0 else "y"] for i in range(40)]
    resampled, _ = ImbLLMOverSampler(kinds={1: "integer"}, **QUICK).fit_resample(X, [0] * 30 + [1] * 10)
    assert resampled[:40] == X
    assert [{type(row[j]) for row in resampled} for j in range(4)] == [{str}, {int}, {float}, {str, type(gap)}]


@pytest.mark.parametrize(
    "dtype",
    [
        "string",
        "boolean",
        "Int64",
        "int8",
        "float64",
        "bool",
        "string[pyarrow]",
        "category",
        pd.CategoricalDtype([False, True]),
    ],
    ids=str,
)
def test_labels_of_any_dtype_keep_it(small_table: Table, dtype: Any) -> None:
    rare = small_table[1] == "yes"
    numbers = rare if isinstance(dtype, pd.CategoricalDtype) else rare.astype(int)
    y = (rare.map({True: "yes", False: "no"}) if "string" in str(dtype) else numbers).astype(dtype)
    _, labels = ImbLLMOverSampler(**QUICK).fit_resample(small_table[0], y)
    assert labels.dtype == y.dtype
    assert labels.value_counts().tolist() == [170, 170]
    assert labels.name == "bought"


def test_several_rare_classes_are_brought_to_the_largest(small_table: Table) -> None:
    X, y = small_table
    three = y.where(np.arange(200) % 10 > 0, "maybe")
    resampled, labels = ImbLLMOverSampler(**QUICK).fit_resample(X, three)
    assert set(labels.value_counts()) == {three.value_counts().max()}
    assert len(resampled) == len(labels)


@pytest.mark.parametrize("make", [np.random.RandomState, np.random.default_rng])
def test_numpy_generators_are_random_states(small_table: Table, make: Any) -> None:
    quick = {**QUICK, "sampling_strategy": 0.3}
    first, again = (
        ImbLLMOverSampler(**{**quick, "random_state": make(4)}).fit_resample(*small_table) for _ in range(2)
    )
    pd.testing.assert_frame_equal(first[0], again[0])


def test_what_was_learned_stands_in_fitted_attributes(small_table: Table) -> None:
    sampler = ImbLLMOverSampler(**QUICK)
    sampler.fit_resample(*small_table)
    assert sampler.sampling_strategy_ == {"yes": 140}
    assert sampler.n_features_in_ == 4
    assert sampler.feature_names_in_.tolist() == ["income", "visits", "city", "member"]
    assert sampler.report_.classes[0].made == 140
    assert len(sampler.generator_.sample({"yes": 5})[0]) == 5
