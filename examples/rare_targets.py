"""Rare high prices: errors on them and on all rows, with an untreated encoder and with LatentDiff.

Then the same question in an AutoGluon fit: `LATENT_DIFF` and the twins compete on the leaderboard, chosen by the error
on rare targets.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from autogluon.tabular import TabularPredictor
from sklearn.model_selection import train_test_split

from imbllm_autogluon import LatentDiffRegressor, make_preset
from imbllm_autogluon.plugin.scorers import shot_scorer
from imbllm_autogluon.regression.metrics import shot_metrics

rng = np.random.default_rng(0)
houses = pd.DataFrame({"area": rng.gamma(4, 25, 1200).round(), "town": rng.choice(["Oslo", "Bergen", "Voss"], 1200)})
oslo = np.where(houses["town"] == "Oslo", 1.6, 1.0)
price = pd.Series(oslo * houses["area"] ** 1.3 * rng.lognormal(0, 0.2, 1200), name="price")
X, X_test, y, y_test = train_test_split(houses, price, random_state=0)

for method in ("none", "latent_diff"):
    model = LatentDiffRegressor(method=method, n_bins=30, random_state=0, threads=1).fit(X, y)
    counts = model.bins_.counts(y)
    print(method, shot_metrics(y_test, model.predict(X_test), model.bins_, counts), sep="\n")

predictor = TabularPredictor("price", eval_metric=shot_scorer(model.bins_, counts, "few"), verbosity=1)
preset = make_preset("medium_quality", n_bins=30, method="smogn")
predictor.fit(X.assign(price=y), presets=preset, hyperparameters={"GBM": {}, "RF": {}}, num_cpus=1)
print(predictor.leaderboard(X_test.assign(price=y_test))[["model", "score_test", "score_val"]])
