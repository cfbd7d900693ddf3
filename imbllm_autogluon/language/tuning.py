"""Which weights of a backbone learn: all of them, LoRA adapters, or the last blocks."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.errors import InvalidInputError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from imbllm_autogluon.language.config import LanguageConfig
    from imbllm_autogluon.language.losses import LanguageModel

ADAPTER_FOLDER = "adapter"
"""Where a saved model keeps its LoRA adapters, in peft's own form."""


class Tuning:
    """What learns of one model.

    Parameters
    ----------
    model
        A transformers language model over the table's vocabulary; changed in place.
    config
        Resolved configuration: `tuning`, `lora_rank`, `top_blocks`, `clauses`.
    """

    def __init__(self, model: LanguageModel, config: LanguageConfig) -> None:
        self._model = model
        self._adapters: Any = None
        self._merged = False
        if config.tuning == "full":
            return
        model.requires_grad_(False)
        if config.tuning == "lora":
            self._adapters = _with_adapters(model, config.lora_rank)
        else:
            _open_top_blocks(model, config.top_blocks)
        if config.clauses == "tokens":  # new tokens: their mean embedding is only a start
            model.get_input_embeddings().weight.requires_grad_(True)
            model.get_output_embeddings().weight.requires_grad_(True)

    def learning(self) -> dict[str, torch.nn.Parameter]:
        """Parameters that learn, by name; a weight that two layers share occurs once."""
        return {name: weight for name, weight in self._model.named_parameters() if weight.requires_grad}

    def own_weights(self) -> dict[str, torch.nn.Parameter]:
        """Parameters that learn, without LoRA adapters."""
        return {name: weight for name, weight in self.learning().items() if "lora_" not in name}

    def merge(self) -> None:
        """Add the adapters to the weights that they adapt: writing rows then costs nothing extra."""
        if self._adapters is not None and not self._merged:
            self._adapters.merge_adapter()
            self._merged = True

    def unmerge(self) -> None:
        """Take the adapters out again, to go on learning."""
        if self._merged:
            self._adapters.unmerge_adapter()
            self._merged = False

    def save(self, folder: Path, base: str, revision: str | None) -> dict[str, torch.Tensor]:
        """Write the adapters in peft's form; return the weights that learned beside them.

        Parameters
        ----------
        folder
            An existing folder.
        base, revision
            The base model, for peft's own record.
        """
        learned = {name: weight.detach().cpu().contiguous() for name, weight in self.own_weights().items()}
        if self._adapters is None:
            return learned
        settings = self._adapters.peft_config["default"]
        settings.base_model_name_or_path, settings.revision = base, revision
        # False: peft would ask the Hub for the base model's vocabulary otherwise.
        self._adapters.save_pretrained(str(folder / ADAPTER_FOLDER), save_embedding_layers=False)
        return learned

    def load(self, folder: Path) -> None:
        """Read the adapters written by :meth:`save`, if this model has any."""
        if self._adapters is None:
            return
        from peft import set_peft_model_state_dict
        from safetensors.torch import load_file

        # peft's reader resolves folders and devices by itself; the file alone says all that is needed here.
        weights = load_file(folder / ADAPTER_FOLDER / "adapter_model.safetensors")
        outcome: Any = set_peft_model_state_dict(self._adapters, weights)
        if outcome.unexpected_keys or any("lora_" in key for key in outcome.missing_keys):
            raise InvalidInputError("the stored adapters do not fit the base model.")


def _with_adapters(model: LanguageModel, rank: int) -> Any:
    """Put LoRA adapters beside every linear layer but the output layer."""
    from peft import LoraConfig, get_peft_model
    from transformers.pytorch_utils import Conv1D

    transposed = any(isinstance(module, Conv1D) for module in model.modules())
    settings = LoraConfig(
        r=rank, lora_alpha=2 * rank, lora_dropout=0.0, target_modules="all-linear", fan_in_fan_out=transposed
    )
    with warnings.catch_warnings():
        # peft 0.21 reads a property that transformers 5.2 renamed.
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)
        return get_peft_model(model, settings)


def _open_top_blocks(model: LanguageModel, count: int) -> None:
    """Let the last blocks learn, and what stands behind them (the final norm)."""
    numbers = {int(found.group(1)) for name, _ in model.named_parameters() if (found := _BLOCK.search(name))}
    if not numbers:
        raise InvalidInputError(f"{type(model).__name__} has no numbered blocks; use tuning='lora' or 'full'.")
    first = max(numbers) + 1 - count
    embeddings = {id(weight) for layer in _outer_layers(model) for weight in layer.parameters()}
    behind = False
    for name, weight in model.named_parameters():
        found = _BLOCK.search(name)
        behind = behind or found is not None
        weight.requires_grad_(behind and id(weight) not in embeddings and (not found or int(found.group(1)) >= first))


def _outer_layers(model: LanguageModel) -> list[Any]:
    return [model.get_input_embeddings(), model.get_output_embeddings()]


_BLOCK = re.compile(r"\.(\d+)\.")
