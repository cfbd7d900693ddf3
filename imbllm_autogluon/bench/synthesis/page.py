"""The page of ``imbllm bench synthesis``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

REAL, PRED_LLM, ORDERED, GREAT = "real rows", "Pred-LLM", "Pred-LLM, permute_xy", "GReaT"

METRICS = {
    "accuracy": "of boosted trees that learn from the arm's rows, on unseen real rows, percent",
    "balanced accuracy": "of the same, mean recall of the classes, percent",
    "macro F1": "of the same, mean over the classes, percent",
    "ROC AUC": "of the same; of two classes, or the mean of each against the others, percent",
    "discriminator": "ROC AUC of trees that tell the arm's rows from unseen real ones, percent; 50 is best",
    "inverse KL": "how alike each column's values are spread, 0 to 1; higher is better",
    "density": "whether rows lie where unseen real ones are close together; about 1 for real rows",
    "coverage": "share of unseen real rows with one of the arm's rows within their 5 nearest, 0 to 1; higher is better",
    "copies": "percent of the rows that equal a learned one; for real rows, of the unseen ones: mere chance",
    "rarest gap": "absolute difference of the rarest class's share among written and learned rows, percentage points",
    "fit s": "seconds of training",
    "sample s": "seconds of writing as many rows as were learned",
    "query accuracy": "classes of unseen real rows asked of the generator; for real rows, of boosted trees; percent",
    "query macro F1": "of the same, percent",
    "query ROC AUC": "of the same, percent",
    "query log-loss": "of the same, nats; lower is better",
    "query ECE": "of the same, expected calibration error, 15 bins, percentage points; lower is better",
}

DIGITS = {"inverse KL": 3, "density": 2, "coverage": 2, "query log-loss": 3}
"""Decimals that a reader sees, where not one."""

ENOUGH_COVERAGE = 0.8
"""Naeem et al. 2020: what a good generator reaches."""


def summary(tidy: pd.DataFrame) -> pd.DataFrame:
    """One row for each table and arm; means over the splits, empty where an arm has no such figure."""
    rounded = _means(tidy).round({name: DIGITS.get(name, 1) for name in METRICS})
    return rounded.astype(object).where(rounded.notna(), "").reset_index()


def page_text(tidy: pd.DataFrame, backbone: str, command: str) -> str:
    """What was measured, what it means, and whether Pred-LLM does what it should."""
    meanings = "\n".join(f"- **{name}**: {meaning}" for name, meaning in METRICS.items())
    means = _means(tidy)
    tables = list(dict.fromkeys(tidy["table"]))
    lines = "\n".join(_line(means.loc[table], table) for table in tables)
    return (
        f"Whole tables written with {backbone}. {PRED_LLM}: the label last, features in a drawn order in one half of "
        "the sentences and in the columns' order in the other; rows begin with one value from its column, and the "
        "model is asked for their class, which is drawn from its probabilities, or the highest one (`highest answer`). "
        "`permute_xy` is the same with the label anywhere in a sentence. GReaT: all clauses in a drawn order, rows "
        "begin with the label, whose shares are those of the learned rows. Stratified splits, 60 % of the rows learned "
        f"and as many written, 40 % to judge on; means over the splits.\n\n{meanings}\n\n"
        f"## {PRED_LLM} against {GREAT}\n\n"
        f"Asked: accuracy of trees at least that of {GREAT} on most tables, coverage at least {ENOUGH_COVERAGE}.\n\n"
        f"{_verdict(means, tables, 'accuracy')}\n{_verdict(means, tables, 'macro F1')}\n{_covered(means, tables)}\n\n"
        f"{lines}\n\nCommand: `{command}`."
    )


def _means(tidy: pd.DataFrame) -> pd.DataFrame:
    """Means over the splits, a row for each table and arm."""
    wide = tidy.pivot_table("value", ["table", "arm"], "metric", sort=False)
    return wide.reindex(columns=list(METRICS))


def _verdict(means: pd.DataFrame, tables: list[str], metric: str) -> str:
    """On how many tables one method is not worse than the other."""
    values = means[metric].to_dict()
    won = [values[table, PRED_LLM] >= values[table, GREAT] for table in tables]
    most = "most" if 2 * sum(won) > len(won) else "NOT most"
    return f"- {metric} at least that of {GREAT} on {sum(won)} of {len(won)} tables ({most})"


def _covered(means: pd.DataFrame, tables: list[str]) -> str:
    values = means["coverage"].to_dict()
    reached = [values[table, PRED_LLM] >= ENOUGH_COVERAGE for table in tables]
    every = "all" if all(reached) else "NOT all"
    return f"- coverage of {PRED_LLM} at least {ENOUGH_COVERAGE} on {sum(reached)} of {len(reached)} tables ({every})"


def _line(figures: pd.DataFrame, table: str) -> str:
    """One table: what its rows teach and cover, what the query answers, and what the label's place does."""
    pred, great, real = figures.loc[PRED_LLM], figures.loc[GREAT], figures.loc[REAL]
    line = (
        f"- **{table}**: accuracy {pred['accuracy']:.1f} against {great['accuracy']:.1f} (real rows "
        f"{real['accuracy']:.1f}), macro F1 {pred['macro F1']:.1f} against {great['macro F1']:.1f} "
        f"({real['macro F1']:.1f}), coverage {pred['coverage']:.2f} against {great['coverage']:.2f} "
        f"({real['coverage']:.2f}); label query {pred['query accuracy']:.1f} % right, boosted trees on real rows "
        f"{real['query accuracy']:.1f} %"
    )
    if ORDERED not in figures.index:
        return line
    anywhere = figures.loc[ORDERED]
    return (
        f"{line}; label anywhere instead of last (permute_xy): accuracy {anywhere['accuracy']:.1f}, query "
        f"{anywhere['query accuracy']:.1f} %"
    )
