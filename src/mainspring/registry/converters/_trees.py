"""scikit-learn's tree ensembles as one ONNX TreeEnsemble in float64.

The usual operators, TreeEnsembleRegressor and -Classifier, answer in float32: near a threshold a
row takes the other branch, and sums lose half their digits. TreeEnsemble (ai.onnx.ml 5) computes
in float64 as scikit-learn does, so both agree to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from mainspring.registry.converters.contract import NotConvertible

ML_OPSET = 5
_SUM = 1
_LESS_OR_EQUAL = 0
_HISTOGRAM = (HistGradientBoostingRegressor, HistGradientBoostingClassifier)
_BOOSTED = (GradientBoostingRegressor, GradientBoostingClassifier)
_FORESTS = (RandomForestRegressor, RandomForestClassifier, ExtraTreesRegressor, ExtraTreesClassifier)
_SINGLE = (DecisionTreeRegressor, DecisionTreeClassifier)
_TARGET_LINKS = {"IdentityLink": None, "LogLink": "Exp", "LogitLink": "Sigmoid"}

Array = npt.NDArray[Any]


@dataclass
class _Ensemble:
    """Interior nodes and leaves of all trees as flat columns, as TreeEnsemble wants them."""

    roots: list[int] = field(default_factory=list)
    feature: list[int] = field(default_factory=list)
    split: list[float] = field(default_factory=list)
    is_left_for_missing: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    left_is_leaf: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    right_is_leaf: list[int] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)

    def add(
        self,
        *,
        is_leaf: Array,
        feature: Array,
        split: Array,
        missing_left: Array,
        left: Array,
        right: Array,
        value: Array,
    ) -> None:
        """Add one tree of m nodes, the first its root. All of shape (m,)."""
        place = np.where(
            is_leaf, np.cumsum(is_leaf) - 1 + len(self.weight), np.cumsum(~is_leaf) - 1 + len(self.feature)
        )
        self.roots.append(len(self.feature))
        self.weight += [float(weight) for weight in value[is_leaf]]
        if is_leaf[0]:  # TreeEnsemble has no root that is a leaf: a node whose branches meet
            only = int(place[0])
            self._node(0, 0.0, 0, (only, 1), (only, 1))
        for at in np.flatnonzero(~is_leaf):
            to_left, to_right = int(left[at]), int(right[at])
            self._node(
                int(feature[at]),
                float(split[at]),
                int(missing_left[at]),
                (int(place[to_left]), int(is_leaf[to_left])),
                (int(place[to_right]), int(is_leaf[to_right])),
            )

    def _node(
        self, feature: int, split: float, missing_left: int, left: tuple[int, int], right: tuple[int, int]
    ) -> None:
        self.feature.append(feature)
        self.split.append(split)
        self.is_left_for_missing.append(missing_left)
        self.left.append(left[0])
        self.left_is_leaf.append(left[1])
        self.right.append(right[0])
        self.right_is_leaf.append(right[1])

    def node(self, source: str, target: str) -> NodeProto:
        return helper.make_node(
            "TreeEnsemble",
            [source],
            [target],
            domain="ai.onnx.ml",
            n_targets=1,
            aggregate_function=_SUM,
            post_transform=0,
            tree_roots=self.roots,
            nodes_modes=numpy_helper.from_array(np.full(len(self.feature), _LESS_OR_EQUAL, dtype=np.uint8)),
            nodes_featureids=self.feature,
            nodes_splits=numpy_helper.from_array(np.array(self.split)),
            nodes_missing_value_tracks_true=self.is_left_for_missing,
            nodes_truenodeids=self.left,
            nodes_trueleafs=self.left_is_leaf,
            nodes_falsenodeids=self.right,
            nodes_falseleafs=self.right_is_leaf,
            leaf_targetids=[0] * len(self.weight),
            leaf_weights=numpy_helper.from_array(np.array(self.weight)),
        )


def nodes_of(estimator: Any, source: str, target: str, positive: Any) -> list[NodeProto] | None:
    """Nodes that compute the estimator's answer, shape (n, 1), from a float64 matrix.

    None where the estimator is none of the tree ensembles known here, or uses a feature of theirs
    that is not (several outputs, more than two classes, an own initial model). Raises NotConvertible.
    """
    if getattr(estimator, "n_outputs_", 1) != 1:
        return None
    classes = list(getattr(estimator, "classes_", (0, 1)))
    if len(classes) != 2:
        return None
    at = classes.index(positive) if positive in classes else 1
    match estimator:
        case _ if type(estimator) in _HISTOGRAM:
            return _histogram(estimator, source, target, is_reversed=at == 0)
        case _ if type(estimator) in _BOOSTED:
            return _boosted(estimator, source, target, is_reversed=at == 0)
        case _ if type(estimator) in _FORESTS:
            return _averaged([tree.tree_ for tree in estimator.estimators_], at, source, target)
        case _ if type(estimator) in _SINGLE:
            return _averaged([estimator.tree_], at, source, target)
    return None


def _histogram(estimator: Any, source: str, target: str, *, is_reversed: bool) -> list[NodeProto] | None:
    link = type(estimator._loss.link).__name__
    if estimator.is_categorical_ is not None:  # skl2onnx drops such splits without a word
        raise NotConvertible(
            "histogram boosting", found="categorical splits", fix="Encode categories in a step before."
        )
    if link not in _TARGET_LINKS:
        return None
    ensemble = _Ensemble()
    for (predictor,) in estimator._predictors:
        nodes = predictor.nodes
        ensemble.add(
            is_leaf=nodes["is_leaf"].astype(bool),
            feature=nodes["feature_idx"],
            split=nodes["num_threshold"],
            missing_left=nodes["missing_go_to_left"],
            left=nodes["left"],
            right=nodes["right"],
            value=nodes["value"],
        )
    start = float(np.asarray(estimator._baseline_prediction).ravel()[0])
    return [ensemble.node(source, f"{target}_sum"), *_linked(start, link, f"{target}_sum", target, is_reversed)]


def _boosted(estimator: Any, source: str, target: str, *, is_reversed: bool) -> list[NodeProto] | None:
    link = type(estimator._loss.link).__name__
    is_constant = estimator.init_ == "zero" or type(estimator.init_).__name__ in ("DummyRegressor", "DummyClassifier")
    if link not in _TARGET_LINKS or not is_constant or estimator.loss == "exponential":
        return None
    ensemble = _Ensemble()
    for (tree,) in estimator.estimators_:
        _add_tree(ensemble, tree.tree_, tree.tree_.value[:, 0, 0] * estimator.learning_rate)
    start = float(estimator._raw_predict_init(np.zeros((1, estimator.n_features_in_), dtype=np.float32))[0, 0])
    nodes = [*_rounded(source, f"{target}_rounded"), ensemble.node(f"{target}_rounded", f"{target}_sum")]
    return [*nodes, *_linked(start, link, f"{target}_sum", target, is_reversed)]


def _averaged(trees: list[Any], at: int, source: str, target: str) -> list[NodeProto]:
    ensemble = _Ensemble()
    for tree in trees:
        is_classifier = tree.value.shape[2] > 1
        _add_tree(ensemble, tree, tree.value[:, 0, at if is_classifier else 0])
    return [
        *_rounded(source, f"{target}_rounded"),
        ensemble.node(f"{target}_rounded", f"{target}_sum"),
        _constant(f"{target}_count", float(len(trees))),
        helper.make_node("Div", [f"{target}_sum", f"{target}_count"], [target]),
    ]


def _add_tree(ensemble: _Ensemble, tree: Any, value: Array) -> None:
    ensemble.add(
        is_leaf=tree.children_left < 0,
        feature=tree.feature,
        split=tree.threshold,
        missing_left=tree.missing_go_to_left,
        left=tree.children_left,
        right=tree.children_right,
        value=value,
    )


def _rounded(source: str, target: str) -> list[NodeProto]:
    """scikit-learn's own trees round what they read to float32, and compare that in float64."""
    return [
        helper.make_node("Cast", [source], [f"{target}_single"], to=TensorProto.FLOAT),
        helper.make_node("Cast", [f"{target}_single"], [target], to=TensorProto.DOUBLE),
    ]


def _linked(start: float, link: str, source: str, target: str, is_reversed: bool) -> list[NodeProto]:
    """start + source, through the inverse of the loss's link; 1 minus that for the first class."""
    raw = f"{target}_raw"
    nodes = [_constant(f"{target}_start", start), helper.make_node("Add", [source, f"{target}_start"], [raw])]
    if is_reversed:  # 1 − sigmoid(x) is sigmoid(−x)
        nodes.append(helper.make_node("Neg", [raw], [f"{raw}_reversed"]))
        raw = f"{raw}_reversed"
    return [*nodes, helper.make_node(_TARGET_LINKS[link] or "Identity", [raw], [target])]


def _constant(name: str, value: float) -> NodeProto:
    return helper.make_node("Constant", [], [name], value=numpy_helper.from_array(np.array(value), name))
