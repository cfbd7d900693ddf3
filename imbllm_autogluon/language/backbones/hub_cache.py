"""Models that lie in the local cache of the Hugging Face Hub."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from imbllm_autogluon.errors import BackboneError
from imbllm_autogluon.language.backbones.model_folder import CONFIG, count_parameters, family_of, missing_parts
from imbllm_autogluon.language.backbones.sources import BackboneStatus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from huggingface_hub import CachedRepoInfo


def ready_snapshot(repo: str, revision: str | None = None) -> Path | None:
    """The folder in the Hub cache that holds all of a model, or `None`."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repo, CONFIG, revision=revision)
    folder = Path(found).parent if isinstance(found, str) else None
    return None if folder is None or missing_parts(folder) else folder


def cached_language_models() -> Iterator[tuple[str, BackboneStatus]]:
    """The ids and states of all causal and masked language models in the Hub cache."""
    from huggingface_hub import CacheNotFound, constants, scan_cache_dir

    try:
        repos = scan_cache_dir(constants.HF_HUB_CACHE).repos
    except CacheNotFound:
        return
    for repo in sorted(repos, key=lambda repo: repo.repo_id):
        status = _status(repo) if repo.repo_type == "model" else None
        if status is not None:
            yield repo.repo_id, status


def _status(repo: CachedRepoInfo) -> BackboneStatus | None:
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
    return BackboneStatus(
        repo.repo_id, not missing, parameters, revision.size_on_disk, _licence(folder), str(folder), remark
    )


def _licence(folder: Path) -> str | None:
    """The licence that the model's card states."""
    from huggingface_hub import metadata_load

    try:
        licence = (metadata_load(folder / "README.md") or {}).get("license")
    except (OSError, ValueError):
        return None
    return None if licence is None else str(licence)
