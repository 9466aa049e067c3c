"""The report of a calibration: verdicts and amounts that are known beforehand."""

from __future__ import annotations

import numpy as np
import pytest
from astropy.table import Table
from scipy.stats import norm

from astrorim.results.calibration import measure_calibration

NAMES = ("exact", "narrow", "wide", "shifted", "tailed")
WIDTH = np.array([1.0, 0.5, 2.0, 1.0, 1.0])
BIAS = np.array([0.0, 0.0, 0.0, 1.0, 0.0])
LENSES = 1000


@pytest.fixture(scope="module")
def posteriors():
    """Posteriors that are right, too narrow, too wide, biased, and wrong for every 12th."""
    rng = np.random.default_rng(8)
    mean = rng.normal(size=(LENSES, 5))
    sigma = rng.uniform(0.1, 0.5, size=(LENSES, 5))
    error = rng.normal(size=(LENSES, 5))
    error[::12, 4] *= 30
    noise = rng.normal(size=(LENSES, 300, 5))
    samples = (mean + BIAS * sigma)[:, None] + (WIDTH * sigma)[:, None] * noise
    return samples, mean + sigma * error


@pytest.fixture(scope="module")
def report(posteriors):
    samples, truth = (array.copy() for array in posteriors)
    samples[3] = np.nan
    truth[5, 4] = np.nan
    return measure_calibration(
        samples, truth, NAMES, failures={3: "RuntimeError: lost"}, meta={"simulator": "toy"}
    )


def test_verdicts_say_what_is_wrong(report):
    assert report.verdicts == {
        "exact": "consistent",
        "narrow": "too narrow",
        "wide": "too wide",
        "shifted": "too narrow, biased",
        "tailed": "too narrow, outliers",
    }


def test_amounts_are_the_predicted_ones(report):
    reach = WIDTH * norm.ppf(0.84)
    predicted = norm.cdf(BIAS + reach) - norm.cdf(BIAS - reach)
    np.testing.assert_allclose(report.coverage.fraction[:4], predicted[:4], atol=0.05)
    outer = WIDTH * norm.ppf(0.975)
    predicted = norm.cdf(BIAS + outer) - norm.cdf(BIAS - outer)
    # every 12th error is 30 times as large: nearly all of those are outside
    predicted[4] = 11 / 12 * 0.95 + 1 / 12 * (2 * norm.cdf(1.96 / 30) - 1)
    np.testing.assert_allclose(report.outer.fraction, predicted, atol=0.03)
    np.testing.assert_allclose(report.z_mean[:4], -(BIAS / WIDTH)[:4], atol=0.2)
    np.testing.assert_allclose(report.z_std[:4], 1 / WIDTH[:4], rtol=0.1)
    np.testing.assert_allclose(report.width_factor[:3], 1 / WIDTH[:3], rtol=0.1)
    np.testing.assert_allclose(
        report.z_mean_error[:4], 1 / WIDTH[:4] / np.sqrt(LENSES), rtol=0.1
    )
    assert report.z_std[4] > 5
    assert report.width_factor[4] == pytest.approx(1.1, abs=0.1)


def test_errors_with_outliers_alone_are_found():
    """Errors beyond 1.6 are made four times as large; the 68 % intervals do not notice."""
    error = norm.ppf((np.arange(200) + 0.5) / 200)
    error[np.abs(error) > 1.6] *= 4
    samples = np.random.default_rng(3).normal(size=(200, 500, 1))
    report = measure_calibration(samples, error[:, None], ["a"])
    assert report.coverage.fraction[0] == pytest.approx(0.68, abs=0.02)
    assert report.width_factor[0] == pytest.approx(1, abs=0.05)
    assert report.outer.fraction[0] == pytest.approx(2 * norm.cdf(1.6) - 1, abs=0.02)
    assert report.outer_p_value[0] < 0.01
    assert report.verdicts == {"a": "outliers"}


def test_the_outer_interval_is_one_that_the_samples_have():
    rng = np.random.default_rng(5)
    samples, truth = rng.normal(size=(4000, 9, 1)), rng.normal(size=(4000, 1))
    report = measure_calibration(samples, truth, ["a"])
    assert report.outer.level == pytest.approx(0.8)
    assert report.outer_p_value[0] > 0.05
    assert "inside 80 %" in report.summary()


def test_failures_are_counted_and_reported_apart(report):
    assert report.failures == {3: "RuntimeError: lost"}
    np.testing.assert_array_equal(report.coverage.number, [999, 999, 999, 999, 998])
    text = report.summary()
    assert "1000 lenses, 999 with posteriors, 1 failed" in text
    assert "lens 3: RuntimeError: lost" in text


def test_a_lens_that_is_not_finite_has_failed_also_where_nobody_said_so(posteriors):
    samples, truth = (array[:20].copy() for array in posteriors)
    truth[7] = np.nan
    report = measure_calibration(samples, truth, NAMES)
    assert report.failures == {7: "a truth or a sample is not finite"}


def test_the_joint_test_rejects_when_a_parameter_does(report, posteriors):
    assert report.tarp.p_value < 0.001
    samples, truth = posteriors
    alone = measure_calibration(samples[..., :1], truth[:, :1], NAMES[:1])
    assert alone.tarp.p_value > 0.01


def test_tables_survive_a_file(report, tmp_path):
    table, ranks = report.to_table(), report.ranks_table()
    for name, content in (("table", table), ("ranks", ranks)):
        path = tmp_path / f"{name}.ecsv"
        content.write(path, format="ascii.ecsv")
        again = Table.read(path)
        assert again.colnames == content.colnames
        for column in content.colnames:
            np.testing.assert_array_equal(again[column], content[column])
        assert dict(again.meta) == content.meta
    assert table.meta["failures"] == {"3": "RuntimeError: lost"}
    assert table.meta["simulator"] == "toy"
    assert (table["parameter"] == NAMES).all()
    assert (ranks["exact_rank"][3], ranks["exact_draws"][3]) == (-1, 0)
    assert ranks["exact_draws"][4] == 300


def test_the_summary_has_a_line_for_each_parameter(report):
    (line,) = [text for text in report.summary().splitlines() if text.startswith("narrow")]
    assert line.split()[1] == "999"
    assert line.endswith("too narrow")


def test_without_any_posterior_there_is_no_verdict(posteriors):
    samples, truth = posteriors
    report = measure_calibration(samples[:4] * np.nan, truth[:4], NAMES)
    assert set(report.verdicts.values()) == {"no lens"}
    assert "0 with posteriors, 4 failed" in report.summary()
    assert np.isnan(report.width_factor).all()


def test_every_parameter_has_a_name(posteriors):
    with pytest.raises(ValueError, match="names must be those of 5 parameters, got a, b"):
        measure_calibration(*posteriors, ("a", "b"))
