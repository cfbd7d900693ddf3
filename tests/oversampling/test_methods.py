"""Generators by the name of their method; a stored one writes the same rows as the one that was saved."""

from __future__ import annotations

import datetime
import json
import typing
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from imbllm_autogluon._storage import STATE_NAME
from imbllm_autogluon.errors import InvalidInputError, StoredStateError
from imbllm_autogluon.oversampling import GReaT
from imbllm_autogluon.oversampling.config import GeneratorConfig
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.oversampling.methods import (
    GENERATORS,
    generator_class,
    generator_of,
    load_generator,
    save_generator,
)
from imbllm_autogluon.oversampling.pred_llm import PredLLMGenerator
from imbllm_autogluon.rebalancing.config import _METHODS, _Method
from tests.oversampling.tables import mixed, quick

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("uniform_backbone")

N = 62
WORDS = [f"code {i}" for i in range(N)]

# Identifiers of every dtype that may be copied from real rows.
IDENTIFIERS: dict[str, pd.Series[Any]] = {
    "objects": pd.Series(WORDS),
    "objects, NaN": pd.Series([np.nan, *WORDS[1:]], dtype=object),
    "objects, None": pd.Series([None, *WORDS[1:]], dtype=object),
    "objects, NA": pd.Series([pd.NA, *WORDS[1:]], dtype=object),
    "mixed objects": pd.Series([i if i % 2 else f"code {i}" for i in range(N)], dtype=object),
    "string": pd.Series(WORDS, dtype="string"),
    "string[pyarrow]": pd.Series(WORDS, dtype="string[pyarrow]"),
    "arrow string": pd.Series(WORDS, dtype=pd.ArrowDtype(pa.string())),
    "category": pd.Series(WORDS, dtype="category"),
    "category of ints": pd.Series(range(N)).astype("category"),
    "int16": pd.Series(range(N), dtype="int16"),
    "Int64": pd.Series(range(N), dtype="Int64"),
    "uint64": pd.Series(np.arange(N, dtype="uint64") + np.uint64(2**63)),
    "bytes": pd.Series([word.encode() for word in WORDS]),
    "period": pd.Series(pd.period_range("2000-01", periods=N, freq="M")),
    "interval": pd.Series(pd.interval_range(0, N)),
    "times of day": pd.Series([datetime.time(i % 24, i % 60, i % 60) for i in range(N)]),
    "surrogates": pd.Series([word + "\ud800" for word in WORDS]),
}


def fitted(X: pd.DataFrame, **settings: Any) -> ImbLLM:
    y = pd.Series(["a"] * 44 + ["b"] * 15 + ["c"] * 3, name="class")
    return ImbLLM(quick(**settings), random_state=3, threads=1).fit(X, y, {"b": 20, "c": 9})


def reloaded(generator: ImbLLM, folder: Path) -> ImbLLM:
    save_generator(generator, folder)
    return load_generator(folder)


@pytest.mark.real_backbone
@pytest.mark.parametrize("settings", [{}, {"numbers": "digits", "condition_pairs": 2}, {"interpolation": "adaptive"}])
def test_a_loaded_generator_writes_the_same_rows(settings: dict[str, Any], tmp_path: Path) -> None:
    generator = fitted(mixed(N), **settings)
    loaded = reloaded(generator, tmp_path)
    assert loaded.report == generator.report
    assert (loaded.config, loaded.seed, loaded.threads) == (generator.config, generator.seed, generator.threads)
    for arguments in ({}, {"counts": {"c": 2, "b": 3}}, {"random_state": 9}):
        (rows, labels), (expected, expected_labels) = loaded.sample(**arguments), generator.sample(**arguments)
        pd.testing.assert_frame_equal(rows, expected)
        pd.testing.assert_series_equal(labels, expected_labels)
    assert [entry.made for entry in loaded.report.classes] == [entry.made for entry in generator.report.classes]


@pytest.mark.parametrize("dtype", IDENTIFIERS)
def test_copied_columns_come_back_exactly(dtype: str, tmp_path: Path) -> None:
    X = pd.DataFrame({"x": mixed(N)["score"], 7: IDENTIFIERS[dtype]})
    generator = fitted(X)
    assert list(generator.report.excluded) == ["7"]
    rows, expected = reloaded(generator, tmp_path).sample()[0], generator.sample()[0]
    pd.testing.assert_frame_equal(rows, expected)
    assert rows[7].map(type).tolist() == expected[7].map(type).tolist()
    assert rows[7].dtype == X[7].dtype


def test_several_copied_columns_and_classes_do_not_mix(tmp_path: Path) -> None:
    X = mixed(N).assign(one=WORDS, two=[word[::-1] for word in WORDS], gaps=[None, "x"] * (N // 2))
    X.loc[44:, "one"] = pd.NA
    generator = fitted(X)
    pd.testing.assert_frame_equal(reloaded(generator, tmp_path).sample()[0], generator.sample()[0])


def test_a_table_that_is_only_duplicated_is_stored_too(tmp_path: Path) -> None:
    generator = fitted(pd.DataFrame({"id": WORDS}))
    loaded = reloaded(generator, tmp_path)
    pd.testing.assert_frame_equal(loaded.sample()[0], generator.sample()[0])


def test_no_file_is_a_pickle(tmp_path: Path) -> None:
    save_generator(fitted(mixed(N).assign(id=WORDS)), tmp_path / "new" / "folder")
    assert {path.suffix for path in tmp_path.rglob("*") if path.is_file()} == {".json", ".safetensors"}


def test_saving_again_replaces_the_first_generator(tmp_path: Path) -> None:
    save_generator(fitted(mixed(N).assign(id=WORDS)), tmp_path)
    generator = fitted(mixed(N, seed=8))
    pd.testing.assert_frame_equal(reloaded(generator, tmp_path).sample()[0], generator.sample()[0])


class Own:
    """A user's own class, as a cell."""


@pytest.mark.parametrize("written", [True, False])
def test_cells_that_json_cannot_hold_are_refused(written: bool, tmp_path: Path) -> None:
    cells = [Own() for _ in range(3 if written else N)]
    X = mixed(N).assign(own=[cells[i % len(cells)] for i in range(N)])
    with pytest.raises(StoredStateError, match=r"cannot be stored: .*Own"):
        save_generator(fitted(X), tmp_path)
    with pytest.raises(StoredStateError):
        load_generator(tmp_path)


def edit(folder: Path, **changes: Any) -> None:
    path = folder / STATE_NAME
    head = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**head, "data": {**head["data"], **changes}}), encoding="utf-8")


MODEL = "state-1/language_model"


def only(folder: Path, name: str) -> Path:
    (found,) = folder.glob(name)
    return found


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda folder: only(folder, "state-1/arrays.safetensors").unlink(),
            "no usable generator in .* Delete the folder",
        ),
        (lambda folder: only(folder, f"{MODEL}/state-1/arrays.safetensors").unlink(), "no usable language model in"),
        (lambda folder: only(folder, f"{MODEL}/{STATE_NAME}").write_bytes(b"{"), "no usable language model in"),
        (lambda folder: edit(folder, schema={}), "the stored schema is"),
        (lambda folder: edit(folder, config={"stepz": 1}), "unknown setting 'stepz'"),
    ],
)
def test_broken_and_missing_files_are_refused(spoil: Any, message: str, tmp_path: Path) -> None:
    save_generator(fitted(mixed(N)), tmp_path)
    spoil(tmp_path)
    with pytest.raises(StoredStateError, match=message):
        load_generator(tmp_path)


def test_every_generator_is_found_by_the_name_of_its_method() -> None:
    assert dict(GENERATORS) == {"imbllm": ImbLLM, "great": GReaT, "pred_llm": PredLLMGenerator}
    assert all(generator_class(name) is GENERATORS[name] for name in GENERATORS)


def test_folds_of_classes_are_rebalanced_by_every_generator_and_every_peer() -> None:
    assert set(_METHODS["classification"]) == {*GENERATORS, "random", "smote_nc", "none"}
    assert set(typing.get_args(_Method)) == {method for methods in _METHODS.values() for method in methods}


def test_settings_choose_the_method_and_its_configuration() -> None:
    generator = generator_of({"method": "great", "steps": 3}, random_state=4, threads=1)
    assert type(generator) is GReaT
    assert generator.config == GeneratorConfig.from_flat({"steps": 3})
    assert (generator.seed, generator.threads) == (4, 1)
    assert type(generator_of({})) is ImbLLM


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"method": "grate"},
            r"method must be one of .*'great', 'pred_llm'; got 'grate' \(did you mean 'great'\?\)",
        ),
        ({"methd": "great"}, r"unknown setting 'methd' \(did you mean 'method'\?\)"),
        ({"method": "great", "stepz": 3}, r"unknown setting 'stepz' \(did you mean 'steps'\?\)"),
    ],
)
def test_what_is_not_known_is_refused_with_the_nearest_name(settings: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        generator_of(settings)
