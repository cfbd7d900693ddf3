from __future__ import annotations

import pandas as pd
import pytest

from imbllm_autogluon.bench.autogluon.arms import IMBLLM, RANDOM, TUNED, WEIGHTS
from imbllm_autogluon.bench.autogluon.verdicts import OTHERS, verdicts

BINARY = ("average precision", "ROC AUC", "balanced accuracy", "log-loss")
MORE = ("balanced accuracy", "macro F1", "log-loss")

Changes = dict[tuple[str, str], tuple[float, ...]]


def changes(given: Changes) -> pd.DataFrame:
    """Two splits a point apart around the means given for table and arm: four for two classes, three for more."""
    rows = {
        (table, split, arm): {
            name: value + (split - 0.5) for name, value in zip(BINARY if len(own) == 4 else MORE, own, strict=True)
        }
        for (table, arm), own in given.items()
        for split in range(2)
    }
    frame = pd.DataFrame.from_dict(rows, orient="index").reindex(columns=[*BINARY, "macro F1"])
    return frame.rename_axis(["table", "split", "arm"])


def against(plain: pd.DataFrame, others: pd.DataFrame) -> str:
    """Verdicts on changes against the plain models, and on those against every other arm."""
    return verdicts({**dict.fromkeys(OTHERS, others), "plain": plain})


def line(text: str, arm: str, other: str, name: str) -> str:
    own = text.split(f"- **{arm}** against `{other}`:\n")[1].split("\n- ")[0]
    return next(one for one in own.split("\n") if one.startswith(f"  - {name}"))


GOOD: Changes = {
    ("a", IMBLLM): (1.0, 0.4, 2.0, -1.0),
    ("b", IMBLLM): (-0.4, 0.2, 2.0, 2.0),
    ("car", IMBLLM): (4.0, 3.0, -6.0),
}


def test_it_holds_where_gains_are_higher_on_average_and_losses_are_small() -> None:
    text = against(changes(GOOD), changes(GOOD))
    precision = line(text, IMBLLM, "plain", "average precision")
    assert precision == (
        "  - average precision: holds: +0.3 points on average, lower by more than 0.5 on none; better on 1 of 2 "
        "tables, worse on 1"
    )
    assert line(text, IMBLLM, "plain", "log-loss").startswith("  - log-loss: holds: -1.7 % on average")
    assert ": holds: +4.0 points on average; better on 1 of 1" in line(text, IMBLLM, "plain", "balanced accuracy")
    assert ": holds: +3.0 points" in line(text, IMBLLM, "plain", "macro F1, more than two classes")


def test_a_table_that_loses_too_much_is_named_however_good_the_average() -> None:
    worse = changes({**GOOD, ("a", IMBLLM): (9.0, 9.0, 0.0, 2.5), ("b", IMBLLM): (-0.6, 1.0, 0.0, -9.0)})
    text = against(worse, changes(GOOD))
    precision = line(text, IMBLLM, "plain", "average precision")
    assert "does NOT hold: +4.2 points on average, lower by more than 0.5 on b (-0.6)" in precision
    assert "does NOT hold" in line(text, IMBLLM, "plain", "log-loss")
    assert "higher by more than 2 % on a (+2.5); better on 2 of 3 tables" in line(text, IMBLLM, "plain", "log-loss")
    assert " holds" in line(text, IMBLLM, "plain twice", "average precision"), "the other comparison is its own"


@pytest.mark.parametrize("mean", [0.0, -0.1])
def test_what_is_not_higher_on_average_does_not_hold(mean: float) -> None:
    same = changes({("a", IMBLLM): (mean, 1.0, 0.0, 0.0)})
    assert "does NOT hold" in line(against(same, same), IMBLLM, "plain", "average precision")


def test_less_than_three_points_of_several_classes_do_not_hold() -> None:
    less = changes({("car", IMBLLM): (2.9, 3.0, 0.0)})
    text = against(less, less)
    assert "does NOT hold: +2.9" in line(text, IMBLLM, "plain", "balanced accuracy")
    assert "average precision:" not in text, "no table has two classes"


def test_tuned_twins_are_compared_with_untuned_ones() -> None:
    given: Changes = {**GOOD, ("a", TUNED): (1.5, 0.2, 2.0, 0.0), ("b", TUNED): (-0.4, 0.2, 2.0, 0.0)}
    own = changes({**given, ("car", TUNED): (4.0, 2.0, 0.0)})
    last = against(own, own).rpartition(f"- `{TUNED}` against `{IMBLLM}`:\n")[2].split("\n")
    assert last[0] == "  - average precision: holds: +0.2 points on average; better on 1 of 2 tables, worse on 0"
    assert last[1].startswith("  - ROC AUC: does NOT hold: -0.1 points")
    assert "macro F1: does NOT hold: -1.0" in last[3]
    missing = against(changes(GOOD), changes(GOOD))
    assert missing.endswith(f"- `{TUNED}` against `{IMBLLM}`: not measured (`--tuned`)")


def test_other_arms_stand_below_those_that_are_asked() -> None:
    own = changes({**{(table, arm): v for (table, _), v in GOOD.items() for arm in (WEIGHTS, RANDOM)}, **GOOD})
    text = against(own, own)
    assert text.index(f"- **{IMBLLM}**") < text.index(f"- **{RANDOM}**") < text.index(f"- **{WEIGHTS}**")
    assert "nan" not in text
