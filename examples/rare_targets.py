# %% [markdown]
# # Rare targets of a regression
#
# A model of house prices is good where houses are many and far off where they are few. The houses are **simulated**:
# what is won or lost here shows how to measure, not what to expect.
# [Results](../benchmarks/results/regression_autogluon.md) of five real tables do.

# %%
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

rng = np.random.default_rng(0)
houses = pd.DataFrame({"area": rng.gamma(4, 25, 900).round(), "town": rng.choice(["Oslo", "Bergen", "Voss"], 900)})
oslo = np.where(houses["town"] == "Oslo", 1.6, 1.0)
houses["price"] = (oslo * houses["area"] ** 1.3 * rng.lognormal(0, 0.2, 900)).round(1)
train, test = train_test_split(houses, random_state=0)
print(train["price"].describe().round(0).to_string())

# %% [markdown]
# ## Where are targets rare?
#
# The range of prices is cut into bins. Prices in bins of fewer than 20 training rows are few-shot, up to 100
# medium-shot.

# %%
from imbllm_autogluon import LatentDiffRegressor
from imbllm_autogluon.regression.metrics import shot_metrics

X, y, X_test, y_test = train[["area", "town"]], train["price"], test[["area", "town"]], test["price"]
quick = {"n_bins": 30, "encoder_epochs": 20, "random_state": 0}
models = {
    "untreated": LatentDiffRegressor(method="none", **quick).fit(X, y),
    "LDS weights": LatentDiffRegressor(method="lds", **quick).fit(X, y),
    "LatentDiff": LatentDiffRegressor(generation_ratio=0.2, diffusion_steps=300, **quick).fit(X, y),
}
bins = models["untreated"].bins_
errors = {name: shot_metrics(y_test, model.predict(X_test), bins, bins.counts(y)) for name, model in models.items()}
print(pd.DataFrame({"rows": errors["untreated"]["n"]} | {name: each["MAE"] for name, each in errors.items()}).round(1))

# %% [markdown]
# Mean absolute errors: of one encoder, untreated and with rare prices counting more, and of LatentDiff, some encoders
# whose head learned again with features drawn for rare prices, one for each five real rows. By default LatentDiff
# chooses that ratio by cross-validation. Look at the few-shot line first, then at what all prices paid for it; fewer
# epochs and steps than usual keep this page short.
#
# ## On AutoGluon's leaderboard
#
# Twins learn from rows of rare prices, here written by SMOGN. The metric is the error on few-shot prices, so this is
# what the leaderboard is sorted by; errors are shown below zero, higher is better.

# %%
from autogluon.tabular import TabularPredictor

from imbllm_autogluon import make_preset
from imbllm_autogluon.plugin.scorers import shot_scorer

few = shot_scorer(bins, bins.counts(y), "few")
predictor = TabularPredictor("price", eval_metric=few, verbosity=0)
preset = make_preset("medium_quality", n_bins=30, method="smogn", latent_diff=False)
predictor.fit(train, presets=preset, hyperparameters={"GBM": {}, "XT": {}}, num_cpus=1)

leaderboard = predictor.leaderboard(test, extra_metrics=["mean_absolute_error"])
columns = ["model", "score_test", "score_val", "mean_absolute_error"]
print(leaderboard[columns].dropna().round(1).to_string(index=False))

# %% [markdown]
# More: [Regression](../docs/guides/regression.md), [the reason for each default](../docs/decisions/regression.md).
