"""ImbLLMOverSampler in an imbalanced-learn pipeline. Run: python examples/oversample_in_a_pipeline.py (about a minute).

Inside the pipeline only training folds are oversampled; each test fold is scored as it is.
"""

from __future__ import annotations

from imblearn.pipeline import make_pipeline
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedKFold, cross_val_score

from imbllm_autogluon import ImbLLMOverSampler
from imbllm_autogluon.datasets import load_hypothyroid

X, y = load_hypothyroid()
X["sex"] = X["sex"].astype("category")
positive = (y == "hypothyroid").astype(int)

classifier = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
# 0.5: half as many rows of the rare class as of the frequent one. Fewer steps than the default keep the example short.
sampler = ImbLLMOverSampler(sampling_strategy=0.5, random_state=0, pretrain_steps=200, steps=100)

folds = StratifiedKFold(4, shuffle=True, random_state=0)
for name, model in {"plain": classifier, "oversampled": make_pipeline(sampler, classifier)}.items():
    scores = cross_val_score(model, X, positive, scoring="average_precision", cv=folds)
    print(f"{name:>12}: average precision {scores.mean():.3f} (folds: {', '.join(f'{score:.3f}' for score in scores)})")
