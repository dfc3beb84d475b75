"""The hand-written domains: concepts to train on, and concepts kept apart from them."""

from itool_jax.data.toolworld.concept import Concept
from itool_jax.data.toolworld.domains import home, leisure, money, office, travel, unseen

TRAIN: tuple[Concept, ...] = (*travel.CONCEPTS, *office.CONCEPTS, *home.CONCEPTS, *leisure.CONCEPTS, *money.CONCEPTS)
UNSEEN: tuple[Concept, ...] = unseen.CONCEPTS

# Concepts of a group could be stretched to serve each other's requests: where the right answer is that no tool fits or
# that a value is missing, none but the one that is asked for may be a candidate.
RIVALS: tuple[frozenset[str], ...] = tuple(
    map(
        frozenset,
        (
            ("set_light", "switch_light", "switch_off_all_lights"),
            ("get_weather", "get_weather_at"),
            ("track_order", "track_customer_order"),
            ("cancel_meeting", "cancel_meeting_by_title"),
            ("lock_door", "lock_all_doors"),
            ("set_heating", "schedule_heating"),
            ("create_reminder", "set_alarm", "set_timer"),
            ("share_document", "email_out_document"),
            ("pay_invoice", "pay_parking_fine"),
        ),
    )
)
