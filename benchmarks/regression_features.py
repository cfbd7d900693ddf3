"""LatentDiff on features from elsewhere: pixels of images, and a pretrained network's embeddings of texts.

The features are given (`encoder="given"`), so that an encoder is a ridge regression on them: `none` is one of these,
LatentDiff is five with a retrained head; its controls and the errors are those of `regression`. `turned digits` are
the 64 pixels of scikit-learn's digits, each image turned by an angle that is to be found; large angles are rare.
`drug_reviews` are reviews by patients, and how many readers found each useful; features are the last states of
SmolLM2-135M, which is not tuned, 576 means over at most 64 tokens of a review. Rows to judge on are those that the file
names, and a quarter of the images; a split draws them and the folds.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from benchmarks import regression
from benchmarks.protocol import Claim, Metric, Options, Protocol, Spec, Task
from benchmarks.regression import COPIES, LATENT_DIFF, NONE, RegressionSplit
from benchmarks.tables import Rows, Table
from imbllm_autogluon._config import cache_dir
from imbllm_autogluon.regression.bins import TargetBins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TOKENS = 64

METHODS: Mapping[str, Spec] = {
    name: {"settings": {"encoder": "given", **regression.METHODS[name]["settings"]}}
    for name in (NONE, LATENT_DIFF, regression.AVERAGED, regression.RETRAINED, COPIES)
}


def measure(task: Task) -> dict[str, float]:
    """Fit one method on the features of one split; errors by shot, and seconds of a fit without the features."""
    split = split_of(task.table, task.split, task.options["bins"])
    if "review" in split.real.X:
        real, test = (Rows(embedded(rows.X["review"].tolist()), rows.y) for rows in (split.real, split.test))
        split = RegressionSplit(real, test, split.bins)
    regressor, seconds = regression.fitted(task.spec, split, task.split, task.threads)
    return {**regression.errors_by_shot(regressor.predict(split.test.X), split), "fit s": seconds}


def split_of(table: Table, seed: int, most_bins: int) -> RegressionSplit:
    """The table's own split where it has a column `part`, else a drawn one."""
    if "part" not in table.frame:
        return RegressionSplit.of(table, seed, most_bins)
    parts = (table.frame[table.frame["part"] == part].reset_index(drop=True) for part in ("train", "test"))
    real, test = (Rows(part.drop(columns=table.label), part[table.label]) for part in parts)
    return RegressionSplit(real, test, TargetBins.fit(real.y, regression.bins_for(len(real.y), most_bins)))


def embedded(texts: Sequence[str]) -> pd.DataFrame:
    """Means of the last states of SmolLM2 over the first tokens, shape (n, 576), kept beside the runs."""
    import torch

    from imbllm_autogluon.language.backbones import find_backbone
    from imbllm_autogluon.language.pretrained import load_model, load_tokenizer

    key = pd.util.hash_pandas_object(pd.Series(texts), index=False).sum()
    file = cache_dir() / "benchmarks" / "regression_features" / f"states-{TOKENS}-{key}.npy"
    if not file.is_file():
        source = find_backbone("smollm2")
        model, tokenizer, states = load_model(source).base_model, load_tokenizer(source), []
        for text in texts:
            tokens = tokenizer(html.unescape(text), truncation=True, max_length=TOKENS, return_tensors="pt")
            with torch.inference_mode():
                states.append(model(**tokens).last_hidden_state[0].mean(dim=0).numpy())
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, np.stack(states))
    return pd.DataFrame(np.load(file)).rename(columns="state {}".format)


def describe(table: Table, options: Options) -> str:
    """Bins of the first split."""
    return regression.described(split_of(table, options.seed, options["bins"]))


PROTOCOL = Protocol(
    name="regression_features",
    about=__doc__,
    methods=METHODS,
    always=(NONE,),
    measure=measure,
    metrics=(*regression.SHOT_METRICS, Metric("fit s", "seconds of a fit, that of the features left out", "")),
    tables=("turned digits",),
    rows=4000,
    options=regression.BINS,
    number=True,
    describe=describe,
    references=(NONE,),
    claims=(
        Claim(LATENT_DIFF, "few MAE", NONE, mean=0.0),
        Claim(LATENT_DIFF, "all MAE", NONE, mean=-1.0),
        Claim(LATENT_DIFF, "few MAE", COPIES, mean=0.0),
    ),
    page=tuple(part for part in regression.PAGE if part is not regression.generated_features),
)
