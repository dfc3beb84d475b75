"""pairs_trl.jsonl: what it holds and counts, that we read it back, and with TRL that it reads our tokens.

TRL is no dependency: where it is not installed its tests are skipped. They were run with trl 1.16.0.
"""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from etils import epath

from itool_jax.data.chat import CHATML, chat_format, chat_template, format_for
from itool_jax.data.example import Example, Message
from itool_jax.data.prepared import Dialect
from itool_jax.data.tokenizer import Tokenizer, train_bpe
from itool_jax.data.toolworld import ToolWorld
from itool_jax.rounds.pair_files import pair_row
from itool_jax.rounds.trl_pairs import TrlPairs, whole_answers
from itool_jax.rounds.user_pairs import read_user_pairs
from itool_jax.search.fragments import fragment_cuts
from itool_jax.search.pairs import PairConfig, PairReader
from itool_jax.search.rewards import grade_answer
from itool_jax.search.tree import ROOT, Fragment, SearchConfig, SearchTree
from itool_jax.toolcall import ToolCall, parse_calls, write_calls
from tests.assets import asset


def chatml_dialect() -> Dialect:
    texts = [text for e in ToolWorld(1).examples("medium", 60) for text in (e.messages[-1].content, e.answer)]
    tokenizer = train_bpe(texts, 400, CHATML.special_tokens, CHATML.end_of_turn)
    return Dialect(tokenizer.with_templates({"default": chat_template(CHATML) or ""}), chat_format("chatml"))


def qwen_dialect() -> Dialect:
    tokenizer = Tokenizer.load(asset("tok_qwen2_5"))
    return Dialect(tokenizer, format_for(tokenizer))


def conversations() -> list[Example]:
    """Examples whose right answer has calls, one of them after a call and its result."""
    made = [e for e in ToolWorld(2).mixture({"easy": 1, "medium": 1, "hard": 1}, 30) if e.calls][:6]
    first = made[0]
    said = Message("assistant", first.answer, first.calls)
    later = (*first.messages, said, Message("tool", '{"done": true}'), Message("user", "Once more, please."))
    return [*made, replace(first, id="later", messages=later)]


def wrong_answers(example: Example) -> list[str]:
    """The right calls with another last argument, and words."""
    *before, last = example.calls
    names = list(last.arguments)
    values = [dict(last.arguments) | {names[-1]: value} for value in ("zzz", "yyy")] if names else [{"no_such": 1}]
    return [write_calls((*before, ToolCall(last.name, arguments))) for arguments in values]


def fragments_of(dialect: Dialect, tokens) -> list[Fragment]:
    cuts = fragment_cuts(tokens, dialect.tokenizer.token_bytes, dialect.end_of_turn)
    return [Fragment(tuple(tokens[a:b]), (-0.1,) * (b - a)) for a, b in zip([0, *cuts[:-1]], cuts, strict=True)]


def searched(dialect: Dialect, example: Example):
    """Prepared example, tree and pairs, from the right answer and wrong ones, once each with the tokenizer's ids."""
    prepared, tree = dialect.prepare(example), SearchTree(SearchConfig())
    for text in (example.answer, *wrong_answers(example)):
        style = dialect.call_style
        tokens = prepared.answer
        if text != example.answer:
            calls = parse_calls(text).calls
            tokens = dialect.prepare(replace(example, answer=write_calls(calls, style), calls=calls)).answer
        grade = grade_answer(example, dialect.text(tokens))
        tree.backup(tree.insert(ROOT, fragments_of(dialect, tokens), "stop"), grade.score, grade.right)
    reader = PairReader(PairConfig(mode="all"), example, [prepared.answer], dialect.text)
    return prepared, tree, reader.pairs(tree)


def rows_of(dialect: Dialect):
    """Every pair as (prepared, pair, answers), and the lines and counts of the file."""
    writer, found, lines = TrlPairs(dialect), [], []
    for example in conversations():
        prepared, tree, pairs = searched(dialect, example)
        for pair in pairs:
            answers = whole_answers(prepared, tree, pair)
            found.append((prepared, pair, answers))
            lines.append(writer.line(prepared, pair_row(prepared, pair, dialect) | {"answers": answers}))
    assert len(found) >= 7
    return found, lines, writer.counts


@pytest.mark.parametrize("make", [chatml_dialect, qwen_dialect])
def test_our_own_reader_gets_the_tokens_of_the_whole_answers(tmp_path, make):
    dialect = make()
    found, lines, counts = rows_of(dialect)
    assert counts == {"written": len(found), "without_whole_answer": 0, "not_writable": 0, "other_tokens": 0}
    path = tmp_path / "pairs_trl.jsonl"
    path.write_text("".join(lines))
    groups, too_long = read_user_pairs(dialect, epath.Path(path), 10_000)
    assert too_long == 0
    read = {(group.prompt, (*p.prefix, *p.sides[0]), (*p.prefix, *p.sides[1])) for group in groups for p in group.pairs}
    assert read == {(prepared.prompt, *answers) for prepared, _, answers in found}
    for line, (prepared, pair, _) in zip(lines, found, strict=True):
        row = json.loads(line)
        assert row["prompt_ids"] == [*prepared.prompt, *pair.prefix]
        assert (row["chosen_ids"], row["rejected_ids"]) == (list(pair.chosen), list(pair.rejected))


def test_other_spellings_and_sides_without_an_end_are_counted():
    dialect = chatml_dialect()
    (prepared, pair, (best, worst)), *_ = rows_of(dialect)[0]
    row = pair_row(prepared, pair, dialect)
    spelled = [*[t for c in dialect.text(best) for t in dialect.tokenizer.encode(c)], dialect.end_of_turn]
    assert spelled != list(best)
    writer = TrlPairs(dialect)
    assert writer.line(prepared, row | {"answers": None}) == ""
    line = writer.line(prepared, row | {"answers": (spelled, worst)})
    assert json.loads(line)["chosen"] == [{"role": "assistant", "content": dialect.text(best)}]
    assert writer.counts == {"written": 1, "without_whole_answer": 1, "not_writable": 0, "other_tokens": 1}


def test_the_whole_answers_are_the_best_right_and_the_worst_wrong_one_below():
    dialect = chatml_dialect()
    prepared, tree, pairs = searched(dialect, conversations()[0])
    pair = pairs[0]
    leaves = {tree.path(i): node for i, node in enumerate(tree.nodes) if node.end == "stop"}
    best, worst = whole_answers(prepared, tree, pair) or ((), ())
    assert leaves[best].right and not leaves[worst].right
    assert best[: len(pair.prefix) + len(pair.chosen)] == (*pair.prefix, *pair.chosen)
    assert worst[: len(pair.prefix) + len(pair.rejected)] == (*pair.prefix, *pair.rejected)


def test_a_side_whose_samples_were_all_cut_off_has_no_whole_answer():
    dialect, example = chatml_dialect(), conversations()[0]
    prepared, tree = dialect.prepare(example), SearchTree(SearchConfig())
    wrong = dialect.prepare(replace(example, answer=(text := wrong_answers(example)[0]), calls=parse_calls(text).calls))
    for tokens, end in ((prepared.answer, "stop"), ((*wrong.answer[:-1], *wrong.answer[:2]), "budget")):
        tree.backup(tree.insert(ROOT, fragments_of(dialect, tokens), end), float(end == "stop"), end == "stop")
    (pair,) = PairReader(PairConfig(), example, [prepared.answer], dialect.text).pairs(tree)
    assert whole_answers(prepared, tree, pair) is None


@pytest.mark.parametrize("make", [chatml_dialect, qwen_dialect])
def test_trl_reads_our_tokens(tmp_path, make):
    trl = pytest.importorskip("trl")
    transformers, datasets = pytest.importorskip("transformers"), pytest.importorskip("datasets")
    dialect = make()
    found, lines, _ = rows_of(dialect)
    path, tokenizer_folder = tmp_path / "pairs_trl.jsonl", tmp_path / "tokenizer"
    path.write_text("".join(lines))
    dialect.tokenizer.save(tokenizer_folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tokenizer_folder)
    tokenizer.pad_token = tokenizer.pad_token or dialect.chat.end_of_turn
    sizes = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2)
    config = transformers.LlamaConfig(vocab_size=len(tokenizer), num_key_value_heads=1, **sizes)
    model, reference = transformers.LlamaForCausalLM(config), transformers.LlamaForCausalLM(config)
    settings = trl.DPOConfig(output_dir=str(tmp_path / "out"), max_length=None, report_to=[], use_cpu=True, bf16=False)
    data = datasets.load_dataset("json", data_files=str(path), cache_dir=str(tmp_path / "cache"))["train"]
    made = dict(model=model, ref_model=reference, args=settings, processing_class=tokenizer)

    newline = dialect.tokenizer.encode("\n")  # that the templates write after the end of a turn
    whole = trl.DPOTrainer(train_dataset=data, **made).train_dataset
    for row, (prepared, _, (best, worst)) in zip(whole, found, strict=True):
        start = len(row["prompt_ids"])
        assert tuple(row["prompt_ids"]) == prepared.prompt[:start] and start == len(prepared.prompt)
        assert (row["chosen_ids"], row["rejected_ids"]) == ([*best, *newline], [*worst, *newline])

    class FragmentTrainer(trl.DPOTrainer):
        def _prepare_dataset(self, dataset, *_):
            return dataset

    trainer = FragmentTrainer(train_dataset=data, **made)
    batch = trainer.data_collator([trainer.train_dataset[0]])
    prepared, pair, _ = found[0]
    for row, side in enumerate((pair.chosen, pair.rejected)):
        expected = [*prepared.prompt, *pair.prefix, *side]
        kept = batch["attention_mask"][row].bool()
        assert batch["input_ids"][row][kept].tolist() == expected
        assert batch["input_ids"][row][batch["completion_mask"][row].bool()].tolist() == list(side)
