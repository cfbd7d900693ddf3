#!/bin/sh
# From a CSV with a rare class to predictions, in the shell. Run: sh examples/rare_class.sh (about 3 minutes).
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A table of your own would stand here; this writes the packaged one as two CSV files.
python - "$work" <<'PYTHON'
import sys
from sklearn.model_selection import train_test_split
from imbllm_autogluon.datasets import load_hypothyroid

X, y = load_hypothyroid()
train, test = train_test_split(X.assign(diagnosis=y), test_size=0.3, stratify=y, random_state=0)
train.to_csv(f"{sys.argv[1]}/train.csv", index=False)
test.to_csv(f"{sys.argv[1]}/test.csv", index=False)
PYTHON

# Fit: the rarer class is the positive one, and every family also competes as a twin. Without --family, AutoGluon's
# whole portfolio is used. --test is kept out of the fit and only scored. One thread is by far the fastest where other
# work shares the cores.
imbllm fit "$work/train.csv" --label diagnosis --test "$work/test.csv" --out "$work/fit" \
    --family GBM --family LR --folds 3 --threads 1 --verbosity 1

# Predict: probabilities of both classes, in the order of the rows.
imbllm predict "$work/fit" "$work/test.csv" --proba --out "$work/predicted.csv"
head -n 4 "$work/predicted.csv"

# Or only write rows of the rare class, to use elsewhere.
imbllm sample "$work/train.csv" --label diagnosis --n 200 --label-value hypothyroid --out "$work/written.csv"
head -n 4 "$work/written.csv"
