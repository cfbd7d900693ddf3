"""Configuration of the label query and of the classifier: every counter-measure against a copied prior is a switch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np

from imbllm_autogluon._config import Config, Range, documented, require_number
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.config import LanguageConfig

if TYPE_CHECKING:
    from collections.abc import Sequence

    from imbllm_autogluon.arrays import FloatArray, IntArray

LABEL_STEPS = 300  # optimiser steps on the label of the compact backbone, after its warm-up on whole sentences


@documented
@dataclass(frozen=True)
class DebiasingConfig(Config):
    """What is done against a decoder that copies the class shares of its training set; the defaults do nothing."""

    renamed: ClassVar[dict[str, str]] = {"calibration_share": "calibration_fraction"}

    weighting: Literal["none", "effective", "inverse"] = "none"
    """Weight of a row's label in the loss by its class: `effective`, (1 - beta) / (1 - beta ** n) with n rows of the
    class (Cui et al. 2019, equation 2); `inverse`, 1 / n. Weights have mean 1 over the rows."""

    beta: Annotated[float, Range(0.0, 1.0, below=True)] = 0.999
    """beta of the effective number: near 0 every class weighs alike a row, near 1 as `inverse`."""

    focal_gamma: Annotated[float, Range(0.0, 10.0)] = 0.0
    """gamma of the focal loss: the label's loss times (1 - p) ** gamma (Lin et al. 2017). 0: none."""

    oversampling_cap: Annotated[float, Range(1.0, 1000.0)] | None = None
    """Rows of rarer classes are repeated until the largest class has at most this many times theirs (the practice is 2
    to 3). `None`: no row is repeated; for Pred-LLM 20, where neither `weighting` nor `suppression` is set. Pred-LLM
    then corrects rows and answers, with a `target_prior` of `training` and a `calibration` by `temperature`."""

    synthetic_cap: Annotated[float, Range(1.0, 1000.0)] | None = None
    """Free texts of rarer classes are written by the backbone, with the other cells of a real row of the class, until
    the largest class has at most this many times theirs; a classifier of words and copied runs of words refuse some.
    Needs a pretrained backbone and a column of free text. `None`: none are written."""

    instruction: bool = False
    """Whether each sentence begins with an instruction to answer regardless of how frequent a class is. Words of it are
    known to pretrained backbones; to the compact one they are constant tokens."""

    suppression: bool = False
    """Whether a control clause tells apart rows with the table's class shares and repeated rows with equal shares; the
    query then asks under equal shares."""

    first_stage: Literal["none", "boosting", "logistic"] = "none"
    """A classifier of scikit-learn whose guess and confidence stand in the sentence as two more clauses (two-stage);
    training rows get out-of-fold guesses."""

    target_prior: str | Mapping[Any, float] | None = None
    """Class shares under which classes are asked for: `training`, `uniform`, or shares by class. Probabilities are
    multiplied by wanted over own share, the own share being the model's mean probability. `None`: no correction."""

    calibration: Literal["none", "bias", "temperature"] = "none"
    """What is fitted on held-out rows, held near no change where they are few: a `bias` for each class, or also a
    `temperature` for each class."""

    decisions: Literal["argmax", "matched"] = "argmax"
    """Which class is answered: the one of the highest probability, or `matched`, after adding biases under which the
    answers have the target's class shares: answers to the rows held out for a calibration, else to the learned rows,
    which keeps them all for learning (`python -m benchmarks prior`). With tuning="probe" it is out-of-fold answers to
    all rows, noisy ones too where the classes seem as frequent among them: of those no label counts."""

    calibration_fraction: Annotated[float, Range(0.05, 0.5)] = 0.2
    """Share of each class of 20 rows or more that is not learned but calibrated on."""

    def __post_init__(self) -> None:
        super().__post_init__()
        prior = self.target_prior
        if prior in (None, "training", "uniform"):
            return
        if not isinstance(prior, Mapping) or not prior:
            raise InvalidInputError(
                f"target_prior must be 'training', 'uniform', None, or a share for each class; got {prior!r}."
            )
        for label, share in prior.items():
            require_number(f"the target prior of {label!r}", share, 1e-9)

    def wanted_shares(self, labels: Sequence[Any], counts: IntArray) -> FloatArray | None:
        """Class shares that the target prior asks for, shape (k,), of k classes with so many rows; None without one.

        A prior of other classes is refused by `InvalidInputError`.
        """
        prior, k = self.target_prior, len(counts)
        if prior is None:
            return None
        if not isinstance(prior, Mapping):
            return counts / counts.sum() if prior == "training" else np.full(k, 1.0 / k)
        names, named = [str(label) for label in labels], {str(label): share for label, share in prior.items()}
        if set(named) != set(names):
            raise InvalidInputError(f"target_prior names the classes {list(named)}; the table has {names}.")
        shares = np.array([named[name] for name in names], dtype=np.float64)
        return np.asarray(shares / shares.sum())

    @property
    def holds_out(self) -> bool:
        """Whether some rows are kept from training to be calibrated on."""
        return self.calibration != "none"

    @property
    def asks_known_rows(self) -> bool:
        """Whether answers to rows whose class is known correct later ones."""
        return self.target_prior is not None or self.holds_out or self.decisions != "argmax"


@documented
@dataclass(frozen=True)
class ClassifierConfig(Config):
    """Everything that shapes a language-model classifier.

    Examples
    --------
    >>> ClassifierConfig.from_flat({"weighting": "effective", "steps": 50}).measures.weighting
    'effective'
    """

    feature_weight: Annotated[float, Range(0.0, 1000.0)] = 0.0
    """Weight of the features' values next to the label in the loss of the second stage; with 0 the label alone is
    learned there. The warm-up always learns whole sentences."""

    query_orders: Annotated[int, Range(1, 64)] = 1
    """In how many orders of the clauses each row is asked about: that of the columns, then drawn ones; their
    probabilities are averaged."""

    text_words: Annotated[int, Range(1, 4096)] = 64
    """Words (tokens with clauses="text") of a free-text cell that are read, from its beginning."""

    noisy_q: Annotated[float, Range(0.0, 1.0)] = 0.7
    """q of the loss of rows whose labels may be wrong (`noisy`), the generalized cross entropy (1 - p ** q) / q (Zhang
    and Sabuncu 2018, equation 6): 0 is cross-entropy, 1 the mean absolute error, which wrong labels move least."""

    stopping_metric: Literal["loss", "balanced_accuracy", "f1_macro"] = "loss"
    """What decides on held-out rows when training ends and which weights are kept: the loss, or a metric of the answers
    in which every class counts alike. 10 % of each class are then held out at least, noisy rows never."""

    measures: DebiasingConfig = field(default_factory=DebiasingConfig)
    language: LanguageConfig = field(default_factory=LanguageConfig)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.language.order == "fix_y":
            raise InvalidInputError(
                "order='fix_y' writes the class first, and what is learned there cannot answer for the class of given "
                "values; use 'permute_x' or 'permute_xy'."
            )

        if self.language.tuning == "probe":
            self._refuse_training()
        if self.measures.synthetic_cap is not None and not self.language.is_pretrained:
            raise InvalidInputError(
                f"synthetic_cap needs a pretrained backbone, which knows words; {self.language.backbone!r} writes no "
                "texts. Use backbone='smollm2', or oversampling_cap, which repeats rows."
            )

    def _refuse_training(self) -> None:
        """Refuse what only a training of the backbone can heed."""
        asked = {
            "focal_gamma": self.measures.focal_gamma > 0,
            "suppression": self.measures.suppression,
            "query_orders": self.query_orders > 1,
            "stopping_metric": self.stopping_metric != "loss",
        }
        if named := [name for name, is_set in asked.items() if is_set]:
            raise InvalidInputError(
                f"{named[0]} changes how the backbone is trained or asked, and tuning='probe' trains none; leave it "
                "out, or use tuning='lora'."
            )

    def resolved_language(self) -> LanguageConfig:
        """Settings of the language model with what a classifier chooses filled in."""
        own = {} if self.language.is_pretrained else {"steps": LABEL_STEPS, "pretrained": False}
        return self.language.with_defaults(order="permute_x", column_order_share=1.0, **own).resolved()


RECOMMENDED: Mapping[str, Any] = {
    "oversampling_cap": 3.0,
    "instruction": True,
    "target_prior": "training",
    "decisions": "matched",
}
"""The combination that did best on four tables (`python -m benchmarks prior`), and LoRA or top blocks if pretrained."""

RECOMMENDED_FOR_TEXTS: Mapping[str, Any] = {
    "backbone": "smollm2",
    "tuning": "probe",
    "text_words": 256,
    "target_prior": "training",
    "decisions": "matched",
}
"""The combination that did best on texts (`python -m benchmarks texts`): the backbone reads, nothing of it learns."""
