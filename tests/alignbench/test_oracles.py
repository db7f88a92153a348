"""Tests and intervals against those of statsmodels, which were written by other people."""

from __future__ import annotations

import gc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.contingency_tables import mcnemar as their_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint

from alignbench.stats import wilson
from alignbench.stats.multiple import holm
from alignbench.stats.paired import mcnemar


@pytest.fixture(scope="module", autouse=True)
def nothing_to_collect():
    """statsmodels collects garbage at each call, which takes long with all that is loaded."""
    gc.freeze()
    yield
    gc.unfreeze()


CONFIDENCE = st.sampled_from([0.8, 0.9, 0.95, 0.99])


@given(st.integers(1, 5000), st.data(), CONFIDENCE)
def test_wilsons_interval(faces, data, confidence):
    failures = data.draw(st.integers(0, faces))
    found = wilson(np.array(failures / faces), np.array(float(faces)), confidence)
    expected = proportion_confint(failures, faces, alpha=1 - confidence, method="wilson")
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holms_correction(p):
    found = holm(np.array(p))
    np.testing.assert_allclose(found, multipletests(p, method="holm")[1], rtol=1e-12)


@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 50))
def test_mcnemars_exact_test(first, second, both):
    failures = np.repeat([1, -1, 0], [first, second, both])
    p, _ = mcnemar(failures, np.arange(len(failures)))
    expected = their_mcnemar([[both, first], [second, 0]], exact=True).pvalue
    assert p == pytest.approx(expected, rel=1e-9, abs=1e-300)
