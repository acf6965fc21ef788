"""Job source in, module text and compile report out: pure."""

from holdfast.compiler.compile import TRANSFORMS, compile_job
from holdfast.compiler.edit import author_position
from holdfast.compiler.job import (
    AdaptorExports,
    CompiledJob,
    CompileError,
    HoistedData,
    Operation,
)
from holdfast.compiler.report import CompileReport, EmbeddedData
from holdfast.compiler.source import Source

__all__ = [
    "TRANSFORMS",
    "AdaptorExports",
    "CompileError",
    "CompileReport",
    "CompiledJob",
    "EmbeddedData",
    "HoistedData",
    "Operation",
    "Source",
    "author_position",
    "compile_job",
]
