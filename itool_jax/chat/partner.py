"""Partner: a model that answers one conversation at a time, through the engine that searches sample with."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from itool_jax.data.chat import encode_prompt
from itool_jax.data.example import Example
from itool_jax.data.prepared import Dialect
from itool_jax.errors import UserError
from itool_jax.forest import bucket
from itool_jax.models.policy import Policy
from itool_jax.parallel.mesh import batch_divisor, make_mesh
from itool_jax.sampling.sampler import Finished, Request, Sample, SamplerConfig, TreeSampler
from itool_jax.toolcall import ParsedAnswer, parse_calls

_PIECE = 16  # tokens asked for at a time, as many as the sampler decodes in one round
_LEAST_COLUMNS = 256  # of the prompt: so that a conversation's first messages share their programs


@dataclass(frozen=True)
class Sampling:
    """How answers are drawn: at most `max_tokens` of them, greedy at temperature 0."""

    max_tokens: int = 256
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True)
class Answer:
    """What the model said; `finished` is False where it ran into the limit of tokens."""

    text: str
    parsed: ParsedAnswer
    finished: bool
    prompt_tokens: int
    answer_tokens: int


class Partner:
    """A policy with its dialect. Programs are compiled for buckets of prompt lengths, not for each message."""

    def __init__(self, policy: Policy, dialect: Dialect, stop_tokens: Sequence[int], sampling: Sampling):
        """`stop_tokens` end an answer beside the chat format's own."""
        self.dialect, self.sampling = dialect, sampling
        self._policy, self._stops = policy, tuple(dict.fromkeys((dialect.end_of_turn, *stop_tokens)))
        self._sampler: TreeSampler | None = None
        self._answers = 0

    def answer(self, conversation: Example, on_text: Callable[[str], None] = lambda _: None) -> Answer:
        """The answer to a conversation; `on_text` is told its text as it comes.

        Raises UserError where the conversation leaves no room for one.
        """
        prompt = encode_prompt(self.dialect.chat, self.dialect.tokenizer, conversation)
        context = self._policy.config.context
        if len(prompt) >= context:
            raise UserError(
                f"the conversation has {len(prompt)} tokens with its tools and instructions, and the model takes "
                f"{context} with the answer: begin a new one, or offer fewer tools."
            )
        budget = min(self.sampling.max_tokens, context - len(prompt))
        text = codecs.getincrementaldecoder("utf-8")("replace")
        tell = lambda tokens, last: on_text(text.decode(b"".join(map(self._bytes, tokens)), last))
        pieces = _Pieces(self._answers, prompt, budget, self.sampling, tell)
        self._answers += 1
        try:
            for _ in self._sampler_for(len(prompt)).grow([pieces], pieces.receive):
                pass
        except BaseException:  # Ctrl-C among them: it is in the middle of something
            self._sampler = None
            raise
        tokens = pieces.tokens[:-1] if pieces.finished else pieces.tokens
        said = self.dialect.tokenizer.decode(tokens)
        return Answer(said, parse_calls(said), pieces.finished, len(prompt), len(tokens))

    def _bytes(self, token: int) -> bytes:
        return b"" if token in self._stops else self.dialect.tokenizer.token_bytes(token)

    def _sampler_for(self, length: int) -> TreeSampler:
        if self._sampler is None or self._sampler.cfg.prompt_columns < length:
            mesh = make_mesh()
            cfg = SamplerConfig(
                trees=batch_divisor(mesh),
                branches=1,
                prompt_columns=max(_LEAST_COLUMNS, bucket(length)),
                arena_columns=bucket(self.sampling.max_tokens + _PIECE),
                stop_tokens=self._stops,
                round_steps=_PIECE,
            )
            self._sampler = TreeSampler(self._policy, cfg, seed=self.sampling.seed, mesh=mesh)
        return self._sampler


@dataclass
class _Pieces:
    """A growth of one branch that asks for a few tokens at a time, so that they can be told as they come.

    The last token of a piece was never fed, so nothing can grow from it: it is drawn again as the next one's first.
    """

    key: int
    prompt: Sequence[int]
    budget: int
    sampling: Sampling
    tell: Callable[[Sequence[int], bool], None]
    tokens: list[int] = field(default_factory=list)
    asked: int = 0
    ended: bool = False
    finished: bool = False

    def requests(self) -> Sequence[Request]:
        if self.ended:
            return ()
        self.asked += 1
        count = min(_PIECE, self.budget - len(self.tokens))
        temperature = self.sampling.temperature
        return (Request(tuple(self.tokens), 1, count, expansion=self.asked, temperature=temperature),)

    def receive(self, finished: Sequence[Finished]) -> None:
        for _, _, (sample,) in finished:
            self._take(sample)

    def _take(self, sample: Sample) -> None:
        self.finished = sample.end == "stop"
        self.ended = self.finished or len(self.tokens) + len(sample.tokens) >= self.budget
        new = sample.tokens if self.ended else sample.tokens[:-1]
        self.tokens += new
        self.tell(new, self.ended)
