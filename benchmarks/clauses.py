"""Sentences as text against one token for each clause and category, before and after fine-tuning a pretrained model.

Sentences of a pretrained model as text, or with a token for each column clause and category (`tokens`), numbers digit
by digit or as quantile bins; LoRA. 0 steps is the untrained model, equally constrained. Half of the rare rows is
learned, half is never seen. With bins a value is drawn inside its bin: held-out nats say nothing of the place in the
bin and cannot be compared with digits. Seconds of both kinds of sentences stand in `speed.md`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.classifiers import scores_of
from benchmarks.protocol import COLUMNS, Metric, Option, Protocol, Row, Task
from benchmarks.report import by_table
from benchmarks.scores import AVERAGE_PRECISION, F1
from benchmarks.speed.rare_rows import with_few_rare
from benchmarks.tables import Rows
from imbllm_autogluon._random import child_rng
from imbllm_autogluon.encoding import draw_orders
from imbllm_autogluon.oversampling.interpolation import MixedSpace
from imbllm_autogluon.quality.fidelity import _NEIGHBORS

if TYPE_CHECKING:
    import numpy.typing as npt

    from imbllm_autogluon.oversampling import ImbLLM


QUANTILES = 10
"""Bins of a number in :func:`marginal_distance`."""


def measure(task: Task) -> list[Row]:
    """Figures of the untrained model, and of the trained one."""
    return [
        {"steps": steps, "metric": metric, "value": value}
        for steps in (0, task.options["steps"])
        for metric, value in _figures(task, steps).items()
    ]


def _figures(task: Task, steps: int) -> dict[str, float]:
    """Train on one half of the rows and judge on the other."""
    from sklearn.model_selection import train_test_split

    from imbllm_autogluon.oversampling.methods import generator_of

    table, rare = with_few_rare(task.table, task.options["rare_rows"])
    halves = train_test_split(table.frame, test_size=0.5, stratify=table.labels, random_state=task.split)
    learned, test = (
        Rows(half.drop(columns=table.label), half[table.label])
        for half in (part.reset_index(drop=True) for part in halves)
    )
    own = {name: task.options[name] for name in ("backbone", "batch_size")}
    fixed = {"interpolation_ratio": 0.5, "precision": "float32", "steps": max(1, steps)}
    generator: Any = generator_of({**fixed, **own, **task.spec}, random_state=task.split, threads=task.threads)
    wanted, untrained = {rare: task.options["generate"]}, None if steps else 0.0  # seconds
    written, labels = generator.fit(learned.X, learned.y, wanted, time_limit=untrained).sample()
    unseen = test.X[test.y == rare]
    parts = ((learned.X, written), (learned.y, labels))
    judged = scores_of(Rows(*(pd.concat(part, ignore_index=True) for part in parts)), test, learned.X, rare, task.split)
    return {
        **_likelihood(generator, unseen, rare, task),
        "marginal distance": marginal_distance(unseen, written),
        "coverage": _coverage(generator, unseen, written),
        "F1": judged[F1],
        "AP": judged[AVERAGE_PRECISION],
    }


def _likelihood(generator: ImbLLM, unseen: pd.DataFrame, rare: str, task: Task) -> dict[str, float]:
    """Tokens and mean negative log-likelihood of unseen rows, each in one order that is the same for all methods."""
    model, schema = generator.language_model, generator.schema
    assert schema.label is not None
    codes = np.full(len(unseen), list(schema.label.categories).index(rare))
    clauses = model.encoding.encode(schema.encode(unseen), codes)
    orders = draw_orders(len(unseen), len(schema.columns), "fix_y", child_rng(task.split, "order", "unseen"))
    logs = model.log_likelihoods(clauses, orders, threads=task.threads)
    return {"tokens/row": float(model.encoding.lengths(clauses).mean()), "held-out nats": float(-logs.mean())}


def _coverage(generator: ImbLLM, unseen: pd.DataFrame, written: pd.DataFrame) -> float:
    real, synthetic = generator.schema.encode(unseen), generator.schema.encode(written)
    space = MixedSpace.fit(generator.schema, real)
    radii = space.nearest(real, real, _NEIGHBORS, same=True)[1][:, -1]
    return float((space.nearest(real, synthetic, 1)[1][:, 0] <= radii).mean())


def marginal_distance(real: pd.DataFrame, synthetic: pd.DataFrame) -> float:
    """Mean over the columns of the total variation distance between real and synthetic values, from 0 to 1 (worst).

    Numbers and times are compared by the deciles of the real ones; a missing value is a value of its own. Two samples
    of n rows from one source are about ``0.4 * sqrt(bins / n)`` apart.
    """
    return float(np.mean([_total_variation(*_as_levels(real[name], synthetic[name])) for name in real.columns]))


def _as_levels(real: pd.Series, synthetic: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Both columns as few text levels."""
    is_binned = pd.api.types.is_numeric_dtype(real) or pd.api.types.is_datetime64_any_dtype(real)
    if not is_binned or pd.api.types.is_bool_dtype(real):
        return real.astype(str), synthetic.astype(str)
    edges = np.unique(real.dropna().quantile(np.linspace(0, 1, QUANTILES + 1)[1:-1], interpolation="nearest"))
    return _binned(real, edges), _binned(synthetic, edges)


def _binned(values: pd.Series, edges: npt.NDArray[np.generic]) -> pd.Series:
    binned = pd.Series(np.searchsorted(edges, values.to_numpy(edges.dtype, na_value=edges[0]), side="left"))
    return binned.astype(str).mask(values.isna().to_numpy(), "missing")


def _total_variation(real: pd.Series, synthetic: pd.Series) -> float:
    shares = pd.concat([real.value_counts(normalize=True), synthetic.value_counts(normalize=True)], axis=1).fillna(0)
    return float((shares.iloc[:, 0] - shares.iloc[:, 1]).abs().sum() / 2)


def by_steps(tidy: pd.DataFrame, protocol: Protocol) -> str:
    """A row for each table, method and number of steps."""
    return by_table(tidy.assign(method=tidy["method"] + ", " + tidy["steps"].astype(str) + " steps"), protocol)


PROTOCOL = Protocol(
    name="clauses",
    about=__doc__,
    methods={
        "text": {"method": "imbllm", "clauses": "text"},
        "tokens": {"method": "imbllm", "clauses": "tokens"},
        "tokens, bins": {"method": "imbllm", "clauses": "tokens", "numbers": "bins"},
    },
    measure=measure,
    metrics=(
        Metric("tokens/row", "tokens of a real row's sentence", ""),
        Metric("held-out nats", "negative log-likelihood of an unseen rare row's values; lower is better", ""),
        Metric("marginal distance", "total variation of the columns to unseen rare rows, 0 to 1", "lower", 3),
        Metric("coverage", "share of unseen rare rows with a written row among their 5 nearest", "higher", 2),
        Metric("F1", "of the rare class, XGBoost on rebalanced rows, percent"),
        Metric("AP", "average precision of the same, percent"),
    ),
    rows=10_000,
    repeats=1,
    threads=2,
    options={
        "backbone": Option(str, "smollm2", "Name or folder of a pretrained causal model."),
        "steps": Option(int, 200, "Training steps."),
        "batch_size": Option(int, 8, "Sentences of a step."),
        "rare_rows": Option(int, 200, "Most rows of the rarest class that are used."),
        "generate": Option(int, 200, "Rows to write."),
    },
    page=(by_steps,),
    columns={"table": "table", "split": "split", "method": "arm", "steps": "steps", **COLUMNS},
)
