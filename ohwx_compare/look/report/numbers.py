"""The judgement as JSON values, for other programs and for the page's own script."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from ohwx_compare.judge.effects import Effect
from ohwx_compare.judge.intervals import Estimate
from ohwx_compare.judge.measure import LIKENESS
from ohwx_compare.judge.run.comparing import MeasureComparison
from ohwx_compare.judge.run.counting import FaceCounts
from ohwx_compare.judge.run.judgement import Judged, Judgement, RunPoint
from ohwx_compare.judge.run.keeping import KeptAt
from ohwx_compare.judge.run.passing import PassCounts
from ohwx_compare.judge.verdict import Word
from ohwx_compare.judge.votes.reveal import tally_json
from ohwx_compare.judge.words import line
from ohwx_compare.look.report.look_at import relative_path
from ohwx_compare.look.report.sentences import Said, is_aside, kept_words, opening

__all__ = ["checkpoint_hashes", "judgement_json", "shown_settings"]


def judgement_json(found: Judgement) -> dict[str, Any]:
    """All numbers and sentences. `answer` has a clause for each measure of each comparison, `beside` for those that are
    told beside it; `keep` has checkpoints.
    """
    said, kept = Said.of(found), found.keep
    return {
        "folder": str(found.run.folder),
        "headline": list(said.headlines),
        "answer": [clause for judged in found.judged for clause in _answer(found, judged)],
        "beside": [clause for judged in found.judged for clause in _answer(found, judged, aside=True)],
        "keep": [save.checkpoint for save in kept.saves] if kept else [],
        "earliest": [save.checkpoint for save in kept.earliest] if kept else [],
        "keep_by_weight": [_kept(each, found) for each in found.kept],
        "measures": list(_measures(found)),
        "styles": [_style(found, style) for style in found.run.styles],
        "checkpoints": [_point(found, point) for point in found.points],
        "band": found.band,
        "pictures": len(found.run.pictures),
        "votes": [tally_json(each) for each in found.tallies],
        "agreements": [
            {"measure": each.measure, "question": each.question, "fails": each.is_failing, **(_share(each.share) or {})}
            for each in found.agreements
        ],
        "findings": [*said.findings, said.kept, *said.beside],
        "missing": list(said.missing),
        "limits": list(said.limits),
    }


def _answer(found: Judgement, judged: Judged, *, aside: bool = False) -> Iterator[dict[str, Any]]:
    comparison = judged.comparison
    for each in judged.measures:
        if is_aside(found, each) is not aside:
            continue
        clause = each.clause
        about = {
            "comparison": opening(comparison), "first": comparison.first, "second": comparison.second,
            "trainings": list(comparison.trainings), "measure": each.name,
        }  # fmt: skip
        if clause is None:
            nothing = {"word": Word.CANNOT_TELL.value, "estimate": None, "low": None, "high": None}
            yield {**about, **nothing, "why": each.why}
            continue
        yield {
            **about, "word": clause.verdict.word.value, **_effect(clause.effect),
            "within_band": clause.verdict.is_within, "needed": clause.verdict.needed,
            "of_these_seeds": clause.verdict.of_these_seeds, "sentence": line(clause),
            "at": [{"number": number, **_effect(effect)} for number, effect in each.at.items()],
            "contrasts": [{"name": c.name, **_effect(c.effect), "p_holm": c.p} for c in each.contrasts],
            "matched": _matched(each),
        }  # fmt: skip


def _matched(each: MeasureComparison) -> dict[str, Any] | None:
    if each.matched is None:
        return None
    return {
        "pairs": each.matched.pairs, **_effect(each.matched.matched), "missing": list(each.matched.missing),
        "raw": _effect(each.matched.raw),
    }  # fmt: skip


def _effect(effect: Effect | None) -> dict[str, Any]:
    if effect is None:
        return {"estimate": None, "low": None, "high": None}
    return {
        "estimate": effect.value, "low": effect.low, "high": effect.high, "unit": effect.unit.value, "n": effect.n,
        "styles": effect.styles, "p": effect.p,
    }  # fmt: skip


def _kept(kept: KeptAt, found: Judgement) -> dict[str, Any]:
    return {
        "style": kept.style, "keep": [save.checkpoint for save in kept.saves],
        "earliest": [save.checkpoint for save in kept.earliest], "score": kept.score,
        "sentence": kept_words(kept, found),
    }  # fmt: skip


def checkpoint_hashes(found: Judgement) -> dict[str, str | None]:
    """Of each column's file the sha256, or the digits of it that are known."""
    return {column.name: column.sha256 for column in found.run.columns}


def shown_settings(settings: Mapping[str, object]) -> str:
    """A measure's settings in words, hashes by their first ten digits: "detector 0123456789, confidence 0.3"."""
    return ", ".join(f"{key} {str(value)[:10]}" for key, value in settings.items())


def _measures(found: Judgement) -> Iterator[dict[str, Any]]:
    for table in found.tables.values():
        measure = table.scored.measure
        outcomes = [score.outcome for score in table.scored.scores.values()]
        yield {
            "name": measure.name, "title": measure.words.title, "version": measure.version, "sha256": measure.sha256,
            "licence": measure.licence, "key": measure.key, "settings": dict(measure.settings),
            "outcomes": {outcome: outcomes.count(outcome) for outcome in dict.fromkeys(outcomes)},
        }  # fmt: skip


def _style(found: Judgement, style: str) -> dict[str, Any]:
    table = found.tables.get(LIKENESS)
    scale = table.scales.get(style) if table else None
    effects: dict[str, list[dict[str, Any]]] = {}
    for judged in found.judged:
        for each in judged.measures:
            own = next((one for one in each.styles if one.style == style), None)
            if own:
                told = {"comparison": opening(judged.comparison), **_effect(own.effect), "is_found": own.is_found}
                effects.setdefault(each.name, []).append(told)
    scales: Mapping[str, Any] = (
        {"floor": _number(scale.floor), "ceiling": _number(scale.ceiling), "apart": _number(scale.apart),
         "refused": scale.refusal or None}
        if scale
        else {}
    )  # fmt: skip
    return {"style": style, **scales, "effects": effects}


def _point(found: Judgement, point: RunPoint) -> dict[str, Any]:
    save = point.save
    return {
        "name": point.name, "label": point.label, "sha256": checkpoint_hashes(found)[point.name],
        "is_base": point.name in found.trained.bases,
        "training": save.training if save else None, "number": save.number if save else None,
        "unit": save.unit if save else None,
        "levels": {name: _effect(level) for name, level in point.levels.items()},
        "failed": found.run.failures.get(point.name, 0), "lost": list(point.lost), "twins": point.twins,
        **(_counts(point.counts) if point.counts else {}),
        **(_passed(found, point.passed) if point.passed else {}),
    }  # fmt: skip


def _passed(found: Judgement, passed: PassCounts) -> dict[str, Any]:
    """Pictures of the face pass by their paths in the folder, "/" between."""
    seams, wrong = ([relative_path(found, each) for each in own] for own in (passed.seams, passed.wrong))
    return {"inpainted": passed.looked, "seams": seams, "wrong_faces": wrong}


def _counts(counts: FaceCounts) -> dict[str, Any]:
    return {
        "pictures": counts.pictures, "no_face": _share(counts.no_face), "no_face_before": _share(counts.no_face_before),
        "copies": counts.copies, "copies_of": counts.nearest or None, "made_worse": counts.worse,
        "unreadable": counts.unreadable,
    }  # fmt: skip


def _share(share: Estimate | None) -> dict[str, Any] | None:
    return {"share": share.value, "low": share.low, "high": share.high, "n": share.n} if share else None


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value
