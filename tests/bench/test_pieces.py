from __future__ import annotations

import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from filelock import FileLock

from imbllm_autogluon.bench import pieces
from imbllm_autogluon.bench.pieces import Piece, all_measured, piece_stem, stored_piece

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


def test_pieces_are_returned_in_their_order_and_measured_once(tmp_path: Path) -> None:
    calls: list[int] = []
    pieces = [Piece(f"piece {n}", [n], partial(lambda n: calls.append(n) or {"n": n}, n)) for n in (2, 0, 1)]
    for _ in range(2):
        assert [found["n"] for found in all_measured(tmp_path / "new", pieces)] == [2, 0, 1]
    assert calls == [2, 0, 1]


def test_a_piece_in_work_elsewhere_is_left_to_the_last_and_measured_if_nobody_did(tmp_path: Path) -> None:
    calls: list[int] = []
    elsewhere = FileLock(piece_stem(tmp_path, "piece 0", [0]).with_suffix(".lock"), thread_local=False)

    def measure(n: int) -> dict[str, Any]:
        calls.append(n)
        if n == 2:
            elsewhere.release()  # as if the other process had been killed
        return {"n": n}

    pieces = [Piece(f"piece {n}", [n], partial(measure, n)) for n in range(3)]
    elsewhere.acquire()
    assert [found["n"] for found in all_measured(tmp_path, pieces)] == [0, 1, 2]
    assert calls == [1, 2, 0]
