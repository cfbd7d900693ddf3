"""The generator: exact counts, legal rows, seeds, dtypes of labels, and a report that adds up."""

from __future__ import annotations

import hashlib
import logging
import random
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imbllm_autogluon.errors import InvalidInputError
from imbllm_autogluon.language.decoding import _JointDecoder
from imbllm_autogluon.oversampling.imbllm import ImbLLM
from imbllm_autogluon.oversampling.methods import load_generator, save_generator
from tests.oversampling.tables import expect_legal, fitted, labels, mixed, quick
from tests.tables.frames import frames

pytestmark = pytest.mark.usefixtures("uniform_backbone")


def digest(table: pd.DataFrame | pd.Series[Any]) -> str:
    hashes = pd.util.hash_pandas_object(table, index=True).to_numpy().tobytes()
    return hashlib.sha256(hashes + str(getattr(table, "dtypes", None)).encode()).hexdigest()


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"numbers": "digits"},
        {"steps": 1, "pretrain_steps": 0},
        {"pretrain": "none", "order": "permute_xy", "conditioning": "y"},
        {"condition_pairs": 100, "interpolation": "adaptive", "categories": "vote"},
        {"interpolation_ratio": 0.0, "temperature": 100.0, "order": "permute_x"},
        {"interpolated_clauses": "continuous", "numbers": "digits", "interpolation_ratio": 0.5},
    ],
)
def test_every_class_gets_its_exact_count_of_legal_rows(settings: dict[str, Any]) -> None:
    X, y = mixed(90), labels(60, 18, 12)
    generator = fitted(X, y, {"c": 48, "b": 41}, **settings)
    rows, new_labels = generator.sample()
    assert new_labels.value_counts().to_dict() == {"c": 48, "b": 41}
    assert new_labels.name == "class"
    assert rows.index.tolist() == new_labels.index.tolist() == list(range(89))
    expect_legal(generator, rows, X)


@pytest.mark.parametrize("counts", [{"b": 7}, {"c": 1}, {"c": 0, "b": 3}, {"b": 2, "c": 130}])
def test_other_counts_can_be_asked_for_later(counts: dict[str, int]) -> None:
    generator = fitted(mixed(90), labels(60, 18, 12), {"c": 10, "b": 10})
    rows, new_labels = generator.sample(counts)
    assert new_labels.value_counts().to_dict() == {label: n for label, n in counts.items() if n}
    assert len(rows) == sum(counts.values())


@pytest.mark.parametrize("fit", [{"b": 0}, {"b": 5}])
def test_zero_rows_are_an_empty_table_of_the_right_dtypes(fit: dict[str, int]) -> None:
    X = mixed(40).assign(id=[f"id {i}" for i in range(40)])
    rows, new_labels = fitted(X, labels(30, 10), fit).sample({"b": 0})
    assert (len(rows), len(new_labels)) == (0, 0)
    assert rows.dtypes.to_dict() == X.dtypes.to_dict()


def test_the_users_table_is_not_modified() -> None:
    X, y = mixed(60).set_index(pd.Index(range(100, 160)).astype(str)), labels(45, 15)
    before = digest(X), digest(y)
    fitted(X, y, {"b": 30}).sample()
    assert (digest(X), digest(y)) == before


def test_rows_are_matched_by_position_whatever_the_indices_say() -> None:
    X, y = mixed(60), labels(45, 15)
    plain = fitted(X, y, {"b": 20}).sample()[0]
    odd = fitted(X.set_axis(range(59, -1, -1)), y.set_axis(["x"] * 60), {"b": 20}).sample()[0]
    pd.testing.assert_frame_equal(plain, odd)


def test_a_sample_repeats_unless_it_is_given_a_seed_of_its_own() -> None:
    generator = fitted(mixed(60), labels(45, 15), {"b": 30})
    first, again = generator.sample()[0], generator.sample()[0]
    pd.testing.assert_frame_equal(first, again)
    own = [generator.sample(random_state=seed)[0] for seed in (5, 5, 6)]
    pd.testing.assert_frame_equal(own[0], own[1])
    assert not own[0].equals(own[2])
    assert not own[0].equals(first)


def test_classes_are_drawn_independently_of_each_other() -> None:
    generator = fitted(mixed(90), labels(60, 18, 12), {"b": 20, "c": 20})
    together, alone = generator.sample()[0], generator.sample({"c": 20})[0]
    pd.testing.assert_frame_equal(together.iloc[20:].reset_index(drop=True), alone)


@pytest.mark.real_backbone
def test_the_report_adds_up() -> None:
    X, y = mixed(92), labels(60, 18, 12, 2)
    settings = {"steps": 4, "pretrain_steps": 3, "batch_size": 16, "interpolation_ratio": 0.5}
    generator = fitted(X, y, {"b": 42, "c": 48, "d": 6}, **settings)
    report = generator.report
    assert [(entry.label, entry.rows, entry.interpolated) for entry in report.classes] == [
        *(("b", 18, 21), ("c", 12, 24), ("d", 2, 0)),
    ]
    assert [entry.low_density_share is None for entry in report.classes] == [False, False, True]
    assert {name: len(curve) for name, curve in report.losses.items()} == {"warm-up": 3, "minority": 4}
    assert report.stopped_by == {"warm-up": "steps", "minority": "steps"}
    assert report.training_tokens == 7 * 16 * 7
    assert report.parameters > 1000
    assert report.training_seconds > 0
    assert (report.sampling_seconds, report.sampling_tokens) == (0, 0)
    generator.sample()
    generator.sample({"b": 8})
    after = generator.report
    assert [(entry.requested, entry.made) for entry in after.classes] == [(50, 50), (48, 48), (6, 6)]
    written = sum(entry.made + entry.copies_dropped for entry in after.classes[:2])
    assert after.sampling_tokens == 7 * written
    assert after.sampling_seconds > 0
    assert after.training_seconds == report.training_seconds


def test_a_time_limit_stops_training_but_not_the_rows() -> None:
    config = quick(steps=10**6, pretrain_steps=10**6)
    generator = ImbLLM(config, random_state=0).fit(mixed(60), labels(45, 15), {"b": 30}, time_limit=0.0)
    assert generator.report.stopped_by == {"warm-up": "time limit", "minority": "time limit"}
    assert generator.report.losses == {"warm-up": (), "minority": ()}
    assert len(generator.sample()[0]) == 30


def test_writing_ends_with_its_time_and_each_class_has_its_share_of_the_rows() -> None:
    generator = ImbLLM(quick(), random_state=0).fit(mixed(90), labels(45, 30, 15), {"b": 4000, "c": 4000})
    whole = generator.sample()[1].value_counts()
    cut = generator.sample(time_limit=0.0)[1].value_counts()
    assert whole.to_dict() == {"b": 4000, "c": 4000}
    assert (cut >= 32).all()
    assert (cut <= 1000).all()
    made = [(entry.requested, entry.made) for entry in generator.report.classes]
    assert made == [(8000, 4000 + cut["b"]), (8000, 4000 + cut["c"])]


def test_interpolated_rows_are_written_with_label_and_numbers_alone_where_asked() -> None:
    X, y = mixed(60), labels(45, 15)
    everything, continuous = (
        fitted(X, y, {"b": 15}, interpolated_clauses=form, pretrain="none", steps=16, batch_size=30)
        for form in ("all", "continuous")
    )
    # 15 real rows of 7 clauses, and 15 interpolated ones: without city and member they have 5. Batches hold rows of
    # one length, so it takes a whole group of batches to see them all.
    assert everything.report.training_tokens == 16 * 30 * 7
    assert continuous.report.training_tokens == 16 * (15 * 7 + 15 * 5)


def test_a_table_without_numbers_ignores_the_continuous_form() -> None:
    X = mixed(60)[["city", "member"]]
    settings = {"interpolated_clauses": "continuous", "pretrain": "none", "steps": 1, "batch_size": 30}
    generator = fitted(X, labels(45, 15), {"b": 15}, **settings)
    assert generator.report.training_tokens == 30 * 3


def test_given_values_of_prompts_are_exact_values_of_the_class() -> None:
    """With bins a decoded number is new; a given one must be a value of the pool, whatever its bin."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"x": rng.normal(size=400), "y": rng.normal(size=400)})
    y = labels(350, 50)
    settings = {"interpolation_ratio": 0.0, "max_bins": 4}
    rows, _ = fitted(X, y, {"b": 200}, **settings).sample()
    real = X[y == "b"]
    given = rows["x"].isin(real["x"]) | rows["y"].isin(real["y"])
    assert given.all()
    free, _ = fitted(X, y, {"b": 200}, conditioning="y", **settings).sample()
    assert not (free["x"].isin(real["x"]) | free["y"].isin(real["y"])).any()


def test_the_label_comes_first_and_every_batch_is_as_large_as_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    complete = _JointDecoder.complete

    def recorded(self: Any, batches: Any) -> Any:
        seen.extend(batches)
        return complete(self, batches)

    monkeypatch.setattr(_JointDecoder, "complete", recorded)
    fitted(mixed(60), labels(45, 15), {"b": 250}, generation_batch=20).sample()
    assert {int(prompts.order[0]) for prompts in seen} == {6}
    assert max(len(prompts.tokens) for prompts in seen) == 20


@pytest.mark.parametrize(
    "y",
    [
        pd.Series([True, False, False, False] * 15, name="label"),
        pd.Series([7, 3, 3, 3] * 15, dtype="int8", name=("a", 1)),
        pd.Series([1.0, 0.0, 0.0, 0.0] * 15),
        pd.Series(["x", "y", "y", "y"] * 15, dtype="string[pyarrow]"),
        pd.Series(["x", "y", "y", "y"] * 15, dtype=pd.CategoricalDtype(["y", "z", "x"], ordered=True)),
        pd.Series([1, 0, 0, 0] * 15, dtype="Int64"),
    ],
    ids=lambda y: str(y.dtype),
)
def test_labels_of_any_dtype_keep_it(y: pd.Series[Any]) -> None:
    X = mixed(60).rename(columns={"city": "label", "member": "label_"})
    rare = y.iloc[0]
    rows, new_labels = fitted(X, y, {rare: 12}).sample()
    assert new_labels.dtype == y.dtype
    assert new_labels.name == y.name
    assert new_labels.tolist() == [rare] * 12
    assert list(rows.columns) == list(X.columns)


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="X and y must have the same number of rows; got 40 and 39"):
        fitted(mixed(40), labels(29, 10), {"b": 2})


def test_user_kinds_decide_how_a_column_is_written() -> None:
    X, y = mixed(60), labels(45, 15)
    generator = ImbLLM(quick(), random_state=0).fit(X, y, {"b": 30}, kinds={"visits": "categorical"})
    assert {column.name: column.kind for column in generator.schema.columns}["visits"] == "categorical"
    assert set(generator.sample()[0]["visits"]) <= set(X["visits"])


def test_times_far_apart_stay_in_their_range() -> None:
    """A difference above 2**63 ns once wrapped round."""
    days = np.array(["1700-01-01", "1960-05-01", "2100-01-01", "2262-04-10"], dtype="M8[ns]")
    X = pd.DataFrame({"when": np.random.default_rng(0).choice(days, 60), "x": np.arange(60) ** 2})
    rows, _ = fitted(X, labels(45, 15), {"b": 200}, max_bins=2, conditioning="y").sample()
    assert rows["when"].between(days.min(), days.max()).all()
    assert rows["when"].nunique() > 50


@pytest.mark.real_backbone
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(frame=frames(max_rows=12), numbers=st.sampled_from(["bins", "digits"]))
def test_any_table_is_oversampled_in_its_own_dtypes_and_survives_storage(frame: pd.DataFrame, numbers: str) -> None:
    frame = pd.concat([frame, frame, frame])
    y = pd.Series(np.where(np.arange(len(frame)) % 3 == 0, "b", "a"))
    if len(frame) < 6:
        return
    generator = fitted(frame, y, {"b": 9}, numbers=numbers, max_bins=4)
    rows, new_labels = generator.sample()
    assert rows.dtypes.to_dict() == frame.dtypes.to_dict()
    assert new_labels.tolist() == ["b"] * 9
    generator.schema.encode(rows)
    with tempfile.TemporaryDirectory() as folder:
        save_generator(generator, Path(folder))
        pd.testing.assert_frame_equal(load_generator(Path(folder)).sample()[0], rows)


@pytest.mark.real_backbone
def test_fitting_and_sampling_leave_no_trace_in_the_process() -> None:
    torch.set_flush_denormal(False)
    before = process_state()
    ImbLLM(quick(), random_state=0, threads=2).fit(mixed(60), labels(45, 15), {"b": 30}).sample()
    assert process_state() == before


def process_state() -> tuple[Any, ...]:
    halved = torch.tensor([2.2250738585072014e-308], dtype=torch.float64) / 2
    generators = random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()  # noqa: NPY002
    levels = [logging.getLogger(name).level for name in ("", "transformers", "imbllm_autogluon")]
    return (*generators, *levels, torch.get_num_threads(), halved.item())


@pytest.mark.real_backbone
def test_training_learns_what_tells_the_classes_apart() -> None:
    rng = np.random.default_rng(0)
    rare = np.arange(200) % 5 == 0
    X = pd.DataFrame({"x": rng.normal(size=200) + 6 * rare, "c": np.where(rare, "r", rng.choice(["s", "t"], 200))})
    y = pd.Series(np.where(rare, "b", "a"))
    rows, _ = fitted(X, y, {"b": 200}, pretrain_steps=60, steps=60, learning_rate=1e-2).sample()
    assert (rows["c"] == "r").mean() > 0.95
    assert rows["x"].mean() == pytest.approx(6, abs=0.5)
