# %% [markdown]
# # Texts
#
# A note says why an order came back, and one in ten does. The orders are **simulated**. Notes are too different from
# each other to be categories; `LanguageModelClassifier` reads them as they are, beside numbers and missing cells.

# %%
import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

rng = np.random.default_rng(0)
returned = rng.random(900) < 0.1
complaint = ["it broke after a day", "too small", "the wrong color"]
praise = ["works as it should", "a gift, well received", "fits"]
reason = np.where(returned, rng.choice(complaint, 900), rng.choice(praise, 900))
vague = rng.random(900) < 0.3  # these say nothing
notes = [f"Ordered on day {rng.integers(365)}, {'no remark' if v else r}." for r, v in zip(reason, vague, strict=True)]
price = rng.gamma(2, np.where(returned, 26, 20)).round(2)
orders = pd.DataFrame({"note": pd.Series(notes).mask(rng.random(900) < 0.1), "price": price})
outcome = pd.Series(np.where(returned, "returned", "kept"), name="outcome")
X, X_test, y, y_test = train_test_split(orders, outcome, test_size=0.4, stratify=outcome, random_state=0)
print(X.head().to_string(index=False))

# %% [markdown]
# ## A language model names the class
#
# A model that is trained on labels copies their shares, and names a rare class too rarely. `RECOMMENDED` are the
# measures against that which did best; they have a price in log-loss ([results](../benchmarks/results/prior.md)).

# %%
from sklearn.metrics import average_precision_score, log_loss

from imbllm_autogluon import LanguageModelClassifier
from imbllm_autogluon.classification import RECOMMENDED

for name, measures in {"no measures": {}, "recommended": RECOMMENDED}.items():
    classifier = LanguageModelClassifier(random_state=0, **measures).fit(X, y)
    probabilities = classifier.predict_proba(X_test)
    precision = average_precision_score(y_test == "returned", probabilities[:, 1])
    answered, true = (classifier.predict(X_test) == "returned").mean(), (y_test == "returned").mean()
    print(f"{name}: average precision {precision:.2f}, log-loss {log_loss(y_test, probabilities):.2f}", end=", ")
    print(f"{answered:.1%} answered as returned, {true:.1%} are")

# %% [markdown]
# ## Against the usual way
#
# Words as columns of counts, and a linear model. Where single words decide, this is hard to beat, and it takes a
# fraction of the time: try it first.

# %%
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

words = make_column_transformer((CountVectorizer(), "note"), remainder="passthrough")
usual = make_pipeline(words, LogisticRegression(class_weight="balanced", max_iter=2000)).fit(X.fillna(""), y)
probabilities = usual.predict_proba(X_test.fillna(""))
precision = average_precision_score(y_test == "returned", probabilities[:, 1])
print(f"words and a linear model: average precision {precision:.2f}, log-loss {log_loss(y_test, probabilities):.2f}")

# %% [markdown]
# The compact model learns words from your rows alone. A pretrained one knows them: `RECOMMENDED_FOR_TEXTS` lets SmolLM2
# read the rows and learns a logistic regression on its hidden states, in minutes without a GPU. On real reviews it is
# far ahead of both. More: [Classifier](../docs/guides/classifier.md).
