# %% [markdown]
# # Fraud: two classes
#
# From a table of card payments, a few of them fraudulent, to a decision about new ones. The payments are **simulated**,
# because no real ones are free to ship; the habits behind them are common ones: fraud comes at night, in bursts, from
# young accounts, in amounts just below a limit, and a third of it looks like any other payment. What is won or lost
# here says nothing of your table. [Results](../benchmarks/results/autogluon.md) of 48 real tables do.

# %%
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split


def payments(n: int, share: float, seed: int) -> pd.DataFrame:
    """Simulate card payments; a third of the fraudulent ones behave like honest ones."""
    rng = np.random.default_rng(seed)
    fraud = rng.random(n) < share
    shows = fraud & (rng.random(n) < 2 / 3)
    amount = np.where(shows, rng.normal(460, 40, n), rng.lognormal(3.3, 1.1, n)).clip(1).round(2)
    return pd.DataFrame(
        {
            "amount": amount,
            "hour": np.where(shows, rng.normal(3, 3, n), rng.normal(14, 4.5, n)).round().astype(int) % 24,
            "shop": np.where(shows & (rng.random(n) < 0.6), "vouchers", rng.choice(["food", "travel", "online"], n)),
            "account_days": np.where(shows, rng.exponential(60, n), rng.exponential(900, n)).astype(int),
            "payments_last_hour": rng.poisson(np.where(shows, 2.5, 0.2)),
            "outcome": np.where(fraud, "fraud", "honest"),
        }
    )


table = payments(4000, 0.02, seed=0)
train, test = train_test_split(table, test_size=0.4, stratify=table["outcome"], random_state=0)
print(train["outcome"].value_counts().to_string(), "\n")
print(train[train["outcome"] == "fraud"].head().to_string(index=False))

# %% [markdown]
# ## Fit plain models and their twins
#
# Importing the package makes AutoGluon know the preset `imbllm`. Each of the two families competes as it is and as a
# twin (`Imb` in its name), which learns from folds with written fraud. Two families and three folds keep this page
# short; without `hyperparameters` AutoGluon's whole portfolio is used.
#
# Name the rare class as positive: AutoGluon would take the last one in the alphabet, here the honest payments.

# %%
from autogluon.tabular import TabularPredictor

import imbllm_autogluon

predictor = TabularPredictor("outcome", eval_metric="average_precision", positive_class="fraud", verbosity=0)
predictor.fit(train, presets="imbllm", hyperparameters={"GBM": {}, "LR": {}}, num_bag_folds=3, num_cpus=1)
print(f"imbllm-autogluon {imbllm_autogluon.__version__}")

leaderboard = predictor.leaderboard(test).dropna(subset="score_test")
print(leaderboard[["model", "score_val", "score_test"]].round(3).to_string(index=False))

# %% [markdown]
# Read a model beside its twin. So few frauds decide a score here that differences of a few points are within chance;
# before you believe one, repeat the split, or let `imbllm fit` print intervals. A twin that is missing was left out for
# a reason, which the log of a fit names (`verbosity=2`).
#
# ## Decide
#
# A score is no decision. Say what the people who look at the alarms need: here, that four of five alarms are right.

# %%
from imbllm_autogluon.plugin import decide

decision = decide(predictor, precision=0.8, unseen_rows=len(test))
print(decision)

# %% [markdown]
# The decision was made on out-of-fold rows. What it leads to on the test rows, which nothing has seen:

# %%
answers = decision.predict(predictor, test)
print(pd.crosstab(test["outcome"], answers.rename("decided")).to_string())

# %% [markdown]
# Or there is time for ten alarms in a thousand payments, or a missed fraud costs fifty times as much as a false alarm:

# %%
is_fraud = test["outcome"] == "fraud"
for wish in ({"budget": 10}, {"cost_matrix": {"miss": 50, "alarm": 1}}):
    alarmed = decide(predictor, **wish).predict(predictor, test) == "fraud"
    print(f"{wish}: {alarmed.sum()} alarms find {(alarmed & is_fraud).sum()} of {is_fraud.sum()} frauds")

# %% [markdown]
# More: [Decisions](../docs/guides/decisions.md), [AutoGluon](../docs/guides/autogluon.md), [When not to use
# it](../docs/guides/when-not-to-use.md).
