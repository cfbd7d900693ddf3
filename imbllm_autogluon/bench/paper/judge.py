"""How a classifier of ``imbllm bench paper`` is judged, XGBoost with defaults and native categories unless named."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from imbllm_autogluon.bench.answers import certain_of_nothing
from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, BALANCED, F1, LOG_LOSS, MACRO_F1, ROC_AUC
from imbllm_autogluon.bench.paper.classifiers import XGBOOST, fitted
from imbllm_autogluon.bench.paper.coding import TableCoding

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from imbllm_autogluon.bench.paper.arms import LearnedRows
    from imbllm_autogluon.bench.paper.split import PaperSplit


def judged(learned: LearnedRows, split: PaperSplit, seed: int, classifier: str = XGBOOST) -> dict[str, float]:
    """Fit a classifier on what an arm made of a split, and judge it on the split's test rows.

    Parameters
    ----------
    learned
        Rows to learn.
    split
        Its real rows decide the coding of the columns, its test rows are predicted.
    seed
        Of the classifier.
    classifier
        One of :data:`imbllm_autogluon.bench.paper.classifiers.CLASSIFIERS`.

    Returns
    -------
    dict
        See :func:`figures`.
    """
    coding, classes = TableCoding.fit(split.X), pd.Index(sorted(split.y.unique(), key=str))
    numbers = classes.get_indexer(pd.Index(learned.y))
    model = fitted(classifier, _plainly_named(coding.coded(learned.X)), numbers, learned.weights, seed)
    probabilities = certain_of_nothing(model.predict_proba(_plainly_named(coding.coded(split.test_X))))
    truth = classes.get_indexer(pd.Index(split.test_y))
    return figures(truth, probabilities, int(classes.get_indexer(pd.Index([split.minority]))[0]))


def figures(truth: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64], minority: int) -> dict[str, float]:
    """Judge probabilities; the decision is the most probable class, with two classes that is the limit 0.5.

    Parameters
    ----------
    truth
        Number of the class of each row, shape (n,); all classes appear.
    probabilities
        Shape (n, classes).
    minority
        Number of the smallest class.

    Returns
    -------
    dict
        Percent, but for the log-loss (nats): F1, ROC AUC and average precision of the minority class against all
        others; balanced accuracy, macro F1 and log-loss of all classes.

    Examples
    --------
    >>> import numpy as np
    >>> figures(np.array([0, 0, 1]), np.array([[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]), 1)["balanced accuracy"]
    75.0
    """
    from sklearn import metrics

    decided, rare = probabilities.argmax(axis=1), truth == minority
    shares: dict[str, Any] = {
        F1: metrics.f1_score(rare, decided == minority, zero_division=0.0),
        BALANCED: metrics.balanced_accuracy_score(truth, decided),
        MACRO_F1: metrics.f1_score(truth, decided, average="macro", zero_division=0.0),
        ROC_AUC: metrics.roc_auc_score(rare, probabilities[:, minority]),
        AVERAGE_PRECISION: metrics.average_precision_score(rare, probabilities[:, minority]),
    }
    log_loss = metrics.log_loss(truth, probabilities, labels=range(probabilities.shape[1]))
    return {**{name: 100.0 * float(share) for name, share in shares.items()}, LOG_LOSS: float(log_loss)}


def _plainly_named(X: pd.DataFrame) -> pd.DataFrame:
    """Columns by number: LightGBM refuses names with signs of JSON, XGBoost those with brackets."""
    return X.set_axis([f"f{place}" for place in range(X.shape[1])], axis=1)
