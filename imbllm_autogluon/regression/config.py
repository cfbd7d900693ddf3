"""Configuration of imbalanced regression."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from imbllm_autogluon.configuration import (
    FlatConfig,
    require_choices,
    require_number,
)
from imbllm_autogluon.errors import InvalidInputError


@dataclass(frozen=True)
class EncoderConfig:
    """The network that turns rows into features, and how it is trained."""

    architecture: Literal["resnet", "mlp"] = "resnet"
    """`resnet`: residual blocks with layer normalisation (Gorishniy et al. 2021, section 3.2); `mlp`: plain layers."""

    number_scaling: Literal["quantile", "standard"] = "quantile"
    """`quantile`: ranks mapped to a normal distribution, which tames outliers; `standard`: mean 0, deviation 1."""

    number_embedding: Literal["none", "periodic"] = "periodic"
    """`periodic`: sines and cosines of learned frequencies for each number (Gorishniy et al. 2022, section 3.3), with
    which a network bends more sharply; `none`: the scaled numbers themselves."""

    feature_size: int = 16
    """d, numbers in the feature of a row (2 to 2048): what a linear head reads and what is generated. On 4,000 rows of
    California housing mean absolute errors with 16, 32 and 64 were 35.5, 35.7 and 36.5 thousand (three seeds), and a
    random forest told generated features from real ones with an AUC of 0.62 to 0.78 with 16, 0.79 to 0.89 with 64."""

    encoder_width: int = 192
    """Units of each hidden layer (4 to 4096)."""

    encoder_depth: int = 2
    """Blocks of `resnet`, or hidden layers of `mlp` (1 to 16)."""

    encoder_dropout: float = 0.2
    """Share of hidden units left out in training (0 to 0.9)."""

    encoder_epochs: int = 40
    """Passes over the rows, at most (1 to 10,000)."""

    encoder_batch: int = 256
    """Rows for each step, at most (2 to 65,536); in small tables a 16th of the rows, but at least 16."""

    encoder_learning_rate: float = 1e-3
    """First step size of AdamW, falling to 0 along a half cosine over all epochs (1e-7 to 1)."""

    encoder_weight_decay: float = 1e-4
    """Weight decay of AdamW (0 to 10)."""

    encoder_patience: int = 16
    """Epochs without a lower held-out loss after which training ends (1 to 10,000)."""

    held_out_share: float = 0.1
    """Share of the rows that decide when training ends (0.02 to 0.5), spread evenly over the range of targets."""

    def __post_init__(self) -> None:
        require_choices(self)
        for name, low, high in _WHOLE:
            require_number(name, getattr(self, name), low, high, whole=True)
        for name, least, most in _REAL:
            require_number(name, getattr(self, name), least, most)


_WHOLE = (
    ("feature_size", 2, 2048),
    ("encoder_width", 4, 4096),
    ("encoder_depth", 1, 16),
    ("encoder_epochs", 1, 10_000),
    ("encoder_batch", 2, 65_536),
    ("encoder_patience", 1, 10_000),
)
_REAL = (
    ("encoder_dropout", 0.0, 0.9),
    ("encoder_learning_rate", 1e-7, 1.0),
    ("encoder_weight_decay", 0.0, 10.0),
    ("held_out_share", 0.02, 0.5),
)


@dataclass(frozen=True)
class DiffusionConfig:
    """The denoiser of features: its size, training and sampling (LatentDiff, arXiv 2509.23240)."""

    denoiser_width: int = 128
    """Units of each layer of the denoiser (8 to 4096)."""

    denoiser_blocks: int = 3
    """Residual blocks of two layers each (1 to 50)."""

    timesteps: int = 1000
    """Steps of the cosine schedule between features and noise (10 to 100,000)."""

    diffusion_steps: int = 2000
    """Gradient steps (1 to 10,000,000)."""

    diffusion_batch_size: int = 256
    """Rows of one gradient step (1 to 1,000,000)."""

    diffusion_learning_rate: float = 1e-3
    """Highest learning rate of AdamW (1e-8 to 1); it warms up over a tenth of the steps and falls to 0."""

    condition_dropout: float = 0.1
    """Share of rows whose target is withheld in training (0 to 0.9), which is what guidance needs."""

    ema_decay: float = 0.995
    """What the moving average of the weights keeps in each step (0 to 0.99999)."""

    sampling_steps: int = 25
    """DDIM steps from noise to features (1 to 1000)."""

    guidance: float = 1.0
    """Classifier-free guidance (0 to 20): 1 draws from the learned distribution, more moves features further towards
    their target and makes them more alike. With 2, few-shot errors on 4,000 rows of California housing rose by
    5 %, where 1 lowered them by 7 %."""

    def __post_init__(self) -> None:
        require_number("denoiser_width", self.denoiser_width, 8, 4096, whole=True)
        require_number("denoiser_blocks", self.denoiser_blocks, 1, 50, whole=True)
        require_number("timesteps", self.timesteps, 10, 100_000, whole=True)
        require_number("diffusion_steps", self.diffusion_steps, 1, 10_000_000, whole=True)
        require_number("diffusion_batch_size", self.diffusion_batch_size, 1, 1_000_000, whole=True)
        require_number("diffusion_learning_rate", self.diffusion_learning_rate, 1e-8, 1.0)
        require_number("condition_dropout", self.condition_dropout, 0.0, 0.9)
        require_number("ema_decay", self.ema_decay, 0.0, 0.99999)
        require_number("sampling_steps", self.sampling_steps, 1, 1000, whole=True)
        require_number("guidance", self.guidance, 0.0, 20.0)


@dataclass(frozen=True)
class AllocationConfig:
    """How many synthetic features each bin of the target gets, and for which targets."""

    allocation: Literal["priority", "uniform"] = "priority"
    """`priority`: more where the encoder errs and where rows are rare. `uniform`: as many for each bin with rows."""

    error_weight: float = 0.5
    """λ of the priority (0 to 1): 1 looks at the errors of bins alone, 0 at their scarcity alone."""

    generation_ratio: float | Literal["auto"] = "auto"
    """Synthetic features for each real row (0 to 10); the paper uses 0.2 to 0.8. More helps rare targets and harms
    common ones; how much, differs a lot between tables. `auto` tries amounts up to 2 on the rows that the encoder held
    out, and takes the one that surely lowers the error by bin most and keeps to `overall_budget`; fewer than 50 such
    rows tell nothing, and it is 0.2. With 0 the head is trained anew on the real features alone, which is a control."""

    overall_budget: float = 0.02
    """With `auto`: how much higher the error over all held-out rows may become (0 to 10), as a share."""

    synthetic: Literal["diffusion", "copies"] = "diffusion"
    """Where features come from; `copies` of real ones are the control that shows what diffusion is worth."""

    synthetic_targets: Literal["observed", "centre"] = "observed"
    """Targets of synthetic features: drawn from the real ones of the bin, or the bin's centre, as in the paper."""

    def __post_init__(self) -> None:
        require_choices(self)
        require_number("error_weight", self.error_weight, 0.0, 1.0)
        require_number("overall_budget", self.overall_budget, 0.0, 10.0)
        if isinstance(self.generation_ratio, str) and self.generation_ratio != "auto":
            raise InvalidInputError(
                f"generation_ratio must be 'auto' or a number between 0 and 10; got {self.generation_ratio!r}."
            )
        require_number("generation_ratio", self.fixed_ratio, 0.0, 10.0)

    @property
    def fixed_ratio(self) -> float:
        """The ratio, or the least that the paper uses for `auto` where nothing can be tried out."""
        return 0.2 if isinstance(self.generation_ratio, str) else self.generation_ratio


@dataclass(frozen=True)
class GateConfig:
    """Which synthetic features are let through to the head."""

    gate: Literal["mahalanobis", "none"] = "mahalanobis"
    """`none` keeps every synthetic feature."""

    gate_quantile: float = 0.95
    """q: the quantile of the real features' distances up to which a synthetic one passes (0 to 1)."""

    pooled_below: int = 5
    """Bins of fewer rows use the covariance and the quantile pooled over all bins (2 to 1000)."""

    gate_rounds: int = 5
    """Times that refused features are drawn anew (1 to 100); what is missing then stays missing, and is reported."""

    def __post_init__(self) -> None:
        require_choices(self)
        require_number("gate_quantile", self.gate_quantile, 0.0, 1.0)
        require_number("pooled_below", self.pooled_below, 2, 1000, whole=True)
        require_number("gate_rounds", self.gate_rounds, 1, 100, whole=True)


@dataclass(frozen=True)
class MethodConfig:
    """The treatment of rare targets, and the bins by which they are counted."""

    method: Literal["latent_diff", "none", "lds", "fds", "dense_weight", "balanced_mse", "rank_sim"] = "latent_diff"
    """`none`: the encoder and its head as trained; the others are peers on the same encoder."""

    encoder_method: Literal["none", "lds", "fds", "dense_weight"] = "none"
    """With `latent_diff`: the peer that the encoder is trained with, before features are generated."""

    n_bins: int = 20
    """Bins of the target (1 to 10,000), laid on training targets and fixed then."""

    bins: Literal["equal_width", "quantile", "unit"] = "equal_width"
    """How bins are laid: of equal width, of about equal counts, or one for each whole number."""

    head: Literal["bent", "linear"] = "bent"
    """Shape of the retrained head: `linear` in the features, as in the paper, or also bent where its predictions are
    far from the mean, so that rare targets can be moved with less harm to common ones. On 4,000 rows of California
    housing few-shot errors fell by 8.6 % at a cost of 1.9 % over all rows, against 6.0 % at 1.9 % (four splits)."""

    head_loss: Literal["absolute", "squared"] = "absolute"
    """What the retrained head minimises. Rare targets move the head less with `absolute`, and common ones lose less: on
    4,000 rows of California housing few-shot errors fell by 7 % at a cost of 2 % over all rows, against 6 %."""

    head_shrinkage: float = 1e-3
    """How strongly the retrained head is drawn to the one trained with the encoder (0 to 1000): the weight of their
    squared distance, in standardised features, beside the mean loss."""

    def __post_init__(self) -> None:
        require_choices(self)
        require_number("n_bins", self.n_bins, 1, 10_000, whole=True)
        require_number("head_shrinkage", self.head_shrinkage, 0.0, 1000.0)


@dataclass(frozen=True)
class LatentDiffConfig(FlatConfig):
    """All settings of :class:`~imbllm_autogluon.regression.latent_diff.LatentDiffRegressor`.

    Examples
    --------
    >>> LatentDiffConfig.from_flat({"guidance": 1.5, "method": "lds"}).diffusion.guidance
    1.5
    """

    treatment: MethodConfig = field(default_factory=MethodConfig)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    allocation: AllocationConfig = field(default_factory=AllocationConfig)
    gate: GateConfig = field(default_factory=GateConfig)
