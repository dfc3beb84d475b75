"""Augmentations: new training examples made of old ones, whose answers are right by construction.

function_names     tools get names without meaning, in the candidates and in every call; only their descriptions tell
parameter_names    the same for the parameters' names; values stay as they are (both: Hammer, arXiv 2410.04587)
shuffled_tools     the candidates in another order
distractors        one to three more candidates, of other examples, that have nothing to do with the tools called
irrelevant_tools   the tools called are taken away, and all that are like them: the right answer says that none serves
missing_parameter  the tool called needs one more value, which nobody can know: the right answer asks for it
given_parameter    its counterpart, where the user says that value: the right answer is the call with it

`Augmenter` makes them. What cannot be augmented so that its answer stays right is left alone and counted by its reason.
"""

from itool_jax.data.augment.apply import KINDS, MASKS, NEED_POOL, Augmenter, Refusal, augment
from itool_jax.data.augment.candidates import tool_pool

__all__ = ["KINDS", "MASKS", "NEED_POOL", "Augmenter", "Refusal", "augment", "tool_pool"]
