from __future__ import annotations

import json

import pytest

from imbllm_autogluon.jobs.comparison import Comparison, Score
from imbllm_autogluon.jobs.contenders import Contenders

BOTH = Contenders("WeightedEnsemble_L2", "WeightedEnsemble_L2Plain")


def comparison(*scores: Score, interval: tuple[float, float] | None = None, models: Contenders = BOTH) -> Comparison:
    return Comparison(models, scores, "test", {"no": 900, "yes": 49}, interval)


WHOLE, PLAIN = "The whole ensemble (plain models and twins) is better by", "The plain ensemble is better by"
F1_GAIN = f"{WHOLE} 0.0500 (F1 0.8500 with twins, 0.8000 without, on 949 test rows)."

VERDICTS = {
    "whole": (comparison(Score("f1", True, 0.80, 0.85), interval=(0.01, 0.09)), "whole", F1_GAIN),
    "plain": (
        comparison(Score("average_precision", True, 0.9, 0.875), Score("log_loss", False, 0.2, 0.3)),
        "plain",
        f"{PLAIN} 0.0250 (average precision 0.8750 with twins, 0.9000 without, on 949 test rows).",
    ),
    "plain by a metric where less is better": (
        comparison(Score("log_loss", False, 0.2, 0.3)),
        "plain",
        f"{PLAIN} 0.1000 (log-loss 0.3000 with twins, 0.2000 without, on 949 test rows).",
    ),
    "equal": (
        comparison(Score("f1", True, 0.8, 0.8), Score("log_loss", False, 0.3, 0.2)),
        "neither",
        f"Both ensembles are equal (F1 0.8000 with twins, 0.8000 without, on 949 test rows). {WHOLE} log-loss.",
    ),
    "chance": (
        comparison(Score("f1", True, 0.80, 0.85), interval=(-0.01, 0.09)),
        "whole",
        f"{F1_GAIN} That is within chance: the 95 % interval of the gain is -0.0100 to +0.0900.",
    ),
    "other metrics disagree": (
        comparison(Score("f1", True, 0.80, 0.85), Score("roc_auc", True, 0.9, 0.8), Score("log_loss", False, 0.1, 0.2)),
        "whole",
        f"{F1_GAIN} {PLAIN} ROC AUC, log-loss.",
    ),
    "no twins": (
        comparison(Score("f1", True, None, 0.85), models=Contenders("LightGBM", None, "no twin was fitted")),
        "neither",
        "Nothing to compare: no twin was fitted.",
    ),
}


@pytest.mark.parametrize(("result", "winner", "verdict"), VERDICTS.values(), ids=VERDICTS)
def test_the_verdict_says_which_ensemble_won_by_how_much_and_on_what(
    result: Comparison, winner: str, verdict: str
) -> None:
    assert result.winner == winner
    assert result.verdict == verdict
    assert json.loads(json.dumps(result.to_dict()))["verdict"] == verdict
