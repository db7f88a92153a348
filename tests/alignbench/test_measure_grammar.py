"""Measures parse, print, compare and hash by what they are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignbench import InputError, Measure, parse_measure, plugins
from alignbench.metrics import default_measures, usual_measures


@pytest.mark.parametrize(
    "text",
    ["nme", "nme(inter_pupil)", "fr@0.10", "auc@0.08", "auc(inter_ocular)@0.085", "fr(box)@0.30"],
)
def test_prints_what_it_was_parsed_from(text):
    assert str(parse_measure(text)) == text


@given(st.floats(1e-12, 1, exclude_min=True), st.sampled_from(["fr", "auc(box)"]))
def test_every_threshold_prints_and_parses(threshold, name):
    kind, _, norm = name.partition("(")
    measure = replace(
        parse_measure(f"{kind}@0.5"), threshold=threshold, normaliser=norm[:-1] or None
    )
    assert parse_measure(str(measure)) == measure


def test_equal_measures_are_one_value():
    assert parse_measure(" fr ( box ) @ 0.1") == parse_measure("fr(box)@0.10")
    assert (
        len({parse_measure("auc@0.1"), parse_measure("auc@0.10"), parse_measure("auc@0.08")}) == 2
    )
    assert parse_measure("fr@0.1") != parse_measure("auc@0.1")
    with pytest.raises(AttributeError):
        parse_measure("nme").threshold = 0.1


GRAMMAR = "name, name(normaliser), name@threshold or name(normaliser)@threshold"
LIST = "`alignbench list` shows every measure there is."


@pytest.mark.parametrize(
    ("text", "found", "accepted", "remedy"),
    [
        ("nmee", "unknown", "auc, fr, nme", f" Did you mean 'nme'? {LIST}"),
        ("fr", "without threshold", "fr@0.10", ""),
        ("nme@0.1", "with a threshold", "nme", ""),
        ("fr@0.1,0.2", "with 2 thresholds", "fr@0.10", ""),
        ("fr@2", "threshold 2", "a fraction above 0 and at most 1", " Ten percent is 0.10."),
        ("nme(", "not a measure", GRAMMAR, " Example: fr@0.10."),
    ],
)
def test_what_is_no_measure_is_refused_with_what_is(text, found, accepted, remedy):
    with pytest.raises(InputError) as refused:
        parse_measure(text)
    assert str(refused.value) == f"measure {text!r}: {found}; accepted: {accepted}.{remedy}"


@dataclass(frozen=True)
class Between(Measure):
    """Share of faces whose error lies between two thresholds, in percent."""

    name: ClassVar[str] = "between"
    title: ClassVar[str] = "Between"
    thresholds: ClassVar[int] = 2

    def per_face(self, errors):
        low, high = self.threshold
        return 100.0 * ((errors > low) & (errors <= high))


@pytest.fixture
def between(monkeypatch):
    monkeypatch.setattr(plugins, "load", lambda group, name: Between)


@pytest.mark.usefixtures("between")
def test_a_measure_of_two_thresholds_parses_and_prints_both():
    measure = parse_measure("between(box)@0.05,0.1")
    assert measure == Between("box", (0.05, 0.1))
    assert str(measure) == "between(box)@0.05,0.10"
    assert measure.heading == "Between@0.05,0.10"
    assert measure.value(np.array([0.05, 0.06, 0.1, 0.2])) == 50


@pytest.mark.usefixtures("between")
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("between", "without threshold"),
        ("between@0.1", "with a threshold"),
        ("between@0.1,0.2,0.3", "with 3 thresholds"),
    ],
)
def test_a_measure_of_two_thresholds_has_two(text, found):
    with pytest.raises(InputError) as refused:
        parse_measure(text)
    assert str(refused.value) == (
        f"measure {text!r}: {found}; accepted: between@0.05,0.10. It has 2 thresholds."
    )


def test_an_unknown_normaliser_is_refused_with_those_there_are():
    assert parse_measure("nme(box)", ["box"]).normaliser == "box"
    with pytest.raises(InputError) as refused:
        parse_measure("nme(inter_okular)", ["inter_ocular", "box"])
    assert str(refused.value) == (
        "measure 'nme(inter_okular)', normaliser 'inter_okular': unknown; "
        "accepted: box, inter_ocular. Did you mean 'inter_ocular'?"
    )


@pytest.mark.parametrize("text", ["", "fr@1.01", "auc@0", "auc@0.1.2", "nme)", "fr@-0.1", "NME"])
def test_what_is_nearly_a_measure_is_refused(text):
    with pytest.raises(InputError):
        parse_measure(text)


def test_the_largest_threshold_is_the_normaliser_itself():
    assert parse_measure("auc@1").value(np.array([0.25, 2.0])) == 0.375


def test_the_defaults():
    assert [str(m) for m in default_measures()] == [
        "nme",
        "fr@0.08",
        "fr@0.10",
        "auc@0.08",
        "auc@0.10",
    ]


def test_a_measure_is_computed_in_double_precision():
    errors = np.full(1000, 0.1, np.float32)
    for text, of_one in (("nme", 10.000000149011612), ("auc@0.20", 0.49999999254941940)):
        assert parse_measure(text).value(errors) == pytest.approx(of_one, rel=1e-13)


def test_a_measure_of_no_faces_is_not_a_number():
    assert np.isnan(parse_measure("nme").value(np.array([])))
    assert np.isnan(parse_measure("nme").value(np.array([np.inf])))


def test_the_usual_measures_are_those_papers_print():
    assert [str(measure) for measure in usual_measures(0.1)] == ["nme", "fr@0.10", "auc@0.10"]
    assert [str(measure) for measure in usual_measures(0.075)] == ["nme", "fr@0.075", "auc@0.075"]
