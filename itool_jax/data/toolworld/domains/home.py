"""The house: lights, heating, doors, clocks; cooking, eating out and shopping."""

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.concept import concept
from itool_jax.data.toolworld.slots import (
    ADDRESS,
    AMOUNT,
    COLOR,
    DATE,
    FOODS,
    GIFT,
    LEVEL,
    MAX_PRICE,
    MINUTES,
    PEOPLE,
    PERSON,
    PLACE,
    PRODUCT,
    QUANTITY,
    REPEAT,
    ROOM,
    SIZE,
    SORT,
    STARS,
    TEMPERATURE,
    TIME,
    TITLE,
    flag,
    reference,
    slot,
)

ORDER = reference("order", "order_id order order_number", "order number")
TABLE = reference("table", "table_booking booking_id table_id", "table booking code")
DOOR = slot("door", "door lock entrance", values.choices({d: (f"at the {d}",) for d in ("front", "back", "garage")}))
STATE = slot(
    "state",
    "state power switch",
    values.choices({"on": ("to on", "to the state on"), "off": ("to off", "to the state off")}, ("ON", "OFF")),
)
PROGRAM = slot(
    "program",
    "program mode cycle",
    values.choices(
        {"eco": ("on the eco program",), "quick": ("on the quick program",), "delicate": ("on the delicate program",)}
    ),
)
ROOMS = slot(
    "rooms",
    "rooms areas zones",
    values.several(values.string(values.one_of(pools.ROOMS))),
    "in these rooms: {}",
    "in the rooms {}",
)
LABEL = TITLE.said("labeled {}", "with the label {}", names=("label", "name", "title"))
CUSTOMER = PERSON.said("of the customer {}", "placed by {}", names=("customer", "customer_name", "buyer"))
CUISINE = slot(
    "cuisine",
    "cuisine food_type kitchen",
    values.choices(
        {c: (f"with {c} food", f"with {c} cuisine") for c in ("Thai", "Greek", "Indian")}, ("thai", "greek", "indian")
    ),
)
HEADLINE = TITLE.said("under the headline {}", "with the headline {}", names=("headline", "title"))
OUTSIDE = flag("outside", "outside outdoor terrace", ("on the terrace", "outside"), ("inside", "not outside"))
VEGAN = flag("vegan", "vegan vegan_only", ("that are vegan", "only vegan ones"), ("not only vegan ones",))
EXPRESS = flag(
    "express", "express fast_shipping express_delivery", ("by express", "with express delivery"), ("not by express",)
)
REASON = slot(
    "reason",
    "reason cause comment",
    values.quoted(values.one_of(pools.REASONS)),
    "for the reason {}",
    "giving the reason {}",
).optional()
COUPON = slot(
    "coupon",
    "coupon code voucher",
    values.string(values.code),
    "with the coupon {}",
    "using the coupon {}",
    label="coupon",
)
AT_PLACE = PLACE.said("at the restaurant {}", "in the restaurant {}", names=("restaurant", "place", "venue"))

CONCEPTS = (
    concept(
        "lights", "set dim", "light lights lamp", ("set the light", "dim the light", "put the lamp"),
        ROOM, LEVEL, COLOR.optional(),
    ),
    concept("lights", "switch turn", "light lights lamp", ("switch the light", "turn the lamp"), ROOM, STATE),
    concept("lights", "switch_off turn_off", "all_lights", ("switch off all lights", "turn off every lamp")),
    concept(
        "heating", "set adjust", "heating thermostat", ("set the heating", "set the thermostat"),
        ROOM, TEMPERATURE, TIME.optional(),
    ),
    concept(
        "heating", "get read", "temperature room_temperature", ("read the room temperature", "tell me how warm it is"),
        ROOM, returns=(TEMPERATURE,),
    ),
    concept(
        "heating", "schedule plan", "heating", ("schedule the heating", "plan the heating"),
        ROOM, TEMPERATURE, TIME, REPEAT.optional(),
    ),
    concept("doors", "lock", "door", ("lock the door", "bolt the door"), DOOR),
    concept("doors", "unlock open", "door", ("unlock the door", "open the lock of the door"), DOOR, MINUTES.optional()),
    concept("doors", "lock close", "all_doors", ("lock all doors", "close up the whole house")),
    concept(
        "appliance", "start run", "washing_machine washer", ("start the washing machine", "run the washer"),
        PROGRAM, TIME.optional(), TEMPERATURE.optional(),
    ),
    concept(
        "appliance", "start run", "vacuum robot_vacuum", ("start the vacuum", "send the robot vacuum off"),
        ROOMS, LEVEL.optional(),
    ),
    concept(
        "appliance", "start run", "dishwasher", ("start the dishwasher", "run the dishwasher"),
        PROGRAM, TIME.optional(),
    ),
    concept(
        "clock", "set create", "alarm", ("set an alarm", "wake me", "set the alarm clock"),
        TIME, LABEL.optional(), REPEAT.optional(),
    ),
    concept("clock", "set start", "timer", ("set a timer", "start a timer"), MINUTES, LABEL.optional()),
    concept("clock", "list show", "alarms", ("list my alarms", "show all alarms"), returns=(TIME,)),
    concept("clock", "delete remove", "alarm", ("delete the alarm", "remove the alarm"), TIME),
    concept(
        "dining", "book reserve", "table", ("book a table", "reserve a table"),
        AT_PLACE, PEOPLE, TIME, DATE.optional(), OUTSIDE, returns=(TABLE,),
    ),
    concept("dining", "cancel", "table table_booking", ("cancel the table", "cancel the table booking"), TABLE),
    concept(
        "dining", "order", "pizza", ("order a pizza", "get a pizza delivered"),
        SIZE, FOODS.said("with {}", "topped with {}", names=("toppings", "extras")), ADDRESS.optional(),
        QUANTITY.optional(), returns=(ORDER,),
    ),
    concept(
        "dining", "find search", "restaurants", ("find restaurants", "look for restaurants"),
        CUISINE, STARS.optional(), SORT.optional(), returns=(PLACE,),
    ),
    concept(
        "cooking", "find search", "recipes", ("find recipes", "look for recipes"),
        FOODS, MINUTES.said("taking at most {} minutes", names=("max_minutes", "time_limit")).optional(), VEGAN,
        returns=(TITLE,),
    ),
    concept(
        "cooking", "add", "shopping_list groceries", ("put things on the shopping list", "add to the shopping list"),
        FOODS.said("namely {}", names=("items", "products", "things")),
    ),
    concept(
        "cooking", "get show", "shopping_list", ("show the shopping list", "read me the shopping list"),
        returns=(FOODS,),
    ),
    concept(
        "shop", "order buy", "product item", ("order the product", "buy the product"),
        PRODUCT, QUANTITY, COLOR.optional(), GIFT, COUPON.optional(), returns=(ORDER, AMOUNT),
    ),
    concept(
        "shop", "find search", "products items",
        ("search the shop for the product", "look in the shop for the product"),
        PRODUCT, MAX_PRICE.optional(), SORT.optional(), returns=(AMOUNT,),
    ),
    concept("shop", "cancel", "order purchase", ("cancel the order", "call off the order"), ORDER, REASON),
    concept("shop", "track", "order parcel", ("track the order", "tell me where the order is"), ORDER, returns=(DATE,)),
    concept(
        "shop", "track", "customer_order order_of", ("track the order", "tell me where the order is"),
        CUSTOMER, returns=(DATE,),
    ),
    concept(
        "shop", "return send_back", "order purchase", ("return the order", "send back the order"),
        ORDER, REASON, EXPRESS, returns=(AMOUNT,),
    ),
    concept(
        "shop", "change update", "delivery_address order_address",
        ("change the delivery address of the order", "redirect the order"),
        ORDER, ADDRESS,
    ),
    concept(
        "shop", "rate review", "product item", ("rate the product", "review the product"),
        PRODUCT, STARS, HEADLINE.optional(),
    ),
)  # fmt: skip
