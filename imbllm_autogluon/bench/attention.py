"""``imbllm bench attention``: how much of a sentence attends to the label under each order of the clauses.

The paper's figure 2 (arXiv 2510.09783) as numbers and as a picture, for compact models of the packaged table.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.results import RESULTS, versions, write_results
from imbllm_autogluon.sentences.orders import ORDERS, Order, draw_orders

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

    from imbllm_autogluon.language.attention import AttentionMap
    from imbllm_autogluon.language.model import TableLanguageModel
    from imbllm_autogluon.sentences import Clauses, SchemaVocabulary

    IntArray = npt.NDArray[np.int64]

MINORITY = "hypothyroid"
CAUSAL, MASKED = "compact", "compact_masked"
FAMILIES = {CAUSAL: "causal", MASKED: "masked"}
"""Backbones, and how the pages call them."""

PLACES: dict[Order, str] = {"fix_y": "label first", "permute_x": "label last", "permute_xy": "label anywhere"}
PIXELS, DPI = (1600, 820), 100
"""Width and height of the picture, and its pixels for each inch."""


def run(
    rows: int = 151,
    warmup_steps: int = 200,
    steps: int = 100,
    threads: int = 1,
    seed: int = 0,
    folder: Path = RESULTS,
) -> Path:
    """Train a compact model under each order and write ``attention.csv``, ``.md`` and ``.png``; returns the page.

    Parameters
    ----------
    rows
        Sentences of the rare class that are looked at (at most 151).
    warmup_steps, steps
        Training steps on the whole table, then on the rare class.
    threads
        torch threads.
    seed
        Seed of weights, batches and orders.
    folder
        Where to write.
    """
    vocabulary, everyone, minority = packaged_table()
    shown = minority.take(np.arange(min(rows, len(minority.tokens))))
    names = [str(column.name) for column in vocabulary.schema.columns]
    parts: list[pd.DataFrame] = []
    maps: dict[tuple[str, Order], AttentionMap] = {}
    for backbone, order in product(FAMILIES, ORDERS):
        settings = {"backbone": backbone, "order": order, "warmup_steps": warmup_steps, "steps": steps}
        model = trained(vocabulary, everyone, minority, settings, seed, threads)
        maps[backbone, order] = looked_at(model, shown, order, seed, threads)
        parts.append(figures(f"{FAMILIES[backbone]}, {order}", maps[backbone, order], last_loss(model), names))
    tidy = pd.concat(parts, ignore_index=True)
    folder.mkdir(parents=True, exist_ok=True)
    draw({order: maps[CAUSAL, order] for order in ORDERS}, folder / "attention.png")
    return write_results("attention", tidy.assign(versions=versions()), summary(tidy), _text(len(shown.tokens)), folder)


def packaged_table() -> tuple[SchemaVocabulary, Clauses, Clauses]:
    """Vocabulary of the packaged table, all its rows, and those of the rare class."""
    from imbllm_autogluon.datasets import load_hypothyroid
    from imbllm_autogluon.sentences import SchemaVocabulary
    from imbllm_autogluon.tables import TableSchema

    X, y = load_hypothyroid()
    table = X.assign(**{str(y.name): y})
    schema = TableSchema.from_frame(table, str(y.name))
    cells, labels = schema.encode(table), schema.encode_label(y)
    vocabulary = SchemaVocabulary.fit(schema, cells, labels)
    everyone = vocabulary.encoding().encode(cells, labels)
    return vocabulary, everyone, everyone.take(np.flatnonzero(y == MINORITY))


def trained(
    vocabulary: SchemaVocabulary,
    everyone: Clauses,
    minority: Clauses,
    settings: dict[str, Any],
    seed: int,
    threads: int,
) -> TableLanguageModel:
    """Train a language model as the oversampler does, but on real rows alone."""
    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.model import TableLanguageModel

    model = TableLanguageModel(vocabulary, LanguageConfig(**settings), seed)
    model.train(minority, warmup=everyone, threads=threads)
    return model


def looked_at(model: TableLanguageModel, rows: Clauses, order: Order, seed: int, threads: int) -> AttentionMap:
    """Attention to the label in the given rows, the first of which is written alike under all orders but for the label.

    The orders of the others are drawn.
    """
    from imbllm_autogluon.language.attention import attention_to_label
    from imbllm_autogluon.process_state import seeded_torch

    rng = np.random.default_rng(seed)
    n_features = model.encoding.n_clauses - 1
    orders = draw_orders(len(rows.tokens), n_features, order, rng)
    orders[0] = first_order(n_features, order, seed)
    with seeded_torch(seed, threads):
        return attention_to_label(model._backbone.model, model.encoding, rows, orders)


def first_order(n_features: int, order: Order, seed: int) -> IntArray:
    """Features permuted in the same way under each order; `permute_xy` is shown with the label in the middle."""
    features = np.random.default_rng(seed).permutation(n_features)
    place = {"fix_y": 0, "permute_x": n_features, "permute_xy": n_features // 2}[order]
    return np.insert(features, place, n_features).astype(np.int64)


def last_loss(model: TableLanguageModel) -> float:
    """Mean loss of a value token (nats) over the last fifth of the stage on all rows; NaN without training."""
    losses = model.curves["warm-up"].losses
    return float(np.mean(losses[-max(1, len(losses) // 5) :])) if losses else float("nan")


def figures(arm: str, attention: AttentionMap, loss: float, names: list[str]) -> pd.DataFrame:
    """Every figure of one model under one order, one in each row."""
    values = {
        "can attend": attention.can.mean(),
        "does attend": attention.does.mean(),
        "attention to the label": np.nanmean(attention.mass),
        "loss": loss,
        **{f"attention to the label: {name}": attention.mass[j] for j, name in enumerate(names)},
    }
    return pd.DataFrame(
        [{"dataset": "hypothyroid", "split": 0, "arm": arm, "metric": m, "value": float(v)} for m, v in values.items()]
    )


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each model: the shares as percentages, and the column whose values look at the label most."""
    table = []
    for arm, own in tidy.groupby("arm", sort=False):
        value = own.set_index("metric")["value"]
        by_column = value[value.index.str.startswith("attention to the label: ")]
        most = str(by_column.idxmax()).split(": ", 1)[1]
        shares = {m: f"{value[m]:.1%}" for m in ("can attend", "does attend", "attention to the label")}
        largest = f"{most} ({by_column.max():.1%})" if by_column.max() > 0 else ""
        table.append({"model, order": arm, **shares, "most": largest, "loss": f"{value['loss']:.2f}"})
    return pd.DataFrame(table)


def _text(rows: int) -> str:
    return (
        "Compact models of the packaged table (trained on all rows, then on the 151 of the rare class): a causal and a "
        "masked one for each order. Means "
        f"over {rows} sentences of the rare class, all layers and heads. A feature's value *can attend* to the label "
        "if the place that writes it may look there (in a causal model: the place before it, if the label came "
        "earlier); it *does attend* if that place gives the label's value more attention than an even spread over all "
        "that it may look at. *Attention to the label* is the mean share of attention that goes there, *most* the "
        "column with the largest, *loss* the training loss of a value token (nats) at the end of the stage on all "
        "rows.\n\n"
        "A masked model reads the full sentence here, nothing hidden; its loss is that of hidden values and compares "
        "with those of the other masked models: about the same under all orders, as the paper expects where attention "
        "runs both ways.\n\n"
        "![Attention under three orders](attention.png)\n\n"
        "The picture shows one row under three orders in the causal models: each line is the place that writes a "
        "value, each column a value of the sentence; the label's column is framed.\n\n"
        "Command: `imbllm bench attention`."
    )


def draw(maps: dict[Order, AttentionMap], path: Path) -> None:
    """Draw the first sentence of each map, one panel for each order, as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture = Figure(figsize=(PIXELS[0] / DPI, PIXELS[1] / DPI), dpi=DPI, layout="constrained")
    FigureCanvasAgg(picture)
    axes = picture.subplots(1, len(maps), squeeze=False)[0]
    top = max(float(np.quantile(_shown(attention), 0.995)) for attention in maps.values())
    for panel, (order, attention) in zip(axes, maps.items(), strict=True):
        image = _draw_panel(panel, attention, f"{order}: {PLACES[order]}", top)
    picture.colorbar(image, ax=list(axes), shrink=0.6, pad=0.01, extend="max", label="share of attention")
    draft = path.with_name(f".{path.name}.draft")
    picture.savefig(draft, format="png")
    draft.replace(path)


def _shown(attention: AttentionMap) -> npt.NDArray[np.float64]:
    """Attention of the places that write values to the values."""
    shown: npt.NDArray[np.float64] = attention.matrix[np.ix_(attention.writers, attention.values)]
    return shown


def _draw_panel(panel: Axes, attention: AttentionMap, title: str, top: float) -> AxesImage:
    """One sentence: writing places as rows, values as columns, the label's column framed."""
    from matplotlib.patches import Rectangle

    n = len(attention.values)
    image = panel.imshow(_shown(attention), cmap="Blues", vmin=0.0, vmax=top, aspect="auto")
    panel.set_title(title, fontsize=12)
    panel.set_yticks(range(n), [attention.names[place] for place in attention.writers], fontsize=7.5)
    panel.set_xticks(range(n), [attention.names[place] for place in attention.values], fontsize=7.5, rotation=90)
    for at in np.flatnonzero(np.isin(attention.values, attention.label)).tolist():
        panel.add_patch(Rectangle((at - 0.5, -0.5), 1, n, fill=False, edgecolor="crimson", linewidth=1.5))
        for ticks in (panel.get_xticklabels(), panel.get_yticklabels()):
            ticks[at].set_color("crimson")
    return image
