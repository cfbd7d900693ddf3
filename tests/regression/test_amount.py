"""How many features are generated."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from imbllm_autogluon.regression import amount
from imbllm_autogluon.regression.allocation import allocate
from imbllm_autogluon.regression.amount import RATIOS, RealFeatures, chosen_amount
from imbllm_autogluon.regression.config import LatentDiffConfig
from imbllm_autogluon.regression.head import Head
from imbllm_autogluon.regression.latent_model import FeatureCopier

N = 1000
ERRORS = np.array([0.2, 0.2, 1.0])
COUNTS = np.array([600, 360, 40])


def _shrunk() -> tuple[Head, RealFeatures, np.ndarray]:
    """A head that predicts rare high targets far too low, and noise that rewards it on the common ones."""
    rng = np.random.default_rng(0)
    assigned = np.repeat([0, 1, 2], COUNTS)
    targets = np.array([-0.7, 0.5, 4.0])[assigned] + 0.3 * rng.normal(size=N)
    features = np.column_stack([targets * np.where(assigned == 2, 0.4, 1.0), rng.normal(size=N)])
    features += 0.5 * rng.normal(size=(N, 2))
    return Head(np.array([0.6, 0.0]), 0.0), RealFeatures(features, targets, np.ones(N), assigned), np.arange(0, N, 5)


def _chosen(**settings: Any) -> Any:
    start, real, held_out = _shrunk()
    config = LatentDiffConfig.from_flat(settings)
    copier = FeatureCopier(real.features, real.targets, real.assigned)
    made = copier.generate(allocate(ERRORS, COUNTS, config.allocation, RATIOS[-1]), 0)
    return chosen_amount(start, real, held_out, made, ERRORS, config)


def test_every_ratio_and_the_first_head_are_tried() -> None:
    trials = _chosen().trials
    assert np.isnan(trials.index[0])
    assert tuple(trials.index[1:]) == RATIOS
    assert trials.notna().all().all()


def test_the_choice_gains_most_by_bin_after_the_noise_among_those_within_the_budget() -> None:
    found = _chosen(overall_budget=0.02)
    first = found.trials.iloc[0]
    within = found.trials[found.trials["overall"] <= 1.02 * first["overall"]]
    sure = first["by_bin"] - within["by_bin"] - within["noise"]
    assert found.ratio is not None
    assert sure.loc[found.ratio] == sure.max() > 0


def test_the_noise_is_the_standard_error_of_a_mean_over_bins() -> None:
    start, real, held_out = _shrunk()
    other = Head(np.array([0.9, 0.1]), 0.2)
    rows = real.take(held_out)
    table = amount._judged([start, other], rows)
    errors = [np.abs(head.predict(rows.features) - rows.targets) for head in (start, other)]
    means = [[error[rows.assigned == number].mean() for number in range(3)] for error in errors]
    assert table["by_bin"].tolist() == pytest.approx([np.mean(m) for m in means])
    assert table["noise"].iloc[0] == 0
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(2000):
        draw = rng.integers(len(held_out), size=len(held_out))
        shares = 1 / (3 * np.bincount(rows.assigned)[rows.assigned[draw]])
        gains.append(((errors[0] - errors[1])[draw] * shares).sum())
    assert table["noise"].iloc[1] == pytest.approx(np.std(gains), rel=0.1)


def test_a_gain_that_noise_could_explain_leaves_the_first_head() -> None:
    start, real, _ = _shrunk()
    few = np.array([0, 300, 700, 970])  # one rare row among the judges
    noisy = real._replace(targets=real.targets + 5 * np.random.default_rng(1).normal(size=N))
    made = FeatureCopier(real.features, real.targets, real.assigned).generate(2 * COUNTS, 0)
    assert chosen_amount(start, noisy, few, made, ERRORS, LatentDiffConfig()).ratio is None


def test_a_larger_budget_never_gains_less() -> None:
    gains = []
    for budget in (0.0, 0.02, 0.2, 10.0):
        found = _chosen(overall_budget=budget, head_loss="squared")
        chosen = found.trials.iloc[0] if found.ratio is None else found.trials.loc[found.ratio]
        gains.append(found.trials["by_bin"].iloc[0] - chosen["by_bin"] - chosen["noise"])
    assert gains == sorted(gains)


def test_where_every_head_breaks_the_budget_the_first_one_stays() -> None:
    start, real, held_out = _shrunk()
    learned = np.setdiff1d(np.arange(N), held_out)
    # What is learned has nothing to do with what judges: any head trained anew is worse.
    targets = real.targets.copy()
    targets[learned] = 30.0 + np.arange(len(learned)) % 7
    config = LatentDiffConfig()
    spoiled = real._replace(targets=targets)
    made = FeatureCopier(spoiled.features, targets, real.assigned).generate(2 * COUNTS, 0)
    assert chosen_amount(start, spoiled, held_out, made, ERRORS, config).ratio is None


def test_held_out_rows_of_weight_zero_do_not_count_in_the_budget() -> None:
    start, real, held_out = _shrunk()
    weights = real.weights.copy()
    weights[held_out[::2]] = 0.0
    config = LatentDiffConfig()
    made = FeatureCopier(real.features, real.targets, real.assigned).generate(2 * COUNTS, 0)
    trials = chosen_amount(start, real._replace(weights=weights), held_out, made, ERRORS, config).trials
    kept = held_out[1::2]
    errors = np.abs(start.predict(real.features[kept]) - real.targets[kept])
    assert trials["overall"].iloc[0] == pytest.approx(errors.mean())
