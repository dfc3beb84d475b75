"""The hand-written domains: concepts to train on, and concepts that only held-out conversations ask for."""

from itool_jax.data.toolworld.concept import Concept
from itool_jax.data.toolworld.domains import home, leisure, money, office, travel, unseen

TRAIN: tuple[Concept, ...] = (*travel.CONCEPTS, *office.CONCEPTS, *home.CONCEPTS, *leisure.CONCEPTS, *money.CONCEPTS)
UNSEEN: tuple[Concept, ...] = unseen.CONCEPTS
