"""Arms of ``imbllm bench ablation``: ImbLLM with one thing changed at a time."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

from imbllm_autogluon.bench.ablation_axes import KEPT, axes_of
from imbllm_autogluon.bench.paper_split import KEPT_SHARE
from imbllm_autogluon.configuration import require_choice
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.imbllm import ImbLLM

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from imbllm_autogluon.bench.ablation_axes import Axis

NONE, DEFAULT = "none", "default"


class AblationArm(NamedTuple):
    """What is done to the rows of a split, and which split that is."""

    spec: Mapping[str, Any]
    """``method`` and its settings, see :func:`imbllm_autogluon.bench.paper_arms.learned_rows`."""

    kept: float = KEPT_SHARE
    """Share of the smallest class's rows that is learned."""


@dataclass(frozen=True)
class AxisArms:
    """One axis and the arms that stand for its values."""

    axis: Axis
    arms: Mapping[str, str]
    """Name of the arm of each value; the value that ImbLLM has anyway is `default`."""


@dataclass(frozen=True)
class Ablation:
    """All arms of a run."""

    axes: tuple[AxisArms, ...]
    arms: Mapping[str, AblationArm]
    """By name: `none`, `default`, and what differs from `default` in one thing."""

    references: Mapping[str, str] = field(default_factory=dict)
    """Arm without oversampling beside each arm whose split differs; `none` beside all others."""

    def reference(self, arm: str) -> str:
        """Arm without oversampling on the same split; of such an arm itself."""
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
            if part.axis.name == KEPT:
                references[name] = f"{NONE}, {name}"
                arms[references[name]] = AblationArm(arms[NONE].spec, arms[name].kept)
    return Ablation(axes, arms, references)


def resolved(settings: Mapping[str, Any]) -> GeneratorConfig:
    """Settings of ImbLLM, the choices of the method and of the backbone filled in.

    Raises
    ------
    InvalidInputError
        A setting is unknown, or a value is not allowed.
    """
    config = GeneratorConfig.from_flat(settings)
    return replace(config, language=config.language.with_defaults(**ImbLLM.own_choices).resolved())


def _arm(change: Mapping[str, Any], own: Mapping[str, Any]) -> AblationArm:
    settings = {key: value for key, value in change.items() if key != KEPT}
    return AblationArm({"method": "imbllm", **own, **settings}, change.get(KEPT, KEPT_SHARE))


def _name(axis: Axis, value: str, own: Mapping[str, Any]) -> str:
    """The same settings under other names are `default`: they need no measurement of their own."""
    arm = _arm(axis.values[value], own)
    changed = {key: given for key, given in arm.spec.items() if key != "method"}
    same = resolved(changed) == resolved(own) and arm.kept == KEPT_SHARE
    return DEFAULT if same else f"{axis.name}: {value}"
