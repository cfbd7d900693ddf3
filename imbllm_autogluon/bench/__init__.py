"""Benchmarks: commands that measure and write tables, never tests.

Each has a folder named as its command, where ``run.py`` does what the command says; benchmarks of one file stand here,
beside what several of them use. A folder uses what stands here, not another benchmark; but ``ablation`` changes what
``paper`` measures, ``regression_autogluon`` adds AutoGluon to ``regression``, and ``readme`` reads the pages of all.
"""

from __future__ import annotations
