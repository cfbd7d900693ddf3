"""The page of ``imbllm bench regression-autogluon``."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pandas as pd

from imbllm_autogluon.bench.changes import changes_against, p_value, wide_figures
from imbllm_autogluon.bench.page_text import markdown, signed, significant, spread, tenths
from imbllm_autogluon.bench.regression.page import ERRORS, GROUPS

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN, TWICE, LATENT, ALONE = "plain", "plain twice", "plain + LatentDiff", "LatentDiff alone"

SMOGN, IMBLLM, ALL_THREE = "plain + SMOGN twins", "plain + ImbLLM twins", "plain + all three"

METRICS = (*(f"{group} {name}" for name, group in product((*ERRORS, "n"), GROUPS)), "weight", "fit s")
"""Figures of one arm on one split, as the CSV names them."""

ROUNDING = 1e-6
"""Percent: a smaller change is none."""

ABOUT = f"""What LatentDiff and twins add to AutoGluon where targets are rare. One predictor on each split fits all \
models in {{folds}} bagging folds (metric: mean absolute error): {{families}} as they are (`{PLAIN}`), the same once \
more with another seed, LatentDiff, and twins whose folds get rows by SMOGN or by ImbLLM. Each arm is a weighted \
ensemble over some of these models, weighted by out-of-fold rows; plain models are the same in all arms, so that a \
difference is due to what was added. A quarter of the rows is unseen, and errors are theirs; means over the splits, \
changes against `{PLAIN}` within a split.

- **all, many, medium, few**: unseen rows in all, and those whose bin of the target has more than 100, 20 to 100 and \
less than 20 learned rows
- **MAE, MSE, GM**: mean absolute error, mean squared error and geometric mean of the absolute errors, in the target's \
unit (MSE: squared); lower is better
- **%**: change against `{PLAIN}`; below 0 is better
- **weight**: percent of the ensemble that what was added makes up
- **fit s**: seconds of fitting what was added, and of `{PLAIN}` those of the plain models

`{TWICE}` is a control: what more models of the same sort do. A family that draws nothing, such as LightGBM by \
default, answers the same under every seed. `{ALONE}` is its bag without an ensemble."""


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each table and arm: MAE, weight and seconds; empty where there is none."""
    means = _wide(tidy).groupby(["table", "arm"], sort=False).mean()
    columns = {f"{group} MAE": means[f"{group} MAE"].map(significant) for group in GROUPS}
    rest = {name: means[name].map(tenths) for name in ("weight", "fit s")}
    return pd.DataFrame({**columns, **rest}).reset_index()


def page_text(tidy: pd.DataFrame, bins: str, families: Sequence[str], folds: int, command: str) -> str:
    """What was measured, what it means, and whether LatentDiff does what it should.

    Parameters
    ----------
    tidy
        One measured value in each row: columns table, split, arm, metric and value.
    bins
        Bins of each table, see :func:`~imbllm_autogluon.bench.regression.page.bins_text`.
    families
        Keys of the plain models.
    folds
        Bagging folds.
    command
        How to repeat it.
    """
    changes = _changes(tidy)
    about = ABOUT.format(folds=folds, families=", ".join(families))
    return (
        f"{about}\n\n## Verdict\n\nAsked of `{LATENT}`: few-shot MAE not worse than that of `{PLAIN}` on any table and "
        f"better on most; means over the splits. Whether the same holds for other arms stands below it.\n\n"
        f"{_verdicts(changes)}"
        f"\n\n## Over all tables\n\nTables on which the mean few-shot MAE is lower, and not higher, than that of "
        f"`{PLAIN}`; means over the tables, percent; p of Wilcoxon's signed-rank test over all pairs of table and "
        f"split, few-shot MAE; splits of one table share rows, so that it is too low.\n\n"
        f"{markdown(_over_tables(changes))}"
        f"\n\n## Table by table\n\nChange against `{PLAIN}`; ± is the standard error over the splits.\n\n"
        f"{markdown(_table_by_table(changes))}"
        f"\n\n## Squared errors and geometric means\n\nChange against `{PLAIN}`, percent; the values themselves are in "
        f"`regression_autogluon.csv`.\n\n{markdown(_other_errors(changes))}"
        f"\n\n## Bins\n\nOf equal width, fixed on the learned targets; those of twins and LatentDiff are as many, laid "
        f"on each fold. Here those of the first split.\n\n{bins}\n\nCommand: `{command}`.\n\n## Mean absolute errors"
    )


def _wide(tidy: pd.DataFrame) -> pd.DataFrame:
    return wide_figures(tidy, METRICS)


def _changes(tidy: pd.DataFrame) -> pd.DataFrame:
    """Changes against the plain arm, that arm left out."""
    changes = changes_against(PLAIN, _wide(tidy)).drop(PLAIN, level="arm")
    # What is equal but for the order of a sum is no loss.
    return changes.mask(changes.abs() < ROUNDING, 0.0)


def _verdicts(changes: pd.DataFrame) -> str:
    """Whether an arm is never worse and mostly better where targets are rare, LatentDiff's first."""
    arms = [arm for arm in _arms(changes) if arm != ALONE]
    return "\n".join(_verdict(changes, arm) for arm in sorted(arms, key=lambda arm: arm != LATENT))


def _verdict(changes: pd.DataFrame, arm: str) -> str:
    """Whether it holds for one arm, the tables on which it does not, and on how many it gains."""
    few = _few(changes, arm)
    means = few.groupby("table", sort=False).mean()
    if not len(means):
        return f"- **{arm}**: no table has few-shot rows"
    worse, better = list(means.index[means > 0]), int((means < 0).sum())
    holds = "does NOT hold" if worse or 2 * better <= len(means) else "holds"
    return f"- **{arm}**: {holds}: worse on {_named(few, worse) or 'none'}, better on {better} of {len(means)}"


def _named(few: pd.Series, tables: Sequence[str]) -> str:
    """Tables with their changes."""
    return ", ".join(f"{table} ({spread(few.loc[table])})" for table in tables)


def _few(changes: pd.DataFrame, arm: str) -> pd.Series:
    """Changes of the few-shot MAE, by table and split."""
    few: pd.Series = changes.xs(arm, level="arm")["few MAE"].dropna()
    return few


def _over_tables(changes: pd.DataFrame) -> pd.DataFrame:
    """Each arm: on how many tables rare targets gain or do not lose, mean changes, and p over all splits."""
    lines = []
    for arm in _arms(changes):
        few = _few(changes, arm)
        means = few.groupby("table", sort=False).mean()
        every = changes.xs(arm, level="arm")["all MAE"].groupby("table", sort=False).mean()
        counted = {
            "few lower": f"{(means < 0).sum()} of {len(means)}",
            "few not higher": f"{(means <= 0).sum()} of {len(means)}",
            "all not higher": f"{(every <= 0).sum()} of {len(every)}",
        }
        mean = {"few %": signed(means.mean()), "all %": signed(every.mean())}
        lines.append({"arm": arm, **counted, **mean, "pairs": len(few), "p, few": p_value(few)})
    return pd.DataFrame(lines)


def _table_by_table(changes: pd.DataFrame) -> pd.DataFrame:
    """Changes of the MAE by shot, a row for each table and arm."""
    names = [f"{group} MAE" for group in GROUPS]
    return changes[names].groupby(["table", "arm"], sort=False).agg(spread).reset_index()


def _other_errors(changes: pd.DataFrame) -> pd.DataFrame:
    """Changes of squared errors and geometric means, a row for each table and arm."""
    names = [f"{group} {name}" for name, group in product(("MSE", "GM"), GROUPS)]
    means = changes.groupby(["table", "arm"], sort=False).mean()
    return pd.DataFrame({name: means[name].map(signed) for name in names}).reset_index()


def _arms(changes: pd.DataFrame) -> list[str]:
    """In the order in which they were measured."""
    return list(dict.fromkeys(changes.index.get_level_values("arm")))
