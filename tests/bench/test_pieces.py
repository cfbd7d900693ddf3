from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any

import pytest

from imbllm_autogluon.bench import pieces
from imbllm_autogluon.bench.pieces import piece_stem, stored_piece

if TYPE_CHECKING:
    from pathlib import Path


def test_a_piece_is_measured_once_and_read_afterwards(tmp_path: Path) -> None:
    stem, calls = tmp_path / "new" / "piece", []

    def measure() -> dict[str, Any]:
        calls.append(1)
        return {"seconds": 1.5}

    first = stored_piece(stem, "piece", measure)
    assert first == stored_piece(stem, "piece", measure)
    assert first["seconds"] == 1.5
    assert datetime.datetime.fromisoformat(first["measured"]).tzinfo is not None
    assert len(calls) == 1


def test_a_measurement_that_fails_leaves_nothing_to_read(tmp_path: Path) -> None:
    def broken() -> dict[str, Any]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        stored_piece(tmp_path / "piece", "piece", broken)
    assert stored_piece(tmp_path / "piece", "piece", lambda: {"seconds": 2.0})["seconds"] == 2.0
    assert [path.name for path in tmp_path.iterdir()] == ["piece.json"]


def test_other_conditions_and_other_versions_are_other_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stem = piece_stem(tmp_path, "ImbLLM, text 0", [{"a": 1, "b": 2}])
    assert stem == piece_stem(tmp_path, "ImbLLM, text 0", [{"b": 2, "a": 1}])
    assert stem.parent == tmp_path
    assert stem.name.startswith("imbllm--text-0-")
    assert stem != piece_stem(tmp_path, "ImbLLM, text 0", [{"a": 1, "b": 3}])
    monkeypatch.setattr(pieces, "versions", lambda: "torch=0")
    assert stem != piece_stem(tmp_path, "ImbLLM, text 0", [{"a": 1, "b": 2}])
