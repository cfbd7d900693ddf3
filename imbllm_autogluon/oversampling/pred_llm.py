"""Pred-LLM for whole tables: fit one, write another, ask for classes (arXiv 2410.21717)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.configuration import require_number
from imbllm_autogluon.oversampling.synthesis import TableSynthesizer

if TYPE_CHECKING:
    from imbllm_autogluon.oversampling.config import GeneratorConfig
    from imbllm_autogluon.oversampling.pred_llm_generator import PredLLMGenerator
    from imbllm_autogluon.randomness import RandomState


class PredLLM(TableSynthesizer):
    """Writes tables like one that it has seen, and asks its model for the label of each written row.

    Parameters
    ----------
    config
        How rows are learned, prompted and decoded, how their class is asked for, and measures against copying the class
        shares of the table.
    random_state, threads
        See :class:`~imbllm_autogluon.oversampling.synthesis.TableSynthesizer`.

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
