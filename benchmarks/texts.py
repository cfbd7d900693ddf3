"""What helps a pretrained decoder to name a rare class of texts, with few rows and with partly mislabeled ones.

SmolLM2-135M on drug reviews (`drug_reviews.csv` in the folder of `--data`): review and condition, three ratings,
split into train and test by the file's own column, 192 tokens of a review. `plain` and the methods without another word
are LoRA adapters of the last blocks, 100 steps of 8 rows; `probe` is a logistic regression on the states of the
backbone, none of whose weights learn; `recommended` is the probe with correction and matched decisions. States are kept
beside the runs: only the first run of a form of the sentence reads the rows. `small` methods learn an eleventh of the
training rows; those with noisy rows also the other ten elevenths, 30 % of whose labels are another class's, drawn
evenly, and 30 % of whose conditions are another row's. A seed draws the small set, the noise, and everything random in
a fit. TF-IDF with logistic regression and class weights, and AutoGluon on one core, learn the same rows. All seeds are
judged on the same 379 rows, 36 of the rarest class: their own chance is in no standard error here.
"""

from __future__ import annotations

import html
import tempfile
import time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from benchmarks.protocol import Claim, Metric, Option, Options, Protocol, Spec, Task
from benchmarks.report import by_table, changes_by_table, claims
from benchmarks.scores import BALANCED, LOG_LOSS, MACRO_F1, ROC_AUC, of_all_classes, without_zeros
from imbllm_autogluon._config import cache_dir
from imbllm_autogluon.classification import RECOMMENDED, RECOMMENDED_FOR_TEXTS, LanguageModelClassifier

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from benchmarks.tables import Rows

PLAIN, RECOMMENDED_METHOD, WRITTEN = "plain", "recommended", "synthetic balancing"
SMALL, NOISY = "small, recommended", "noisy and small, recommended"
WORDS, AUTOGLUON, FILE = "TF-IDF", "AutoGluon", "drug_reviews.csv:rating"
PROBE, WITH_PROBE = "probe", "AutoGluon with the probe"
GAP, COPIED, ASKED, REFUSED, RUN = "gap", "copied", "asked", "refused", "longest copied run"
SMALL_SHARE, WRONG, MIXED = 1 / 11, 0.3, 0.3
_SECONDS = 600  # of a fit of AutoGluon

_PEER, _SIZE, _NOISE = "peer", "small", "noisy"  # keys of a method that are no settings

_TUNED = {**RECOMMENDED, "instruction": False}
_PROBE: Spec = {"tuning": "probe"}
_RECOMMENDED: Spec = {
    name: value for name, value in RECOMMENDED_FOR_TEXTS.items() if name not in ("backbone", "text_words")
}

METHODS: dict[str, Spec] = {
    PLAIN: {},
    RECOMMENDED_METHOD: _RECOMMENDED,
    WORDS: {_PEER: "words"},
    SMALL: {**_RECOMMENDED, _SIZE: True},
    NOISY: {**_RECOMMENDED, _SIZE: True, _NOISE: True},
    WRITTEN: {**_PROBE, "synthetic_cap": 3.0},
    PROBE: _PROBE,
    "plain, corrected": _TUNED,
    AUTOGLUON: {_PEER: "autogluon"},
    WITH_PROBE: {_PEER: "autogluon with the probe"},
    "small, TF-IDF": {_PEER: "words", _SIZE: True},
    "noisy, then small, tuned": {**_TUNED, _SIZE: True, _NOISE: True},
    "small, tuned": {**_TUNED, _SIZE: True},
    "probe, effective number": {**_PROBE, "weighting": "effective"},
    "probe, inverse frequency": {**_PROBE, "weighting": "inverse"},
    "probe, oversampling, cap 3": {**_PROBE, "oversampling_cap": 3.0},
    "probe, correction": {**_PROBE, "target_prior": "training"},
    "probe, temperature and bias": {**_PROBE, "calibration": "temperature"},
    "probe, matched decisions": {**_PROBE, "decisions": "matched"},
    "probe, instruction": {**_PROBE, "instruction": True},
    "probe, two-stage": {**_PROBE, "first_stage": "words"},
    "recommended, synthetic balancing": {**_RECOMMENDED, "synthetic_cap": 3.0},
    "noisy by cross-entropy and small, recommended": {
        **_RECOMMENDED,
        _SIZE: True,
        _NOISE: True,
        "noisy_q": 0.0,
    },
    "effective number": {"weighting": "effective"},
    "focal": {"focal_gamma": 2.0},
    "oversampling, cap 3": {"oversampling_cap": 3.0},
    "top blocks": {"tuning": "top_blocks"},
    "stopped by macro F1": {"stopping_metric": "f1_macro"},
    "control token": {"suppression": True},
}
"""Settings of the classifier, and which rows are learned; `peer`: another classifier."""


class Split(NamedTuple):
    """Rows to learn, rows to judge on, and rows whose labels may be wrong."""

    train: Rows
    test: Rows
    noisy: Rows | None


class Answers(NamedTuple):
    """What a classifier says of the test rows."""

    classes: Any
    probabilities: Any
    answers: Any
    more: Mapping[str, float] = MappingProxyType({})
    """Further figures."""


def measure(task: Task) -> dict[str, float]:
    """Learn the training rows and judge on the official test rows."""
    spec, seed = dict(task.spec), task.split
    peer, small, noisy = (spec.pop(key, None) for key in (_PEER, _SIZE, _NOISE))
    split = split_of(task.table.frame, task.table.label, seed, small=bool(small))
    started = time.perf_counter()
    if peer == "words":
        found = by_words(split)
    elif peer is not None:
        found = by_autogluon(split, with_probe="probe" in peer)
    else:
        with kept_states():
            found = by_model(split if noisy else split._replace(noisy=None), spec, task)
    seconds = time.perf_counter() - started
    truth, answered = (np.searchsorted(found.classes, np.asarray(each)) for each in (split.test.y, found.answers))
    figures = of_all_classes(without_zeros(found.probabilities), answered, truth)
    return {**figures, **found.more, "fit s": seconds}


def by_model(split: Split, spec: dict[str, Any], task: Task) -> Answers:
    """Answers of the language model with some settings."""
    if spec.get("first_stage") == "words":
        spec["first_stage"] = of_words()
    model = LanguageModelClassifier(random_state=task.split, threads=task.threads)
    model.set_params(**settings_of(task.options), **spec)
    model.fit(split.train.X, split.train.y, noisy=None if split.noisy is None else (split.noisy.X, split.noisy.y))
    probabilities = model.predict_proba(split.test.X)
    matched = spec.get("decisions") == "matched"
    answers = model.predict(split.test.X) if matched else model.classes_[probabilities.argmax(axis=1)]
    return Answers(model.classes_, probabilities, answers, written_figures(model.model_.written))


def settings_of(options: Options) -> dict[str, Any]:
    """What all methods of the language model share."""
    return {
        "backbone": options["backbone"],
        "clauses": "text",
        "lora_blocks": options["blocks"],
        "top_blocks": options["blocks"],
        "text_words": options["words"],
        "steps": options["steps"],
        "batch_size": 8,
        "device": "cpu",
    }


def split_of(frame: pd.DataFrame, label: str, seed: int, *, small: bool) -> Split:
    """The file's own split; where `small` an eleventh of its training rows, the others made noisy."""
    from sklearn.model_selection import train_test_split

    frame = frame.assign(review=frame["review"].map(html.unescape), condition=frame["condition"].fillna("unknown"))
    train, test = (frame[frame["part"] == part].reset_index(drop=True) for part in ("train", "test"))
    noisy = None
    if small:
        train, others = train_test_split(train, train_size=SMALL_SHARE, stratify=train[label], random_state=seed)
        noisy = _rows(made_noisy(others.reset_index(drop=True), label, seed), label)
    return Split(_rows(train.reset_index(drop=True), label), _rows(test, label), noisy)


def made_noisy(frame: pd.DataFrame, label: str, seed: int) -> pd.DataFrame:
    """Rows a share of which have another class's label, and a share another row's condition."""
    rng = np.random.default_rng([seed, 22])
    classes = np.unique(frame[label])
    codes = np.searchsorted(classes, frame[label])
    wrong = rng.random(len(frame)) < WRONG
    codes[wrong] = (codes[wrong] + rng.integers(1, len(classes), int(wrong.sum()))) % len(classes)
    mixed = np.flatnonzero(rng.random(len(frame)) < MIXED)
    condition = frame["condition"].to_numpy(dtype=object, copy=True)
    condition[mixed] = condition[rng.permutation(mixed)]
    return frame.assign(**{label: classes[codes], "condition": condition})


def _rows(frame: pd.DataFrame, label: str) -> Rows:
    from benchmarks.tables import Rows

    return Rows(frame[["condition", "review"]], frame[label])


def of_words() -> Any:
    """TF-IDF of words and pairs of words, and conditions, in a logistic regression with class weights."""
    from sklearn.compose import make_column_transformer
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    columns = make_column_transformer(
        (TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), "review"),
        (OneHotEncoder(handle_unknown="ignore"), ["condition"]),
    )
    return make_pipeline(columns, LogisticRegression(class_weight="balanced", max_iter=1000))


def by_words(split: Split) -> Answers:
    """Answers of :func:`of_words`."""
    model = of_words().fit(split.train.X, split.train.y)
    return Answers(model.classes_, model.predict_proba(split.test.X), model.predict(split.test.X))


def by_autogluon(split: Split, *, with_probe: bool) -> Answers:
    """Answers of AutoGluon's default models in ten minutes, and of the recommended classifier among them."""
    from autogluon.tabular import TabularPredictor
    from autogluon.tabular.configs.hyperparameter_configs import get_hyperparameter_config

    models = dict(get_hyperparameter_config("default"))
    if with_probe:
        models["IMBLLM_CLF"] = dict(RECOMMENDED_FOR_TEXTS)
    options = {"hyperparameters": models, "time_limit": _SECONDS, "num_cpus": 1}
    with tempfile.TemporaryDirectory() as folder:
        predictor = TabularPredictor(str(split.train.y.name), eval_metric="f1_macro", path=folder, verbosity=0)
        read = {"enable_raw_text_features": True}  # next to the usual features of texts
        predictor.fit(split.train.frame, _feature_generator_kwargs=read, **options)
        probabilities = predictor.predict_proba(split.test.X)
        return Answers(probabilities.columns.to_numpy(), probabilities.to_numpy(), predictor.predict(split.test.X))


def written_figures(written: Mapping[str, Mapping[str, int]]) -> dict[str, float]:
    """Texts that were asked for, percent of them that were refused and that copied, and the longest copied run."""
    asked = sum(counts["asked"] for counts in written.values())
    if not asked:
        return {}
    kept, copied = (sum(counts.get(name, 0) for counts in written.values()) for name in ("kept", "copied"))
    return {
        ASKED: asked,
        REFUSED: 100 * (asked - kept) / asked,
        COPIED: 100 * copied / asked,
        RUN: max(counts.get(RUN, 0) for counts in written.values()),
    }


class kept_states:  # noqa: N801 - a context
    """The states of frozen blocks of earlier runs, read before a run and stored behind it."""

    def __init__(self) -> None:
        self._file = cache_dir() / "benchmarks" / "texts" / "states.safetensors"

    def __enter__(self) -> None:
        from safetensors.torch import load_file

        from imbllm_autogluon.language.frozen import _kept

        if not _kept and self._file.is_file():
            _kept.update({bytes.fromhex(name): state for name, state in load_file(self._file).items()})
        self._known = len(_kept)

    def __exit__(self, *_: object) -> None:
        from safetensors.torch import save_file

        from imbllm_autogluon.language.frozen import _kept

        if len(_kept) > self._known:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(".draft")
            save_file({key.hex(): state.contiguous() for key, state in _kept.items()}, draft)
            draft.replace(self._file)


PROTOCOL = Protocol(
    name="texts",
    about=__doc__,
    methods=METHODS,
    measure=measure,
    tables=(FILE,),
    metrics=(
        Metric("rarest, true share", "percent of the test rows of the rarest class", ""),
        Metric("rarest, answered", "percent of the answers that name it", ""),
        Metric(MACRO_F1, "mean over the classes, percent", compared=True),
        Metric(GAP, "largest absolute difference of a class's answered and true share, points", "lower", compared=True),
        Metric(BALANCED, "mean recall of the classes, percent", compared=True),
        Metric(ROC_AUC, "mean of each class against the others, percent"),
        Metric(LOG_LOSS, "nats; lower is better", "lower", 3, compared=True),
        Metric(ASKED, "texts that were asked for", "", 0),
        Metric(REFUSED, "percent of them", "lower"),
        Metric(COPIED, "percent of them that share 8 words in a row with a real text, or are nearly one", "lower"),
        Metric(RUN, "words in a row that a text that was kept shares with a real one, at most", "lower", 0),
        Metric("fit s", "seconds of fit and answers", ""),
    ),
    options={
        "data": Option(Path | None, None, "Folder that holds drug_reviews.csv."),
        "backbone": Option(str, "smollm2", "A pretrained causal model."),
        "words": Option(int, 192, "Tokens of a review that are read."),
        "steps": Option(int, 100, "Training steps of 8 rows."),
        "blocks": Option(int, 2, "Last blocks that learn."),
    },
    references=(PROBE,),
    claims=(
        Claim(RECOMMENDED_METHOD, GAP, highest=3.0),
        Claim(RECOMMENDED_METHOD, MACRO_F1, PLAIN, mean=3.0),
        Claim(RECOMMENDED_METHOD, MACRO_F1, WORDS, mean=0.0),
        Claim(NOISY, MACRO_F1, SMALL, mean=0.0),
        Claim(NOISY, GAP, highest=3.0),
        Claim(WRITTEN, MACRO_F1, PROBE, mean=0.0),
        Claim(WRITTEN, RUN, highest=7.0),
    ),
    page=(claims, changes_by_table, by_table),
)
