"""Stands in for the tree sampler: what is drawn, out of a list of texts, depends on the request alone."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace

from itool_jax.sampling.sampler import Request, Sample
from tests.worlds import dialect


class ScriptedSampler:
    """`texts` are the answers to each example by its key; `order` shuffles which requests come back when."""

    def __init__(self, texts: Mapping[int, Sequence[str]], order: int = 0, places: int = 3):
        self.texts, self.order, self.places = texts, random.Random(order), places
        self.cfg, self.stats = SimpleNamespace(trees=places), SimpleNamespace(retired=[])
        self.asked: list[tuple[int, int, int]] = []  # (key, node, expansion) of every request

    def grow(self, growths, receive: Callable) -> Iterator:
        queue, waiting = iter(growths), {}
        while True:
            newcomers = list(itertools.islice(queue, self.places - len(waiting)))
            waiting |= {growth.key: (growth, growth.requests()) for growth in newcomers}
            for key in [key for key, (_, requests) in waiting.items() if not requests]:
                yield waiting.pop(key)[0]
            if not waiting:
                return
            chosen = self.order.sample(sorted(waiting), self.order.randint(1, len(waiting)))
            done = [waiting.pop(key) for key in chosen]
            receive([(growth, request, self._draw(growth, request)) for growth, (request,) in done])
            waiting |= {growth.key: (growth, growth.requests()) for growth, _ in done}
            for key in [key for key, (_, requests) in waiting.items() if not requests]:
                yield waiting.pop(key)[0]

    def _draw(self, growth, request: Request) -> list[Sample]:
        self.asked.append((growth.key, request.node, request.expansion))
        rng = random.Random(f"{growth.key} {request.node} {request.expansion}")
        answers = [(*dialect().tokenizer.encode(text), dialect().end_of_turn) for text in self.texts[growth.key]]
        path = growth.prompt[len(growth.prepared.prompt) :] + request.path
        length = len(path)
        fitting = [answer[length:] for answer in answers if answer[:length] == path and len(answer) > length]
        drawn = [rng.choice(fitting) for _ in range(request.samples)]
        return [Sample(tokens, tuple(-rng.random() for _ in tokens), "stop") for tokens in drawn]
