"""The conformance suite of metrics: every plug-in found is held to its contract and to scikit-learn."""

import warnings

import numpy as np
import pytest
import sklearn.metrics as sk

from mainspring.evaluation.definitions import KIND
from mainspring.evaluation.metrics.contract import Metric
from mainspring.kernel import plugins
from mainspring.kernel.errors import InvalidInput
from mainspring.science.blockwise import Blocks, Recomputed

REFERENCES = {
    "mae": sk.mean_absolute_error,
    "rmse": sk.root_mean_squared_error,
    "log_loss": lambda t, p, sample_weight=None: sk.log_loss(t, p, sample_weight=sample_weight, labels=[0, 1]),
    "auc_roc": sk.roc_auc_score,
}
"""scikit-learn's own form of each metric. A new metric needs a line here, or another reference."""


@pytest.fixture(params=plugins.names(KIND))
def metric(request) -> Metric:
    found: Metric = plugins.load(KIND, request.param).metric
    return found


def rows(metric: Metric, n: int = 400, seed: int = 5):
    """Target, prediction with ties, weight."""
    rng = np.random.default_rng(seed)
    weight = rng.integers(1, 5, n) * 0.3
    if "binary" in metric.tasks:
        target = np.concatenate([[0, 1], rng.integers(0, 2, n - 2)])
        return target, np.clip(np.round(rng.normal(0.3 + 0.4 * target, 0.4), 2), 0, 1), weight
    target = rng.normal(100, 20, n)
    return target, np.round(target + rng.normal(0, 10, n)), weight


def test_every_metric_has_an_independent_reference():
    assert set(REFERENCES) == set(plugins.names(KIND))


def test_it_says_what_it_is(metric, request):
    assert metric.name == request.node.callspec.params["metric"]
    assert metric.label[0].isupper()
    assert metric.tasks
    assert metric.tasks <= {"regression", "binary"}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_it_equals_scikit_learn(metric, weighted, seed):
    target, prediction, weight = rows(metric, seed=seed)
    weight = weight if weighted else None
    wanted = REFERENCES[metric.name](target, prediction, sample_weight=weight)
    assert metric.value(target, prediction, weight) == pytest.approx(wanted, rel=1e-9, abs=1e-9)


def test_the_order_of_rows_does_not_matter_and_a_weight_of_two_is_the_row_twice(metric):
    target, prediction, _ = rows(metric)
    rng = np.random.default_rng(8)
    order, times = rng.permutation(target.size), rng.integers(1, 4, target.size)
    value = metric.value(target, prediction)
    assert metric.value(target[order], prediction[order]) == pytest.approx(value, rel=1e-12)
    repeated = metric.value(np.repeat(target, times), np.repeat(prediction, times))
    assert metric.value(target, prediction, times) == pytest.approx(repeated, rel=1e-12)


def test_a_better_prediction_has_a_better_value(metric):
    target, prediction, _ = rows(metric)
    better = (prediction + target) / 2
    gain = metric.value(target, better) - metric.value(target, prediction)
    assert gain > 0 if metric.greater_is_better else gain < 0


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("blocks", [2, 9, 60])
def test_its_statistic_is_its_value_without_each_block(metric, weighted, blocks):
    target, prediction, weight = rows(metric)
    weight = weight if weighted else None
    of_rows = Blocks.of(np.random.default_rng(blocks).integers(0, blocks, target.size), target.size)
    statistic = metric.statistic(target, prediction, weight, of_rows)
    slow = Recomputed(metric.value, target, prediction, weight, of_rows)
    assert statistic.full() == pytest.approx(metric.value(target, prediction, weight), rel=1e-12)
    np.testing.assert_allclose(statistic.without_each(), slow.without_each(), rtol=1e-9)


@pytest.mark.parametrize("name", ["target", "prediction", "weight"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_wrong_arrays_are_refused_by_name_without_a_warning(metric, name, bad):
    given = dict(zip(("target", "prediction", "weight"), (a.astype(float) for a in rows(metric)), strict=True))
    given[name][7] = bad
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for compute in (metric.value, lambda *a: metric.statistic(*a, Blocks.of(None, 400))):
            with pytest.raises(InvalidInput, match=f"^{name}: .* at index 7"):
                compute(given["target"], given["prediction"], given["weight"])
            with pytest.raises(InvalidInput, match="^prediction: "):
                compute(*rows(metric)[:1], [0.5], None)


def test_a_metric_that_only_has_a_value_is_compared_all_the_same():
    class Plain(Metric):
        name, label, greater_is_better, tasks = "plain", "Plain", False, frozenset({"regression"})

        def value(self, target, prediction, weight=None):
            return sk.mean_absolute_error(target, prediction, sample_weight=weight)

    target, prediction, weight = rows(plugins.load(KIND, "mae").metric)
    blocks = Blocks.of(np.arange(400) // 20, 400)
    fast = plugins.load(KIND, "mae").metric.statistic(target, prediction, weight, blocks)
    np.testing.assert_allclose(
        Plain().statistic(target, prediction, weight, blocks).without_each(), fast.without_each(), rtol=1e-9
    )
