"""ONNX Runtime and OpenVINO as peers. No PyTorch here: their processes must not carry its memory."""
from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

Step = Callable[[], np.ndarray]


def onnxruntime_step(model: Path, x: np.ndarray, shape: tuple[int, ...], threads: int) -> tuple[Step, str]:
    """All graph optimisations (NCHWc layouts included), input and output bound once so that nothing is copied."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 3
    session = ort.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
    logits = np.empty(shape, np.float32)
    binding = session.io_binding()
    binding.bind_ortvalue_input(session.get_inputs()[0].name, ort.OrtValue.ortvalue_from_numpy(x))
    binding.bind_output(session.get_outputs()[0].name, "cpu", 0, np.float32, shape, logits.ctypes.data)

    def step() -> np.ndarray:
        session.run_with_iobinding(binding)
        return logits

    return step, "f32"  # its CPU provider computes in the model's type unless a session option says otherwise


def openvino_step(model: Path, x: np.ndarray, threads: int) -> tuple[Step, str]:
    """The latency hint on all threads; bf16, which it would choose where the machine has it, is forbidden."""
    import openvino as ov

    core = ov.Core()
    compiled = core.compile_model(core.read_model(model), "CPU", {
        "PERFORMANCE_HINT": "LATENCY", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": "f32", "EXECUTION_MODE_HINT": "ACCURACY"})
    request = compiled.create_infer_request()
    request.set_input_tensor(ov.Tensor(x, shared_memory=True))

    def step() -> np.ndarray:
        request.infer()
        return request.get_output_tensor().data

    return step, openvino_precision(compiled)


def openvino_precision(compiled: object) -> str:
    """The precisions of the convolutions that really run, read off the compiled graph: "f32" if that is all."""
    layers = [op.get_rt_info() for op in compiled.get_runtime_model().get_ordered_ops()]
    found = Counter(str(info["runtimePrecision"].astype(str)) for info in layers
                    if str(info["layerType"].astype(str)) == "Convolution")
    return "/".join(sorted(found)).lower()
