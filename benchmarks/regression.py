"""Errors on rare and common targets: LatentDiff next to its peers on one encoder (protocol R).

Targets of unseen rows predicted by one encoder with different treatments of rare targets. A quarter of the rows is
unseen; bins of equal width are fixed on the learned targets, the methods' own too. Unseen rows are all, and those whose
bin of the target has more than 100 (many), 20 to 100 (medium) and fewer than 20 (few) learned rows. MAE is the mean
absolute error, MSE the mean squared error, GM the geometric mean of the absolute errors; lower is better, and
differences are in percent. `none` and the peers are one encoder each, LatentDiff is several; `encoders averaged` is the
mean of these without a retrained head, `head retrained` is the head trained again on the real features alone; `real
features copied` has copies where LatentDiff has synthetic features, as many of each bin; `SMOGN rows` and `ImbLLM rows`
are new rows in input space, half as many as real ones and allotted by the same priority, of which the untreated encoder
learns, early stopping included.
"""

from __future__ import annotations

import functools
import time
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from benchmarks.protocol import Claim, Metric, Option, Options, Protocol, Spec, Task
from benchmarks.report import by_table, by_table_means, changes_by_table, claims, compared, markdown, number
from benchmarks.tables import Rows, Table
from imbllm_autogluon._config import require_number
from imbllm_autogluon._random import child_rng, child_seed
from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.quality.fidelity import _discriminator_auc
from imbllm_autogluon.regression.bins import FEW_BELOW, SHOTS, TargetBins, shots
from imbllm_autogluon.regression.config import AllocationConfig, LatentDiffConfig
from imbllm_autogluon.regression.gate import FeatureGenerator
from imbllm_autogluon.regression.latent_diff import LatentDiffRegressor
from imbllm_autogluon.regression.metrics import shot_metrics
from imbllm_autogluon.regression.smogn import smogn
from imbllm_autogluon.regression.target_imbllm import TargetImbLLM

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from imbllm_autogluon.arrays import FloatArray, IntArray

NONE, LATENT_DIFF, COPIES, RETRAINED = "none", "LatentDiff", "real features copied", "head retrained"
AVERAGED = "encoders averaged"
SMOGN, IMBLLM = "SMOGN rows", "ImbLLM rows"

LEAST_ROWS = 40
"""Of a table: three quarters of them are learned, and encoders need 20."""

ROWS_RATIO = 0.5
"""New rows of the methods in input space for each real one, allotted by the same priority as synthetic features."""

_CHANGED: dict[str, dict[str, Any]] = {
    "uniform allocation": {"allocation": "uniform"},
    "no gate": {"gate": "none"},
    **{f"λ {value:g}": {"error_weight": value} for value in (0.0, 0.5, 1.0)},
    **{f"ratio {value:g}": {"generation_ratio": value} for value in (0.2, 0.5, 0.8)},
    **{f"budget {100 * value:g} %": {"overall_budget": value} for value in (0.01, 0.05)},
    "linear head": {"head": "linear"},
    **{f"guidance {value:g}": {"guidance": value} for value in (0.0, 1.0, 2.0)},
    "bin centres": {"synthetic_targets": "centre"},
    "squared errors": {"head_loss": "squared"},
    "gate at the median": {"gate_quantile": 0.5},
    "denoiser of 4 blocks": {"denoiser_blocks": 4},
    "denoiser 128 wide": {"denoiser_width": 128},
}

ABLATIONS: Mapping[str, Spec] = {
    f"{LATENT_DIFF}, {name}": {"settings": settings}
    for name, settings in _CHANGED.items()
    if not settings.items() <= LatentDiffConfig().flat().items()
}
"""One setting each; values that are the default stand in the table as LatentDiff itself."""

PEERS = ("LDS lds", "FDS fds", "DenseWeight dense_weight", "BalancedMSE balanced_mse", "RankSim rank_sim")
"""Names on pages and of the methods."""

METHODS: Mapping[str, Spec] = {
    NONE: {"settings": {"method": "none"}},
    **{name: {"settings": {"method": method}} for name, method in map(str.split, PEERS)},
    LATENT_DIFF: {"settings": {}},
    f"{LATENT_DIFF} + LDS": {"settings": {"encoder_method": "lds"}},
    AVERAGED: {"settings": {"head": "none"}},
    RETRAINED: {"settings": {"generation_ratio": 0.0}},
    COPIES: {"settings": {"synthetic": "copies"}},
    SMOGN: {"settings": {"method": "none"}, "rows": "smogn"},
    IMBLLM: {"settings": {"method": "none"}, "rows": "imbllm"},
    **ABLATIONS,
}
"""Settings of the regressor, and the method whose new rows in input space it learns with the real ones."""


@dataclass(frozen=True, eq=False)
class RegressionSplit:
    """Rows to learn, a quarter of the rows to judge on, and bins of equal width on the learned targets."""

    real: Rows
    test: Rows
    bins: TargetBins

    @classmethod
    def of(cls, table: Table, seed: int, most_bins: int) -> RegressionSplit:
        """Draw a split of at least 40 rows."""
        from sklearn.model_selection import train_test_split

        if len(table.frame) < LEAST_ROWS:
            raise InvalidInputError(f"{table.name} has {len(table.frame)} rows; at least {LEAST_ROWS} are needed.")
        parts = train_test_split(table.features, table.labels, test_size=0.25, random_state=seed)
        X, test_X, y, test_y = (part.reset_index(drop=True) for part in parts)
        return cls(Rows(X, y), Rows(test_X, test_y), TargetBins.fit(y.to_numpy(), bins_for(len(y), most_bins)))


def bins_for(n_rows: int, most_bins: int) -> int:
    """Bins so that one of average size is not few-shot, at most `most_bins` (2 to 10,000), at least 2.

    Examples
    --------
    >>> bins_for(3000, 50), bins_for(331, 50), bins_for(30, 50)
    (50, 16, 2)
    """
    require_number("bins", most_bins, 2, 10_000, whole=True)
    return max(2, min(most_bins, n_rows // FEW_BELOW))


def describe(table: Table, options: Options) -> str:
    """Bins of the first split: edges, shots, and the learned rows of each in the order of the target."""
    return described(RegressionSplit.of(table, options.seed, options["bins"]))


def described(split: RegressionSplit) -> str:
    """Its bins, as :func:`describe` says."""
    bins, counts = split.bins, split.bins.counts(split.real.y.to_numpy())
    kinds, unseen = shots(counts), split.bins.counts(split.test.y.to_numpy())
    edges = [number(value, SHOT_METRICS[0]) for value in (bins.edges[0], bins.edges[-1], np.diff(bins.edges).mean())]
    parts = [
        f"{int((kinds == shot).sum())} {shot} ({counts[kinds == shot].sum()} rows learned, "
        f"{unseen[kinds == shot].sum()} unseen)"
        for shot in SHOTS
    ]
    return (
        f"{len(bins)} bins of `{split.real.y.name}` from {edges[0]} to {edges[1]}, each {edges[2]} wide: "
        f"{', '.join(parts)}\n  - learned rows of each: {' '.join(map(str, counts))}"
    )


def measure(task: Task) -> dict[str, float]:
    """Fit one method on one split; errors by shot, features generated, and seconds of a whole fit."""
    split = _split(task.table, task.split, task.options["bins"])
    regressor, seconds = fitted(task.spec, split, task.split, task.threads)
    errors = errors_by_shot(regressor.predict(split.test.X), split)
    figures = {**errors, **_generated(regressor, len(split.real.y)), "fit s": seconds}
    if task.spec == METHODS[LATENT_DIFF]:
        figures |= feature_quality(regressor, split.real.X, split.real.y.to_numpy(dtype=np.float64), task.split)
    return figures


@functools.lru_cache(maxsize=1)
def _split(table: Table, seed: int, bins: int) -> RegressionSplit:
    """The same object for all methods of a split, which share an encoder by it."""
    return RegressionSplit.of(table, seed, bins)


def fitted(spec: Spec, split: RegressionSplit, seed: int, threads: int) -> tuple[LatentDiffRegressor, float]:
    """A regressor and the seconds of a whole fit: those of an encoder and denoiser that methods share included."""
    settings = spec["settings"]
    if "rows" not in spec and set(settings) <= set(LatentDiffConfig.head_keys()):
        # LatentDiff with settings that neither the encoder nor the denoiser reads.
        regressor = _latent_diff(split, seed, threads).refit_head(split.real.X, split.real.y, **settings)
        seconds = dict(regressor.report_.seconds)
        if not isinstance(regressor.generator_, FeatureGenerator):
            seconds.pop("denoiser", None)
        return regressor, sum(seconds.values())
    started = time.perf_counter()
    regressor = _new(settings, split, seed, threads).fit(split.real.X, split.real.y)
    if "rows" in spec:
        taught = split.real.followed_by(Rows(*_new_rows(spec["rows"], regressor, split, seed, threads)))
        regressor = _new(settings, split, seed, threads).fit(taught.X, taught.y)
    return regressor, time.perf_counter() - started


def _new(settings: Spec, split: RegressionSplit, seed: int, threads: int) -> LatentDiffRegressor:
    regressor = LatentDiffRegressor(n_bins=len(split.bins), random_state=seed, threads=threads)
    return regressor.set_params(**settings)


@functools.lru_cache(maxsize=1)
def _latent_diff(split: RegressionSplit, seed: int, threads: int) -> LatentDiffRegressor:
    """LatentDiff as it is; methods that differ in the head alone are made from it."""
    return _new({}, split, seed, threads).fit(split.real.X, split.real.y)


def _new_rows(
    method: str, untreated: LatentDiffRegressor, split: RegressionSplit, seed: int, threads: int
) -> tuple[pd.DataFrame, pd.Series[Any]]:
    """Rows in input space for rare bins and those with large errors, half as many as there are real ones."""
    targets = split.real.y.to_numpy(dtype=np.float64)
    absolute = np.abs(untreated.predict(split.real.X) - targets)
    errors = split.bins.relative_errors(targets, absolute)
    counts = split.bins.counts_by_priority(targets, AllocationConfig(generation_ratio=ROWS_RATIO), errors)
    if method == "smogn":
        return smogn(split.real.X, split.real.y, split.bins, counts, seed=seed)
    return TargetImbLLM(random_state=seed, threads=threads).fit(split.real.X, split.real.y, split.bins, counts).sample()


def errors_by_shot(predicted: npt.ArrayLike, split: RegressionSplit) -> dict[str, float]:
    """Errors of predictions for the unseen rows, shape (n,), and their number, over all and by shots that have any."""
    counts = split.bins.counts(split.real.y.to_numpy())
    errors = shot_metrics(split.test.y.to_numpy(), predicted, split.bins, counts)
    return {
        f"{shot} {metric}": float(value)
        for shot, figures in errors.to_dict(orient="index").items()
        for metric, value in figures.items()
        if figures["n"]
    }


def _generated(regressor: LatentDiffRegressor, n_rows: int) -> dict[str, float]:
    """How many features were generated and passed the gate, where any were."""
    bins = regressor.report_.bins
    if "drawn" not in bins or not bins["drawn"].sum():
        return {}
    synthetic, accepted = bins["kept"].sum() / n_rows, bins["accepted"].sum() / bins["drawn"].sum()
    return {"synthetic": 100 * float(synthetic), "accepted": 100 * float(accepted)}


LEAST_COMPARED = 20
"""Rows of a bin from which on its mean and covariance are compared."""


def feature_quality(
    model: LatentDiffRegressor, X: pd.DataFrame, targets: FloatArray, seed: int = 0
) -> dict[str, float]:
    """Compare as many generated features as there are real ones, bin by bin; see `FEATURE_METRICS`.

    The model was fitted on `X` and `targets`; without generated features nothing is returned.
    """
    if not isinstance(model.generator_, FeatureGenerator):
        return {}
    features, scaled = model.encoders_.honest(X), model._standardized(targets)
    assigned, counts = model.bins_.assign(targets), model.bins_.counts(targets)
    made = model.generator_.generate(counts, child_seed(seed, "decoding", "quality"), model.threads).first(counts)
    if not len(made.features):  # the gate let nothing through
        return {}
    drawn = _drawn_again(assigned, seed)
    columns = [*(f"feature {place}" for place in range(features.shape[1])), "target"]
    real = pd.DataFrame(np.column_stack((features, scaled)), columns=columns)
    generated = pd.DataFrame(np.column_stack((made.features, made.targets)), columns=columns)
    gaps = _gaps(features, assigned, made.features, made.assigned)
    own = _gaps(features, assigned, features[drawn], assigned[drawn])
    found = (_discriminator_auc(real, generated, seed), *gaps, own[1])
    names = [metric.name for metric in FEATURE_METRICS]
    distinct = (_distinct(features, made.features), _distinct(features, features[drawn]))
    return dict(zip(names, (*found, *distinct), strict=True))


def _drawn_again(assigned: IntArray, seed: int) -> IntArray:
    """Rows drawn with replacement, as many of each bin as it has."""
    rng = child_rng(seed, "values", "redrawn")
    parts = [rng.choice(np.flatnonzero(assigned == place), (assigned == place).sum()) for place in set(assigned)]
    return np.concatenate(parts)


def _gaps(real: FloatArray, real_bins: IntArray, made: FloatArray, made_bins: IntArray) -> tuple[float, float]:
    """Mean distances of means and of covariances over the bins that are large enough on both sides."""
    means, covariances = [], []
    for place in np.unique(real_bins):
        own, other = real[real_bins == place], made[made_bins == place]
        if min(len(own), len(other)) < LEAST_COMPARED:
            continue
        means.append(float(np.abs(own.mean(axis=0) - other.mean(axis=0)).mean()))
        spread: Any = np.cov(own, rowvar=False)
        covariances.append(float(np.linalg.norm(spread - np.cov(other, rowvar=False)) / np.linalg.norm(spread)))
    return (float(np.mean(means)), float(np.mean(covariances))) if means else (float("nan"), float("nan"))


def _distinct(real: FloatArray, made: FloatArray) -> float:
    """Distinct nearest real rows over the number of rows."""
    from sklearn.neighbors import NearestNeighbors

    nearest = NearestNeighbors(n_neighbors=1).fit(real).kneighbors(made, return_distance=False)[:, 0]
    return len(np.unique(nearest)) / max(1, len(made))


def generated_features(tidy: pd.DataFrame, _: Protocol) -> str:
    """Quality of generated features, a row for each table."""
    found = by_table_means(tidy)
    shown = [metric for metric in FEATURE_METRICS if metric.name in found]
    if not shown or LATENT_DIFF not in found.index.get_level_values("method"):
        return ""
    of_tables = found.xs(LATENT_DIFF, level="method")
    columns = {one.name: of_tables[one.name].map(lambda value, one=one: number(value, one)) for one in shown}
    meanings = "\n".join(f"- **{metric.name}**: {metric.meaning}" for metric in shown)
    about = f"As many features generated by {LATENT_DIFF} as there are real ones, bin by bin; means over the splits."
    return f"## Generated features\n\n{about}\n\n{meanings}\n\n{markdown(pd.DataFrame(columns).reset_index())}"


def over_splits(tidy: pd.DataFrame, _: Protocol) -> str:
    """Differences of the mean absolute errors over tables and splits, and how sure they are."""
    shown = tidy[tidy["metric"].isin(("few MAE", "all MAE"))]
    wide = shown.pivot_table(index=["table", "split"], columns=["metric", "method"], values="value")
    pairs = [(LATENT_DIFF, other) for other in (NONE, AVERAGED, RETRAINED, COPIES)]
    pairs += [(own, NONE) for own in (AVERAGED, RETRAINED, COPIES)]
    rows = [
        {"method": own, "against": other, metric: _over_pairs(wide[metric][own], wide[metric][other])}
        for own, other in pairs
        for metric in ("few MAE", "all MAE")
        if {own, other} <= set(wide[metric])
    ]
    if not rows:
        return ""
    merged = pd.DataFrame(rows).groupby(["method", "against"], sort=False).first().reset_index()
    about = (
        "Mean difference over the tables; on how many pairs of table and split it is better and worse, and p of "
        "Wilcoxon's signed-rank test over these pairs, two-sided. Splits of one table share rows: p is optimistic."
    )
    return f"## Over tables and splits\n\n{about}\n\n{markdown(merged)}"


def _over_pairs(own: pd.Series[float], other: pd.Series[float]) -> str:
    from scipy.stats import wilcoxon

    change = (100.0 * (own / other - 1.0)).dropna()
    mean, moved = change.groupby("table").mean().mean(), change[change != 0]
    p = wilcoxon(moved).pvalue if len(moved) else 1.0
    return f"{mean:+.1f} % ({(moved < 0).sum()} better, {(moved > 0).sum()} worse, p {p:.3f})"


FEATURE_METRICS = (
    Metric("AUC", "of boosted trees that tell both apart by features and target; 0.5: not at all", "", 2),
    Metric("mean gap", "mean distance of the features' means, in deviations of the whole", "lower", 2),
    Metric("covariance gap", "distance of the covariances as a share of the real one", "lower", 2),
    Metric("covariance gap of draws", "the same for a drawing with replacement of the real ones", "", 2),
    Metric("distinct", "real features that are the nearest of a generated one, over the generated ones", "", 2),
    Metric("distinct of draws", "the same for a drawing with replacement of the real ones, as good as it gets", "", 2),
)

SHOT_METRICS = tuple(
    Metric(f"{group} {error}", "", "lower", None, compared=True, relative=True)
    for error, group in product(("MAE", "MSE", "GM"), ("all", *SHOTS))
)
"""All errors by shots: unseen rows in all, and those in bins with more than 100, 20 to 100, and fewer learned rows."""

BINS = {"bins": Option(int, 50, "Most bins of a target; small tables have fewer.")}

PAGE = (claims, over_splits, compared, changes_by_table, by_table, generated_features)
"""No means over the tables: targets have different units."""

PROTOCOL = Protocol(
    name="regression",
    about=__doc__,
    methods=METHODS,
    slow=(IMBLLM, *ABLATIONS),
    always=(NONE,),
    measure=measure,
    metrics=(
        *SHOT_METRICS,
        Metric("synthetic", "generated features for 100 learned rows", ""),
        Metric("accepted", "percent of those drawn that passed the gate", ""),
        Metric("fit s", "seconds of a fit; in input space with those of the encoder that says which rows to make", ""),
    ),
    tables=("diabetes",),
    rows=4000,
    options=BINS,
    number=True,
    describe=describe,
    references=(NONE,),
    claims=(
        Claim(LATENT_DIFF, "few MAE", NONE, mean=8.0),
        Claim(LATENT_DIFF, "all MAE", NONE, mean=-1.0, worst=-2.0),
        Claim(AVERAGED, "few MAE", NONE),
        Claim(RETRAINED, "few MAE", NONE),
        Claim(COPIES, "few MAE", NONE),
        Claim(LATENT_DIFF, "few MAE", AVERAGED),
        Claim(LATENT_DIFF, "few MAE", COPIES),
    ),
    page=PAGE,
)
