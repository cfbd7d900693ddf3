#!/bin/sh
# A whole competition in the shell: from its files to a submission. Run: sh examples/competition.sh (about a minute).
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

# Files as a host gives them: labels for some rows only, a sample in another order with a 0 in each row, ids with
# leading zeros. The labels of the other rows are kept back.
python - <<'PYTHON'
from sklearn.model_selection import train_test_split
from imbllm_autogluon.datasets import load_hypothyroid

X, y = load_hypothyroid()
rows = X.assign(diagnosis=y).sample(frac=1, random_state=1)
rows.insert(0, "id", [f"{number:05d}" for number in range(len(rows))])
train, test = train_test_split(rows, test_size=0.3, stratify=rows["diagnosis"], random_state=0)
train.to_csv("train.csv", index=False)
test.drop(columns="diagnosis").to_csv("test.csv", index=False)
test[["id", "diagnosis"]].to_csv("kept_back.csv", index=False)
test[["id"]].assign(diagnosis=0).sort_values("id").to_csv("sample_submission.csv", index=False)
PYTHON

# Fit: ids are neither learned from nor written; the report gives cross-validated scores with intervals. One family
# and a generator of few steps keep it short: leave out --family and --setting, and give a --time-limit.
imbllm fit train.csv --label diagnosis --id id --metric auc --seed 1 --out model \
    --family GBM --folds 2 --setting steps=40 --setting pretrain_steps=40 --threads 1 --verbosity 1

# Predict: ids, columns and order of the sample. It says what is written.
imbllm predict model test.csv --submission sample_submission.csv --out submission.csv
head -n 3 submission.csv

# What the host does.
python - <<'PYTHON'
import pandas as pd
from sklearn.metrics import roc_auc_score

given, truth = (pd.read_csv(f"{name}.csv", dtype={"id": str}).set_index("id") for name in ("submission", "kept_back"))
score = roc_auc_score(truth["diagnosis"] == "hypothyroid", given["diagnosis"].reindex(truth.index))
print(f"{len(given)} answers, area under the ROC curve on rows that nobody saw: {score:.4f}")
PYTHON
