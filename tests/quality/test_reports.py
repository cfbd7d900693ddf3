from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from imbllm_autogluon.errors import TableError
from imbllm_autogluon.quality.reports import _NO_PRIVACY, QualityReport, _rows_section, report
from tests.quality.evaluations import evaluation_of
from tests.quality.frames import mixed_rows
from tests.quality.pages import Page

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.usefixtures("few_trees")

EVIL = "<script>alert('x')</script><b>&\"'|`*_[a](b)"


def labelled(n: int, seed: int) -> pd.DataFrame:
    return mixed_rows(n, seed).assign(y=np.where(np.arange(n) % 4 == 0, "rare", "common"))


def made_of(
    real: pd.DataFrame, written: pd.DataFrame, label: str | None = None, holdout: pd.DataFrame | None = None
) -> QualityReport:
    """A report whose measures are made up."""
    found = evaluation_of(real, written, label=label, holdout=holdout)
    return QualityReport("Rows", _rows_section(found, real, written, label, holdout))


@pytest.fixture(scope="module")
def usual() -> QualityReport:
    return made_of(labelled(200, 0), labelled(160, 1).query("y == 'rare'"), "y", labelled(80, 2))


def test_the_page_begins_with_the_verdict_and_shows_every_part(usual: QualityReport) -> None:
    words = Page(usual.to_html()).words
    assert words.index(
        "Poor rows: lost: TT4 with FTI (0.95 real, 0.09 synthetic); poor in associations kept, cov"
    ) < words.index("Measures of the rows")
    assert words.index("Associations that are not kept") < words.index("Measures of the rows") < words.index("Columns")
    for shown in (
        "40 synthetic rows next to 200 real ones and 80 held-out ones; 10 columns next to the label y.",
        "common 150 60 0 rare 50 20 40",
        "coverage 0.420 poor 0.8 to 1 0 to 1 higher is better Share of real rows",
        "discriminator AUC 0.610 poor 0.4 to 0.6 0 to 1 best near 0.5",
        "density 0.930 good 0.7 or more 0 or more",
        "exact copies - unknown",
        "No row was looked at.",
        "TT4 with FTI 0.95 0.09 0.09 lost age with sex is missing 0.40 0.25 0.62",
        "worst column first",
        "Associations of columns",
        "real, held out (20)",
        "synthetic to held-out rows (median",
        "Farthest from any real row",
        "Nearest to a real row",
        "Made by hand.",
        _NO_PRIVACY,
    ):
        assert shown in words, shown
    assert "None" not in words
    assert "nan" not in words


def test_the_page_loads_nothing_runs_nothing_and_is_small(usual: QualityReport) -> None:
    page = usual.to_html()
    outline = Page(page)
    assert not {"script", "img", "link", "iframe", "object", "foreignobject"} & set(outline.tags)
    assert not [name for name, _ in outline.attributes if name in ("src", "href", "xlink:href") or name[:2] == "on"]
    assert "http" not in page
    assert "url(" not in page
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert len(page) < 200_000


def test_names_of_the_user_are_shown_and_never_become_markup() -> None:
    real = labelled(60, 0).rename(columns={"number": EVIL, "y": EVIL + "y"})
    real["words"] = [EVIL] * 30 + ["b"] * 30
    real[EVIL + "y"] = real[EVIL + "y"].replace("rare", EVIL)
    written = real[real[EVIL + "y"] == EVIL].assign(words="b")
    made = made_of(real, written, EVIL + "y")
    page = Page(made.to_html())
    assert not {"script", "b"} & set(page.tags)
    assert page.text.count("<script>alert") >= 5
    quality = QualityReport(EVIL, made.section)
    assert Page(quality.to_html()).tags == page.tags
    markdown = quality.to_markdown()
    assert "<script>" not in markdown.replace("\\<script\\>", "")
    assert "\\|\\`\\*\\_\\[a\\](b)" in markdown


def test_two_hundred_columns_of_long_names_stay_one_small_page() -> None:
    rng = np.random.default_rng(0)
    values = {f"{'列' if k % 2 else 'a very long name '}{k} {'x' * 60}": rng.normal(size=60) for k in range(200)}
    real = pd.DataFrame(values)
    page = made_of(real, real.assign(**{name: rng.normal(size=60) for name in list(values)[:5]})).to_html()
    assert len(page) < 500_000
    assert "Shown are the 24 worst columns; left out: 176." in Page(page).words
    assert page.count("<figure>") == 24 + 3


@pytest.mark.parametrize(
    "tables",
    [
        (pd.DataFrame({"x": range(30)}), pd.DataFrame({"x": range(10)})),
        (pd.DataFrame({"x": ["a"] * 30}), pd.DataFrame({"x": ["b"]})),
        (pd.DataFrame({"x": [None, 1.0] * 15, "y": [None] * 30}), pd.DataFrame({"x": [None, 2.0], "y": [None, None]})),
        (mixed_rows(40), mixed_rows(1, 1)),
        (mixed_rows(40), mixed_rows(40)),
    ],
    ids=["one number", "one level", "missing", "one synthetic row", "copies"],
)
def test_small_and_odd_tables_have_a_page_too(tables: tuple[pd.DataFrame, pd.DataFrame]) -> None:
    made = made_of(*tables)
    assert "</html>" in made.to_html()
    assert "None" not in Page(made.to_html()).text
    json.dumps(made.to_dict(), allow_nan=False)
    assert made.to_markdown()


def test_numbers_as_names_categories_as_classes_and_any_index_are_fine() -> None:
    real = mixed_rows(80).set_axis(range(10), axis=1).assign(y=pd.Categorical([1, 2] * 40, categories=[1, 2, 3]))
    real.index = pd.Index(["same"] * 80)
    made = made_of(real, real[real["y"] == 2].astype({"y": "int64"}), "y").to_dict()
    assert [(row["class"], row["synthetic"]) for row in made["classes"]] == [("1", 0), ("2", 40), ("3", 0)]
    assert sorted(column["name"] for column in made["columns"]) == [str(k) for k in range(10)]


def test_cells_that_differ_from_the_nearest_real_row_are_marked() -> None:
    real = pd.DataFrame({"x": np.arange(30.0), "city": "Oslo"})
    page = made_of(real, pd.DataFrame({"x": [3.0, 44.5], "city": ["Oslo", "Oslo"]})).to_html()
    assert page.count("<mark>") == 1
    assert "<mark>44.5</mark>" in page


def test_markdown_has_the_tables_of_the_page(usual: QualityReport) -> None:
    markdown = usual.to_markdown()
    assert markdown.startswith(
        "# Rows\n\nPoor rows: lost: TT4 with FTI (0.95 real, 0.09 synthetic); poor in associations"
    )
    assert "| coverage | 0.420 | poor | 0.8 to 1 | 0 to 1 | higher | Share of real rows" in markdown
    assert "| TT4, FTI | 0.95 | 0.09 | 0.09 | lost |\n| age, sex is missing | 0.40 | 0.25 | 0.62 |  |\n" in markdown
    assert "- No privacy is promised" in markdown
    for table in markdown.split("\n\n"):
        rows = [line.strip() for line in table.splitlines() if line.startswith("|")]
        assert len({row.replace("\\|", "").count("|") for row in rows}) <= 1, table
    assert "\n\n\n" not in markdown


def test_the_three_files_are_written_and_replaced_whole(usual: QualityReport, tmp_path: Path) -> None:
    page = usual.write(tmp_path / "new" / "folder")
    assert page.name == "quality_report.html"
    assert usual.write(str(page.parent)) == page
    assert sorted(file.name for file in page.parent.iterdir()) == [
        "quality_report.html", "quality_report.json", "quality_report.md",
    ]  # fmt: skip
    stored = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert stored == usual.to_dict()
    assert [measure["verdict"] for measure in stored["measures"]] == ["poor", "good", "poor", "poor", "unknown"]
    assert len(stored["columns"]) == 10


def test_a_folder_that_cannot_be_made_is_named(usual: QualityReport, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(TableError, match="cannot be made"):
        usual.write(tmp_path / "file" / "below")


def test_a_report_measures_and_is_the_same_for_the_same_seed() -> None:
    real, written, held = labelled(240, 0), labelled(160, 1).query("y == 'rare'"), labelled(120, 2)
    made: list[dict[str, Any]] = [
        report(real, written, label="y", holdout=held, seed=4, title="Mine").to_dict() for _ in range(2)
    ]
    assert made[0] == made[1]
    assert made[0]["title"] == "Mine"
    assert {"coverage", "exact copies", "precision gain at recall"} <= {m["name"] for m in made[0]["measures"]}


def test_rows_that_copy_and_rows_of_noise_are_called_poor() -> None:
    real, held = mixed_rows(150), mixed_rows(150, 1)
    copies = report(real, real, holdout=held).to_dict()
    assert "exact copies" in copies["headline"]
    assert copies["neighbors"]["copies"] == 150
    noise = held.assign(number=1e6, narrow=np.float32(-1e6), whole=10_000)
    assert "coverage" in report(real, noise, holdout=held).to_dict()["headline"]
