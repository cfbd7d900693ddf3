"""Models of the Hugging Face Hub: first what its local cache holds, then, where that is allowed, the Hub itself."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imbllm_autogluon._config import secret, shows_progress
from imbllm_autogluon.errors import BackboneError, ImbLLMError
from imbllm_autogluon.language.backbones.hub_cache import ready_snapshot
from imbllm_autogluon.language.backbones.model_folder import CONFIG, SHARDS, WEIGHTS, family_of, missing_parts
from imbllm_autogluon.language.backbones.quiet import quiet_transformers
from imbllm_autogluon.language.backbones.sources import OTHER_REMEDIES, BackboneSource, absent

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 10.0
"""Seconds for the first answer of the Hub. It is asked once: huggingface_hub's own downloads retry for 23 s without a
connection (measured with version 2.4)."""

WANTED = (
    CONFIG,
    "generation_config.json",
    WEIGHTS,
    "model-*.safetensors",
    SHARDS,
    "tokenizer*",
    "vocab.*",
    "merges.txt",
    "*.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "README.md",
)
"""Weights as safetensors, configuration, tokenizer, and the card with the licence: no pickles, no other formats."""


def find_on_hub(
    name: str, repo: str, revision: str | None, *, local_files_only: bool, token_variable: str | None
) -> BackboneSource:
    """Find a model in the Hub cache, else on the Hub; only its configuration is downloaded here.

    Raises
    ------
    BackboneError
        It is in neither, or is not a language model.
    InvalidInputError
        The Hub must be asked, and the variable of the token is not set.
    """
    folder = ready_snapshot(repo, revision)
    local = folder is not None or local_files_only
    if folder is None:
        folder = _ask_hub(name, repo, revision, local_files_only=local_files_only, token_variable=token_variable)
    return BackboneSource(name, repo, folder.name, local, token_variable, family_of(folder, name))


def fetch_from_hub(name: str, repo: str, revision: str | None, *, token_variable: str | None, force: bool) -> Path:
    """Download a model into the Hub cache, if it is not there, and return its folder.

    Raises
    ------
    BackboneError
        It cannot be downloaded, or cannot be a backbone (said before weights are downloaded).
    """
    from huggingface_hub import snapshot_download

    ready = ready_snapshot(repo, revision)
    if ready is not None and not force:
        return ready
    family_of(_ask_hub(name, repo, revision, local_files_only=False, token_variable=token_variable), name)
    with _hub_errors(name, repo, revision), quiet_transformers(progress=shows_progress()):
        folder = snapshot_download(
            repo,
            revision=revision,
            token=_token(token_variable),
            force_download=force,
            allow_patterns=list(WANTED),
            ignore_patterns=["*/*"],
        )
    if missing_parts(Path(folder)):
        raise BackboneError(f"{folder} lacks {', '.join(missing_parts(Path(folder)))}: {repo} cannot be used.")
    return Path(folder)


def _ask_hub(name: str, repo: str, revision: str | None, *, local_files_only: bool, token_variable: str | None) -> Path:
    """Download the configuration of a model, and return the folder it is in, named by its commit."""
    from huggingface_hub import HfApi, hf_hub_download, is_offline_mode

    if local_files_only or is_offline_mode():
        asked = "local_files_only" if local_files_only else "HF_HUB_OFFLINE"
        raise _absent(name, f"it is not (or not wholly) in the Hub cache, and {asked} forbids to ask the Hub")
    token = _token(token_variable)
    with _hub_errors(name, repo, revision), quiet_transformers():
        files = HfApi().model_info(repo, revision=revision, timeout=PATIENCE, token=token).siblings or []
        if not {file.rfilename for file in files} & {WEIGHTS, SHARDS}:
            raise BackboneError(f"the model {repo!r} has no weights as safetensors, and pickles are never loaded.")
        return Path(hf_hub_download(repo, CONFIG, revision=revision, token=token)).parent


def _token(variable: str | None) -> str | None:
    return None if variable is None else secret(variable)


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
        raise BackboneError(
            f"the Hub has no model {repo!r}, or it is private or gated and needs a token that may read it. Check the "
            f"spelling, or name the environment variable that holds the token (token_variable), {OTHER_REMEDIES}"
        ) from error
    except Exception as error:  # errors of a connection have the type of the HTTP client, which changes with versions
        raise _absent(name, f"the Hub did not give it ({_first_line(error)})") from error


def _absent(name: str, reason: str) -> BackboneError:
    remedy = (
        f"Run `imbllm models fetch {name}` once where there is a connection (with --token-variable if the "
        "model needs a token)"
    )
    return absent(name, reason, remedy)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
