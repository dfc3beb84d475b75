"""The language of tool calls: schemas, reading and writing calls, comparing them, cutting answers into fragments."""

from itool_jax.toolcall.compare import ABSENT, Comparison, ErrorKind, Slot, compare, slot_reward
from itool_jax.toolcall.faults import Fault, schema_faults
from itool_jax.toolcall.fragments import BOUNDARY_BYTES, FragmentScanner, fragment_ends
from itool_jax.toolcall.literals import Unreadable, read_literal
from itool_jax.toolcall.parse import parse_calls
from itool_jax.toolcall.schema import tool_to_json, tools_from_json
from itool_jax.toolcall.signature import signature
from itool_jax.toolcall.tools_text import tools_from_text
from itool_jax.toolcall.types import CallStyle, Parameter, ParsedAnswer, Tool, ToolCall
from itool_jax.toolcall.write import write_calls, write_literal

__all__ = [
    "ABSENT",
    "BOUNDARY_BYTES",
    "CallStyle",
    "Comparison",
    "ErrorKind",
    "Fault",
    "FragmentScanner",
    "Parameter",
    "ParsedAnswer",
    "Slot",
    "Tool",
    "ToolCall",
    "Unreadable",
    "compare",
    "fragment_ends",
    "parse_calls",
    "read_literal",
    "schema_faults",
    "signature",
    "slot_reward",
    "tool_to_json",
    "tools_from_json",
    "tools_from_text",
    "write_calls",
    "write_literal",
]
