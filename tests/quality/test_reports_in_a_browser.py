"""The page as a browser shows it: nothing asked of the network, no label on another, nothing wider than the window."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from imbllm_autogluon.quality.curves import calibration_chart, precision_recall_chart
from imbllm_autogluon.quality.reports import render_fit_report
from tests.quality.test_fit_pages import REPORT
from tests.quality.test_reports import labelled, made_of

if TYPE_CHECKING:
    from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)

MEASURING = """<script>
const wide = document.documentElement.scrollWidth > window.innerWidth;
let touching = [], small = [];
for (const figure of document.querySelectorAll("figure"))
  if (figure.scrollWidth > figure.clientWidth + 1) small.push("figure " + figure.textContent.trim().slice(0, 30));
for (const svg of document.querySelectorAll("svg")) {
  const texts = [...svg.querySelectorAll("text")];
  const boxes = texts.map(text => text.getBoundingClientRect());
  const frame = svg.getBoundingClientRect();
  boxes.forEach((a, i) => {
    if (a.height < 6 || a.left < frame.left - 1 || a.right > frame.right + 1 || a.bottom > frame.bottom + 1)
      small.push(texts[i].textContent);
    boxes.slice(i + 1).forEach((b, k) => {
      if (a.left < b.right && b.left < a.right && a.top + 2 < b.bottom && b.top + 2 < a.bottom)
        touching.push(texts[i].textContent + "/" + texts[i + 1 + k].textContent);
    });
  });
}
document.title = JSON.stringify({wide, touching: touching.slice(0, 9), small: small.slice(0, 9)});
</script>"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason=f"none of {', '.join(BROWSERS)} is installed"),
]


def browser(folder: Path, *arguments: str) -> str:
    """What a headless browser without network prints."""
    command = [
        str(BROWSER), "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder / 'profile'}", *arguments,
    ]  # fmt: skip
    environment = {**os.environ, "HOME": str(folder)}
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, env=environment).stdout


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page of many columns of every dtype, with long names."""
    columns = {str(k): f"{name} with a long name" for k, name in enumerate(labelled(4, 0).columns[:4])}
    real, written, held = (
        table.assign(**{new: table[table.columns[int(k)]] for k, new in columns.items()})
        for table in (labelled(400, 0), labelled(300, 1).query("y == 'rare'"), labelled(200, 2))
    )
    return made_of(real, written, "y", held).write(tmp_path)


def curves_page(folder: Path) -> Path:
    truth, scores = [True, False] * 20, [k / 40 for k in range(40)]
    given = {"a": scores, "b": scores[::-1]}
    charts = [precision_recall_chart(truth, given), calibration_chart(truth, given)]
    curves = [{"label": "yes", "rows": 20, "charts": charts}]
    page = render_fit_report({**REPORT, "comparison": {**REPORT["comparison"], "curves": curves}})
    (folder / "curves.html").write_text(page, encoding="utf-8")
    return folder / "curves.html"


def measured(page: Path, width: int) -> str:
    """What the page says of itself at a width of the window."""
    probe = page.with_name("probe.html")
    probe.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{MEASURING}</body>"), encoding="utf-8")
    shown = browser(page.parent, f"--window-size={width},2000", "--dump-dom", probe.as_uri())
    found = re.search("<title>(.*?)</title>", shown)
    assert found is not None
    return found[1]


@pytest.mark.parametrize("width", [1000, 1600])
def test_no_label_touches_another_or_leaves_its_chart(page: Path, width: int) -> None:
    assert measured(page, width) == '{"wide":false,"touching":[],"small":[]}'


def test_curves_have_labels_that_do_not_touch(tmp_path: Path) -> None:
    assert measured(curves_page(tmp_path), 1000) == '{"wide":false,"touching":[],"small":[]}'


def test_a_narrow_window_scrolls_tables_and_not_the_page(page: Path) -> None:
    assert measured(page, 520).startswith('{"wide":false')


def test_light_and_dark_are_different_pictures_and_print_has_pages(page: Path) -> None:
    pictures = []
    for scheme in (1, 0):  # Chromium's numbers for light and dark
        target = page.parent / f"{scheme}.png"
        browser(page.parent, f"--blink-settings=preferredColorScheme={scheme}", f"--screenshot={target}", page.as_uri())
        pictures.append(target.read_bytes())
    assert all(picture.startswith(b"\x89PNG") for picture in pictures)
    assert pictures[0] != pictures[1]
    browser(page.parent, f"--print-to-pdf={page.parent / 'page.pdf'}", page.as_uri())
    assert (page.parent / "page.pdf").read_bytes().startswith(b"%PDF")
