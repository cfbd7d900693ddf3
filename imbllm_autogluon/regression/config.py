"""Configuration of imbalanced regression."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from imbllm_autogluon._config import Config, Range, documented


@documented
@dataclass(frozen=True)
class EncoderConfig(Config):
    """The network that turns rows into features, and how it is trained."""

    renamed: ClassVar[dict[str, str]] = {"held_out_share": "validation_fraction"}

    architecture: Literal["resnet", "mlp"] = "resnet"
    """`resnet`: residual blocks with layer normalization (Gorishniy et al. 2021, section 3.2); `mlp`: plain layers."""
    number_scaling: Literal["quantile", "standard"] = "quantile"
    """`quantile`: ranks mapped to a normal distribution, which tames outliers; `standard`: mean 0, deviation 1."""
    number_embedding: Literal["none", "periodic"] = "periodic"
    """`periodic`: sines and cosines of learned frequencies for each number (Gorishniy et al. 2022, section 3.3), with
    which a network bends more sharply; `none`: the scaled numbers themselves."""
    feature_size: Annotated[int, Range(2, 2048)] = 16
    """d, numbers in the feature of a row: what a linear head reads and what is generated. More are easier to tell from
    real ones and predict no better."""
    encoder_width: Annotated[int, Range(4, 4096)] = 64
    """Units of each hidden layer."""
    encoder_depth: Annotated[int, Range(1, 16)] = 2
    """Blocks of `resnet`, or hidden layers of `mlp`."""
    encoder_dropout: Annotated[float, Range(0.0, 0.9)] = 0.2
    """Share of hidden units left out in training."""
    encoder_epochs: Annotated[int, Range(1, 10_000)] = 24
    """Passes over the rows, at most."""
    encoder_batch: Annotated[int, Range(2, 65_536)] = 256
    """Rows for each step, at most; in small tables a 16th of the rows, but at least 16."""
    encoder_learning_rate: Annotated[float, Range(1e-7, 1.0)] = 3e-3
    """First step size of AdamW, falling to 0 along a half cosine over all epochs."""
    encoder_weight_decay: Annotated[float, Range(0.0, 10.0)] = 1e-4
    """Weight decay of AdamW."""
    encoder_patience: Annotated[int, Range(1, 10_000)] = 12
    """Epochs without a lower held-out loss of any encoder after which training ends."""
    encoder_folds: Annotated[int, Range(2, 10)] = 5
    """With `latent_diff`: encoders, trained side by side, each without one fold of the rows, which chooses its epoch.
    The head is retrained on features of rows that their encoder has not seen, and predictions are means over encoders.
    More take longer and learn from more rows each."""
    validation_fraction: Annotated[float, Range(0.02, 0.5)] = 0.1
    """With other methods, which have one encoder: share of the rows that decide when training ends, spread evenly over
    the range of targets."""


@documented
@dataclass(frozen=True)
class DiffusionConfig(Config):
    """The denoiser of features: its size, training and sampling (LatentDiff, arXiv 2509.23240)."""

    denoiser_width: Annotated[int, Range(8, 4096)] = 64
    """Units of each layer of the denoiser."""
    denoiser_blocks: Annotated[int, Range(1, 50)] = 2
    """Residual blocks of two layers each."""
    timesteps: Annotated[int, Range(10, 100_000)] = 1000
    """Steps of the cosine schedule between features and noise."""
    diffusion_steps: Annotated[int, Range(1, 10_000_000)] = 600
    """Gradient steps."""
    diffusion_batch_size: Annotated[int, Range(1, 1_000_000)] = 128
    """Rows of one gradient step."""
    diffusion_learning_rate: Annotated[float, Range(1e-8, 1.0)] = 1e-3
    """Highest learning rate of AdamW; it warms up over a tenth of the steps and falls to 0."""
    condition_dropout: Annotated[float, Range(0.0, 0.9)] = 0.1
    """Share of rows whose target is withheld in training, which is what guidance needs."""
    ema_decay: Annotated[float, Range(0.0, 0.99999)] = 0.995
    """What the moving average of the weights keeps in each step."""
    sampling_steps: Annotated[int, Range(1, 1000)] = 25
    """DDIM steps from noise to features."""
    guidance: Annotated[float, Range(0.0, 20.0)] = 1.0
    """Classifier-free guidance: 1 draws from the learned distribution, more moves features further towards their target
    and makes them more alike."""


@documented
@dataclass(frozen=True)
class AllocationConfig(Config):
    """How many synthetic features each bin of the target gets, and for which targets."""

    tried_ratios: ClassVar[tuple[float, ...]] = (0.0, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5)  # by `auto`, rising

    allocation: Literal["priority", "uniform"] = "priority"
    """`priority`: more where the encoder errs and where rows are rare. `uniform`: as many for each bin with rows."""
    error_weight: Annotated[float, Range(0.0, 1.0)] = 0.5
    """λ of the priority: 1 looks at the errors of bins alone, 0 at their scarcity alone."""
    generation_ratio: Annotated[float, Range(0.0, 10.0)] | Literal["auto"] = "auto"
    """Synthetic features for each real row; the paper uses 0.2 to 0.8. More helps rare targets and harms common ones;
    how much, differs a lot between tables. `auto` tries amounts up to 1.5 by cross-validation and takes the one that
    surely lowers the error by bin most and keeps to `overall_budget`; where none does, the first heads stay. With 0 the
    head is retrained on the real features alone, which is a control."""
    overall_budget: Annotated[float, Range(0.0, 10.0)] = 0.03
    """With `auto`: how much higher the error over all rows may become by retraining, as a share, by one standard error
    more than was found. Several encoders lower it by as much beforehand."""
    synthetic: Literal["diffusion", "copies"] = "diffusion"
    """Where features come from; `copies` of real ones are the control that shows what diffusion is worth."""
    synthetic_targets: Literal["observed", "centre"] = "observed"
    """Targets of synthetic features: drawn from the real ones of the bin, or the bin's centre, as in the paper."""

    @property
    def fixed_ratio(self) -> float:
        """The ratio, or the least that the paper uses for `auto` where nothing can be tried out."""
        return 0.2 if isinstance(self.generation_ratio, str) else self.generation_ratio

    @property
    def all_ratios(self) -> tuple[float, ...]:
        """The ratio, or those that `auto` tries."""
        return self.tried_ratios if isinstance(self.generation_ratio, str) else (self.generation_ratio,)


@documented
@dataclass(frozen=True)
class GateConfig(Config):
    """Which synthetic features are let through to the head."""

    gate: Literal["mahalanobis", "none"] = "mahalanobis"
    """`none` keeps every synthetic feature."""
    gate_quantile: Annotated[float, Range(0.0, 1.0)] = 0.95
    """q: the quantile of the real features' distances up to which a synthetic one passes."""
    pooled_below: Annotated[int, Range(2, 1000)] = 5
    """Bins of fewer rows use the covariance and the quantile pooled over all bins."""
    gate_rounds: Annotated[int, Range(1, 100)] = 5
    """Times that refused features are drawn again; what is missing then stays missing, and is reported."""


@documented
@dataclass(frozen=True)
class MethodConfig(Config):
    """The method for rare targets, and the bins by which they are counted."""

    method: Literal["latent_diff", "none", "lds", "fds", "dense_weight", "balanced_mse", "rank_sim"] = "latent_diff"
    """`none`: the encoder and its head as trained; the others are peers on the same encoder."""
    encoder_method: Literal["none", "lds", "fds", "dense_weight"] = "none"
    """With `latent_diff`: the peer that the encoder is trained with, before features are generated."""
    n_bins: Annotated[int, Range(1, 10_000)] = 20
    """Bins of the target, laid on training targets and fixed then."""
    bins: Literal["equal_width", "quantile", "unit"] = "equal_width"
    """How bins are laid: of equal width, of about equal counts, or one for each whole number."""
    head: Literal["bent", "linear", "none"] = "bent"
    """Shape of the retrained head: `linear` in the features, as in the paper, or also bent where its predictions are
    far from the mean, so that rare targets can be moved with less harm to common ones; `none`: the mean of the
    encoders' own heads, which is a control."""
    head_loss: Literal["absolute", "squared"] = "absolute"
    """What the retrained head minimises. Rare targets move the head less with `absolute`, and common ones lose less."""
    head_shrinkage: Annotated[float, Range(0.0, 1000.0)] | Literal["auto"] = "auto"
    """How strongly the weights of the retrained head are drawn to those of the encoders' own, beside the weight of the
    prediction and the bends: the weight of their squared distance, in features of variance 1, next to the mean loss.
    `auto` is chosen together with the ratio."""

    tried_shrinkages: ClassVar[tuple[float, ...]] = (1e-3, 1e-2, 1e-1, 1e3)  # by `auto`; the last keeps to predictions

    @property
    def all_shrinkages(self) -> tuple[float, ...]:
        """The shrinkage, or those that `auto` tries."""
        return self.tried_shrinkages if isinstance(self.head_shrinkage, str) else (self.head_shrinkage,)


@documented
@dataclass(frozen=True)
class LatentDiffConfig(Config):
    """All settings of :class:`~imbllm_autogluon.regression.latent_diff.LatentDiffRegressor`.

    Examples
    --------
    >>> LatentDiffConfig.from_flat({"guidance": 1.5, "method": "lds"}).diffusion.guidance
    1.5
    """

    least_rows: ClassVar[int] = 20  # below, neither an encoder nor the distribution of its features can be learned

    imbalance: MethodConfig = field(default_factory=MethodConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    allocation: AllocationConfig = field(default_factory=AllocationConfig)
    gate: GateConfig = field(default_factory=GateConfig)

    @staticmethod
    def head_keys() -> tuple[str, ...]:
        """Settings that neither the encoder nor the training of the denoiser reads."""
        own = ("head", "head_loss", "head_shrinkage", "guidance", "sampling_steps")
        return (*AllocationConfig.flat_keys(), *GateConfig.flat_keys(), *own)
