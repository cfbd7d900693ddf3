from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.bench.paper.classifiers import CLASSIFIERS, GAP, LOGISTIC_REGRESSION, XGBOOST, fitted

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

N = 120
CITIES = 3


def coded(n: int = N, seed: int = 0) -> pd.DataFrame:
    """Numbers and categories, both with gaps, and a column of nothing but gaps."""
    rng = np.random.default_rng(seed)
    amount = np.where(rng.random(n) < 0.1, np.nan, rng.normal(1000, 300, n))
    city = pd.Categorical.from_codes(rng.integers(GAP, CITIES, n), pd.RangeIndex(CITIES))
    return pd.DataFrame({"amount": amount, "city": city, "empty": np.nan})


def numbers(X: pd.DataFrame) -> npt.NDArray[np.intp]:
    """Three classes that the city and gaps in it tell."""
    classes: npt.NDArray[np.intp] = np.minimum(X["city"].cat.codes.to_numpy().astype(np.intp) + 1, 2)
    return classes


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_categories_and_gaps_in_them_are_learned(name: str) -> None:
    model, new = fitted(name, coded(), numbers(coded()), None, 0), coded(40, seed=1)
    probabilities = model.predict_proba(new)
    assert probabilities.shape == (40, 3)
    assert (probabilities.argmax(axis=1) == numbers(new)).mean() > 0.95


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_seed_gives_the_same_probabilities_and_weights_change_them(name: str) -> None:
    X = coded()
    y = np.random.default_rng(1).integers(0, 2, N)
    first, again, weighted = (
        fitted(name, X, y, weights, 3).predict_proba(X) for weights in (None, None, np.where(y == 1, 9.0, 1.0))
    )
    np.testing.assert_array_equal(first, again)
    assert weighted[:, 1].mean() > first[:, 1].mean()


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("columns", [["amount"], ["city"]])
def test_tables_of_one_sort_of_columns_are_learned(name: str, columns: list[str]) -> None:
    X = coded()
    assert fitted(name, X[columns], numbers(X), None, 0).predict_proba(X[columns].head(5)).shape == (5, 3)


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_gap_that_was_never_learned_can_be_predicted(name: str) -> None:
    X = coded().dropna(subset=["amount", "city"])
    new = coded().head(5).assign(amount=np.nan, city=pd.Categorical([None] * 5, categories=pd.RangeIndex(CITIES)))
    assert np.isfinite(fitted(name, X, numbers(X) - 1, None, 0).predict_proba(new)).all()


def test_xgboost_is_the_plain_one_on_the_rows_as_they_are() -> None:
    from xgboost import XGBClassifier

    X = coded()
    plain = XGBClassifier(tree_method="hist", enable_categorical=True, n_jobs=1, random_state=0).fit(X, numbers(X))
    np.testing.assert_array_equal(fitted(XGBOOST, X, numbers(X), None, 0).predict_proba(X), plain.predict_proba(X))


def test_numbers_of_any_scale_suit_logistic_regression() -> None:
    X, y = coded(), np.random.default_rng(1).integers(0, 2, N)
    small, large = (
        fitted(LOGISTIC_REGRESSION, scaled, y, None, 0).predict_proba(scaled)
        for scaled in (X, X.assign(amount=X["amount"] * 1e6))
    )
    np.testing.assert_allclose(small, large, atol=1e-9)


def test_no_classifier_writes_files_or_takes_more_than_one_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in CLASSIFIERS:
        settings = fitted(name, coded(), numbers(coded()), None, 0)["model"].get_params()
        assert settings.get("n_jobs", settings.get("thread_count")) in (1, None), name
    assert not list(tmp_path.iterdir())


def test_libraries_are_those_of_the_classifiers() -> None:
    for classifier in CLASSIFIERS.values():
        assert type(classifier.model(0)).__module__.startswith(classifier.library)
