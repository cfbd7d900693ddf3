"""Splits of ``imbllm bench autogluon``: a quarter of the rows to judge on, every class with its share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

    from imbllm_autogluon.tables.labelled import LabelledTable

TEST_SHARE = 0.25

FEWEST = 16
"""Rows of a class: 12 to learn (AutoGluon leaves out classes of fewer than 10), and 4 to judge on."""


@dataclass(frozen=True, eq=False)
class ClassSplit:
    """Rows to learn and rows to judge on."""

    train: pd.DataFrame
    """Features and label, with a fresh index."""

    test: pd.DataFrame
    """Features and label of a quarter of the rows, with a fresh index."""

    label: str

    classes: tuple[Hashable, ...]
    """The largest first."""

    @classmethod
    def of(cls, table: LabelledTable, seed: int) -> ClassSplit:
        """Draw a stratified split; classes of fewer than 16 rows are left out.

        Raises
        ------
        InvalidInputError
            Fewer than two classes have at least 16 rows.
        """
        from sklearn.model_selection import train_test_split

        classes = tuple(label for label, n in table.counts.items() if n >= FEWEST)
        if len(classes) < 2:
            raise InvalidInputError(
                f"{table.source} has fewer than two classes of at least {FEWEST} rows; the rows of its classes: "
                f"{table.counts}. Name another label, or allow more rows (--rows)."
            )
        rows = table.frame[table.labels.isin(classes)]
        parts = train_test_split(rows, test_size=TEST_SHARE, stratify=rows[table.label], random_state=seed)
        train, test = (part.reset_index(drop=True) for part in parts)
        return cls(train, test, table.label, classes)

    @property
    def is_binary(self) -> bool:
        """Whether there are two classes, the rarer of which is the positive one."""
        return len(self.classes) == 2

    @property
    def test_y(self) -> pd.Series[Any]:
        """Labels of the rows to judge on."""
        return self.test[self.label]

    @property
    def test_X(self) -> pd.DataFrame:
        """Features of the rows to judge on."""
        return self.test.drop(columns=self.label)

    def predictor_arguments(self) -> dict[str, Any]:
        """Of AutoGluon's predictor: the metric is average precision of the rarer class, of more balanced accuracy."""
        if self.is_binary:
            own = {"eval_metric": "average_precision", "positive_class": self.classes[-1]}
            return {"label": self.label, "problem_type": "binary", **own}
        return {"label": self.label, "problem_type": "multiclass", "eval_metric": "balanced_accuracy"}
