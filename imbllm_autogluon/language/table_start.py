"""The weights that the compact backbone begins with: it has seen other tables, and counted the rows of this one.

What is known of a token in every table alike (where its value stands in the correspondence analysis of the fold, its
rank in the column, how frequent it is, whether it is a bin, a category, a missing value or a label, how strongly its
column hangs together with others) becomes its embedding through two matrices; these and the blocks were trained
together over many other tables (``benchmarks/pretraining.py`` tells which). A table's own training starts from there,
and every weight goes on learning. Amortized learning of tables: Hollmann et al., Nature 637, 2025 (TabPFN); a
language model of any column order: Borisov et al., ICLR 2023 (GReaT).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from imbllm_autogluon.language.cooccurrence import AXES, STRENGTH, Cooccurrence
from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.sentences import PADDING
from imbllm_autogluon.sentences.value_codings import NO_TOKEN, BinCoding

if TYPE_CHECKING:
    import numpy.typing as npt
    import torch

    from imbllm_autogluon.language.losses import LanguageModel
    from imbllm_autogluon.sentences import Clauses, SentenceEncoding

    FloatArray = npt.NDArray[np.float64]
    IntArray = npt.NDArray[np.int64]

SHIPPED = "compact.safetensors"

WAVES = 2
"""Sines and cosines of a bin's rank."""

VALUES, NAMES, BEGIN = "start.values", "start.names", "start.begin"
"""Names of the matrices in the shipped file; all others are those of the blocks."""


def start_from_other_tables(model: LanguageModel, encoding: SentenceEncoding, rows: Clauses, seed: int) -> None:
    """Give the model the shipped blocks, and the tokens of this table the embeddings that the blocks read.

    Tokens of values that take several (digits, texts) keep their random embeddings.

    Parameters
    ----------
    model
        A compact backbone of the shipped shape.
    encoding
        How the rows are written; fused.
    rows
        Rows that the first stage of training learns.
    seed
        Of shuffled columns, and of the choice among very many rows.
    """
    import torch

    known = TokenFeatures.of(encoding, rows, child_rng(seed, "training", "co-occurrence"))
    weights = shipped_weights()
    with torch.no_grad():
        model.transformer.load_state_dict(weights, strict=False)  # the matrices are no weights of the model
        model.transformer.wpe.weight.zero_()
        known.embed(model.get_input_embeddings().weight, weights)


@cache
def shipped_weights() -> dict[str, torch.Tensor]:
    """Matrices and blocks that have seen other tables, float32, by name."""
    import torch
    from safetensors.torch import load

    content = files(__package__).joinpath(SHIPPED).read_bytes()
    return {name: weight.to(torch.float32) for name, weight in load(content).items()}


@dataclass(frozen=True, eq=False)
class TokenFeatures:
    """What is known of the tokens of a table before training, in the same form for every table."""

    tokens: IntArray
    """Tokens that stand for a whole value, shape (n_values,)."""

    values: FloatArray
    """Features of their values, shape (n_values, n_value_features)."""

    prefixes: IntArray
    """Token of each clause's prefix, shape (n_clauses,)."""

    names: FloatArray
    """Features of the clauses, shape (n_clauses, n_name_features)."""

    @classmethod
    def of(cls, encoding: SentenceEncoding, rows: Clauses, rng: np.random.Generator) -> TokenFeatures:
        """Describe the tokens of an encoding by the rows to be learned."""
        counted = Cooccurrence.of(encoding, rows, rng)
        found = STRENGTH * counted.embeddings(rng)[:, ::-1]  # the strongest axis first
        axes = np.zeros((len(counted.tokens), AXES))
        axes[:, : found.shape[1]] = found
        names = _name_features(encoding, counted, axes)
        ranks = np.full(encoding.n_tokens, np.nan)
        for coding in encoding.codings:
            if isinstance(coding, BinCoding):
                n = coding.bins.n_bins
                ranks[coding.first : coding.first + n] = (np.arange(n) + 0.5) / n * 2 - 1
        missing = [getattr(coding, "missing_token", None) or NO_TOKEN for coding in encoding.codings]
        values = np.column_stack(
            [
                axes,
                _rank_features(ranks[counted.tokens]),
                np.isin(counted.tokens, missing),
                np.log(np.maximum(counted.shares, 1e-4)) / 3,
                names[counted.columns],
            ]
        )
        prefixes = np.array([prefix[0] for prefix in encoding.prefixes], dtype=np.int64)
        return cls(counted.tokens, values, prefixes, names)

    def embed(self, embeddings: torch.Tensor, matrices: dict[str, torch.Tensor]) -> None:
        """Write the embeddings of the tokens into a table of shape (n_tokens, width)."""
        import torch

        for tokens, features, matrix in (
            (self.tokens, self.values, matrices[VALUES]),
            (self.prefixes, self.names, matrices[NAMES]),
        ):
            embeddings[torch.from_numpy(tokens)] = (torch.from_numpy(features).to(matrix) @ matrix).to(embeddings)
        embeddings[PADDING] = matrices[BEGIN].to(embeddings)


def _rank_features(ranks: FloatArray) -> FloatArray:
    """Smooth functions of the ranks of bins in [-1, 1], 0 for values without one (NaN), shape (n, 3 + 2 x `WAVES`)."""
    is_bin = ~np.isnan(ranks)
    known = np.where(is_bin, ranks, 0.0)
    turns = np.pi * known[:, None] * np.arange(1, WAVES + 1)
    columns = [is_bin, known, 1.5 * known**2 - 0.5, *np.sin(turns).T, *np.cos(turns).T]
    features: FloatArray = np.stack(columns, axis=1) * is_bin[:, None]
    return features


def _name_features(encoding: SentenceEncoding, counted: Cooccurrence, axes: FloatArray) -> FloatArray:
    """How far the values of each clause spread along the axes, their number, and what kind of column it is."""
    n_clauses = encoding.n_clauses
    weights = counted.shares
    total = np.maximum(np.bincount(counted.columns, weights, n_clauses), 1e-9)
    spread = np.stack([np.bincount(counted.columns, weights * axis**2, n_clauses) / total for axis in axes.T], axis=1)
    number = [len(encoding.tables.clause_tokens(clause)) for clause in range(n_clauses)]
    kinds = [
        [isinstance(coding, BinCoding), getattr(coding, "missing_token", None) is not None, clause == n_clauses - 1, 1]
        for clause, coding in enumerate(encoding.codings)
    ]
    features: FloatArray = np.column_stack([np.sqrt(spread), np.log(np.maximum(number, 1)) / 3, kinds])
    return features
