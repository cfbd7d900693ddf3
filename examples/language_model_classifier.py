"""A language model that reads the rows of a table, free texts included, and names their class.

Without a GPU the compact model takes seconds; ``backbone="smollm2"`` takes minutes.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from imbllm_autogluon import LanguageModelClassifier
from imbllm_autogluon.classification import RECOMMENDED

rng = np.random.default_rng(0)
returned = rng.random(2000) < 0.1
reasons = np.where(returned, "it broke after a day", "works as it should")
notes = [f"Ordered on day {rng.integers(365)}, {reason}, box {rng.integers(10**6)}." for reason in reasons]
orders = pd.DataFrame({"note": notes, "price": rng.gamma(2, 20, 2000).round(2)})
orders["note"] = orders["note"].mask(rng.random(2000) < 0.2)
label = pd.Series(np.where(returned, "returned", "kept"), name="outcome")

X, X_test, y, y_test = train_test_split(orders, label, stratify=label, random_state=0)
for name, measures in {"no measures": {}, "recommended": RECOMMENDED}.items():
    classifier = LanguageModelClassifier(random_state=0, **measures).fit(X, y)
    answers = classifier.predict(X_test)
    print(f"{name}: {(answers == 'returned').mean():.1%} answered, {(y_test == 'returned').mean():.1%} true")
