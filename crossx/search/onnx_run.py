"""Running an ONNX file of an encoder folder."""

from pathlib import Path

import onnxruntime as ort

from crossx.core.errors import InputError
from crossx.pixels.fit import U8
from crossx.search.predictor import Embedded, Run


def onnx_run(path: Path, threads: int) -> Run:
    """Open an ONNX file of `crossx export`; the result may be called from several threads.

    Args:
        path: The file.
        threads: Threads of one call.

    Raises:
        InputError: When onnxruntime cannot read the file.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    # Waiting threads of onnxruntime spin by default, which takes a core from every other request of a server.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3
    try:
        session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's exceptions have no common base
        raise InputError(f"{path}: cannot be read by onnxruntime: {error}") from error
    names = [output.name for output in session.get_outputs()]

    def run(images: U8) -> Embedded:
        values = dict(zip(names, session.run(names, {"images": images}), strict=True))
        return Embedded(values["embeddings"], values.get("posterior"))

    return run
