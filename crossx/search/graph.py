"""An encoder as an ONNX file: uint8 images of one size in, unit vectors out, batches of every size."""

import copy
import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from crossx.core.errors import InputError
from crossx.encoding.encoders import Encoder
from crossx.networks.frozen import Frozen


class Graph(nn.Module):
    """What is traced: an encoder that takes uint8 images and also gives its posterior, where it has one.

    Args:
        encoder: The encoder; it stays as it is.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = _without_branches(encoder)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Embed images, uint8 (B, 3, S, S): vectors (B, D) and, where the encoder has one, the posterior (B, U)."""
        embedding = self.encoder.embed(images.float() / 255, None)
        return (embedding.unit,) if embedding.posterior is None else (embedding.unit, embedding.posterior.float())


@torch.no_grad()
def write_onnx(encoder: Encoder, size: int, path: Path) -> None:
    """Write an encoder as an ONNX file with input `images` and outputs `embeddings` and perhaps `posterior`.

    Args:
        encoder: The encoder, in eval mode, whose statistics are taken.
        size: Side S of its images.
        path: The file.

    Raises:
        InputError: When the encoder cannot be traced, or its file would take batches of one size only.
    """
    graph = Graph(encoder).eval()
    example = torch.zeros(2, 3, size, size, dtype=torch.uint8)
    names = ["embeddings", "posterior"][: len(graph(example))]
    name = type(encoder).__name__
    batch = torch.export.Dim("batch", min=1)
    try:
        with _quiet():
            # Traced apart from the conversion, which falls back to a fixed batch in silence where tracing fails.
            program = torch.export.export(graph, (example,), dynamic_shapes={"images": {0: batch}}, strict=False)
            converted = torch.onnx.export(
                program, input_names=["images"], output_names=names, dynamo=True, external_data=False, verbose=False
            )
    except Exception as error:  # tracing runs the user's encoder, and torch's own exceptions have no common base
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"onnx: {name} cannot be exported with a batch of any size: {first}") from error
    if converted is None:
        raise InputError(f"onnx: {name} cannot be exported: torch.onnx gave no file")
    model = converted.model_proto
    shape = model.graph.input[0].type.tensor_type.shape
    if not shape.dim[0].dim_param:
        raise InputError(f"onnx: {name} must take batches of every size, got one of {shape.dim[0].dim_value}")
    _strip(model)
    onnx.save_model(model, path)


def _without_branches(encoder: Encoder) -> Encoder:
    """Copy of an encoder whose flags and counters are Python numbers: tracing cannot branch on a tensor."""
    copied = copy.deepcopy(encoder)
    frozen = {id(inner) for module in copied.modules() if isinstance(module, Frozen) for inner in module.modules()}
    for module in copied.modules():
        for name, buffer in list(module.named_buffers(recurse=False)):
            if id(module) not in frozen and buffer.ndim == 0 and not buffer.is_floating_point():
                delattr(module, name)
                setattr(module, name, buffer.item())
    return copied


def _strip(model: onnx.ModelProto) -> None:
    """Remove what names files and folders of the machine that exports."""
    for holder in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.functions):
        holder.ClearField("metadata_props")
        holder.ClearField("doc_string")
    for function in model.functions:
        for node in function.node:
            node.ClearField("metadata_props")
            node.ClearField("doc_string")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks to itself: they are about its own versions and opsets."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
