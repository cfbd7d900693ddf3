"""Tables as arrays: finite numbers, codes within their levels, gaps marked, unseen values taken in."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.regression.config import EncoderConfig
from imbllm_autogluon.regression.encoder import _FURTHEST, _UNITS, TableMatrix, TabularEncoder, _PeriodicEmbedding


@pytest.fixture
def mixed() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "income": pd.Series(rng.lognormal(10, 1, 300)).mask(rng.random(300) < 0.2),
            "rooms": rng.integers(1, 9, 300),
            "town": pd.Series(rng.choice(["Oslo", "Bergen"], 300), dtype="category").mask(rng.random(300) < 0.1),
            "garden": rng.random(300) < 0.5,
            "built": pd.Timestamp("1990-01-01") + pd.to_timedelta(rng.integers(0, 9000, 300), unit="D"),
        }
    )


def test_numbers_times_and_marks_become_columns_and_categories_codes(mixed: pd.DataFrame) -> None:
    matrix = TableMatrix.fit(mixed)
    numbers, categories = matrix.transform(mixed)
    assert (numbers.dtype, numbers.shape, matrix.n_numbers) == (np.float32, (300, 4), 4)
    assert (categories.dtype, categories.shape, matrix.cardinalities) == (np.int64, (300, 2), (3, 3))
    assert np.isfinite(numbers).all()
    assert (categories >= 0).all()
    assert (categories < matrix.cardinalities).all()
    assert numbers[:, 3].tolist() == mixed["income"].isna().tolist()


def test_quantile_scaling_makes_a_skewed_column_normal(mixed: pd.DataFrame) -> None:
    known = mixed["income"].notna()
    incomes = TableMatrix.fit(mixed).transform(mixed)[0][known, 0]
    middle = np.sort(incomes)[10:-10]
    assert abs(middle.mean()) < 0.05
    assert abs(pd.Series(middle).skew()) < 0.2
    assert np.array_equal(np.argsort(incomes), np.argsort(mixed["income"][known]))


def test_standard_scaling_gives_mean_zero_and_deviation_one(mixed: pd.DataFrame) -> None:
    rooms = TableMatrix.fit(mixed, scaling="standard").transform(mixed)[0][:, 1]
    assert (rooms.mean(), rooms.std()) == pytest.approx((0.0, 1.0), abs=1e-5)


@pytest.mark.parametrize("scaling", ["quantile", "standard"])
def test_a_missing_number_stands_at_the_median(mixed: pd.DataFrame, scaling: str) -> None:
    matrix = TableMatrix.fit(mixed, scaling=scaling)  # type: ignore[arg-type]
    row = mixed.head(1).assign(income=mixed["income"].median())
    at_median, missing = matrix.transform(row)[0], matrix.transform(row.assign(income=np.nan))[0]
    assert at_median[0, :3] == pytest.approx(missing[0, :3], abs=1e-6)
    assert (at_median[0, 3], missing[0, 3]) == (0.0, 1.0)


def test_a_column_that_first_lacks_cells_later_is_filled_without_a_mark() -> None:
    matrix = TableMatrix.fit(pd.DataFrame({"a": [1.0, 2.0, 4.0]}))
    assert matrix.n_numbers == 1
    later = matrix.transform(pd.DataFrame({"a": [np.nan, 2.0]}))[0]
    assert later[0, 0] == later[1, 0]


def test_unseen_and_missing_categories_share_the_last_level(mixed: pd.DataFrame) -> None:
    matrix = TableMatrix.fit(mixed)
    rows = mixed.head(3).assign(town=pd.Series(["Tromsø", None, "Oslo"]))
    codes = matrix.transform(rows)[1][:, 0]
    assert codes[:2].tolist() == [2, 2]
    assert codes[2] < 2


def test_numbers_beyond_training_stay_bounded() -> None:
    frame = pd.DataFrame({"a": np.linspace(0, 1, 50)})
    far = pd.DataFrame({"a": [1e300, -1e300]})
    assert np.abs(TableMatrix.fit(frame, scaling="standard").transform(far)[0]).max() == _FURTHEST
    assert np.abs(TableMatrix.fit(frame).transform(far)[0]).max() < 6


def test_a_running_number_is_read_as_a_trend_and_not_as_an_identifier() -> None:
    frame = pd.DataFrame({"month": np.arange(60)})
    numbers, _ = TableMatrix.fit(frame).transform(frame)
    assert (np.diff(numbers[:, 0]) > 0).all()


def test_identifiers_texts_and_constants_are_not_read() -> None:
    frame = pd.DataFrame({"id": [f"row {i}" for i in range(60)], "one": 1, "a": np.arange(60) % 7})
    matrix = TableMatrix.fit(frame)
    assert (matrix.n_numbers, matrix.cardinalities) == (1, ())


def test_a_table_without_a_usable_column_has_one_of_zeros() -> None:
    frame = pd.DataFrame({"one": [1] * 30})
    numbers, categories = TableMatrix.fit(frame).transform(frame)
    assert numbers.tolist() == [[0.0]] * 30
    assert categories.shape == (30, 0)


def test_the_users_kind_makes_a_number_a_category() -> None:
    frame = pd.DataFrame({"zone": [1, 2, 3, 1] * 5})
    assert TableMatrix.fit(frame, {"zone": "categorical"}).cardinalities == (4,)


def test_more_columns_than_a_language_model_writes_are_all_read() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(20, 300)))
    assert TableMatrix.fit(frame).transform(frame)[0].shape == (20, 300)


def test_infinite_features_are_refused_by_the_name_of_their_column(mixed: pd.DataFrame) -> None:
    with pytest.raises(TableError, match="income"):
        TableMatrix.fit(mixed.assign(income=np.inf))


def test_rows_unlike_those_of_training_are_read_as_the_nearest(mixed: pd.DataFrame) -> None:
    matrix = TableMatrix.fit(mixed)
    highest, odd = mixed.assign(income=mixed["income"].max()), mixed.assign(income=np.inf)
    for found, expected in zip(matrix.transform(odd), matrix.transform(highest), strict=True):
        assert np.array_equal(found, expected)
    assert np.isfinite(matrix.transform(mixed.assign(income="high", rooms=2.5, town=3))[0]).all()


def test_a_missing_column_is_refused_by_name(mixed: pd.DataFrame) -> None:
    with pytest.raises(TableError, match="rooms"):
        TableMatrix.fit(mixed).transform(mixed.drop(columns="rooms"))


def test_each_number_becomes_units_and_itself() -> None:
    embedding = _PeriodicEmbedding(3)
    numbers = torch.randn(5, 3)
    embedded = embedding(numbers)
    assert embedded.shape == (5, 3 * (_UNITS + 1))
    assert torch.equal(embedded[:, -3:], numbers)


def test_the_units_are_those_of_sines_and_cosines() -> None:
    embedding = _PeriodicEmbedding(1)
    angles = 2 * math.pi * 0.7 * embedding.frequencies[0]
    expected = torch.relu(embedding.shared(torch.cat([angles.sin(), angles.cos()])))
    assert embedding.frequencies.shape == (1, 16)
    assert torch.allclose(embedding(torch.tensor([[0.7]]))[0, :_UNITS], expected, atol=1e-6)


def test_a_column_does_not_change_the_units_of_another() -> None:
    embedding = _PeriodicEmbedding(2)
    one, other = embedding(torch.tensor([[0.3, 1.0]])), embedding(torch.tensor([[0.3, -2.0]]))
    assert torch.equal(one[:, :_UNITS], other[:, :_UNITS])
    assert not torch.equal(one[:, _UNITS : 2 * _UNITS], other[:, _UNITS : 2 * _UNITS])


@pytest.mark.parametrize("architecture", ["resnet", "mlp"])
@pytest.mark.parametrize("embedding", ["none", "periodic"])
@pytest.mark.parametrize(("p", "levels"), [(3, (4, 2)), (1, ()), (0, (3,))])
def test_features_have_the_size_asked_for(architecture: str, embedding: str, p: int, levels: tuple[int, ...]) -> None:
    config = EncoderConfig(architecture=architecture, number_embedding=embedding, feature_size=5, encoder_width=8)  # type: ignore[arg-type]
    encoder = TabularEncoder(p, levels, config)
    features = encoder(torch.randn(7, p), torch.zeros(7, len(levels), dtype=torch.int64))
    assert features.shape == (7, 5)
    assert encoder.predict(features).shape == (7,)


def test_features_in_blocks_are_those_of_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = TabularEncoder(3, (3,), EncoderConfig(feature_size=8, encoder_width=24))
    numbers, categories = torch.randn(400, 3), torch.randint(0, 2, (400, 1))
    whole = encoder.features(numbers, categories)
    monkeypatch.setattr("imbllm_autogluon.regression.encoder._READ_AT_ONCE", 64)
    assert torch.allclose(encoder.features(numbers, categories), whole, atol=1e-5)
    assert encoder.features(numbers[:0], categories[:0]).shape == (0, 8)
    assert not whole.requires_grad
