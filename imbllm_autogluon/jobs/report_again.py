"""Write the report of a predictor that was fitted before: from its JSON file and the rows in its cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imbllm_autogluon.errors import StoredStateError
from imbllm_autogluon.jobs.base_job import quiet_libraries
from imbllm_autogluon.jobs.fit_report import FORMAT, JSON_NAME, write_files
from imbllm_autogluon.jobs.prediction import load_predictor
from imbllm_autogluon.jobs.rows_report import rows_report
from imbllm_autogluon.jobs.studies import study_records
from imbllm_autogluon.jobs.written_rows import written_rows

if TYPE_CHECKING:
    from autogluon.tabular import TabularPredictor


def report_of(folder: Path, out: Path | None = None) -> Path:
    """Write the report of a fitted predictor again.

    What the fit led to is read from its ``imbllm_report.json``; the rows are judged and drawn anew. A predictor that
    was not fitted by ``imbllm fit`` has no such file: of it, the rows alone are reported.

    Parameters
    ----------
    folder
        Of the predictor. AutoGluon stores predictors with pickle, which can run any code: load only what you trust.
    out
        Folder for the files; default: that of the predictor.

    Returns
    -------
    Path
        The HTML file.

    Raises
    ------
    StoredStateError
        The folder holds no predictor, its report is broken, or there is neither a report nor rows.
    TableError
        A file cannot be written.
    """
    predictor, out = load_predictor(folder), out or folder
    file = Path(folder) / JSON_NAME
    if not file.is_file():
        return _rows_alone(predictor, folder, out)
    report = _stored(file)
    with quiet_libraries():
        rows = rows_report(predictor, others=report.get("rows", {}).get("others"))
        studies = study_records(predictor)
    if rows.section is not None or not report.get("rows", {}).get("measures"):
        report["rows"] = rows.facts
    return write_files(report, {study.name: study.plots for study in studies}, rows.section, out)


def _stored(file: Path) -> dict[str, Any]:
    """The report of the fit, of this version's form."""
    try:
        report: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        found = report.get("format")
    except (ValueError, AttributeError, OSError) as error:
        raise StoredStateError(f"{file} is no report of a fit ({error}); fit again.") from error
    if found != FORMAT:
        raise StoredStateError(f"{file} has format {found}, and this version reads {FORMAT}; fit again.")
    return report


def _rows_alone(predictor: TabularPredictor, folder: Path, out: Path) -> Path:
    """A report of the rows of a predictor whose fit was not reported."""
    from imbllm_autogluon.quality.reports import report

    with quiet_libraries():
        fold = written_rows(predictor)
    if fold is None:
        raise StoredStateError(
            f"{folder} holds neither {JSON_NAME} nor written rows; name the folder of a fit with twins whose cache was "
            "not cleared."
        )
    title = f"Rows written for {predictor.label}, fold {fold.name}"
    return report(fold.real, fold.synthetic, label=fold.label, holdout=fold.held_out, title=title).write(out)
