"""Small ONNX models, good and bad, for the tests."""

from __future__ import annotations

import numpy as np
from onnx import FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper


def model(*nodes: NodeProto, columns=("a", "b"), opsets=(("", 18), ("ai.onnx.ml", 3)), functions=()) -> ModelProto:
    """A model of double columns named `columns` whose nodes end in "y", shape (n, 1)."""
    inputs = [helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None, 1]) for name in columns]
    outputs = [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 1])]
    graph = helper.make_graph(list(nodes), "g", inputs, outputs)
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets]
    return helper.make_model(graph, opset_imports=imports, ir_version=10, functions=list(functions))


def adding() -> ModelProto:
    """y = a + b."""
    return model(helper.make_node("Add", ["a", "b"], ["y"]))


def matrix() -> ModelProto:
    """Two probabilities a row from a float32 matrix of two columns: the matrix itself."""
    inputs = [helper.make_tensor_value_info("X", TensorProto.FLOAT, [None, 2])]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])]
    graph = helper.make_graph([helper.make_node("Identity", ["X"], ["probabilities"])], "g", inputs, outputs)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def text_length() -> ModelProto:
    """1 where the text is missing, else 0."""
    inputs = [helper.make_tensor_value_info("t", TensorProto.STRING, [None, 1])]
    outputs = [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [None, 1])]
    empty = numpy_helper.from_array(np.array([[""]], dtype=object), "empty")
    nodes = [
        helper.make_node("Equal", ["t", "empty"], ["is_empty"]),
        helper.make_node("Cast", ["is_empty"], ["y"], to=TensorProto.DOUBLE),
    ]
    graph = helper.make_graph(nodes, "g", inputs, outputs, initializer=[empty])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 19)], ir_version=10)


def external(name: str = "weights") -> TensorProto:
    """A tensor whose data is said to lie in another file."""
    tensor = TensorProto(name=name, data_type=TensorProto.DOUBLE, dims=[1], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../etc/passwd"
    return tensor


def constant(tensor: TensorProto) -> NodeProto:
    return helper.make_node("Constant", [], ["y"], value=tensor)


def branch(*nodes: NodeProto) -> GraphProto:
    return helper.make_graph(list(nodes), "branch", [], [helper.make_tensor_value_info("y", TensorProto.DOUBLE, [1])])


def choosing(then: GraphProto, otherwise: GraphProto) -> NodeProto:
    return helper.make_node("If", ["a"], ["y"], then_branch=then, else_branch=otherwise)


def function(*nodes: NodeProto, domain: str = "local") -> FunctionProto:
    return helper.make_function(domain, "F", ["a"], ["y"], list(nodes), [helper.make_opsetid("", 18)])


def hungry() -> ModelProto:
    """Asks for 80 GB on its first row."""
    shape = numpy_helper.from_array(np.array([100_000, 100_000], dtype=np.int64), "shape")
    fill = helper.make_tensor("fill", TensorProto.DOUBLE, [1], [1.0])
    node = model(
        helper.make_node("ConstantOfShape", ["shape"], ["big"], value=fill),
        helper.make_node("ReduceSum", ["big"], ["total"], keepdims=1),
        helper.make_node("Add", ["a", "total"], ["y"]),
    )
    node.graph.initializer.append(shape)
    return node
