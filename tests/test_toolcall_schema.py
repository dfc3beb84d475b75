"""tools_from_json, tool_to_json and signature on the layouts of the sources."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itool_jax.errors import UserError
from itool_jax.toolcall import Parameter, Tool, signature, tool_to_json, tools_from_json, tools_from_text
from tests.toolcall_cases import TEXT, VALUES

WEATHER = Tool(
    "get weather",
    "Weather of a city.",
    (
        Parameter("city", {"type": "string", "description": "The city"}),
        Parameter("days", {"type": "integer", "default": 3}, required=False),
        Parameter("unit", {"type": "string", "enum": ["c", "f"], "default": "c"}, required=False),
        Parameter("tags", {"type": "array", "items": {"type": "string"}}),
        Parameter("note", {"type": "string"}, required=False),
    ),
)


def _described(string: str, integer: str, array: str, obj: str) -> dict:
    properties = {
        "city": {"type": string, "description": "The city"},
        "days": {"type": integer, "default": 3},
        "unit": {"type": string, "enum": ["c", "f"], "default": "c"},
        "tags": {"type": array, "items": {"type": string}},
        "note": {"type": string},
    }
    parameters = {"type": obj, "properties": properties, "required": ["city", "tags"]}
    return {"name": "get weather", "description": "Weather of a city.", "parameters": parameters}


@pytest.mark.parametrize(
    "obj",
    [
        _described("string", "integer", "array", "object"),
        {"type": "function", "function": _described("string", "integer", "array", "object")},
        {**_described("string", "int", "list", "dict"), "required": None},
        _described("str", "Integer", "ArrayList", "HashMap"),
        {
            "name": "get weather",
            "description": "Weather of a city.",
            "parameters": {
                "city": {"type": "str", "description": "The city"},
                "days": {"type": "int, optional", "default": 3},
                "unit": {"type": "str", "enum": ["c", "f"], "default": "c"},
                "tags": {"type": "List[str]"},
                "note": {"type": "str, optional"},
            },
        },
        {
            "name": "get weather",
            "description": "Weather of a city.",
            "parameters": _described("str", "int", "list", "dict")["parameters"]["properties"],
            "required": ["city", "tags"],
        },
    ],
    ids=["json-schema", "openai", "toolace", "java", "xlam", "outer required"],
)
def test_layouts_give_one_tool(obj: dict):
    assert tools_from_json([obj]) == tools_from_json(obj) == (WEATHER,)


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("float", {"type": "number"}),
        ("bool", {"type": "boolean"}),
        ("tuple", {"type": "array"}),
        ("any", {}),
        ("List[List[float]]", {"type": "array", "items": {"type": "array", "items": {"type": "number"}}}),
        ("Dict[str, int]", {"type": "object"}),
        ("Optional[str]", {"type": "string"}),
        ("Union[int, List[str]]", {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "string"}}]}),
        ("datetime", {"type": "string", "format": "date-time"}),
        ("Colour", {"x-type": "Colour"}),
        (["str", "null"], {"type": ["string", "null"]}),
    ],
)
def test_type_names(name: object, schema: dict):
    (tool,) = tools_from_json({"name": "f", "parameters": {"a": {"type": name}}})
    assert tool.parameters == (Parameter("a", schema, required=name != "Optional[str]"),)


def test_nested_types_and_unknown_keys():
    inner = {"type": "dict", "properties": {"x": {"type": "float", "unit": "m"}}, "required": ["x"]}
    (tool,) = tools_from_json(
        {"name": "f", "parameters": {"type": "dict", "properties": {"a": inner, "b": {"items": inner}}}}
    )
    normal = {"type": "object", "properties": {"x": {"type": "number", "unit": "m"}}, "required": ["x"]}
    assert tool.parameters == (Parameter("a", normal, False), Parameter("b", {"items": normal}, False))


def test_what_a_schema_spells_out_wins_over_its_type_name():
    items = {"type": "string", "description": "a word"}
    for field in ({"items": items, "type": "List[int]"}, {"type": "List[int]", "items": items}):
        (tool,) = tools_from_json({"name": "f", "parameters": {"a": field}})
        assert tool.parameters[0].schema == {"type": "array", "items": items}


def test_tools_without_parameters_and_required_names_without_a_schema():
    assert tools_from_json(
        [{"name": "f"}, {"name": "g", "parameters": {}}, {"name": "h", "parameters": {"type": "object"}}]
    ) == (
        Tool("f"),
        Tool("g"),
        Tool("h"),
    )
    (tool,) = tools_from_json({"name": "f", "parameters": {"type": "object", "properties": {}, "required": ["a"]}})
    assert tool.parameters == (Parameter("a", {}),)


def test_references_are_replaced_by_what_they_point_to():
    """As pydantic writes a model with nested models, an enum with a default and an optional model."""
    definitions = {
        "Unit": {"enum": ["c", "f"], "title": "Unit", "type": "string"},
        "Place": {
            "properties": {"city": {"type": "string"}, "unit": {"$ref": "#/$defs/Unit"}},
            "required": ["city"],
            "type": "object",
        },
    }
    properties = {
        "place": {"$ref": "#/$defs/Place"},
        "unit": {"allOf": [{"$ref": "#/$defs/Unit"}], "default": "c", "title": "The unit"},
        "more": {"items": {"$ref": "#/$defs/Place"}, "type": "array"},
        "maybe": {"anyOf": [{"$ref": "#/$defs/Place"}, {"type": "null"}], "default": None},
        "$ref": {"type": "string", "default": {"$ref": "kept"}},
    }
    unit = {"type": "string", "enum": ["c", "f"], "title": "Unit"}
    place = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": unit},
        "required": ["city"],
    }
    expected = (
        Parameter("place", place),
        Parameter("unit", {**unit, "default": "c", "title": "The unit"}, False),
        Parameter("more", {"type": "array", "items": place}, False),
        Parameter("maybe", {"anyOf": [place, {"type": "null"}], "default": None}, False),
        Parameter("$ref", {"type": "string", "default": {"$ref": "kept"}}, False),
    )
    schema = {"type": "object", "properties": properties, "required": ["place"], "$defs": definitions}
    (tool,) = tools_from_json({"name": "f", "parameters": schema})
    assert tool.parameters == expected
    root = {"$ref": "#/definitions/a~1b%20c", "definitions": {"a/b c": {**schema}}, "$defs": definitions}
    assert tools_from_json({"name": "f", "parameters": root})[0].parameters == expected
    assert tools_from_json(tool_to_json(tool)) == (tool,)


def _with_definitions(definitions: dict) -> dict:
    return {
        "name": "f",
        "parameters": {"type": "object", "properties": {"a": {"$ref": "#/$defs/0"}}, "$defs": definitions},
    }


@pytest.mark.parametrize(
    ("definitions", "message"),
    [
        (
            {"0": {"items": {"$ref": "#/$defs/0"}}},
            r"parameter 'a': a schema that holds itself .#/\$defs/0 -> #/",
        ),
        ({"0": {"$ref": "#/$defs/1"}, "1": {"anyOf": [{"$ref": "#/$defs/0"}]}}, "holds itself"),
        ({"1": {}}, r"'#/\$defs/0' does not lead to a schema"),
        ({"0": {"$ref": "https://example.com/schema"}}, "does not lead to a schema"),
        ({"0": {"$ref": "#"}}, "does not lead to a schema"),
        ({str(i): {"items": {"$ref": f"#/$defs/{i + 1}"}} for i in range(50)}, "deeper than 32 levels"),
        (
            {str(i): {"properties": {k: {"$ref": f"#/$defs/{i + 1}"} for k in "xy"}} for i in range(30)} | {"30": {}},
            "more than 1000 references",
        ),
    ],
    ids=["itself", "cycle", "nowhere", "outside", "root", "deep", "doubling"],
)
def test_references_are_bounded(definitions: dict, message: str):
    with pytest.raises(UserError, match=message):
        tools_from_json(_with_definitions(definitions))


def test_tools_in_texts():
    one, two = {"name": "f/g h", "description": "</tools> [1]"}, {"name": "g", "parameters": {"a": {"type": "int"}}}
    wrapped = [{"type": "function", "function": tool} for tool in (one, two)]
    expected = tools_from_json([one, two])
    lines = "\n".join(map(json.dumps, wrapped))
    for text in (
        f'Use <tools></tools>.\n<tools>\n{lines}\n</tools>\nAnswer {{"name": <name>, "arguments": <object>}}',
        f"Here are the tools: <tools> {json.dumps([one, two])} </tools>.",
        f"<tools>{json.dumps(one)}, {json.dumps(two)}</tools>",
        f"<tools>{json.dumps(one)}</tools> and <tools>{json.dumps(two)}</tools>",
        f'Functions [f]:\n{json.dumps([one, two])}. Write {{"name": name, "parameters": {{}}}} like {{"a": [1]}}.',
        f'{{"name": "f", "arguments": {{}}}}\n{json.dumps(wrapped[0], indent=4)}\n\n{json.dumps(two, indent=4)}\n\nHi',
        f"Tools: {json.dumps({'tools': wrapped})}",
        f"{json.dumps({'functions': [one], 'mode': 'auto'})} <tool>{json.dumps(two)}</tool>",
    ):
        assert tools_from_text(text) == expected
    for text in ("", "Use <tools> well.", '{"a": {"name": "f"}} [{"name": 5, "description": ""}]', '{"a": ' * 1_000):
        assert tools_from_text(text) == ()


def test_a_tool_without_any_description_stays_in_its_list():
    assert [tool.name for tool in tools_from_text('[{"name": "f", "description": "x"}, {"name": "g"}]')] == ["f", "g"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[{"name": "f", "description": "x"}, {"title": "g"}]', "tool 1, field name"),
        ('<tools>\n{"name": "f"}\nand g\n</tools>', "at character 22: expected JSON or </tools>, found 'and g"),
        ("<tools>[{}]</tools>", "tool 0, field name"),
        ('<tools>{"name": "f"}', "at character 20: expected JSON or </tools>, found ''"),
        ('{"a" ' * 1_002, "more than 1000 places"),
    ],
)
def test_tools_in_texts_that_cannot_be_read(text: str, message: str):
    with pytest.raises(UserError, match=message):
        tools_from_text(text)


def test_signature():
    assert signature(WEATHER) == 'get weather(city:str, days:int=3, unit:c|f="c", tags:[str], note?:str)'
    spot = {"type": "object", "properties": {"x": {"type": "number"}, "y": {"type": "integer"}}, "required": ["x"]}
    parameters = (
        Parameter("spot", spot),
        Parameter("mode", {"enum": ["fast", "very slow", "int", 3, None]}),
        Parameter("flag", {"type": "boolean", "default": False}, False),
        Parameter("either", {"anyOf": [{"type": "string"}, {"type": "object"}]}),
        Parameter("maybe", {"type": ["string", "null"]}),
        Parameter("list", {"type": "array"}, False),
        Parameter("a=b", {}),
        Parameter("kept", {"type": "string", "default": "x"}),
    )
    assert signature(Tool("f", "", parameters)) == (
        'f(spot:{x:float, y?:int}, mode:fast|"very slow"|"int"|3|None, flag:bool=False, either:str|dict, '
        'maybe:str|null, list?:[any], "a=b":any, kept:str)'
    )


SCHEMAS = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "integer", "number", "boolean", "array", "object"]),
        "description": TEXT,
        "default": VALUES,
        "enum": st.lists(TEXT, max_size=3),
    },
)
PARAMETERS = st.lists(st.builds(Parameter, TEXT, SCHEMAS, st.booleans()), unique_by=lambda p: p.name, max_size=4)


@given(st.builds(Tool, TEXT.filter(bool), TEXT, PARAMETERS.map(tuple)))
def test_json_round_trip_and_one_line(tool: Tool):
    assert tools_from_json([tool_to_json(tool)]) == (tool,)
    assert "\n" not in signature(tool)


@pytest.mark.parametrize(
    ("objs", "message"),
    [
        ("[]", "expected a list of tool descriptions, found str"),
        (5, "found int"),
        ([5], "tool 0: expected a JSON object"),
        ([{"name": "f"}, {"description": "x"}], "tool 1, field name"),
        ([{"name": "f", "parameters": []}], r"tool 0 \('f'\), field parameters"),
        ([{"name": "f", "parameters": {"properties": "a"}}], "field properties"),
        ([{"name": "f", "parameters": {"properties": {"a": 1}}}], "parameter 'a'"),
        ([{"name": "f", "parameters": {"properties": {}, "required": "a"}}], "field required"),
        ([{"name": "f", "parameters": {"a": {"type": "float", "default": float("nan")}}}], "cannot be written"),
    ],
)
def test_errors_say_where(objs: object, message: str):
    with pytest.raises(UserError, match=message):
        tools_from_json(objs)  # type: ignore[arg-type]
