"""Advice on a table before the hours of a fit: what it holds, what makes scores too good, what is worth trying."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from imbllm_autogluon._config import require_choice
from imbllm_autogluon.jobs.probe import Sample, fit_cost
from imbllm_autogluon.jobs.suspects import identifiers, leaks
from imbllm_autogluon.jobs.task import Task
from imbllm_autogluon.plugin.parameters import TwinOptions
from imbllm_autogluon.plugin.stage import plan_for
from imbllm_autogluon.quality.reports import _template, measure, metric_name
from imbllm_autogluon.regression.bins import FEW_BELOW, SHOTS, shots
from imbllm_autogluon.tables.dtypes import as_numpy
from imbllm_autogluon.tables.labeled import LabeledTable, choose_task
from imbllm_autogluon.tables.schema import TableSchema

if TYPE_CHECKING:
    Facts = dict[str, Any]

_READ_ROWS = 20_000  # that tell the kinds of columns
_LISTED = 12  # columns and classes that are printed, at most
_Z = 1.96  # standard errors from the middle of a 95 % interval to its end
_FOLD = 0.75  # of the rows of a class are learned in each of the four folds of a fit
_LEARNED, _PLENTY = 20, 1000  # rare rows of a fold: docs/guides/when-not-to-use.md
_COLLECT = 10  # rare rows below which scores are luck
_GUIDE, _RESULTS, _DECISIONS = "guides/when-not-to-use", "results/autogluon", "results/decisions"
_NUMBERS, _TWINS = "results/regression_autogluon", "results/regression_autogluon_twins"
_READ = "results/texts"
_WITHOUT_ROWS = ("IMBLLM_CLF", "decide", "our ensemble")

# What is worth trying for each problem: method, verdict, why, page. tests/jobs/test_advice.py finds figures on pages.
_WORTH: dict[str, tuple[tuple[str, str, str, str], ...]] = {
    "binary": (
        ("decide", "yes", "A wanted precision was reached within its interval on 10 of 10 tables.", _DECISIONS),
        ("duplicates", "try first", "Ranking gained 0.6 points on average: within chance, but cheap.", _RESULTS),
        ("written rows", "try last", "Ranking gained 0.6 points on average: within chance; twice the time.", _RESULTS),
        ("class weights", "no", "Ranking lost 0.4 points on average, and probabilities were ruined.", _RESULTS),
    ),
    "multiclass": (
        ("our ensemble", "yes", "Balanced accuracy gained 2.6 points on average; every fit has it.", _RESULTS),
        ("duplicates", "try first", "With them it gained 2.9 points, hardly more, but they are cheap.", _RESULTS),
        ("written rows", "try last", "With them it gained 3.1 points, hardly more, in twice the time.", _RESULTS),
        ("class weights", "no", "Balanced accuracy gained 0.6 points, macro F1 lost 0.9.", _RESULTS),
    ),
    "regression": (
        ("LatentDiff", "try first", "Few-shot errors fell by 4.3 %, on 4 of 5 tables: too few to be sure.", _NUMBERS),
        ("written rows", "no", "Few-shot errors rose by 0.6 % on average.", _TWINS),
    ),
}  # fmt: skip
_FOR_TEXTS = ("IMBLLM_CLF", "yes", "On reviews, macro F1 of a decoder that reads was 62.0, of their words 43.0.", _READ)


@dataclass(frozen=True)
class Advice:
    """What there is to say about a table before a fit."""

    # Values that `json.dumps` accepts: `source`, `label`, `task`, `problem`, `remark`, `rows`, `unlabeled`, `sampled`,
    # `target`, `columns`, `findings`, `repeated`, `metric`, `positive`, `expected`, `methods`, `cost`, `seconds`
    facts: Facts

    @property
    def headline(self) -> str:
        """What is to be done first."""
        by_finding: dict[str, list[str]] = {}
        for one in self.facts["findings"]:
            by_finding.setdefault(one["finding"], []).append(one["column"])
        if "leak" in by_finding:
            return f"{', '.join(by_finding['leak'][:_LISTED])} may give the label away. Look there before all else."
        if "identifier" in by_finding:
            return f"{', '.join(by_finding['identifier'][:_LISTED])} only names rows. Leave it out of the fit."
        first = self.facts["methods"][0]
        return f"No column gives the label away. {first['why'] if first['verdict'] == 'collect' else ''}".rstrip()

    def to_html(self) -> str:
        """One page with its styles inside, without network or script; names of the table are escaped."""
        page = _template("advice_report.html", self.facts["task"])
        return page.render(report=self.facts, headline=self.headline, lines=self._lines())

    def to_text(self) -> str:
        """The same for a terminal."""
        facts, columns = self.facts, "Columns to look at"
        methods = "Worth trying? (in brackets: page of the documentation)"
        rows = {
            columns: [(one["finding"], f"{one['column']}: {one['why']} -> {one['do']}") for one in facts["findings"]],
            methods: [(one["method"], f"{one['verdict']}. {one['why']} ({one['page']})") for one in facts["methods"]],
        }
        sections = {
            f"{facts['source']}: {self.headline}": self._lines(),
            **{title: own for title, own in rows.items() if own},
        }
        told = ["\n".join([title, *[f"  {name:<15}{text}" for name, text in own]]) for title, own in sections.items()]
        return "\n\n".join([*told, f"{self.facts['seconds']:.1f} s. {self.facts['remark']}".rstrip()])

    def _lines(self) -> list[tuple[str, str]]:
        """What the table holds, and what to expect, by name."""
        facts, columns, cost = self.facts, self.facts["columns"], self.facts["cost"]
        copies, disputed = facts["repeated"].values()
        positive = "" if facts["positive"] is None else f" of the positive class {facts['positive']!r}"
        lines = {
            "rows": f"{facts['rows']:,}"
            + f"; {facts['unlabeled']:,} without label are left out" * (facts["unlabeled"] > 0),
            "label": f"{facts['label']}: {_target_text(facts['target'])}",
            "columns": f"{columns['number']}: {', '.join(f'{n} {kind}' for kind, n in columns['kinds'].items())}",
            **{name: ", ".join(columns[name][:_LISTED]) for name in ("constant", "unreadable", "text")},
            "missing": ", ".join(f"{one['column']} {one['share']:.0%}" for one in columns["missing"][:_LISTED]),
            "repeated": f"{copies:,} rows repeat another, which flatters scores" * (copies > 0),
            "disputed": f"{disputed:,} rows equal a row of another label in all features" * (disputed > 0),
            "metric": f"{metric_name(facts['metric'])}{positive}",
            "expect": _expected_text(facts),
            "fit": f"about {max(1.0, cost['cpu_seconds'] / 60):.0f} min of one idle core (of {cost['cores']}), "
            f"{cost['memory_mib'] / 1024:.1f} GB{', more for the texts' * (len(columns['text']) > 0)}",
        }
        return [(name, text) for name, text in lines.items() if text]


def advise(frame: pd.DataFrame, label: str, *, task: str = "auto", source: str = "the table") -> Advice:
    """Look at a table before the hours of a fit: in seconds, because costly parts see a sample of the rows.

    Parameters
    ----------
    frame
        Features and label, shape (n, m + 1); it is not modified.
    label
        Name of the column to predict; rows without it are left out.
    task
        ``"classification"``, ``"regression"`` or ``"auto"``, which decides as ``imbllm fit`` does.
    source
        What to call the table.

    Returns
    -------
    Advice
        As text, page, or values for JSON. ``expected`` holds the default metric of five folds of a quick LightGBM on
        columns that are neither identifiers nor leaks, and its 95 % interval over tables drawn anew with as many rows
        of each class; ``cost`` what ``imbllm fit`` takes with its defaults, of one idle core.

    Raises
    ------
    TableError, ClassTooSmallError
        The label is absent, or nothing can be learned of it.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"id": range(90), "x": [1.5, 2.5, 3.5] * 30, "sick": ["no", "no", "yes"] * 30})
    >>> advice = advise(table, "sick")
    >>> advice.facts["positive"], advice.facts["target"]["ratio"], advice.headline
    ('yes', 2.0, 'x may give the label away. Look there before all else.')
    """
    started = time.perf_counter()
    job, remark = _job(as_numpy(frame), label, task, source)
    table, columns = job.train, _columns(job.train)
    silent = {*columns["constant"], *columns["unreadable"], *columns["text"]}
    names = [name for name in table.features if str(name) not in silent]
    named = identifiers(table.frame[names])
    ids = [one["column"] for one in named if one["finding"] == "identifier"]
    sample = Sample.of(job, names)
    told = sorted(leaks(sample, ids), key=lambda one: one["finding"])  # leaks before what is strong
    honest = sample.without({*ids, *(one["column"] for one in told if one["finding"] == "leak")})
    facts = {
        "format": 1,  # raised when keys change their meaning
        "source": source,
        "label": str(label),
        "task": table.task,
        "problem": job.problem_type,
        "remark": remark,
        "rows": len(table.frame),
        "unlabeled": table.dropped,
        "sampled": len(sample.y),
        "target": _target(job),
        "columns": columns,
        "findings": [{**one, "column": str(one["column"])} for one in (*told, *named)],
        "repeated": _repeated(table, {*columns["unreadable"], *map(str, ids)}),
        "metric": job.eval_metric,
        "positive": None if job.positive is None else str(job.positive),
        "expected": _expected(honest),
        "methods": _methods(job, has_texts=bool(columns["text"])),
        "cost": fit_cost(job, honest),
    }
    return Advice(json.loads(json.dumps({**facts, "seconds": time.perf_counter() - started}, allow_nan=False)))


def _job(frame: pd.DataFrame, label: str, task: str, source: str) -> tuple[Task, str]:
    """The task as ``imbllm fit`` finds it, and a remark on it."""
    require_choice("task", task, ("auto", "classification", "regression"))
    chosen, remark = choose_task(frame, label, source)
    kind: Any = chosen if task == "auto" else task
    table = LabeledTable.from_frame(frame, label, source, task=kind, any_number=True)
    job = Task(table, None, TwinOptions().checked_parameters.rebalancing, None)
    job.check()
    return job, remark if task == "auto" else ""


def _columns(table: LabeledTable) -> Facts:
    """Kinds, and columns of which a quick model cannot make use; the schema is read off a sample of the rows."""
    features = table.features
    part = features.sample(min(len(features), _READ_ROWS), random_state=0)
    schema = TableSchema.from_frame(part, unreadable="copy")
    unreadable = [one.name for one in schema.excluded if one.is_unreadable]
    texts = [str(one.name) for one in schema.excluded if one.holds_text]
    readable = features.drop(columns=unreadable)
    gaps = features.isna().mean().sort_values(ascending=False)
    return {
        "number": features.shape[1],
        "kinds": dict(Counter([*(one.kind for one in schema.columns), *("text" for _ in texts)])),
        "constant": [str(name) for name, n in readable.nunique(dropna=False).items() if n <= 1],
        "unreadable": list(map(str, unreadable)),
        "text": texts,
        "missing": [{"column": str(name), "share": float(share)} for name, share in gaps[gaps > 0].items()],
    }


def _target(job: Task) -> Facts:
    """Rows of each class, or of each sort of targets."""
    if job.problem_type == "regression":
        targets, counts, sorts = job.train.targets, job.bin_counts, shots(job.bin_counts)
        by_shot = {shot: int(counts[sorts == shot].sum()) for shot in SHOTS}
        return {"lowest": float(targets.min()), "highest": float(targets.max()), "shots": by_shot}
    sizes = {str(name): n for name, n in job.train.counts.items()}
    return {"classes": sizes, "ratio": max(sizes.values()) / min(sizes.values())}


def _repeated(table: LabeledTable, aside: set[str]) -> dict[str, int]:
    """Rows that repeat an earlier one, label included (`copies`), and rows like one of another label (`disputed`)."""
    known = table.features[[name for name in table.features if str(name) not in aside]]
    hashed = pd.util.hash_pandas_object(known, index=False) if len(known.columns) else np.arange(len(known))
    rows = pd.DataFrame({"row": hashed, "label": table.labels})
    disputed = rows.groupby("row")["label"].transform("nunique") > 1
    return {"copies": int(rows.duplicated().sum()), "disputed": int(disputed.sum())}


def _expected(sample: Sample) -> Facts | None:
    """Score of five folds with its 95 % interval; `None` where no column is left."""
    if not sample.names:
        return None
    score, error = sample.score_and_error()
    low, high = max(0.0, score - _Z * error), score + _Z * error
    return {"score": score, "low": low, "high": min(1.0, high) if sample.classes else high, "width": 2 * _Z * error}


def _methods(job: Task, *, has_texts: bool) -> list[Facts]:
    """What is worth trying, and why, by what this project has measured."""
    reasons = [*([_FOR_TEXTS] if has_texts and job.problem_type != "regression" else []), *_WORTH[job.problem_type]]
    known = [dict(zip(("method", "verdict", "why", "page"), one, strict=True)) for one in reasons]
    needed, why = _needless(job)
    if why and (not needed or job.problem_type == "binary"):
        told = "Too few rare rows to learn from or judge by." if needed else why
        own = {"verdict": "no", "why": told, "page": _GUIDE}
        known = [one if one["method"] in _WITHOUT_ROWS else {**one, **own} for one in known]
    return [{"method": "more rows", "verdict": "collect", "why": why, "page": _GUIDE}, *known] if needed else known


def _needless(job: Task) -> tuple[bool, str]:
    """Whether rows are to be collected first, and why rebalancing cannot or need not help; empty where it may."""
    if job.problem_type == "regression":
        is_rare = (shots(job.bin_counts) == "few")[job.bin_counts > 0].any()
        return False, "" if is_rare else f"No target stands in a bin of fewer than {FEW_BELOW} rows: none is rare."
    rare = min(job.train.counts.values())
    in_fold, reason = int(_FOLD * rare), plan_for(job.problem_type, job.train.labels, job.rebalancing).reason
    cases = (
        (rare < _COLLECT, f"{rare} rows of the rarest class: any score of it is luck. Collect more first."),
        (bool(reason), f"Nothing to rebalance: {reason}."),
        (in_fold >= _PLENTY, f"{in_fold:,} rare rows in a training fold: plain models know the class."),
        (in_fold < _LEARNED, f"{in_fold} rows of the rarest class in a training fold: rows for it vary little."),
    )
    why = next((text for holds, text in cases if holds), "")
    return rare < _COLLECT or (in_fold < _LEARNED and not reason), why


def _target_text(target: Facts) -> str:
    if "shots" in target:
        sorts = ", ".join(f"{n:,} {shot}-shot" for shot, n in target["shots"].items())
        return f"numbers from {measure(target['lowest'])} to {measure(target['highest'])}; rows by their bin: {sorts}"
    named = [f"{name} {n:,}" for name, n in target["classes"].items()]
    more = f", … ({len(named)} classes)" if len(named) > _LISTED else ""
    return f"{', '.join(named[:_LISTED])}{more}; largest to rarest {target['ratio']:,.1f} to 1"


def _expected_text(facts: Facts) -> str:
    found = facts["expected"]
    if found is None:
        return "nothing: no column is left to learn from"
    score, low, high = (measure(found[name], 3) for name in ("score", "low", "high"))
    sampled = f" Measured on {facts['sampled']:,} rows." if facts["sampled"] < facts["rows"] else ""
    of_what = f"95 % interval {low} to {high} over fresh tables of this size."
    return f"{score} of a quick LightGBM in five folds; {of_what}{sampled}"
