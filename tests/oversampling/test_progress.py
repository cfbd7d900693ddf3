from __future__ import annotations

import pytest

from imbllm_autogluon.oversampling.progress import step_counter


@pytest.mark.parametrize(("switch", "shown"), [("1", True), ("0", False)])
def test_a_bar_is_shown_only_where_asked_for(
    switch: str, shown: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("IMBLLM_PROGRESS", switch)
    with step_counter("training", 3) as count:
        for _ in range(3):
            count(1)
    captured = capsys.readouterr()
    assert ("imbllm training" in captured.err) is shown
    assert captured.out == ""
