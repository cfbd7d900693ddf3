"""Train on synthetic, test on real: what written rows teach a classifier."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.errors import TableError, nearest
from imbllm_autogluon.quality.measures.pairs import check_pair, paired_columns, shared_codes
from imbllm_autogluon.quality.measures.trees import Trees
from imbllm_autogluon.randomness import child_seed

if TYPE_CHECKING:
    import pandas as pd

    from imbllm_autogluon.quality.measures.pairs import FloatArray, IntArray


@dataclass(frozen=True)
class Utility:
    """Scores on real rows of a classifier that learnt from synthetic ones; all from 0 to 1 (best)."""

    accuracy: float
    """Share of right predictions; on a table of few rare rows high for whoever never predicts them."""

    balanced_accuracy: float
    """Mean over the real classes of the share found; a constant prediction has 1 / classes."""

    macro_f1: float
    """Mean over the real classes of F1, 0 for a class that is never predicted."""

    roc_auc: float
    """Two classes: of the rarer real one; more: mean over the classes, each against the rest. 0.5 is chance."""


def train_on_synthetic(synthetic: pd.DataFrame, real_test: pd.DataFrame, label: str, seed: int = 0) -> Utility:
    """Fit boosted trees to synthetic rows and score them on real ones (TSTR; Esteban et al. 2017).

    Parameters
    ----------
    synthetic
        Rows to learn from, features and label. One class only: that class is predicted always, and `roc_auc` is 0.5.
        Levels and classes that it lacks may occur in `real_test`; a level not learnt counts as missing.
    real_test
        Real rows to judge on, of the same columns, that the writer of `synthetic` has not seen.
    label
        Name of the label column.
    seed
        Of the trees.

    Returns
    -------
    Utility
        To be read beside the same scores with real training rows in the place of `synthetic`.

    Raises
    ------
    TableError
        The label is absent or missing in a row, no feature is left, the real rows have one class only or none in common
        with the synthetic ones, or the tables cannot be compared.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"age": range(200), "old": ["no"] * 150 + ["yes"] * 50})
    >>> train_on_synthetic(rows, rows.iloc[::3], "old").roc_auc
    1.0
    """
    for table, called in ((synthetic, "synthetic"), (real_test, "real")):
        _check_label(table, label, called)
    check_pair(real_test, synthetic)
    columns = paired_columns(real_test.drop(columns=label), synthetic.drop(columns=label))
    truth, taught = shared_codes(real_test[label], synthetic[label], label)
    _check_classes(truth, taught, label)
    trees = Trees([column.is_number for column in columns], child_seed(seed, "training", "utility"))
    trees.fit(np.column_stack([column.synthetic for column in columns]), taught)
    n_classes = int(max(truth.max(), taught.max())) + 1
    return _scores(truth, trees.probabilities(np.column_stack([column.real for column in columns]), n_classes))


def _scores(truth: IntArray, probabilities: FloatArray) -> Utility:
    from sklearn.metrics import f1_score

    guesses = probabilities.argmax(axis=1)
    classes = np.unique(truth)
    right = guesses == truth
    return Utility(
        accuracy=float(right.mean()),
        balanced_accuracy=float(np.mean([right[truth == code].mean() for code in classes])),
        macro_f1=float(f1_score(truth, guesses, labels=classes, average="macro", zero_division=0)),
        roc_auc=_roc_auc(truth, probabilities, classes),
    )


def _roc_auc(truth: IntArray, probabilities: FloatArray, classes: IntArray) -> float:
    from sklearn.metrics import roc_auc_score

    asked = [min(classes, key=lambda code: int((truth == code).sum()))] if len(classes) == 2 else classes
    return float(np.mean([roc_auc_score(truth == code, probabilities[:, code]) for code in asked]))


def _check_label(table: pd.DataFrame, label: str, called: str) -> None:
    names = [str(name) for name in table.columns]
    if label not in table.columns:
        raise TableError(
            f"the {called} table has no label column {label!r}{nearest(label, names)}; it has: {names[:20]}."
        )
    if len(names) < 2:
        raise TableError(
            f"the {called} table has no column beside the label {label!r}; at least one feature is needed."
        )
    gaps = int(table[label].isna().to_numpy().sum())
    if gaps:
        raise TableError(f"the label {label!r} is missing in {gaps} rows of the {called} table: drop these rows.")


def _check_classes(truth: IntArray, taught: IntArray, label: str) -> None:
    if len(np.unique(truth)) < 2:
        raise TableError(f"the real rows have one class of {label!r} only; two or more are needed to score.")
    if not np.isin(taught, truth).any():
        raise TableError(
            f"no class of {label!r} in the synthetic rows occurs in the real ones: are they of another dtype, such as "
            "'1' for 1?"
        )
