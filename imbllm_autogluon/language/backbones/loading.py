"""Load the model and the tokenizer of a backbone."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from imbllm_autogluon._config import secret
from imbllm_autogluon.errors import BackboneError, ImbLLMError
from imbllm_autogluon.language.backbones.quiet import quiet_transformers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from imbllm_autogluon.language.backbones.sources import BackboneSource


def load_model(source: BackboneSource) -> Any:
    """Load a language model as float32, in evaluation mode; only from safetensors, and without code of its own.

    Parameters
    ----------
    source
        From :func:`find_backbone`.

    Returns
    -------
    transformers.PreTrainedModel
        With a language-modelling head: causal or masked, as the source says.

    Raises
    ------
    BackboneError
        The files cannot be read, or hold no weights for a part of the model (such as its head).
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForMaskedLM

    kind = AutoModelForMaskedLM if source.family == "masked" else AutoModelForCausalLM
    # transformers 5.23 looks for adapters in files of its own accord and asks the Hub for them, unless told here too.
    options = {"output_loading_info": True, "adapter_kwargs": {"local_files_only": source.local_files_only}}
    with _loading(source, "model"):
        loaded: Any = kind.from_pretrained(
            source.location, dtype=torch.float32, use_safetensors=True, **options, **_access(source)
        )
    model, info = loaded
    without = sorted(info["missing_keys"])
    if without:
        raise BackboneError(
            f"the backbone {source.name!r} has no weights for {without[0]} ({len(without)} parts in all): it was not "
            f"saved as a {source.family} language model. Use one with its head, such as 'smollm2'."
        )
    return model.eval()


def load_tokenizer(source: BackboneSource) -> Any:
    """Load the fast tokenizer of a backbone.

    Returns
    -------
    transformers.PreTrainedTokenizerFast
        One of the library `tokenizers`: only these say which characters a token stands for.

    Raises
    ------
    BackboneError
        The files cannot be read, or there is only a slow tokenizer.
    """
    from transformers import AutoTokenizer

    with _loading(source, "tokenizer"):
        tokenizer = AutoTokenizer.from_pretrained(source.location, **_access(source))
    if not tokenizer.is_fast:
        raise BackboneError(
            f"the backbone {source.name!r} has only a slow tokenizer ({type(tokenizer).__name__}); a fast one "
            "(tokenizer.json) is needed. Use a backbone that has one, such as 'smollm2' or 'distilgpt2'."
        )
    return tokenizer


def _access(source: BackboneSource) -> dict[str, Any]:
    """How transformers may get at the files; the token is read only where it may ask the Hub."""
    variable = None if source.local_files_only else source.token_variable
    return {
        "revision": source.revision or "main",
        "local_files_only": source.local_files_only,
        "token": None if variable is None else secret(variable),
        "trust_remote_code": False,
    }


@contextmanager
def _loading(source: BackboneSource, what: str) -> Iterator[None]:
    """Load quietly, and turn whatever goes wrong into an error that names the place."""
    try:
        with quiet_transformers():
            yield
    except ImbLLMError:
        raise
    except Exception as error:
        raise BackboneError(
            f"the {what} of the backbone {source.name!r} in {source.location} cannot be loaded: {error}"
        ) from error
