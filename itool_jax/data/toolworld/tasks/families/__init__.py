"""The families of tasks, each a back end with what users ask of it."""

from itool_jax.data.toolworld.tasks.backend import Family
from itool_jax.data.toolworld.tasks.families import bank, calendar, files, flights, home, library, playlists, shop
from itool_jax.errors import UserError

TRAIN: tuple[Family, ...] = (calendar.FAMILY, shop.FAMILY, bank.FAMILY, files.FAMILY, flights.FAMILY, home.FAMILY)
UNSEEN: tuple[Family, ...] = (playlists.FAMILY, library.FAMILY)
FAMILIES: tuple[Family, ...] = TRAIN + UNSEEN


def family_of(name: str) -> Family:
    """A family by its name; raises UserError where there is none."""
    for family in FAMILIES:
        if family.name == name:
            return family
    raise UserError(f"unknown task family {name!r}; known are {', '.join(family.name for family in FAMILIES)}.")
