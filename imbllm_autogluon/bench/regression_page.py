"""The page of ``imbllm bench regression``."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from imbllm_autogluon.regression.bins import SHOTS, shots

if TYPE_CHECKING:
    from imbllm_autogluon.bench.regression_tables import RegressionSplit

NONE, LATENT_DIFF, COPIES, RETRAINED = "none", "LatentDiff", "real features copied", "head retrained"

GROUPS = ("all", *SHOTS)

ERRORS = ("MAE", "MSE", "GM")

METRICS = (*(f"{group} {name}" for name, group in product((*ERRORS, "n"), GROUPS)), "synthetic", "accepted", "fit s")
"""Figures of one arm on one split, as the CSV names them."""

ASKED_FEW = -10.0
"""Percent: change of the few-shot MAE that is asked of LatentDiff."""

ALLOWED_ALL = 2.0
"""Percent: change of the MAE over all rows that is allowed."""

ABOUT = f"""Targets of unseen rows predicted by one encoder with different treatments of rare targets. A quarter of \
the rows is unseen; means over the splits, changes against `{NONE}` within a split.

- **all, many, medium, few**: unseen rows in all, and those whose bin of the target has more than 100, 20 to 100 and \
less than 20 learned rows
- **MAE, MSE, GM**: mean absolute error, mean squared error and geometric mean of the absolute errors, in the target's \
unit (MSE: squared); lower is better
- **%**: change against `{NONE}`; below 0 is better
- **synthetic, accepted**: generated features for 100 learned rows, and percent of those drawn that passed the gate
- **fit s**: seconds of a fit; of the arms in input space with those of the encoder whose errors say which rows to make

Arms: `{RETRAINED}` is the head trained anew on the real features alone; `{COPIES}` has copies where {LATENT_DIFF} \
has synthetic features, in the same numbers; `SMOGN rows` and `ImbLLM rows` are new rows in input space for the same \
bins in the same numbers, of which the untreated encoder learns, early stopping included."""


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each table and arm: MAE, its change, features generated and seconds; empty where there is none."""
    means, changes = _wide(tidy).groupby(["table", "arm"], sort=False).mean(), _mean_changes(tidy)
    columns = {f"{group} MAE": means[f"{group} MAE"].map(_significant) for group in GROUPS}
    relative = {f"{group} %": changes[f"{group} MAE"].map(_signed) for group in GROUPS}
    rest = {name: means[name].map(_tenths) for name in ("synthetic", "accepted", "fit s")}
    return pd.DataFrame({**columns, **relative, **rest}).reset_index()


def page_text(tidy: pd.DataFrame, bins: str, command: str) -> str:
    """What was measured, what it means, and whether LatentDiff does what it should.

    Parameters
    ----------
    tidy
        One measured value in each row: columns table, split, arm, metric and value.
    bins
        Bins of each table, see :func:`bins_text`.
    command
        How to repeat it.
    """
    tables = list(dict.fromkeys(tidy["table"]))
    verdicts = "\n".join(_verdict(tidy, table) for table in tables)
    return (
        f"{ABOUT}\n\n## Bins\n\nOf equal width, fixed on the learned targets, the methods' own too; here those of the "
        f"first split.\n\n{bins}\n\n## {LATENT_DIFF} against {NONE}\n\n"
        f"Asked of California housing: few-shot MAE at least {-ASKED_FEW:g} % lower, MAE over all rows at most "
        f"{ALLOWED_ALL:g} % higher. ± is the standard error over the splits.\n\n{verdicts}\n\n"
        f"## Arms over all tables\n\nFew-shot MAE and MAE over all rows; percent, means over the tables.\n\n"
        f"{_markdown(_over_tables(tidy))}\n\n## Squared errors and geometric means\n\n"
        f"Change against `{NONE}`, percent; the values themselves are in `regression.csv`.\n\n"
        f"{_markdown(_other_errors(tidy))}\n\nCommand: `{command}`.\n\n## Mean absolute errors"
    )


def bins_text(name: str, split: RegressionSplit) -> str:
    """Bins of one table: edges, shots, and the learned rows of each in the order of the target."""
    bins, counts = split.bins, split.bins.counts(split.y.to_numpy())
    kinds, unseen = shots(counts), split.bins.counts(split.unseen_y.to_numpy())
    edges = [_significant(value) for value in (bins.edges[0], bins.edges[-1], np.diff(bins.edges).mean())]
    parts = [
        f"{int((kinds == shot).sum())} {shot} ({counts[kinds == shot].sum()} rows learned, "
        f"{unseen[kinds == shot].sum()} unseen)"
        for shot in SHOTS
    ]
    return (
        f"- **{name}**: {len(bins)} bins of `{split.y.name}` from {edges[0]} to {edges[1]}, each {edges[2]} wide: "
        f"{', '.join(parts)}\n  - learned rows of each: {' '.join(map(str, counts))}"
    )


def _wide(tidy: pd.DataFrame) -> pd.DataFrame:
    """A row for each table, split and arm, a column for each metric; NaN where there is no such figure."""
    wide = tidy.pivot_table("value", ["table", "split", "arm"], "metric", sort=False)
    return wide.reindex(columns=list(METRICS))


def _changes(tidy: pd.DataFrame) -> pd.DataFrame:
    """Percent by which each figure differs from the untreated encoder's on the same split; like :func:`_wide`."""
    wide = _wide(tidy)
    untreated = wide[wide.index.get_level_values("arm") == NONE].reindex(wide.index)
    base = untreated.groupby(["table", "split"], sort=False).transform("first")
    return 100.0 * (wide - base) / base


def _mean_changes(tidy: pd.DataFrame) -> pd.DataFrame:
    """Mean changes over the splits, a row for each table and arm."""
    return _changes(tidy).groupby(["table", "arm"], sort=False).mean()


def _verdict(tidy: pd.DataFrame, table: str) -> str:
    """One table: whether rare targets gain and the others keep, what the controls do instead, and seconds."""
    every_change = _changes(tidy)
    changes = every_change[every_change.index.get_level_values("table") == table]
    few, every = (changes.xs(LATENT_DIFF, level="arm")[f"{group} MAE"] for group in ("few", "all"))
    if few.isna().all():
        return f"- **{table}**: no few-shot rows; all rows {_spread(every)}"
    seconds = _wide(tidy).loc[table]["fit s"].groupby("arm").mean()
    lower = "reached" if few.mean() <= ASKED_FEW else "lower, NOT as asked" if few.mean() < 0 else "NOT lower"
    kept = "kept" if every.mean() <= ALLOWED_ALL else "NOT kept"
    controls = [f"{arm} instead: {_of_control(changes, arm)}" for arm in (COPIES, RETRAINED)]
    return (
        f"- **{table}**: few-shot MAE {_spread(few)} ({lower}), all rows {_spread(every)} ({kept}); "
        f"{'; '.join(controls)}; {seconds[LATENT_DIFF]:.1f} s against {seconds[NONE]:.1f} s"
    )


def _of_control(changes: pd.DataFrame, arm: str) -> str:
    """Changes by an arm that generates nothing: what is not due to generated features."""
    figures = changes.xs(arm, level="arm")
    return f"few-shot {_spread(figures['few MAE'])}, all rows {_spread(figures['all MAE'])}"


def _over_tables(tidy: pd.DataFrame) -> pd.DataFrame:
    """Each arm: mean changes, and on how many tables rare targets gain while the others keep."""
    changes = _mean_changes(tidy)[["few MAE", "all MAE"]].drop(NONE, level="arm")
    lines = []
    for arm, part in changes.groupby("arm", sort=False):
        few, every = part["few MAE"].dropna(), part["all MAE"]
        lower, kept = f"{(few < 0).sum()} of {len(few)}", f"{(every <= ALLOWED_ALL).sum()} of {len(every)}"
        means = {"few %": _signed(few.mean()), "all %": _signed(every.mean())}
        counted = {"tables, few lower": lower, f"tables, all at most +{ALLOWED_ALL:g} %": kept}
        lines.append({"arm": arm, **means, **counted})
    return pd.DataFrame(lines)


def _other_errors(tidy: pd.DataFrame) -> pd.DataFrame:
    """Changes of squared errors and geometric means, a row for each table and arm."""
    names = [f"{group} {name}" for name, group in product(("MSE", "GM"), GROUPS)]
    changes = _mean_changes(tidy).drop(NONE, level="arm")
    return pd.DataFrame({name: changes[name].map(_signed) for name in names}).reset_index()


def _markdown(frame: pd.DataFrame) -> str:
    rows = [list(frame.columns), ["---"] * frame.shape[1], *frame.astype(str).to_numpy().tolist()]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _spread(changes: pd.Series) -> str:
    """Mean change over the splits, with its standard error where there are several."""
    found = changes.dropna()
    error = f" ± {found.std() / np.sqrt(len(found)):.1f}" if len(found) > 1 else ""
    return f"{found.mean():+.1f}{error} %"


def _significant(value: float) -> str:
    """Four significant digits, never as a power of ten."""
    return "" if np.isnan(value) else np.format_float_positional(float(f"{value:.4g}"), trim="-")


def _signed(value: float) -> str:
    return "" if np.isnan(value) else f"{value:+.1f}"


def _tenths(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.1f}"
