"""``imbllm bench clauses``: sentences as text against a token for each clause and category, on a pretrained backbone.

Also what fine-tuning does at all: every arm is measured before its first step and after its last.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.pieces import measured, pieces_of
from imbllm_autogluon.bench.results import RESULTS, command_line, versions, write_results
from imbllm_autogluon.bench.speed_tables import SpeedTable, speed_tables
from imbllm_autogluon.oversampling import GeneratorConfig, ImbLLM
from imbllm_autogluon.oversampling.neighbours import MixedSpace
from imbllm_autogluon.quality.measures.coverage import NEIGHBOURS, coverage, marginal_distance
from imbllm_autogluon.randomness import child_rng
from imbllm_autogluon.sentences import draw_orders

if TYPE_CHECKING:
    from collections.abc import Sequence

ARMS: dict[str, dict[str, str]] = {
    "text": {"clauses": "text"},
    "tokens": {"clauses": "tokens"},
    "tokens, bins": {"clauses": "tokens", "numbers": "bins"},
}

METRICS = {
    "tokens/row": "tokens of a real row's sentence",
    "held-out nats": "negative log-likelihood of an unseen rare row's values; lower is better",
    "marginal distance": "total variation of the columns to unseen rare rows, 0 to 1; lower is better",
    "coverage": "share of unseen rare rows with a written row among their 5 nearest, 0 to 1; higher is better",
    "F1": "rare class, XGBoost at 0.5 on rebalanced rows, percent",
    "AP": "average precision of the same, percent",
}


def run(
    backbone: str = "smollm2",
    tables: Sequence[str] = (),
    steps: int = 200,
    batch_size: int = 8,
    rows: int = 200,
    generate: int = 200,
    repeats: int = 1,
    threads: int = 2,
    fresh: bool = False,
    folder: Path = RESULTS,
) -> Path:
    """Measure all arms and write ``clauses.csv`` and ``clauses.md``; returns the page.

    Parameters
    ----------
    backbone
        Name or folder of a pretrained causal model.
    tables
        ``FILE:LABEL`` of own tables; default: the packaged thyroid table.
    steps, batch_size
        Training steps and sentences in each.
    rows
        Most rows of the rare class that are used: half is learned, half is never seen.
    generate
        Rows to write.
    repeats
        Splits of each table.
    threads
        torch threads.
    fresh
        Measure everything anew.
    folder
        Where to write.
    """
    work = pieces_of("clauses", fresh=fresh)
    entries = []
    chosen = speed_tables(tables, rows)[: len(tables) or 1]
    for table, seed, arm, n_steps in product(chosen, range(repeats), ARMS, (0, steps)):
        config = {"backbone": backbone, "steps": n_steps, "batch_size": batch_size, **ARMS[arm]}
        name = f"{table.name} {arm} {n_steps} {seed}"
        identity = [config, generate, threads, seed, len(table.fold)]
        piece = measured(work, name, identity, partial(measure, table, config, generate, threads, seed))
        key = {"table": table.name, "split": seed, "arm": arm, "steps": n_steps}
        entries += [{**key, "metric": metric, "value": piece[metric]} for metric in METRICS]
    tidy = pd.DataFrame(entries)
    named = Path(backbone).name
    options = {"steps": steps, "batch_size": batch_size, "rows": rows, "generate": generate}
    command = command_line("clauses", tables, backbone=named, **options, repeats=repeats, threads=threads)
    text = _text(named, batch_size, command)
    return write_results("clauses", tidy.assign(versions=versions()), summary(tidy), text, folder)


def measure(table: SpeedTable, config: dict[str, Any], generate: int, threads: int, seed: int) -> dict[str, float]:
    """Train and judge one arm on one split; returns one figure for each of `METRICS`."""
    learned, unseen = _halves(table, seed)
    X, y = learned.drop(columns=table.label), learned[table.label]
    full = GeneratorConfig.from_flat({"interpolation_ratio": 0.5, "precision": "float32", **config})
    generator = ImbLLM(full, random_state=seed, threads=threads).fit(X, y, {table.rare: generate})
    written, labels = generator.sample()
    rare = unseen[unseen[table.label] == table.rare].drop(columns=table.label)
    return {
        "tokens/row": _tokens(generator, rare, table.rare),
        "held-out nats": _nats(generator, rare, table.rare, seed, threads),
        "marginal distance": marginal_distance(rare, written),
        "coverage": _coverage(generator, rare, written),
        **_downstream(table, learned, written.assign(**{table.label: labels}), unseen, seed),
    }


def _halves(table: SpeedTable, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    from sklearn.model_selection import train_test_split

    parts = train_test_split(table.fold, test_size=0.5, stratify=table.fold[table.label], random_state=seed)
    learned, unseen = (part.reset_index(drop=True) for part in parts)
    return learned, unseen


def _tokens(generator: ImbLLM, rare: pd.DataFrame, label: str) -> float:
    encoding = _encoding(generator)
    cells = generator.schema.encode(rare)
    return float(encoding.lengths(encoding.encode(cells, _codes(generator, label, len(rare)))).mean())


def _nats(generator: ImbLLM, rare: pd.DataFrame, label: str, seed: int, threads: int) -> float:
    """Mean negative log-likelihood of unseen rows, each in one order that is the same for all arms."""
    model = generator.language_model
    cells = generator.schema.encode(rare)
    clauses = _encoding(generator).encode(cells, _codes(generator, label, len(rare)))
    orders = draw_orders(len(rare), len(generator.schema.columns), "fix_y", child_rng(seed, "order", "unseen"))
    return float(-model.log_likelihoods(clauses, orders, threads=threads).mean())


def _coverage(generator: ImbLLM, rare: pd.DataFrame, written: pd.DataFrame) -> float:
    real, synthetic = generator.schema.encode(rare), generator.schema.encode(written)
    space = MixedSpace.fit(generator.schema, real)
    radii = space.nearest(real, real, NEIGHBOURS, same=True)[1][:, -1]
    return coverage(radii, space.nearest(real, synthetic, 1)[1][:, 0])


def _downstream(
    table: SpeedTable, learned: pd.DataFrame, written: pd.DataFrame, unseen: pd.DataFrame, seed: int
) -> dict[str, float]:
    """F1 and average precision of XGBoost, trained on real and written rows, for unseen real rows."""
    from sklearn.metrics import average_precision_score, f1_score
    from xgboost import XGBClassifier

    whole = pd.concat([learned, written, unseen], ignore_index=True)
    for name in whole.columns.drop(table.label):
        if not pd.api.types.is_numeric_dtype(whole[name]):
            whole[name] = whole[name].astype("category")
    rare = (whole[table.label] == table.rare).to_numpy()
    X, n_train = whole.drop(columns=table.label), len(learned) + len(written)
    model = XGBClassifier(enable_categorical=True, random_state=seed, n_jobs=1).fit(X[:n_train], rare[:n_train])
    chance = model.predict_proba(X[n_train:])[:, 1]
    return {
        "F1": 100 * float(f1_score(rare[n_train:], chance >= 0.5)),
        "AP": 100 * float(average_precision_score(rare[n_train:], chance)),
    }


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each table, arm and number of steps; means over the splits."""
    keys = ["table", "arm", "steps"]
    wide = tidy.pivot_table("value", keys, "metric", sort=False)[list(METRICS)]
    digits = {"coverage": 2, "marginal distance": 3}
    return wide.round({name: digits.get(name, 1) for name in METRICS}).reset_index()


def _encoding(generator: ImbLLM) -> Any:
    return generator.language_model.encoding


def _codes(generator: ImbLLM, label: str, n_rows: int) -> Any:
    assert generator.schema.label is not None
    return np.full(n_rows, list(generator.schema.label.categories).index(label))


def _text(backbone: str, batch_size: int, command: str) -> str:
    meanings = "\n".join(f"- **{name}**: {meaning}" for name, meaning in METRICS.items())
    return (
        f"Sentences of {backbone} as text, or with a token for each column clause and category (`clauses`), numbers "
        f"digit by digit or as quantile bins; LoRA, {batch_size} sentences in a step; 0 steps is the untrained model, "
        "equally constrained. Half of the rare rows is learned, half is never seen. Seconds of both kinds of sentences "
        "stand in speed.md.\n\n"
        f"{meanings}\n\nWith bins a value is drawn inside its bin: held-out nats say nothing of the place in the bin "
        f"and cannot be compared with digits.\n\nCommand: `{command}`."
    )
