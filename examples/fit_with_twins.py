"""Every model also competes as a twin fitted on rebalanced folds. Run: python examples/fit_with_twins.py."""

from __future__ import annotations

from autogluon.tabular import TabularPredictor
from sklearn.model_selection import train_test_split

import imbllm_autogluon  # noqa: F401 - importing it is what makes AutoGluon know the preset "imbllm"
from imbllm_autogluon.datasets import load_hypothyroid

X, y = load_hypothyroid()
train, test = train_test_split(X.assign(diagnosis=y), test_size=0.3, stratify=y, random_state=0)

# Name the positive class: AutoGluon would take the alphabetically last one, here the frequent "negative".
predictor = TabularPredictor("diagnosis", eval_metric="average_precision", positive_class="hypothyroid")

# Two families keep the example short; without `hyperparameters`, AutoGluon's default portfolio is used. One thread is
# enough for this table, and by far the fastest where other work shares the cores.
predictor.fit(train, presets="imbllm", num_bag_folds=4, num_cpus=1, hyperparameters={"GBM": {}, "LR": {}})

# Twins carry "Imb" in their names; the plain models stand next to them, so you see whether rebalancing helped.
print(predictor.leaderboard(test)[["model", "score_test", "score_val", "fit_time_marginal"]].to_string(index=False))
