"""Write a whole table with Pred-LLM: new rows of every class, each class asked of the model."""

from __future__ import annotations

from imbllm_autogluon import PredLLM
from imbllm_autogluon.datasets import load_hypothyroid

X, y = load_hypothyroid()
table = X.assign(diagnosis=y)

synthesizer = PredLLM(random_state=0).fit(table, "diagnosis")
written = synthesizer.sample(1000)
print(written["diagnosis"].value_counts())

rare = synthesizer.sample_class({"hypothyroid": 50})
print(rare.head())
for entry in synthesizer.report.classes:
    if entry.acceptance_rate is not None:
        print(f"{entry.label}: {entry.acceptance_rate:.1%} of the candidates were accepted")
print(synthesizer.predict_proba(X.head()))
