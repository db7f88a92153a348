"""Measures parse, print, compare and hash by what they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alignbench import InputError, parse_measure
from alignbench.metrics import default_measures


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


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nmee", "unknown.*accepted: auc, fr, nme.*Did you mean 'nme'"),
        ("fr", "without threshold; accepted: fr@0.10"),
        ("nme@0.1", "with a threshold; accepted: nme"),
        ("fr@10", "threshold 10; accepted: a fraction above 0 and at most 1.*Ten percent is 0.10"),
        ("auc@0", "threshold 0"),
        ("auc@0.1.2", "threshold 0.1.2"),
        (
            "nme(inter_okular)",
            "unknown; accepted: inter_ocular, inter_pupil.*Did you mean 'inter_ocular'",
        ),
        ("", "not a measure; accepted: name"),
        ("nme(", "not a measure"),
    ],
)
def test_what_is_no_measure_is_refused_with_what_is(text, message):
    with pytest.raises(InputError, match=message):
        parse_measure(text, ["inter_ocular", "inter_pupil"])


def test_the_defaults():
    assert [str(m) for m in default_measures()] == [
        "nme",
        "fr@0.08",
        "fr@0.10",
        "auc@0.08",
        "auc@0.10",
    ]


def test_a_measure_of_no_faces_is_not_a_number():
    assert np.isnan(parse_measure("nme").value(np.array([])))
    assert np.isnan(parse_measure("nme").value(np.array([np.inf])))
