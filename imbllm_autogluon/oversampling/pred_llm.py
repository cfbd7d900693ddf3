"""Pred-LLM for whole tables: fit one, write another of the same form, ask for classes (arXiv 2410.21717)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon._config import require_number
from imbllm_autogluon.errors import InvalidInputError, TableError, nearest
from imbllm_autogluon.oversampling.counts import in_shares
from imbllm_autogluon.oversampling.methods import generator_class
from imbllm_autogluon.randomness import RandomState, base_seed, child_rng

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from typing_extensions import Self

    from imbllm_autogluon.oversampling.config import GeneratorConfig
    from imbllm_autogluon.oversampling.generator import LanguageGenerator
    from imbllm_autogluon.oversampling.pred_llm_generator import PredLLMGenerator
    from imbllm_autogluon.oversampling.report import OversamplingReport
    from imbllm_autogluon.randomness import RandomState
    from imbllm_autogluon.tables import ColumnName, Kind


class TableSynthesizer:
    """Writes tables like one that it has seen, every class of the label included.

    Parameters
    ----------
    method
        Name of the generator's method, see :data:`~imbllm_autogluon.oversampling.methods.GENERATORS`.
    config
        How rows are learned, prompted and decoded.
    random_state
        Seed, NumPy random generator, or `None` for a fresh seed.
    threads
        torch threads; `None` leaves the process's count alone.

    Attributes
    ----------
    generator : LanguageGenerator
        The generator behind it.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> from imbllm_autogluon.oversampling import GeneratorConfig
    >>> X, y = load_hypothyroid()
    >>> quick = GeneratorConfig.from_flat({"warmup_steps": 2, "steps": 2})
    >>> table = TableSynthesizer(config=quick, random_state=0).fit(X.assign(diagnosis=y), "diagnosis")
    >>> table.sample(100)["diagnosis"].value_counts().to_dict()
    {'negative': 95, 'hypothyroid': 5}
    """

    def __init__(
        self,
        method: str = "great",
        config: GeneratorConfig | None = None,
        random_state: RandomState = None,
        threads: int | None = None,
    ) -> None:
        self.generator: LanguageGenerator = generator_class(method)(config, random_state=random_state, threads=threads)
        self._label: ColumnName = ""
        self._columns: list[ColumnName] = []
        self._sizes: dict[Hashable, int] = {}

    def fit(self, df: pd.DataFrame, label: ColumnName, *, kinds: Mapping[ColumnName, Kind] | None = None) -> Self:
        """Learn a table.

        Parameters
        ----------
        df
            Features and label, shape (n, m + 1), no missing labels. Never modified.
        label
            Name of the label column.
        kinds
            Column kinds that override the ones guessed from dtypes.

        Raises
        ------
        TableError
            The table or its label cannot be used; the message names the column.
        ClassTooSmallError
            A class has a single row.
        """
        if label not in df.columns:
            names = [str(name) for name in df.columns]
            raise TableError(
                f"the table has no label column {label!r}{nearest(str(label), names)}; its columns are: {names[:20]}."
            )
        y = df[label]
        sizes = {value: int(n) for value, n in y.value_counts(sort=False).items() if n}
        self.generator.fit(df.drop(columns=label), y, sizes, kinds=kinds)
        self._label, self._columns, self._sizes = label, list(df.columns), sizes
        return self

    def sample(self, n: int, *, random_state: RandomState = None) -> pd.DataFrame:
        """Write a table whose classes have the shares of the learned one.

        Parameters
        ----------
        n
            Rows, 0 or more.
        random_state
            Seed of this sample; default: the synthesizer's own, so that repeated calls give the same rows.

        Returns
        -------
        DataFrame
            Exactly `n` rows in random order, in the columns, order and dtypes of the learned table, with a fresh index.
            Shares are exact but for rounding, the largest remainders first; nothing about them is drawn.
        """
        require_number("n", n, 0, whole=True)
        self._require_fit()
        seed = self.generator.seed if random_state is None else base_seed(random_state)
        rows = self.sample_class(in_shares(n, self._sizes), random_state=seed)
        return rows.iloc[child_rng(seed, "order", "written rows").permutation(n)].reset_index(drop=True)

    def sample_class(self, counts: Mapping[Hashable, int], *, random_state: RandomState = None) -> pd.DataFrame:
        """Write rows of chosen classes.

        Parameters
        ----------
        counts
            Rows by class.
        random_state
            See :meth:`sample`.

        Returns
        -------
        DataFrame
            Exactly so many rows, one class after the other, otherwise as :meth:`sample` writes them.

        Raises
        ------
        InvalidInputError
            `counts` is empty, names an unknown class, or a count is no whole number of at least 0.
        """
        self._require_fit()
        return self._in_form(*self.generator.sample(counts, random_state=random_state))

    def _in_form(self, rows: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
        """Written rows in the columns of the learned table."""
        rows[self._label] = labels
        return rows[self._columns]

    @property
    def report(self) -> OversamplingReport:
        """What fitting and sampling did so far."""
        return self.generator.report

    def _require_fit(self) -> None:
        if not self._columns:
            raise InvalidInputError("this synthesizer has seen no table yet; call fit(df, label) first.")


class PredLLM(TableSynthesizer):
    """Writes tables like one that it has seen, and asks its model for the label of each written row.

    Parameters
    ----------
    config
        How rows are learned, prompted and decoded, how their class is asked for, and measures against copying the class
        shares of the table.
    random_state, threads
        See :class:`~imbllm_autogluon.oversampling.pred_llm.TableSynthesizer`.

    Examples
    --------
    >>> from imbllm_autogluon.datasets import load_hypothyroid
    >>> from imbllm_autogluon.oversampling import GeneratorConfig
    >>> X, y = load_hypothyroid()
    >>> quick = GeneratorConfig.from_flat({"warmup_steps": 2, "steps": 2})
    >>> table = PredLLM(quick, random_state=0).fit(X.assign(diagnosis=y), "diagnosis")
    >>> table.sample(100).shape, table.predict_proba(X.head(3)).columns.tolist()
    ((100, 26), ['negative', 'hypothyroid'])
    """

    generator: PredLLMGenerator

    def __init__(
        self,
        config: GeneratorConfig | None = None,
        random_state: RandomState = None,
        threads: int | None = None,
    ) -> None:
        super().__init__("pred_llm", config, random_state, threads)

    def sample(self, n: int, *, random_state: RandomState = None) -> pd.DataFrame:
        """Write a table; each row has the class that the model gives it, so class shares are the model's own.

        Where every class is too small for a language model, classes have the shares of the learned table.

        Parameters
        ----------
        n
            Rows, 0 or more.
        random_state
            Seed of this sample; default: the synthesizer's own, so that repeated calls give the same rows.

        Returns
        -------
        DataFrame
            `n` rows in the columns, order and dtypes of the learned table, with a fresh index.
        """
        require_number("n", n, 0, whole=True)
        self._require_fit()
        if not self.report.parameters:
            return super().sample(n, random_state=random_state)
        return self._in_form(*self.generator.sample_rows(n, random_state=random_state))

    def predict_proba(self, df: pd.DataFrame) -> pd.DataFrame:
        """Probability of each class of rows, by the label query.

        Parameters
        ----------
        df
            Features, shape (n, m); other columns, the label too, are not looked at. Unknown categories are left out of
            a row's sentence, and so are columns of free text that are not there.

        Returns
        -------
        DataFrame of shape (n, k), float64
            One column for each class, in the index of `df`.
        """
        self._require_fit()
        model = self.generator.label_model
        assert model.schema.label is not None
        return pd.DataFrame(model.probabilities(df), index=df.index, columns=list(model.schema.label.categories))
