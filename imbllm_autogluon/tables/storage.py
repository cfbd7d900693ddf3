"""Columns and set-aside columns as JSON."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.tables.column import Column
from imbllm_autogluon.tables.dtypes import dtype_from_json, dtype_to_json
from imbllm_autogluon.tables.formats import ColumnFormat
from imbllm_autogluon.tables.lattice import NumberLattice
from imbllm_autogluon.tables.scalars import scalar_from_json, scalar_to_json
from imbllm_autogluon.tables.set_aside import SetAside

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE_VERSION = 1
"""Version of the stored form; raised when a reader of the old form could not read the new one."""


def column_to_dict(column: Column) -> dict[str, Any]:
    """State of a column that ``json.dumps`` accepts."""
    return {
        "name": column.name,
        "kind": column.kind,
        "has_missing": column.has_missing,
        "lattice": None if column.lattice is None else asdict(column.lattice),
        "categories": [scalar_to_json(category) for category in column.categories],
        "format": {
            "dtype": dtype_to_json(column.format.dtype),
            "nature": column.format.nature,
            "cell_type": column.format.cell_type,
            "missing": column.format.missing,
            "places": column.format.places,
        },
    }


def column_from_dict(state: dict[str, Any]) -> Column:
    """Return the column that :func:`column_to_dict` wrote."""
    return Column(
        name=state["name"],
        kind=state["kind"],
        has_missing=state["has_missing"],
        lattice=None if state["lattice"] is None else NumberLattice(**state["lattice"]),
        categories=tuple(scalar_from_json(category) for category in state["categories"]),
        format=ColumnFormat(**{**state["format"], "dtype": dtype_from_json(state["format"]["dtype"])}),
    )


def set_aside_to_dict(part: SetAside) -> dict[str, Any]:
    """State of a set-aside column that ``json.dumps`` accepts."""
    column = None if part.column is None else column_to_dict(part.column)
    return {
        "name": part.name,
        "reason": part.reason,
        "fill": part.fill,
        "column": column,
        "holds_text": part.holds_text,
    }


def set_aside_from_dict(state: dict[str, Any]) -> SetAside:
    """Return the set-aside column that :func:`set_aside_to_dict` wrote."""
    column = None if state["column"] is None else column_from_dict(state["column"])
    return SetAside(state["name"], state["reason"], state["fill"], column, state["holds_text"])


@contextmanager
def reading_state(state: dict[str, Any]) -> Iterator[None]:
    """Turn whatever goes wrong while a state is read into a `StoredStateError`."""
    version = state.get("version") if isinstance(state, dict) else None
    if version != STATE_VERSION:
        raise StoredStateError(f"the stored schema has version {version!r}, readable is {STATE_VERSION}: make it anew.")
    try:
        yield
    except (KeyError, TypeError, ValueError) as error:
        raise StoredStateError(f"the stored schema is incomplete or damaged ({error!r}): make it anew.") from error
