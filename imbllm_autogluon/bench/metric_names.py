"""Names of the figures that more than one benchmark tells, as their pages and result files write them."""

from __future__ import annotations

F1, BALANCED, MACRO_F1, ROC_AUC = "F1", "balanced accuracy", "macro F1", "ROC AUC"
AVERAGE_PRECISION, LOG_LOSS = "average precision", "log-loss"
