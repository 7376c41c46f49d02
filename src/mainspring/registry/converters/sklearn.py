"""scikit-learn's estimators and pipelines: tree ensembles by our own nodes, the rest by skl2onnx."""

from __future__ import annotations

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import ModelProto, NodeProto, TensorProto, compose, helper, numpy_helper
from skl2onnx import convert_sklearn, update_registered_converter
from skl2onnx.common._container import ModelComponentContainer
from skl2onnx.common._registration import get_converter, get_shape_calculator
from skl2onnx.common._topology import Operator, Scope
from skl2onnx.common.data_types import DoubleTensorType, FloatTensorType, StringTensorType
from sklearn.base import BaseEstimator, is_classifier
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline

from mainspring.kernel import plugins
from mainspring.registry.converters import _trees
from mainspring.registry.converters.contract import OUTPUT, Converter, NotConvertible
from mainspring.training.definitions import Classifier, Model
from mainspring.training.model import Signature

_OPSET, _ML_OPSET, _IR_VERSION = 18, 3, 10
_INNER = "mainspring."
"""Prefix of every name inside the graph, so that a feature may be called anything."""
_MATRIX = _INNER + "matrix"
_ANSWER = _INNER + "answer"


def _impute(scope: Scope, operator: Operator, container: ModelComponentContainer) -> None:
    """SimpleImputer by IsNaN and Where: onnxruntime's Imputer rounds to float32."""
    imputer, of = operator.raw_operator, operator.inputs[0].type
    if (
        not isinstance(of, DoubleTensorType)
        or imputer.missing_values == imputer.missing_values
        or imputer.add_indicator
    ):
        _SKL2ONNX_IMPUTE(scope, operator, container)
        return
    value, is_missing = scope.get_unique_variable_name("value"), scope.get_unique_variable_name("is_missing")
    statistics = np.asarray(imputer.statistics_, dtype=np.float64)
    container.add_initializer(value, TensorProto.DOUBLE, [1, len(statistics)], statistics)
    source, target = operator.inputs[0].full_name, operator.outputs[0].full_name
    container.add_node("IsNaN", source, is_missing, name=scope.get_unique_operator_name("IsNaN"))
    container.add_node("Where", [is_missing, value, source], target, name=scope.get_unique_operator_name("Where"))


_SKL2ONNX_IMPUTE = get_converter("SklearnSimpleImputer")
update_registered_converter(
    SimpleImputer, "SklearnSimpleImputer", get_shape_calculator("SklearnSimpleImputer"), _impute
)


class SklearnConverter(Converter):
    def accepts(self, model: Model) -> bool:
        return isinstance(model.estimator, BaseEstimator)

    def convert(self, model: Model, signature: Signature) -> bytes:
        positive = model.positive if isinstance(model, Classifier) else None
        if isinstance(model, Classifier) and not is_classifier(model.estimator):
            raise _impossible(model, "a classifier without predict_proba")
        logging.getLogger("skl2onnx").setLevel(logging.ERROR)
        estimator = copy.deepcopy(model.estimator)
        _name_missing_categories(estimator)
        reasons = []
        # float64 first, as scikit-learn computes. onnxruntime has some operators in float32 only,
        # which shows on opening.
        for number in (DoubleTensorType, FloatTensorType):
            try:
                nodes, inner = _computed(estimator, signature, number, positive)
                data: bytes = _assembled(nodes, inner, signature, number).SerializeToString()
                plugins.load("mainspring.engines.onnx", "onnxruntime_cpu").open_engine(Path()).open(data)
                return data
            except NotConvertible:
                raise
            except Exception as error:  # noqa: BLE001 - skl2onnx and onnx raise all kinds
                reasons.append(f"{type(error).__name__}: {' '.join(str(error).split())[:300]}")
        raise _impossible(model, reasons[0])


def _impossible(model: Model, why: str) -> NotConvertible:
    return NotConvertible(f"model of {type(model.estimator).__name__}", found=why)


def _computed(
    estimator: Any, signature: Signature, number: Any, positive: Any
) -> tuple[list[NodeProto], ModelProto | None]:
    """Nodes from the converted part's output (or the matrix) to the answer, and the converted part."""
    head, tail = (estimator[:-1], estimator[-1]) if isinstance(estimator, Pipeline) else (None, estimator)
    trees = _trees.nodes_of(tail, f"{_ANSWER}_features", _ANSWER, positive)
    if trees is not None:
        inner = _converted(head, signature, number) if head is not None and len(head) else None
        source = inner.graph.output[-1].name if inner else _MATRIX
        return [helper.make_node("Cast", [source], [f"{_ANSWER}_features"], to=TensorProto.DOUBLE), *trees], inner
    converted = _converted(estimator, signature, number)
    return _picked(estimator, converted, positive), converted


def _converted(estimator: Any, signature: Signature, number: Any) -> ModelProto:
    """What skl2onnx makes of the estimator, every name inside it prefixed."""
    options = {id(estimator): {"zipmap": False}} if is_classifier(estimator) else None
    converted = convert_sklearn(
        estimator,
        initial_types=_inner_inputs(signature, number),
        options=options,
        target_opset={"": _OPSET, "ai.onnx.ml": _ML_OPSET},
    )
    return compose.add_prefix(converted, _INNER)


def _inner_inputs(signature: Signature, number: Any) -> list[tuple[str, Any]]:
    types = [StringTensorType if field.type == "string" else number for field in signature.inputs]
    if len(set(types)) == 1:
        return [("matrix", types[0]([None, len(types)]))]
    return [(f"column_{at}", type([None, 1])) for at, type in enumerate(types)]


def _picked(estimator: Any, converted: ModelProto, positive: Any) -> list[NodeProto]:
    """The answer as one float64 column: the last output, or the positive's column of it."""
    last = converted.graph.output[-1].name
    if not is_classifier(estimator):
        return [helper.make_node("Cast", [last], [_ANSWER], to=TensorProto.DOUBLE)]
    column = numpy_helper.from_array(np.array([list(estimator.classes_).index(positive)]))
    return [
        helper.make_node("Constant", [], [f"{_ANSWER}_at"], value=column),
        helper.make_node("Gather", [last, f"{_ANSWER}_at"], [f"{_ANSWER}_one"], axis=1),
        helper.make_node("Cast", [f"{_ANSWER}_one"], [_ANSWER], to=TensorProto.DOUBLE),
    ]


def _assembled(nodes: Sequence[NodeProto], inner: ModelProto | None, signature: Signature, number: Any) -> ModelProto:
    """One graph: a tensor a feature, the converted part, the answer of shape (n,)."""
    flat = helper.make_node("Constant", [], [f"{_ANSWER}_shape"], value=numpy_helper.from_array(np.array([-1])))
    graph = helper.make_graph(
        [
            *_gathered(signature, number),
            *(inner.graph.node if inner else ()),
            *nodes,
            flat,
            helper.make_node("Reshape", [_ANSWER, f"{_ANSWER}_shape"], [OUTPUT]),
        ],
        "mainspring",
        [helper.make_tensor_value_info(field.name, _element(field.type), [None, 1]) for field in signature.inputs],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.DOUBLE, [None])],
        initializer=inner.graph.initializer if inner else (),
    )
    needs_trees = any(node.op_type == "TreeEnsemble" for node in nodes)
    opsets = [
        helper.make_opsetid("", _OPSET),
        helper.make_opsetid("ai.onnx.ml", _trees.ML_OPSET if needs_trees else _ML_OPSET),
    ]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION, producer_name="mainspring")
    onnx.checker.check_model(model)
    return model


def _gathered(signature: Signature, number: Any) -> list[NodeProto]:
    """Features to what the converted part reads: one matrix, or columns where text and numbers mix."""
    to = TensorProto.DOUBLE if number is DoubleTensorType else TensorProto.FLOAT
    is_mixed = len({field.type == "string" for field in signature.inputs}) == 2
    nodes, columns = [], []
    for at, field in enumerate(signature.inputs):
        columns.append(f"{_INNER}column_{at}")
        if field.type == "string":
            nodes.append(helper.make_node("Identity", [field.name], [columns[-1]]))
        else:
            nodes.append(helper.make_node("Cast", [field.name], [columns[-1]], to=to))
    if not is_mixed:
        nodes.append(helper.make_node("Concat", columns, [_MATRIX], axis=1))
    return nodes


def _element(type: str) -> int:
    return TensorProto.STRING if type == "string" else TensorProto.DOUBLE


def _name_missing_categories(estimator: Any) -> None:
    """Write "" for missing text wherever the estimator knows of it, in place: rows bring "" for it to ONNX."""
    if isinstance(estimator, Pipeline):
        for _, step in estimator.steps:
            _name_missing_categories(step)
    elif isinstance(estimator, ColumnTransformer):
        for _, transformer, _ in estimator.transformers_:
            _name_missing_categories(transformer)
    elif hasattr(estimator, "categories_"):
        estimator.categories_ = [_named(categories) for categories in estimator.categories_]
    elif isinstance(estimator, SimpleImputer) and estimator.statistics_.dtype == object:
        is_nan = estimator.missing_values != estimator.missing_values
        estimator.missing_values = "" if is_nan else estimator.missing_values


def _named(categories: Any) -> Any:
    if categories.dtype != object:
        return categories
    return np.array(["" if one is None or one != one else one for one in categories], dtype=object)


converter = SklearnConverter()
