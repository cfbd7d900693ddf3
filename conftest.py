"""What every test and every example of a docstring shares: a cache folder of its own, no progress bars, one thread.

It stands at the top, where the examples in the package see it too; the wheel does not hold it.
"""

from __future__ import annotations

import functools
import gc
import itertools
import os
import sys
from contextlib import nullcontext
from typing import TYPE_CHECKING

import pytest
from _pytest.doctest import DoctestItem
from hypothesis import settings

from tests import shared

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pandas as pd

# A slow or busy machine is no failure; CI repeats the same cases, every other run looks for new ones.
EXAMPLES = int(os.environ.get("HYPOTHESIS_EXAMPLES", "25"))
settings.register_profile("unhurried", deadline=None, derandomize=bool(os.environ.get("CI")), max_examples=EXAMPLES)
settings.load_profile("unhurried")

N_ROWS, N_MINORITY = 200, 30

USERS_CACHE = os.environ.get("IMBLLM_CACHE_DIR", "")
"""The user's own setting: slow tests look there for a model that was fetched."""


def pytest_configure(config: pytest.Config) -> None:
    """Cap threads before any library starts its pool; an explicit setting of the caller stays."""
    config.addinivalue_line("markers", "real_backbone: learns with the real model where its module draws uniformly")
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session", autouse=True)
def _cache_root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Point module- and session-wide fixtures to a cache of this run; the user's own cache is never touched."""
    root = tmp_path_factory.mktemp("imbllm-cache")
    base = tmp_path_factory.getbasetemp()  # of one worker, where there are several
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    folder.mkdir(exist_ok=True)
    shared.use_root(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMBLLM_CACHE_DIR", str(root / "shared"))
        patch.setenv("IMBLLM_PROGRESS", "0")
        yield root


@pytest.fixture(scope="session", autouse=True)
def _versions_are_looked_up_once() -> Iterator[None]:
    """AutoGluon reads the metadata of every installed package whenever it saves a predictor, twice in a fit."""
    from autogluon.common.utils import utils

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "get_package_versions", functools.cache(utils.get_package_versions))
        yield


@pytest.fixture(scope="module", autouse=True)
def _what_is_loaded_is_no_garbage() -> None:
    """AutoGluon collects garbage in every fit of LightGBM; looking through loaded libraries was a quarter of it."""
    gc.freeze()


_numbers = itertools.count()


@pytest.fixture(autouse=True)
def _own_cache(_cache_root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test an empty cache: a hit left by another test would hide what this one does."""
    monkeypatch.setenv("IMBLLM_CACHE_DIR", str(_cache_root / f"test-{next(_numbers)}"))


@pytest.fixture(autouse=True)
def _own_folder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Run each example in an empty folder: it names files as a user would, and the tree stays as it is."""
    if isinstance(request.node, DoctestItem):
        monkeypatch.chdir(tmp_path_factory.mktemp("example"))


@pytest.fixture(autouse=True)
def _one_torch_thread() -> None:
    """Undo what an earlier test left; torch is not imported for tests that do without it."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != 1:
        torch.set_num_threads(1)


@pytest.fixture
def uniform_backbone(request: pytest.FixtureRequest) -> Iterator[None]:
    """Let the compact backbone draw every legal token equally often, see :mod:`tests.uniform_backbone`.

    A module asks for it with ``pytestmark``; its tests marked `real_backbone` keep the real model.
    """
    from tests.uniform_backbone import drawing_uniformly

    with nullcontext() if request.node.get_closest_marker("real_backbone") else drawing_uniformly():
        yield


@pytest.fixture
def few_trees() -> Iterator[None]:
    """:func:`tests.shared.few_trees` for one test."""
    with shared.few_trees():
        yield


@pytest.fixture(scope="module")
def uniform_module() -> Iterator[None]:
    """:func:`uniform_backbone` for all tests of a module and for its module-wide fixtures."""
    from tests.uniform_backbone import drawing_uniformly

    with drawing_uniformly():
        yield


@pytest.fixture
def small_table() -> tuple[pd.DataFrame, pd.Series[str]]:
    """Return 200 rows of mixed types, 30 of them of the class ``"yes"``; every column tells the classes apart a little.

    ``income`` float64 and ``city`` category have missing cells; ``visits`` is int64, ``member`` bool.
    """
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(0)
    rare = rng.permutation(np.arange(N_ROWS) < N_MINORITY)
    income = (rng.normal(30_000, 8_000, N_ROWS) + 12_000 * rare).round(2)
    visits = rng.poisson(np.where(rare, 6, 3))
    city = np.where(rng.random(N_ROWS) < 0.3 + 0.4 * rare, "Oslo", rng.choice(["Bergen", "Tromsø, north"], N_ROWS))
    X = pd.DataFrame(
        {
            "income": pd.Series(income).mask(rng.random(N_ROWS) < 0.1),
            "visits": visits.astype("int64"),
            "city": pd.Series(city, dtype="category").mask(rng.random(N_ROWS) < 0.05),
            "member": rng.random(N_ROWS) < np.where(rare, 0.8, 0.4),
        }
    )
    return X, pd.Series(np.where(rare, "yes", "no"), name="bought", dtype=object)
