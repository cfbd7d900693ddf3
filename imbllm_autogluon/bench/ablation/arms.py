"""Arms of ``imbllm bench ablation``: ImbLLM with one thing changed at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from imbllm_autogluon.bench.ablation.axes import CLASSIFIER, KEPT, NO_ROWS, OF_THE_JUDGING, axes_of
from imbllm_autogluon.bench.paper.classifiers import XGBOOST
from imbllm_autogluon.bench.paper.split import KEPT_SHARE
from imbllm_autogluon.configuration import require_choice
from imbllm_autogluon.oversampling.config import GeneratorConfig, PlausibilityConfig
from imbllm_autogluon.oversampling.imbllm import ImbLLM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imbllm_autogluon.bench.ablation.axes import Axis, Claim

NONE, DEFAULT = "none", "default"


class AblationArm(NamedTuple):
    """What is done to the rows of a split, which split that is, and who learns them."""

    spec: Mapping[str, Any]
    """``method`` and its settings, see :func:`imbllm_autogluon.bench.paper.arms.learned_rows`."""

    kept: float = KEPT_SHARE
    """Share of the smallest class's rows that is learned."""

    classifier: str = XGBOOST
    """One of :data:`imbllm_autogluon.bench.paper.classifiers.CLASSIFIERS`."""


@dataclass(frozen=True)
class AxisArms:
    """One axis and the arms that stand for its values."""

    axis: Axis
    arms: Mapping[str, str]
    """Name of the arm of each value; the value that ImbLLM has anyway is `default`."""

    def compared(self, claim: Claim) -> tuple[str, str]:
        """Names of the arms that a claim is about, the one that should be higher first."""
        higher = self.arms[claim.higher]
        return higher, without_rows(higher) if claim.lower == NO_ROWS else self.arms[claim.lower]


@dataclass(frozen=True)
class Ablation:
    """All arms of a run."""

    axes: tuple[AxisArms, ...]
    arms: Mapping[str, AblationArm]
    """By name: `none`, `default`, and what differs from `default` in one thing."""

    references: Mapping[str, str] = field(default_factory=dict)
    """Arm without oversampling beside each arm that is judged in another way; `none` beside all others."""

    def reference(self, arm: str) -> str:
        """Arm without oversampling that is judged alike; of such an arm itself."""
        return arm if arm in self.references.values() else self.references.get(arm, NONE)


def ablation_of(
    names: Sequence[str] = (), settings: Mapping[str, Any] | None = None, *, slow: bool = False
) -> Ablation:
    """Arms of a run.

    Parameters
    ----------
    names
        Of the axes; none named: all.
    settings
        Of ImbLLM, by their flat names, in all arms; an axis changes its own on top of them.
    slow
        The pretrained backbone too.

    Raises
    ------
    InvalidInputError
        There is no such axis, a setting is unknown, or a value is not allowed.

    Examples
    --------
    >>> found = ablation_of(["temperature"])
    >>> list(found.arms), found.axes[0].arms["0.7"]
    (['none', 'default', 'temperature: 0.5', 'temperature: 1'], 'default')
    """
    own = dict(settings or {})
    known = {axis.name: axis for axis in axes_of(resolved(own).language, slow=slow)}
    for name in names:
        require_choice("axis", name, tuple(known))
    chosen = [axis for axis in known.values() if not names or axis.name in names]
    axes = tuple(AxisArms(axis, {value: _name(axis, value, own) for value in axis.values}) for axis in chosen)
    arms = {NONE: AblationArm({"method": "none"}), DEFAULT: AblationArm({"method": "imbllm", **own})}
    references = {}
    for part in axes:
        for value, name in part.arms.items():
            if name == DEFAULT:
                continue
            arms[name] = _arm(part.axis.values[value], own)
            if part.axis.name in OF_THE_JUDGING:
                references[name] = without_rows(name)
                arms[references[name]] = arms[name]._replace(spec=arms[NONE].spec)
    return Ablation(axes, arms, references)


def resolved(settings: Mapping[str, Any]) -> GeneratorConfig:
    """Settings of ImbLLM, the choices of the method and of the backbone filled in.

    A setting of None that stands for a figure is that figure.

    Raises
    ------
    InvalidInputError
        A setting is unknown, or a value is not allowed.
    """
    config = GeneratorConfig.from_flat(settings)
    if config.plausible.plausibility is None:
        config = replace(config, plausible=PlausibilityConfig(ImbLLM.own_plausibility))
    return replace(config, language=config.language.with_defaults(**ImbLLM.own_choices).resolved())


def without_rows(arm: str) -> str:
    """Name of the arm without oversampling beside one that is judged in its own way, or beside the default."""
    return NONE if arm == DEFAULT else f"{NONE}, {arm}"


def _arm(change: Mapping[str, Any], own: Mapping[str, Any]) -> AblationArm:
    settings = {key: value for key, value in change.items() if key not in OF_THE_JUDGING}
    spec = {"method": "imbllm", **own, **settings}
    return AblationArm(spec, change.get(KEPT, KEPT_SHARE), change.get(CLASSIFIER, XGBOOST))


def _name(axis: Axis, value: str, own: Mapping[str, Any]) -> str:
    """The same settings under other names are `default`: they need no measurement of their own."""
    arm = _arm(axis.values[value], own)
    changed = {key: given for key, given in arm.spec.items() if key != "method"}
    same = resolved(changed) == resolved(own) and arm == AblationArm(arm.spec)
    return DEFAULT if same else f"{axis.name}: {value}"
