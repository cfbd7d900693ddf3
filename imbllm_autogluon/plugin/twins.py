"""Twin classes: every registered AutoGluon model class with the stage in front of it.

A twin is made on demand and is an attribute of this module under a name that says which class it wraps. So pickle finds
it by name in any process: a Ray worker or ``TabularPredictor.load`` in a fresh interpreter imports this module, asks
for the name, and the twin is made again (PEP 562).
"""

from __future__ import annotations

import importlib
import operator
import types
from types import MappingProxyType
from typing import Any

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.plugin.stage import RebalancingMixin

_SUFFIX = "Imb"
TWIN_SUFFIX = "_IMB"

# Keys without a twin: ensembles and the constant models learn nothing from rows; images and raw text are not rows. The
# language model as a classifier weighs classes itself; LatentDiff generates for rare targets itself.
_NOT_TWINNED = (
    "ENS_WEIGHTED", "SIMPLE_ENS_WEIGHTED", "DUMMY", "IMBLLM", "IMBLLM_CLF", "LATENT_DIFF", "AG_IMAGE_NN", "AG_TEXT_NN",
    "AG_AUTOMM", "IMBLLM_ENS",
)  # fmt: skip

_DOT, _IN = "__dot__", "__in__"


def twin_of(model_class: type[Any]) -> type[Any]:
    """The twin of an AutoGluon model class with ``ag_key`` and ``ag_name``; the same object at every call.

    Raises
    ------
    InvalidInputError
        The class is local to a function, so no other process could find it.
    """
    if issubclass(model_class, RebalancingMixin):
        return model_class
    name = _twin_name(model_class)
    if name not in globals():
        globals()[name] = _make_twin(model_class, name)
    twin: type[Any] = globals()[name]
    return twin


def has_twin(model_class: type[Any]) -> bool:
    """Whether a registered class is one that gets a twin."""
    return not issubclass(model_class, RebalancingMixin) and model_class.ag_key not in _NOT_TWINNED


def _make_twin(model_class: type[Any], name: str) -> type[Any]:
    behind = RebalancingMixin.behind_plain
    by_kind = {kind: priority - behind for kind, priority in model_class.ag_priority_by_problem_type.items()}
    body = {
        "__module__": __name__,
        "__qualname__": name,
        "__doc__": f"{model_class.__name__} fitted on rebalanced folds.",
        "ag_key": f"{model_class.ag_key}{TWIN_SUFFIX}",
        "ag_name": f"{model_class.ag_name}{_SUFFIX}",
        "ag_priority": model_class.ag_priority - behind,
        "ag_priority_by_problem_type": MappingProxyType(by_kind),
    }
    return types.new_class(name, (RebalancingMixin, model_class), exec_body=lambda own: own.update(body))


def _twin_name(model_class: type[Any]) -> str:
    """``LGBModelImb`` for AutoGluon's classes; for others a name that holds module and class."""
    if "<locals>" in model_class.__qualname__:
        raise InvalidInputError(
            f"{model_class.__qualname__} is defined inside a function; define the model class at the top of an "
            "importable module, so that saved predictors and other processes can find it."
        )
    if _registered(model_class.__name__) is model_class:
        return f"{model_class.__name__}{_SUFFIX}"
    return f"{model_class.__qualname__}{_IN}{model_class.__module__}{_SUFFIX}".replace(".", _DOT)


def _registered(class_name: str) -> type[Any] | None:
    """The class of that name among those that AutoGluon itself registers."""
    from autogluon.tabular.registry import ag_model_registry

    own = (each for each in ag_model_registry.model_cls_list if each.__module__.split(".")[0] == "autogluon")
    return next((each for each in own if each.__name__ == class_name), None)


def __getattr__(name: str) -> type[Any]:
    """Make the twin that a pickle asks for."""
    plain = name.removesuffix(_SUFFIX)
    if plain != name and not name.startswith("_"):
        qualname, _, module = plain.replace(_DOT, ".").partition(_IN)
        found: Any = operator.attrgetter(qualname)(importlib.import_module(module)) if module else _registered(plain)
        if found is not None:
            return twin_of(found)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
