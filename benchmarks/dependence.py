"""How much of the dependence of columns a language model has learned, in nats of rows that it has not seen.

Nats of independent columns with the same tokens are what there is without any dependence, the lowest of several models
what can be learned of it.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from benchmarks.methods import IMBLLM
from benchmarks.report import by_table_means, markdown, verdict, wide
from imbllm_autogluon._random import child_rng
from imbllm_autogluon.encoding import Clauses
from imbllm_autogluon.encoding.orders import draw_orders
from imbllm_autogluon.encoding.values import NO_TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.protocol import Protocol
    from benchmarks.tables import Split
    from imbllm_autogluon.arrays import FloatArray, IntArray
    from imbllm_autogluon.encoding import SentenceEncoding
    from imbllm_autogluon.oversampling.generator import LanguageGenerator


NATS, INDEPENDENT, SMOOTHED = "nats", "independent", "independent, smoothed"

ORDERS = 4
"""Drawn orders of the columns, over which nats are averaged."""

PSEUDO_ROWS = 5.0
"""Rows spread as the fold is that smooth the shares of a class."""

SMOOTHINGS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0)
"""Numbers of pseudo-rows from which `SMOOTHED` takes the best: with 5 alone, independent columns of few rare rows are
up to 5 nats worse than they can be (`winequality-red-8_vs_6`: 41.0, and 36.4 with 50), worse even than a model without
training (37.6), so that smoothing would count as dependence."""

LONG, OTHER_START = "trained four times as long", "started otherwise"
MODELS = (IMBLLM, LONG, OTHER_START)

SHARE, STRICT, RARE_ROWS = "share learned", "share learned, smoothed", "rare rows"

SHARES = {SHARE: INDEPENDENT, STRICT: SMOOTHED}
"""Shares of the dependence, and the independent columns that they are measured from."""

LEAST_ROOM = 0.3
"""Nats between independent columns and the lowest model below which none found any dependence."""

MANY = 60
"""Rare rows of a table, learned and unseen, from which on they are many."""

ASKED_OF_MANY, ASKED_OF_FEW = 0.8, 0.5
"""Mean shares of the dependence that are asked."""


def nats_of(generator: LanguageGenerator, split: Split, seed: int) -> dict[str, float]:
    """Nats of the unseen rows of the rarest class under the language model and under independent columns."""
    model, is_rare = generator.language_model, (split.real.y == split.classes[-1]).to_numpy()
    test = split.test.frame[(split.test.y == split.classes[-1]).to_numpy()]
    learned = tokens_of(generator, split.real.X, split.real.y)
    unseen = tokens_of(generator, test.drop(columns=split.test.y.name), test[split.test.y.name])
    n, clauses = unseen.present.shape
    # The label comes first, so that what it costs is the log-likelihood of a sentence that ends behind it.
    label = unseen.with_present(np.tile(np.arange(clauses) == clauses - 1, (n, 1)))
    rng = child_rng(seed, "order", "nats")
    orders = [draw_orders(n, clauses - 1, "fix_y", rng) for _ in range(ORDERS)]
    rows = [model.log_likelihoods(unseen, order, threads=generator.threads) for order in orders]
    known = model.log_likelihoods(label, orders[0], threads=generator.threads)
    tables, sorts = (
        (learned, learned.take(np.flatnonzero(is_rare)), unseen),
        {INDEPENDENT: (PSEUDO_ROWS,), SMOOTHED: SMOOTHINGS},
    )
    independent = {name: independent_nats(model.encoding, *tables, own).mean() for name, own in sorts.items()}
    return {NATS: float((known - np.mean(rows, axis=0)).mean()), **independent}


def tokens_of(generator: LanguageGenerator, X: pd.DataFrame, y: pd.Series[Any]) -> Clauses:
    """Rows as the language model reads them; a value that it has no token for is left out of the sentence."""
    schema, encoding = generator.schema, generator.language_model.encoding
    cells = schema.encode(X, unknown="missing")
    tokens = encoding.encode(cells, schema.encode_label(y)).tokens
    is_unknown = cells.missing & X[[column.name for column in schema.columns]].notna().to_numpy()
    tokens[:, :-1][is_unknown] = NO_TOKEN
    return Clauses(tokens, tokens[:, :, 0] >= 0)


def independent_nats(
    encoding: SentenceEncoding, fold: Clauses, rare: Clauses, unseen: Clauses, choices: Sequence[float]
) -> FloatArray:
    """Nats of each unseen row's values were the columns independent within the class, shape (n,).

    Of each token behind the beginning of its value: the share among the rare rows and some pseudo-rows that are spread
    as the fold is, which has half a row more of every legal token. Of several `choices` of pseudo-rows the one is taken
    that suits the rare rows best, each of which is predicted from the others.
    """
    counted = [
        [_Counts.of(encoding, fold, rare, asked, clause) for clause in range(encoding.n_clauses - 1)]
        for asked in (rare, unseen)
    ]
    best = min(choices, key=lambda choice: float(sum(column.nats(choice, own=1).sum() for column in counted[0])))
    n = len(unseen.tokens)
    return np.asarray(sum(np.bincount(column.row, column.nats(best), n) for column in counted[1]), dtype=np.float64)


class _Counts(NamedTuple):
    """Of each token of one column: how many rows hold it behind the beginning of its value; shape (n_tokens,)."""

    row: IntArray
    fold: IntArray
    fold_begins: IntArray
    """Rows of the fold whose value begins as that before the token."""

    rare: IntArray
    rare_begins: IntArray
    legal: IntArray
    """Tokens among which the token is."""

    @classmethod
    def of(cls, encoding: SentenceEncoding, fold: Clauses, rare: Clauses, asked: Clauses, clause: int) -> _Counts:
        """Count the beginnings of the values of `asked` in both tables."""
        legal = encoding.tables.allowed.sum(axis=1)[encoding.tables.walk(asked.tokens)[:, clause]].tolist()
        of_fold, of_rare = (_beginnings(part.tokens[:, clause]) for part in (fold, rare))
        found = [
            (row, of_fold[value[: k + 1]], of_fold[value[:k]], of_rare[value[: k + 1]], of_rare[value[:k]], choices[k])
            for row, (value, choices) in enumerate(zip(_values(asked.tokens[:, clause]), legal, strict=True))
            for k in range(len(value))
        ]
        return cls(*np.array(found, dtype=np.int64).reshape(-1, len(cls._fields)).T)

    def nats(self, pseudo_rows: float, own: int = 0) -> FloatArray:
        """Of each token; `own`: rows that are left out, 1 where the asked row is among those counted."""
        share = (self.fold - own + 0.5) / (self.fold_begins - own + 0.5 * self.legal)
        found = (self.rare - own + pseudo_rows * share) / (self.rare_begins - own + pseudo_rows)
        return np.asarray(-np.log(found), dtype=np.float64)


def _values(tokens: IntArray) -> list[tuple[int, ...]]:
    return [tuple(token for token in row if token >= 0) for row in tokens.tolist()]


def _beginnings(tokens: IntArray) -> Counter[tuple[int, ...]]:
    """How many values begin with each sequence of tokens; no value is the beginning of another."""
    return Counter(value[:stop] for value in _values(tokens) if value for stop in range(len(value) + 1))


def with_shares(tidy: pd.DataFrame) -> pd.DataFrame:
    """The figures and the shares of the dependence learned, of the tables on which one of the models found some.

    Each split's gain over independent columns is divided by the table's mean, so that the mean over the splits is the
    share of the table.
    """
    found, added = wide(tidy), [tidy]
    for share, independent in SHARES.items():
        room = room_of(tidy, independent)
        if (room >= LEAST_ROOM).any():
            gains = (found[independent] - found[NATS]).dropna()
            tables = gains.index.get_level_values("table")
            shares = (gains / room[room >= LEAST_ROOM].reindex(tables).to_numpy()).dropna()
            added.append(shares.rename("value").reset_index().assign(metric=share, versions=tidy["versions"].iloc[0]))
    return pd.concat(added, ignore_index=True)


def room_of(tidy: pd.DataFrame, independent: str) -> pd.Series[float]:
    """Nats of independent columns less those of the lowest model, by table; only where all of them were measured."""
    nats, above = (
        tidy[tidy["metric"] == name].pivot_table("value", "table", "method", sort=False).reindex(columns=MODELS)
        for name in (NATS, independent)
    )
    return (above[IMBLLM] - nats.dropna().min(axis=1)).reindex(nats.dropna().index)


def learned(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """A row for each table with its shares of the dependence, and the means that are asked for."""
    tables, halves = room_of(tidy, INDEPENDENT).index, {} if protocol.parts is None else protocol.parts(tidy)
    if not len(tables):
        return ""
    columns, found = [NATS, *SHARES.values(), *SHARES, RARE_ROWS], by_table_means(tidy).reset_index("method")
    of = {one: found[found["method"] == one].reindex(index=tables, columns=columns) for one in MODELS}
    own, nats = of[IMBLLM], pd.DataFrame({one: figures[NATS] for one, figures in of.items()})
    lines = {
        "half": [next((title for title, own in [*halves.items()][::-1] if table in own), "") for table in tables],
        RARE_ROWS: own[RARE_ROWS].map("{:.0f}".format),
        **{name: own[name].map("{:.2f}".format) for name in SHARES.values()},
        **{one: nats[one].map("{:.2f}".format) for one in MODELS},
        **{name: own[name].map(lambda share: "none found" if np.isnan(share) else f"{share:.2f}") for name in SHARES},
    }
    about = (
        f"Nats of unseen rare rows, means over the splits; independent columns are smoothed by {PSEUDO_ROWS:g} rows, "
        "or by the number that suits the learned rare rows best: the share of that is the stricter one. Shares are "
        "(independent - model) / (independent - floor), the floor the lowest of the three models; less than "
        f"{LEAST_ROOM:g} nats are no dependence found. Where the model is its own floor a share of 1 tells only that "
        "the two others do no better."
    )
    table = markdown(pd.DataFrame(lines, index=tables).reset_index())
    return "\n\n".join(["## Dependence learned", about, "\n".join(_asked(own, nats.idxmin(axis=1) == IMBLLM)), table])


def _asked(own: pd.DataFrame, is_floor: pd.Series[bool]) -> list[str]:
    """Mean shares next to what is asked of them, and the tables on which a share tells nothing or nats are too high."""
    many, lines = own[RARE_ROWS] >= MANY, []
    for title, of, least in ((f"{MANY} rare rows or more", many, ASKED_OF_MANY), ("fewer", ~many, ASKED_OF_FEW)):
        for share in (name for name in SHARES if of.any()):
            found, empty = own.loc[of, share].dropna(), own.index[of & own[share].isna()]
            told = (
                f"{found.mean():.2f} of {len(found)} tables (asked: at least {least:g}); none found: {_listed(empty)}"
            )
            floors = _listed(found.index[is_floor[found.index]])
            lines.append(f"- {share}, {title}: {verdict(found.mean() >= least)}: {told}; its own floor: {floors}")
    for name in SHARES.values():
        above = own.index[own[NATS] > own[name]]
        lines.append(f"- Nats above those of {name} columns: {verdict(above.empty)}: {_listed(above)}")
    return lines


def _listed(tables: pd.Index[Any]) -> str:
    return ", ".join(map(str, tables)) or "none"
