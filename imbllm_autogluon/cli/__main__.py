"""``python -m imbllm_autogluon.cli``, for launchers such as torchrun."""

from __future__ import annotations

from imbllm_autogluon.cli import main

main()
