"""Opens an ONNX file: parsed, checked, with its external data, and nothing outside its folder touched."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto, TensorProto
from onnx.inliner import inline_local_functions

from reachbox.errors import FileError, UnsupportedError
from reachbox.file_access import content_of, reading

OPSETS = range(7, 23)
STANDARD = ("", "ai.onnx")


def open_model(path: Path) -> ModelProto:
    """The model in a file, valid by ONNX's own checker, with every weight in memory and functions inlined.

    Raises `FileError` for what is no whole ONNX file, `UnsupportedError` for an opset that is not supported.
    """
    content = content_of(path)
    if not content:
        raise FileError(f"{path}: the file is empty")
    try:
        model = onnx.load_model_from_string(content)
    except DecodeError:
        raise FileError(f"{path}: not an ONNX file, or cut off") from None
    if not model.graph.node and not model.graph.output:
        raise FileError(f"{path}: not an ONNX file: it holds no graph")
    opset_of(model)
    refuse_sparse(model)
    for tensor in external_tensors(model):
        load_external(tensor, path)
    check(model, path)
    return inline_local_functions(model) if model.functions else model


def opset_of(model: ModelProto) -> int:
    """The version of the standard operators."""
    versions = [opset.version for opset in model.opset_import if opset.domain in STANDARD]
    if len(versions) != 1 or versions[0] not in OPSETS:
        found = ", ".join(map(str, versions)) or "none"
        raise UnsupportedError(f"opset {OPSETS[0]} to {OPSETS[-1]} is supported, found {found}")
    return int(versions[0])


def refuse_sparse(model: ModelProto) -> None:
    """Raises `UnsupportedError` for a sparse initialiser."""
    for sparse in model.graph.sparse_initializer:
        raise UnsupportedError(f"initialiser {sparse.values.name!r} is sparse; only dense weights are supported")


def check(model: ModelProto, path: Path) -> None:
    """Raises `FileError` unless ONNX's checker accepts the model."""
    model.ir_version = max(model.ir_version, 4)  # older files need not list an initialiser as an input
    for value in (*model.graph.output, *model.graph.value_info):
        value.type.tensor_type.shape.SetInParent()  # and the shape of a result need not be stated: it is worked out
    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = next((line.strip() for line in str(error).splitlines() if line.strip()), "no reason given")
        raise FileError(f"{path}: not a valid ONNX model: {reason}") from None
    except ValueError:
        raise FileError(f"{path}: a model of 2 GB and more is not supported") from None


def external_tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every weight that the file keeps elsewhere."""
    attributes = (attribute.t for node in model.graph.node for attribute in node.attribute if attribute.HasField("t"))
    for tensor in (*model.graph.initializer, *attributes):
        if tensor.data_location == TensorProto.EXTERNAL:
            yield tensor


def load_external(tensor: TensorProto, path: Path) -> None:
    """Reads a weight from beside the file; a place outside the file's folder is refused."""
    where = {entry.key: entry.value for entry in tensor.external_data}
    folder = path.parent.resolve()
    file = (folder / where.get("location", "")).resolve()
    named = f"{path}: weight {tensor.name!r}"
    if folder not in file.parents:
        raise FileError(f"{named} lies in {where.get('location')!r}; only a file inside the model's own folder is read")
    try:
        offset, length = int(where.get("offset", 0)), int(where.get("length", -1))
    except ValueError:
        raise FileError(f"{named}: offset and length of its external data must be whole numbers") from None
    if not file.is_file():
        raise FileError(f"{named}: its data file {where.get('location')!r} is missing")
    with reading(file), file.open("rb") as data:
        data.seek(max(offset, 0))
        content = data.read(length)
    if offset < 0 or (length >= 0 and len(content) != length):
        raise FileError(f"{named}: {where.get('location')!r} ends before its {length} bytes from byte {offset}")
    tensor.raw_data = content
    tensor.data_location = TensorProto.DEFAULT
    del tensor.external_data[:]
