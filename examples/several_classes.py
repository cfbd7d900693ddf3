"""Decisions among several classes that follow the metric, without any twin. Run: python examples/several_classes.py."""

from __future__ import annotations

from autogluon.tabular import TabularPredictor
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from imbllm_autogluon import calibrated_probabilities, fit_ensemble

# Handwritten digits cut down to their brightest columns: 0 to 2 are common, 3 to 5 rare.
table = load_digits(as_frame=True).frame[["pixel_2_3", "pixel_3_4", "pixel_4_2", "pixel_5_4", "pixel_6_3", "target"]]
kept = [part.head(170 if digit < 3 else 30) for digit, part in table.groupby("target") if digit < 6]
rows = table.loc[[place for part in kept for place in part.index]]
train, test = train_test_split(rows, test_size=0.3, stratify=rows["target"], random_state=0)

predictor = TabularPredictor("target", eval_metric="balanced_accuracy", verbosity=1)
predictor.fit(train, hyperparameters={"GBM": {}, "RF": {}}, num_bag_folds=4, num_cpus=1)

# AutoGluon answers the most probable class, ours the class that balanced accuracy asks for.
ours = fit_ensemble(predictor)
for name in ("WeightedEnsemble_L2", ours):
    print(name, predictor.evaluate(test, model=name)["balanced_accuracy"])

# The class to answer is not always the most probable one, so probabilities are asked for separately.
print(calibrated_probabilities(predictor, test, ours).head(3).round(2))
