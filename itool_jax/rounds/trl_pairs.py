"""pairs_trl.jsonl: the pairs of a search in the conversational form that TRL reads.

    {"id": ..., "prompt": [messages], "tools": "[...]", "chosen": [message], "rejected": [message],
     "prompt_ids": [...], "chosen_ids": [...], "rejected_ids": [...]}

TRL closes every chosen and rejected text with the end of the turn, so it has no form for a fragment after which the
answer goes on. `chosen` and `rejected` are therefore whole answers: the best right answer of the tree that takes the
chosen fragment, and the worst wrong one that takes the rejected. The ids are the fragments themselves, exactly:
`prompt_ids` go as far as both sides agree, and only a fragment that ends the answer ends its turn. docs/search.md says
how TRL trains on either. Of a list, its first and last sides are written.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from itool_jax.data.chat.format import turn_text
from itool_jax.data.chat.template import TEMPLATE
from itool_jax.data.example import Message
from itool_jax.data.prepared import Dialect, Prepared
from itool_jax.errors import UserError
from itool_jax.search.pairs import Preference
from itool_jax.search.tree import Node, SearchTree
from itool_jax.toolcall import tool_to_json

Tokens = tuple[int, ...]
Row = dict[str, Any]


def whole_answers(prepared: Prepared, tree: SearchTree, pair: Preference) -> tuple[Tokens, Tokens] | None:
    """Token ids of an answer through the chosen and of one through the rejected child, end-of-turn token included.

    None where every sample through one of them was cut off at its budget, and of answers that are all right.
    """
    chosen, rejected = pair.children[0], pair.children[-1]
    if len(pair.sides) == 1:
        return None
    if pair.source == "ground_truth":
        best = prepared.answer
    else:
        best = _answer(tree, chosen, lambda leaf: leaf.right, lambda leaf: -leaf.reward)
    worst = _answer(tree, rejected, lambda leaf: not leaf.right, lambda leaf: leaf.reward)
    return None if best is None or worst is None else (best, worst)


def _answer(tree: SearchTree, node: int, fits, key) -> Tokens | None:
    """The first by `key`, then by id, of the finished leaves at or below a node that fit."""
    leaves, waiting = [], [node]
    while waiting:
        index = waiting.pop()
        leaf: Node = tree.nodes[index]
        waiting.extend(leaf.children)
        if leaf.end == "stop" and fits(leaf):
            leaves.append((key(leaf), index))
    return tree.path(min(leaves)[1]) if leaves else None


class TrlPairs:
    """Writes rows for TRL and counts what became of the pairs.

    other_tokens counts the written rows whose texts, written by the chat format, are other token ids than the search's:
    a sample may spell a text otherwise than the tokenizer does, and some templates change the texts they are given.
    """

    def __init__(self, dialect: Dialect):
        self._dialect = dialect
        self._settings = _template_settings(dialect)
        self.counts: Counter[str] = Counter(written=0, without_whole_answer=0, not_writable=0, other_tokens=0)

    def line(self, prepared: Prepared, row: Mapping[str, Any]) -> str:
        """A line of the file for a pair's row, with its `answers` from `whole_answers`; "" where there can be none."""
        if row["answers"] is None:
            self.counts["without_whole_answer"] += 1
            return ""
        try:
            messages = tuple(Message(m.role, self._content(m)) for m in prepared.example.messages)
        except ValueError:  # calls that the style cannot say
            self.counts["not_writable"] += 1
            return ""
        answers = [tuple(answer) for answer in row["answers"]]
        texts = [self._dialect.text(answer) for answer in answers]
        self.counts["written"] += 1
        self.counts["other_tokens"] += not self._same_tokens(prepared, messages, texts, answers)
        prefix, sides = [*prepared.prompt, *row["prefix"]], row["sides"]
        tools = [{"type": "function", "function": tool_to_json(tool)} for tool in prepared.example.tools]
        made = {
            "id": prepared.id,
            "prompt": [{"role": message.role, "content": message.content} for message in messages],
            # as text, or `datasets` would give every tool the keys of all others
            "tools": json.dumps(tools or None, ensure_ascii=False),
            **{
                side: [{"role": "assistant", "content": text}]
                for side, text in zip(("chosen", "rejected"), texts, strict=True)
            },
            **self._settings,
            "prompt_ids": prefix,
            "chosen_ids": sides[0],
            "rejected_ids": sides[-1],
        }
        return json.dumps(made, ensure_ascii=False) + "\n"

    def _content(self, message: Message) -> str:
        return turn_text(message.content, message.calls, self._dialect.call_style)

    def _same_tokens(self, prepared: Prepared, messages, texts, answers) -> bool:
        """Whether the chat format writes the messages and texts as the very tokens that were searched."""
        for text, answer in zip(texts, answers, strict=True):
            example = replace(prepared.example, messages=messages, answer=text, calls=())
            try:
                written = self._dialect.prepare(example)
            except UserError:
                return False
            if (written.prompt, written.answer) != (prepared.prompt, answer):
                return False
        return True


def _template_settings(dialect: Dialect) -> Row:
    """What the tokenizer's template is given here beside the conversation, as TRL passes it on."""
    if dialect.chat.name != TEMPLATE:
        return {}
    return {"chat_template_kwargs": {"enable_thinking": dialect.chat.settings["config.data.chat_thinking"] == "True"}}
