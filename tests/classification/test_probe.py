"""The linear probe: what it learns of features, that its answers are out of fold, and a classifier that rests on it."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
import torch

from imbllm_autogluon.classification import ClassifierConfig, LanguageModelClassifier
from imbllm_autogluon.classification.calibration import LabelCalibration
from imbllm_autogluon.classification.label_model import LabelModel
from imbllm_autogluon.classification.probe import LinearProbe, ProbeRows
from imbllm_autogluon.errors import InvalidInputError, OutOfTimeError
from imbllm_autogluon.language.frozen import FrozenBlocks
from tests.language.pretrained import save_pretrained

if TYPE_CHECKING:
    from pathlib import Path

    from imbllm_autogluon.language.model import TableLanguageModel


def rows(n: int = 300, n_classes: int = 3, seed: int = 0, informative: float = 1.5) -> ProbeRows:
    """Rows whose class moves one of twenty features of very different scales."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, n_classes, n)
    features = rng.normal(size=(n, 20))
    features[np.arange(n), codes] += informative
    return ProbeRows(features * np.logspace(-3, 3, 20) + 5, codes, np.ones(n), np.zeros(n, dtype=bool))


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_probe_learns_what_features_tell_whatever_their_scales(n_classes: int) -> None:
    learned, unseen = rows(n_classes=n_classes), rows(n_classes=n_classes, seed=1)
    probe, _ = LinearProbe.fit(learned, n_classes, robust_q=0.7, seed=0)
    logs = probe.log_probabilities(unseen.features)
    assert (logs.argmax(axis=1) == unseen.codes).mean() > 0.75
    np.testing.assert_allclose(np.exp(logs).sum(axis=1), 1)


def test_answers_to_learned_rows_are_those_of_probes_that_have_not_seen_them() -> None:
    noise = rows(n=60, informative=0.0)
    probe, unseen = LinearProbe.fit(noise, 3, robust_q=0.7, seed=0)
    place = np.arange(60)
    seen = probe.log_probabilities(noise.features)[place, noise.codes].mean()
    assert unseen[place, noise.codes].mean() < np.log(1 / 3) + 0.05 < seen


def test_weights_count_as_repeated_rows() -> None:
    once = rows(n=90)
    twice = np.where(once.codes == 0, 2, 1)
    weighted, _ = LinearProbe.fit(once._replace(weights=twice.astype(float)), 3, robust_q=0.0, seed=0)
    plain, _ = LinearProbe.fit(once, 3, robust_q=0.0, seed=0)
    means = [np.exp(probe.log_probabilities(once.features)).mean(axis=0)[0] for probe in (weighted, plain)]
    assert means[0] > means[1] + 0.03


def test_wrong_labels_among_doubtful_rows_move_a_robust_probe_less() -> None:
    sure, many, unseen = rows(n=40), rows(n=400, seed=1), rows(n=2000, seed=2)
    wrong = np.where(np.arange(400) % 5 < 2, (many.codes + 1 + np.arange(400) // 5 % 2) % 3, many.codes)
    codes = np.append(sure.codes, wrong)
    features, doubtful = np.vstack([sure.features, many.features]), np.arange(440) >= 40
    both = ProbeRows(features, codes, np.ones(440), doubtful)

    def loss(robust_q: float) -> float:
        probe, _ = LinearProbe.fit(both, 3, robust_q=robust_q, seed=0)
        return -float(probe.log_probabilities(unseen.features)[np.arange(2000), unseen.codes].mean())

    assert loss(0.7) < loss(0.0)


def test_the_only_row_of_a_class_and_a_class_without_rows_are_no_obstacle() -> None:
    few = rows(n=30)
    codes = np.where(np.arange(30) == 7, 3, few.codes)
    _, logs = LinearProbe.fit(few._replace(codes=codes), 5, robust_q=0.7, seed=0)
    assert np.isfinite(logs).all()
    assert logs[:, 4].max() < -10
    assert logs[7].argmax() == 3


def test_further_rows_match_decisions_only_where_classes_seem_as_frequent_among_them() -> None:
    rng = np.random.default_rng(0)
    known, alike, different = (rng.normal(size=(n, 2)) + shift for n, shift in ((40, 0), (4000, 0), (4000, [3, 0])))
    codes, shares = (np.arange(40) % 4 == 0).astype(np.int64), np.array([0.75, 0.25])

    def answered(others: np.ndarray | None, asked: np.ndarray) -> float:
        found = LabelCalibration.from_predictions(known, codes, shares, shares, "none", matched=True, others=others)
        return float(found.decide(found.probabilities(asked)).mean())

    assert answered(alike, alike) == pytest.approx(0.25, abs=0.005)
    assert answered(different, alike) == answered(None, alike) != pytest.approx(0.25, abs=0.005)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return save_pretrained(tmp_path, "llama")


def reviews(n: int = 90, seed: int = 0) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Texts of the same words, but that rare ones say `bad` where others say `good`."""
    rng = np.random.default_rng(seed)
    rare = rng.random(n) < 0.3
    words = ["the", "city", "is", "near", "and", "a", "name", "of", "it"]
    texts = [" ".join([*rng.permutation(words), "Oslo" if each else "no"]) for each in rare]
    return pd.DataFrame({"review": texts, "stars": rng.integers(1, 6, n)}), pd.Series(np.where(rare, "bad", "good"))


def probed(folder: Path, **settings: Any) -> LanguageModelClassifier:
    more = {"backbone": str(folder), "tuning": "probe", "device": "cpu", "precision": "float32", **settings}
    return LanguageModelClassifier(random_state=0, threads=1).set_params(**more)


def test_a_probe_reads_texts_changes_no_weight_and_comes_back_from_a_pickle(folder: Path) -> None:
    X, y = reviews()
    fitted = probed(folder, target_prior="training", decisions="matched").fit(X, y)
    assert fitted.model_.language_model.n_learning == 0
    unseen, truth = reviews(seed=1)
    found = fitted.predict_proba(unseen)
    rare = (truth == "bad").to_numpy()
    assert found[rare, 0].mean() > found[~rare, 0].mean() + 0.05
    np.testing.assert_allclose(pickle.loads(pickle.dumps(fitted)).predict_proba(unseen), found, atol=1e-6)


def test_noisy_rows_teach_a_probe_and_count_in_no_share(folder: Path) -> None:
    X, y = reviews(40)
    doubtful, labels = reviews(120, seed=3)
    every = pd.Series(["bad"] * len(labels))
    fitted = probed(folder, target_prior="training").fit(X, y, noisy=(doubtful, labels))
    assert sorted(fitted.model_.counts) == sorted(y.value_counts())
    wrong = probed(folder, target_prior="training").fit(X, y, noisy=(doubtful, every))
    assert np.abs(fitted.predict_proba(X) - wrong.predict_proba(X)).max() > 0.01
    assert wrong.predict_proba(X)[:, 0].mean() == pytest.approx((y == "bad").mean(), abs=0.1)


def test_each_row_is_read_once_also_where_many_folds_learn_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read, compute = list[int](), FrozenBlocks._computed
    monkeypatch.setattr(FrozenBlocks, "_computed", lambda self, rows: (read.append(len(rows)), compute(self, rows))[1])
    X, y = reviews()
    probed(folder).fit(X, y).predict_proba(X)
    assert sum(read) <= len(X) + 2  # twice a row shows that the parts are the whole
    again = sum(read)
    probed(folder, weighting="inverse").fit(X.iloc[10:], y.iloc[10:])
    assert sum(read) <= again + 1


def test_time_that_does_not_suffice_to_read_the_rows_is_told(folder: Path) -> None:
    X, y = reviews(20)
    config = ClassifierConfig.from_flat({"backbone": str(folder), "tuning": "probe", "device": "cpu"})
    with pytest.raises(OutOfTimeError, match=r"not enough to read 20 rows .*more time"):
        LabelModel(config, seed=0).fit(X, y, time_limit=1e-9)


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_states_are_those_of_the_whole_model_at_three_quarters_of_its_depth(tmp_path: Path, kind: str) -> None:
    X, y = reviews(8)
    model = probed(save_pretrained(tmp_path, kind)).fit(X, y).model_
    language: TableLanguageModel = model.language_model
    clauses = model.encoder.clauses(language.encoding, X, model.encoder.natural(X), np.zeros(8, dtype=np.int64))
    order = np.tile(np.arange(clauses.tokens.shape[1]), (8, 1))
    given = clauses.with_present(clauses.present & (order < order[0, -1]))
    inner = language._backbone.model.base_model
    n_blocks = inner.config.num_hidden_layers
    depth = min(n_blocks - 1, round(0.75 * n_blocks))
    for row in range(8):
        sentence = language.encoding.assemble(given.take(np.array([row])), order[:1]).followed_by(
            language.encoding.prefixes[-1]
        )
        with torch.no_grad():
            states = inner(torch.from_numpy(sentence.ids), output_hidden_states=True).hidden_states[depth][0]
        wanted = torch.cat([states[1:].mean(dim=0), states[-1]]).numpy()
        np.testing.assert_allclose(language.states(clauses)[row], wanted, atol=1e-4)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ({"focal_gamma": 2.0}, "focal_gamma"),
        ({"suppression": True}, "suppression"),
        ({"query_orders": 2}, "query_orders"),
        ({"stopping_metric": "f1_macro"}, "stopping_metric"),
        ({"clauses": "tokens"}, "clauses"),
        ({"backbone": "compact"}, "pretrained backbone"),
    ],
)
def test_what_only_a_training_can_heed_is_refused(folder: Path, setting: dict[str, Any], named: str) -> None:
    X, y = reviews(20)
    with pytest.raises(InvalidInputError, match=named):
        probed(folder, **setting).fit(X, y)
