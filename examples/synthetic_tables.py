# %% [markdown]
# # Synthetic tables
#
# Pred-LLM writes whole tables: it begins a row with one value, completes it, and asks its own model for the class. The
# table is a real one that travels with the package, thyroid examinations of 3,163 patients, 151 of them ill; half of it
# is learned here.

# %%
from sklearn.model_selection import train_test_split

from imbllm_autogluon.datasets import load_hypothyroid

X, y = load_hypothyroid()
train, unseen = train_test_split(X.assign(diagnosis=y), test_size=0.5, stratify=y, random_state=0)
print(train[["age", "sex", "TSH", "TT4", "diagnosis"]].head().to_string(index=False))

# %%
from imbllm_autogluon import PredLLM

synthesizer = PredLLM(random_state=0).fit(train, "diagnosis")
written = synthesizer.sample(800)
print(written[["age", "sex", "TSH", "TT4", "diagnosis"]].head().to_string(index=False))
print(written["diagnosis"].value_counts().to_string())

# %% [markdown]
# Cells are legal ones: known categories, numbers with the decimals and the range of their column, missing values where
# the column has some. More rows of one class count only if the model itself gives them that class:

# %%
rare = synthesizer.sample_class({"hypothyroid": 50})
print(f"{len(rare)} rows")
for entry in synthesizer.report.classes:
    print(entry.describe())

# %% [markdown]
# ## Are the rows any good?
#
# *Associations kept* comes first: rows may look right column by column and have lost what ties the columns together.
# Rows that the generator has not seen tell new rows from memorized ones.

# %%
from imbllm_autogluon import quality

evaluation = quality.evaluate(train, written, label="diagnosis", holdout=unseen)
print(evaluation.table()[["name", "value", "verdict"]].to_string(index=False))

# %% [markdown]
# A row that was written is not anonymous: it can repeat cells of real ones. Trees that learn from written rows instead
# of real ones lose accuracy ([results](../benchmarks/results/synthesis.md)). More:
# [Pred-LLM](../docs/guides/pred-llm.md), [Report](../docs/guides/report.md).
