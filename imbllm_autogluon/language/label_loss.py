"""What a model learns that is to tell the label: its values weighed by class, by difficulty, and against the features.

The counter-measures against a decoder that copies the shares of its training set: class weights (Cui et al. 2019,
https://arxiv.org/abs/1901.05555) and the focal loss (Lin et al. 2017, https://arxiv.org/abs/1708.02002, equation 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from imbllm_autogluon._config import require_number
from imbllm_autogluon.language.losses import ValueLoss

if TYPE_CHECKING:
    from imbllm_autogluon.language.losses import LanguageModel
    from imbllm_autogluon.sentences import AutomatonTables, Sentences


@dataclass(frozen=True)
class LabelObjective:
    """How much the label counts beside the features, and how."""

    feature_weight: float = 1.0
    """Weight of a feature's value tokens beside the label's (0 to 1000); with 1 all of a sentence counts, with 0
    its label alone."""

    focal_gamma: float = 0.0
    """gamma of the focal loss: the label's loss is multiplied by ``(1 - p) ** gamma`` (0 to 10); 0: the plain loss."""

    def __post_init__(self) -> None:
        require_number("feature_weight", self.feature_weight, 0.0, 1000.0)
        require_number("focal_gamma", self.focal_gamma, 0.0, 10.0)


class LabelLoss:
    """Negative log-likelihood of a sentence whose label has a weight of its own.

    For each row ``w (1 - p)^gamma (-log p) + f sum(-log p_token)``: p is the probability of its label among the legal
    ones, the sum goes over the value tokens of its features, w is the row's weight, f the weight of features.

    Parameters
    ----------
    tables
        Automata of the table; the label's is the last.
    device
        Of the model.
    objective
        Weight of features and gamma.
    """

    def __init__(self, tables: AutomatonTables, device: torch.device, objective: LabelObjective) -> None:
        self._values = ValueLoss(tables, device)
        self._first_of_label = int(tables.starts[-1])
        self._objective = objective
        self._device = device

    def __call__(self, model: LanguageModel, sentences: Sentences) -> tuple[torch.Tensor, int]:
        """Sum over the rows (nats), and their number."""
        losses, rows = self._values.by_token(model, sentences)
        states = torch.from_numpy(sentences.states).to(self._device)
        of_label = states[states >= 0] >= self._first_of_label
        n_rows = len(sentences.ids)
        label = torch.zeros(n_rows, device=self._device).index_add(0, rows[of_label], losses[of_label])
        if self._objective.focal_gamma > 0:
            # The least error keeps the gradient of the power finite where a label is certain.
            error = (1.0 - torch.exp(-label)).clamp(min=1e-6)
            label = label * error**self._objective.focal_gamma
        if sentences.weights is not None:
            label = label * torch.from_numpy(sentences.weights).to(label)
        total = label.sum()
        if self._objective.feature_weight > 0:
            total = total + self._objective.feature_weight * losses[~of_label].sum()
        return total, n_rows
