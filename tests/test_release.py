"""What is released: the wheel holds the package alone, the index page leads somewhere, versions agree."""

from __future__ import annotations

import email
import hashlib
import re
import runpy
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.pages import links

if TYPE_CHECKING:
    from email.message import Message

ROOT = Path(__file__).parents[1]

CHECK: dict[str, Any] = runpy.run_path(str(ROOT / ".ci/release_check.py"))

MOST_MEGABYTES = 2


def build(folder: Path) -> Path:
    """Build a wheel as pip does, without an environment of its own."""
    from hatchling.builders.wheel import WheelBuilder

    return Path(next(WheelBuilder(str(ROOT)).build(directory=str(folder), versions=["standard"])))


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith("/METADATA")]
        return email.message_from_bytes(archive.read(name))


def test_the_wheel_holds_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    files = [file for file in (ROOT / "imbllm_autogluon").rglob("*") if file.is_file()]
    own = {file.relative_to(ROOT).as_posix() for file in files if file.suffix != ".pyc"}
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert names == own
    assert wheel.stat().st_size < MOST_MEGABYTES * 1e6


def test_building_twice_gives_the_same_bytes(wheel: Path, tmp_path: Path) -> None:
    assert hashlib.sha256(build(tmp_path).read_bytes()).digest() == hashlib.sha256(wheel.read_bytes()).digest()


def test_links_of_the_index_page_are_absolute_and_lead_to_files_of_that_release(metadata: Message) -> None:
    page = metadata.get_payload()
    assert isinstance(page, str)
    home = dict(url.split(", ") for url in metadata.get_all("Project-URL", []))["Homepage"]
    own = f"{home}/blob/v{metadata['Version']}/"
    targets = links(page)
    assert [target for target in targets if "://" not in target] == []
    files = [target.removeprefix(own).partition("#")[0] for target in targets if target.startswith(home)]
    assert len(files) > 10
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_the_package_the_citation_and_the_changelog_name_one_version() -> None:
    assert CHECK["disagreements"]() == []


@pytest.mark.parametrize(
    ("file", "text", "problem"),
    [
        ("imbllm_autogluon/_package.py", '__version__ = "9.9.9"', "CITATION.cff names"),
        ("CHANGELOG.md", "# Changelog\n\n## Unreleased\n", "begins with Unreleased"),
        ("pyproject.toml", 'home = "https://github.invalid/x"', "still has home"),
        ("pyproject.toml", 'home = "https://example.org/fork"', "this repository is at"),
        ("CITATION.cff", "version: 1.2.3", "the package is 0.2.0"),
    ],
)
def test_a_release_is_refused_while_its_parts_disagree(tmp_path: Path, file: str, text: str, problem: str) -> None:
    good = {
        "imbllm_autogluon/_package.py": '__version__ = "0.2.0"',
        "CITATION.cff": "version: 0.2.0",
        "CHANGELOG.md": "# Changelog\n\n## 0.2.0\n",
        "pyproject.toml": 'home = "https://example.org/x"',
    }
    (tmp_path / "imbllm_autogluon").mkdir()
    for name, content in good.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    release = ("v0.2.0", "https://example.org/x", tmp_path)
    assert CHECK["problems"](*release) == []
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert any(problem in found for found in CHECK["problems"](*release))


def test_workflows_pin_every_action_and_grant_writing_to_releases_alone() -> None:
    for file in sorted((ROOT / ".github/workflows").glob("*.yml")):
        text = file.read_text(encoding="utf-8")
        used = re.findall(r"uses: (?!\./)(\S+)", text)
        assert all(re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", one) for one in used), file.name
        assert "permissions:\n  contents: read\n" in text
        assert file.name == "publish.yml" or ": write" not in text
