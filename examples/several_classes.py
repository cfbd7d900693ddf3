# %% [markdown]
# # Several classes
#
# Ten places in a yeast cell where a protein may work, of 463 proteins at the most common one down to 5 at the rarest: a
# real table, which travels with the package. Most of what can be won on such tables is won by deciding well, not by
# synthetic rows ([results](../benchmarks/results/autogluon.md)), so this notebook begins without any.

# %%
from sklearn.model_selection import train_test_split

from imbllm_autogluon.datasets import load_yeast

X, y = load_yeast()
train, test = train_test_split(X.assign(site=y), test_size=0.4, stratify=y, random_state=0)
print(train["site"].value_counts().to_string())

# %% [markdown]
# ## Decisions that follow the metric
#
# Balanced accuracy counts every class alike. AutoGluon answers the most probable class, which is seldom a rare one; the
# ensemble of this package answers the class that the metric asks for. `fit_ensemble` adds it to any fitted predictor.

# %%
from autogluon.tabular import TabularPredictor
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score

from imbllm_autogluon import fit_ensemble

predictor = TabularPredictor("site", eval_metric="balanced_accuracy", verbosity=0)
predictor.fit(train, hyperparameters={"GBM": {}, "XT": {}}, num_bag_folds=3, num_cpus=1)
ours = fit_ensemble(predictor)

for name in ("WeightedEnsemble_L2", ours):
    true, answers = test["site"], predictor.predict(test, model=name)
    print(name)
    print(f"  balanced accuracy {balanced_accuracy_score(true, answers):.3f}")
    print(f"  macro F1          {f1_score(true, answers, average='macro'):.3f}")
    print(f"  accuracy          {accuracy_score(true, answers):.3f}")

# %% [markdown]
# Rare classes are found more often, and frequent ones less: accuracy falls where balanced accuracy rises. Which one you
# want is your choice, and the metric is how you say it.

# %%
import pandas as pd
from sklearn.metrics import recall_score

labels = train["site"].value_counts().index
recalls = {
    name: recall_score(test["site"], predictor.predict(test, model=name), labels=labels, average=None)
    for name in ("WeightedEnsemble_L2", ours)
}
print(pd.DataFrame(recalls, index=labels).round(2).to_string())

# %% [markdown]
# ## How likely is a class?
#
# `predict_proba` of an adjusted ensemble gives the highest number to the class to answer. Ask for probabilities
# separately:

# %%
from imbllm_autogluon import calibrated_probabilities

print(calibrated_probabilities(predictor, test, ours).head(3).round(2).to_string())

# %% [markdown]
# ## And twins?
#
# `predictor.fit(train, presets="imbllm")` adds twins and that ensemble in one fit. Judge them beside duplicated rows,
# the cheapest method (`presets=make_preset("medium_quality", method="random")`). `imbllm demo` does so for this table,
# with intervals. More: [AutoGluon](../docs/guides/autogluon.md#the-ensemble-alone), [the
# reasons](../docs/decisions/ensemble.md).
