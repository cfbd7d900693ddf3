"""Jobs for a person with a table: fit, compare the ensembles with and without twins, report, predict."""

from __future__ import annotations
