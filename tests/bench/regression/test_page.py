from __future__ import annotations

import numpy as np
import pandas as pd

from imbllm_autogluon.bench.regression.page import COPIES, LATENT_DIFF, NONE, RETRAINED, bins_text, page_text, summary
from imbllm_autogluon.bench.regression.tables import RegressionSplit
from imbllm_autogluon.regression.bins import TargetBins

Figures = dict[str, dict[str, float]]

NO_FEW = {"all MAE": 100.0, "many MAE": 80.0, "fit s": 4.0}


def figures(few: float, every: float, **more: float) -> dict[str, float]:
    return {"all MAE": every, "few MAE": few, "all MSE": every**2, "few GM": few / 2, "fit s": 4.0, **more}


PLAIN = figures(200.0, 100.0)
COPIED = figures(190.0, 101.0)
REACHED: Figures = {
    NONE: PLAIN,
    LATENT_DIFF: figures(180.0, 102.0, synthetic=70.0, accepted=93.25, **{"fit s": 9.0}),
    COPIES: COPIED,
    RETRAINED: figures(198.0, 99.0),
}
SHORT: Figures = {**REACHED, LATENT_DIFF: figures(182.0, 102.2)}
WORSE: Figures = {**REACHED, LATENT_DIFF: figures(201.0, 99.0)}


def tidy(**tables: Figures) -> pd.DataFrame:
    """Two splits; errors of the second are twice as large, which no relative change notices."""
    return pd.DataFrame(
        [
            {"table": table, "split": split, "arm": arm, "metric": metric, "value": value * (1 + split)}
            for table, arms in tables.items()
            for split in range(2)
            for arm, given in arms.items()
            for metric, value in given.items()
        ]
    )


def text_of(**tables: Figures) -> str:
    return page_text(tidy(**tables), "- bins", "imbllm bench regression --rows 300")


def test_the_summary_has_mean_errors_and_changes_within_a_split() -> None:
    table = summary(tidy(houses=REACHED)).set_index("arm")
    assert list(table.index) == [NONE, LATENT_DIFF, COPIES, RETRAINED]
    assert table.loc[LATENT_DIFF, "few MAE"] == "270"
    assert (table.loc[LATENT_DIFF, "few %"], table.loc[LATENT_DIFF, "all %"]) == ("-10.0", "+2.0")
    assert table.loc[NONE, "few %"] == "+0.0"
    assert table.loc[LATENT_DIFF, "accepted"] == "139.9"
    assert table.loc[COPIES, "accepted"] == table.loc[NONE, "many MAE"] == ""


def test_large_and_small_errors_keep_four_digits() -> None:
    given = {NONE: {**PLAIN, "all MAE": 1_234_567.0, "few MAE": 0.0012345678}}
    table = summary(tidy(houses=given))
    assert table.loc[0, ["all MAE", "few MAE"]].tolist() == ["1852000", "0.001852"]


def test_the_verdict_says_whether_rare_targets_gain_as_asked_while_the_others_keep() -> None:
    assert "- **houses**: few-shot MAE -10.0 ± 0.0 % (reached), all rows +2.0 ± 0.0 % (kept); " in text_of(
        houses=REACHED
    )
    assert "few-shot MAE -9.0 ± 0.0 % (lower, NOT as asked), all rows +2.2 ± 0.0 % (NOT kept)" in text_of(houses=SHORT)
    assert "few-shot MAE +0.5 ± 0.0 % (NOT lower), all rows -1.0 ± 0.0 % (kept)" in text_of(houses=WORSE)


def test_the_verdict_tells_what_the_controls_do_and_what_it_costs() -> None:
    text = text_of(houses=REACHED)
    assert "; real features copied instead: few-shot -5.0 ± 0.0 %, all rows +1.0 ± 0.0 %; " in text
    assert "; head retrained instead: few-shot -1.0 ± 0.0 %, all rows -1.0 ± 0.0 %; 13.5 s against 6.0 s" in text


def test_the_standard_error_is_that_of_the_changes_over_the_splits() -> None:
    rows = tidy(houses=REACHED)
    moved = (rows["arm"] == LATENT_DIFF) & (rows["metric"] == "few MAE") & (rows["split"] == 1)
    rows.loc[moved, "value"] *= 190.0 / 180.0
    assert "few-shot MAE -7.5 ± 2.5 % (lower, NOT as asked)" in page_text(rows, "", "")
    one = rows[rows["split"] == 0]
    assert "few-shot MAE -10.0 % (reached)" in page_text(one, "", "")


def test_a_table_without_few_shot_rows_has_a_line_and_counts_only_for_all_rows() -> None:
    text = text_of(houses=REACHED, even={NONE: NO_FEW, LATENT_DIFF: {**NO_FEW, "all MAE": 101.0}, COPIES: NO_FEW})
    assert "- **even**: no few-shot rows; all rows +1.0 ± 0.0 %" in text
    assert "| LatentDiff | -10.0 | +1.5 | 1 of 1 | 2 of 2 |" in text
    assert "nan" not in text


def test_arms_are_counted_over_all_tables() -> None:
    text = text_of(a=REACHED, b=SHORT, c=WORSE)
    assert "| LatentDiff | -6.2 | +1.1 | 2 of 3 | 2 of 3 |" in text
    assert "| real features copied | -5.0 | +1.0 | 3 of 3 | 3 of 3 |" in text


def test_squared_errors_and_geometric_means_have_a_table_of_changes() -> None:
    text = text_of(houses=REACHED)
    assert "| table | arm | all MSE | many MSE | medium MSE | few MSE | all GM | many GM | medium GM | few GM |" in text
    assert "| houses | LatentDiff | +2.0 |  |  |  |  |  |  | -10.0 |" not in text, "squares change by more"
    assert "| houses | LatentDiff | +4.0 |  |  |  |  |  |  | -10.0 |" in text


def test_bins_are_printed_with_their_shots_and_learned_rows() -> None:
    y = pd.Series(np.repeat([0.0, 1.0, 2.0, 4.0], [101, 20, 3, 1]), name="price")
    X = pd.DataFrame({"size": y})
    unseen = pd.Series([0.1, 2.1, 3.9], name="price")
    split = RegressionSplit(X, y, X.head(3), unseen, TargetBins.fit(y, 4))
    text = bins_text("houses", split)
    assert text == (
        "- **houses**: 4 bins of `price` from 0 to 4, each 1 wide: 1 many (101 rows learned, 1 unseen), "
        "1 medium (20 rows learned, 0 unseen), 2 few (4 rows learned, 2 unseen)\n  - learned rows of each: 101 20 3 1"
    )


def test_the_page_has_bins_and_command() -> None:
    text = text_of(houses=REACHED)
    assert "## Bins" in text
    assert "\n- bins\n" in text
    assert "Command: `imbllm bench regression --rows 300`." in text
