"""Imbalanced regression: LatentDiff and the peers it is compared with, on one encoder."""
