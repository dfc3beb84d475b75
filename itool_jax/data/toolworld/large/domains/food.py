"""Food: restaurants, recipes, groceries and shopping."""

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import integer, many, minutes, record, text, words

# fmt: off
TABLE = s.ident("table", "table booking code", "table_booking_id reservation_id")
ORDER = s.ident("order", "order number")
RECIPE = s.ident("recipe", "recipe number")
CUISINE = s.choice(
    "cuisine", "with {} food|serving {} dishes", "Cuisine", "Thai Greek Indian Mexican Italian Ethiopian",
    names="cuisine food_type",
)
DIET = s.choice(
    "diet", "that is {}|suitable for {} diets", "Diet",
    {"vegan": "vegan", "vegetarian": "vegetarian", "gluten_free": "gluten-free", "halal": "halal"},
    names="diet dietary_need",
)
FOODS = s.named(
    "ingredients", many(text(values.one_of(pools.FOODS)), 2, 4), "with {}|using {}", "Ingredients",
    names="ingredients foods",
)
FOOD = s.named("food", text(values.one_of(pools.FOODS)), "{}", "Name of the food", names="food food_item", leads=True)
DISH = s.named(
    "dish", text(values.topic, 0.8), "{}|called {}", "Name of the dish", names="dish recipe_name", leads=True,
)
RESTAURANT = s.PLACE.said("at the restaurant {}|from {}|at {}", "Name of the restaurant", names="restaurant venue")
SHOPPING_LIST = s.named(
    "groceries",
    many(
        record(
            "{quantity} {unit} of {food}|{food}, {quantity} {unit}|{food} ({quantity} {unit})", food=FOOD.kind,
            quantity=integer(1, 12), unit=words("kilos bags cans packs"),
        ),
        1, 3, "food",
    ),
    "with {}|namely {}", "Foods and their quantities", names="groceries items",
)
COUPON = s.named(
    "coupon", text(values.code), "with the coupon {}|using the voucher {}", "Coupon code", names="coupon voucher_code",
)

CONCEPTS = (
    *domain(
        "restaurants",
        tool(
            "search_restaurants find_restaurants", "Finds restaurants in a city.",
            "find a restaurant|look for somewhere to eat|?where can we eat out",
            s.CITY, CUISINE.opt, DIET.opt, s.PRICE_RANGE.opt,
            s.flag(
                "terrace", "Whether it has tables outside", "with tables outside|with a terrace",
                "indoors is fine|a terrace is not needed", "outdoor_seating terrace",
            ),
            gives=(s.PLACE, s.PHONE),
        ),
        tool(
            "reserve_table book_table", "Reserves a table.",
            "reserve a table|book a table for us|get us a table",
            RESTAURANT, s.PEOPLE, s.DAY, s.AT, s.NOTE, gives=(TABLE,),
        ),
        tool(
            "cancel_table_reservation cancel_table", "Cancels a table reservation.",
            "cancel our table|call off the table reservation",
            TABLE,
        ),
        tool(
            "change_party_size update_table_size", "Changes for how many a table is.",
            "change the size of our table reservation|tell the restaurant that our number changed for reservation",
            TABLE, s.PEOPLE.said("to {} people|making it {}|for {} instead", "New number of people"),
        ),
        tool(
            "get_restaurant_menu show_menu", "Shows the menu of a restaurant.",
            "show me the menu|?what is on the menu",
            RESTAURANT, s.choice("meal", "for {}", "Meal", "breakfast lunch dinner", names="meal course").opt,
            gives=(s.URL,),
        ),
        tool(
            "order_takeaway order_food", "Orders food to be delivered.",
            "order some food to be delivered|get takeaway delivered",
            RESTAURANT,
            s.named(
                "dishes",
                many(
                    record(
                        "{quantity} x {dish}|{quantity} portions of {dish}", dish=text(values.topic),
                        quantity=integer(2, 6),
                    ),
                    1, 3, "dish",
                ),
                "namely {}|with {}", "Dishes and their quantities", names="dishes order_items",
            ),
            s.ADDRESS, s.PHONE.opt, gives=(ORDER, s.TOTAL, s.MINUTES),
        ),
        tool(
            "rate_restaurant review_restaurant", "Stores a rating of a restaurant.",
            "rate a restaurant|leave a restaurant review",
            RESTAURANT, s.SCORE, s.NOTE,
        ),
        tool(
            "join_restaurant_waitlist waitlist", "Joins the waiting list of a full restaurant.",
            "put us on the waiting list|join the waiting list",
            RESTAURANT, s.PEOPLE, s.PHONE,
        ),
        tool(
            "order_catering book_catering", "Orders catering for an event.",
            "order catering|have an event catered",
            s.PEOPLE, s.DAY, s.ADDRESS, CUISINE, s.MAX_PRICE.opt, gives=(ORDER, s.TOTAL),
        ),
    ),
    *domain(
        "recipes",
        tool(
            "search_recipes find_recipes", "Finds recipes with given ingredients.",
            "find a recipe|look for something to cook|?what can I cook",
            FOODS, DIET.opt,
            s.MINUTES.said(
                "in at most {}|taking no more than {}", "Longest time in minutes", names="max_minutes max_time",
                label="longest time",
            ).opt,
            gives=(RECIPE,),
        ),
        tool(
            "get_recipe show_recipe", "Shows a recipe.",
            "show me the recipe|open the recipe",
            RECIPE, s.PEOPLE.said("scaled to {} people|for {} people", names="servings portions", label="servings").opt,
        ),
        tool(
            "save_recipe add_recipe", "Stores a recipe of one's own.",
            "save my recipe for the dish|add my own recipe for the dish",
            DISH, FOODS, s.MINUTES.said("taking {}|ready in {}"), s.PUBLIC, gives=(RECIPE,),
        ),
        tool(
            "plan_meals weekly_meal_plan", "Plans meals for some days.",
            "plan our meals|make a meal plan",
            s.DAYS, s.PEOPLE, DIET.opt, s.MAX_PRICE.opt,
        ),
        tool(
            "substitute_ingredient ingredient_substitute", "Names a substitute for an ingredient.",
            "find a substitute for|?what can I use instead of",
            FOOD, DIET.opt,
        ),
        tool(
            "get_nutrition nutrition_facts", "Tells calories and nutrients of a food.",
            "get the nutrition facts of|?what are the nutrients of",
            FOOD,
            s.named(
                "grams", integer(20, 800, 10), "for {} grams|in a portion of {} g", "Grams",
                names="grams portion_grams", label="portion",
            ).opt,
        ),
        tool(
            "set_kitchen_timer start_timer", "Starts a timer in the kitchen.",
            "start a kitchen timer|set a cooking timer",
            s.named(
                "timer_minutes", minutes(3, 120, 1), "for {}|over {}", "Minutes", names="minutes duration",
                label="time",
            ),
            s.named(
                "label", text(values.one_of(pools.FOODS)), "labelled {}|for the {}", "What it is for",
                names="label name",
            ).opt,
        ),
        tool(
            "convert_cooking_units convert_kitchen_units", "Converts kitchen measures.",
            "convert a kitchen measure|do a conversion for the kitchen",
            s.named("quantity", integer(2, 40), "of {}|for {} units", "Quantity", names="quantity value"),
            s.choice(
                "from_unit", "from {}", "Unit given", "cups ounces tablespoons pints", names="from_unit",
                label="given unit",
            ),
            s.choice(
                "to_unit", "to {}|into {}", "Unit wanted", "grams milliliters liters", names="to_unit",
                label="wanted unit",
            ),
        ),
        tool(
            "pair_wine wine_pairing", "Suggests a wine for a dish.",
            "suggest a wine for the dish|?which wine goes with the dish",
            DISH, s.MAX_PRICE.opt,
            s.choice(
                "wine", "preferably {}", "Color of the wine", "red white rose", names="wine_color color",
                label="wine color",
            ).opt,
        ),
    ),
    *domain(
        "groceries",
        tool(
            "add_to_shopping_list add_groceries", "Puts foods on the shopping list.",
            "put things on the shopping list|add groceries to my list",
            SHOPPING_LIST,
        ),
        tool(
            "remove_from_shopping_list drop_grocery", "Takes a food off the shopping list.",
            "take one thing off the shopping list, namely|strike from the shopping list the",
            FOOD,
        ),
        tool(
            "order_groceries grocery_delivery", "Orders groceries to the door.",
            "order groceries to the door|have groceries delivered",
            SHOPPING_LIST, s.ADDRESS, s.DAY.opt, gives=(ORDER, s.TOTAL),
        ),
        tool(
            "find_grocery_offers weekly_offers", "Finds offers on a food.",
            "look for special offers on|?where is the best offer on",
            FOOD, s.CITY.opt, s.RADIUS.opt,
        ),
        tool(
            "check_pantry pantry_stock", "Tells how much of a food is in the pantry.",
            "check how much is left of the|?how much do we still have of the",
            FOOD,
        ),
        tool(
            "log_expiry_date set_expiry", "Notes until when a food is good.",
            "note the expiry date of the|write down how long we can keep the",
            FOOD, s.UNTIL,
        ),
        tool(
            "scan_grocery_receipt read_receipt", "Reads a photographed receipt.",
            "read in the grocery receipt|scan the grocery receipt",
            s.FILE, s.CURRENCY.opt, gives=(s.TOTAL,),
        ),
        tool(
            "subscribe_veggie_box veggie_box", "Orders a regular box of vegetables.",
            "subscribe to a vegetable box|sign us up for a veggie box",
            s.choice(
                "box", "in the {} size", "Size of the box", "small medium large", names="box_size size",
                label="box size",
            ),
            s.REPEAT, s.ADDRESS,
            s.named(
                "excluded", many(text(values.one_of(pools.FOODS))), "without {}|leaving out {}", "Foods to leave out",
                names="excluded exclude",
            ).opt,
        ),
    ),
    *domain(
        "shopping",
        tool(
            "search_products find_products", "Finds products in the shop.",
            "search the shop|look for products in the shop",
            s.named(
                "search", text(values.product, 0.4), "for {}|matching {}", "What to look for", names="query keywords",
                label="search text",
            ),
            s.PRICE_RANGE.opt, s.COLOR.opt, s.SIZE.opt, s.SORT.opt,
            gives=(s.ident("article", "article number"), s.TOTAL),
        ),
        tool(
            "order_product buy_product", "Orders a product by its article number.",
            "order the article|buy the article",
            s.ident("article", "article number"), s.COUNT, s.ADDRESS, s.GIFT, s.EXPRESS, gives=(ORDER, s.TOTAL),
        ),
        tool(
            "track_shop_order order_status", "Tells the state of an order.",
            "check on the order|?how far along is the order",
            ORDER, gives=(s.STATUS, s.ident("parcel", "tracking number", "tracking_number parcel_id")),
        ),
        tool(
            "cancel_shop_order cancel_order", "Cancels an order that was not sent yet.",
            "cancel the order|call off the order",
            ORDER, gives=(s.AMOUNT,),
        ),
        tool(
            "return_product send_back", "Starts the return of a product.",
            "send something back from order|start a return for order",
            ORDER,
            s.choice(
                "reason", "because it is {}|as it was {}", "Reason",
                {
                    "damaged": "damaged|broken", "wrong_size": "the wrong size", "late": "too late",
                    "unwanted": "no longer wanted",
                },
                names="reason return_reason",
            ),
            s.choice(
                "resolution", "asking for a {}", "What is wanted", "refund replacement voucher",
                names="resolution wish",
            ).opt,
            gives=(s.ident("return", "return number"),),
        ),
        tool(
            "write_product_review review_product", "Stores a review of a product.",
            "write a review for the article|review the article",
            s.ident("article", "article number"), s.SCORE, s.MESSAGE.opt,
        ),
        tool(
            "set_price_alert watch_product_price", "Tells when a product gets cheaper.",
            "set a price alert for article|tell me when the price drops for article",
            s.ident("article", "article number"), s.MAX_PRICE.said("to below {}|under {}"), s.EMAIL.opt,
        ),
        tool(
            "add_to_wishlist wish_for", "Puts an article on a wish list.",
            "put on my wish list the article|add to the wish list the article",
            s.ident("article", "article number"), s.PRIORITY.opt, s.NOTE,
        ),
        tool(
            "redeem_gift_card use_gift_card", "Adds the value of a gift card.",
            "redeem the gift card|cash in the gift card",
            s.ident("gift_card", "gift card number", "gift_card_number card_code"), gives=(s.AMOUNT,),
        ),
        tool(
            "check_store_stock in_store_stock", "Tells whether a shop has an article.",
            "check in which shops I find article|?is it in stock there, the article",
            s.ident("article", "article number"), s.CITY, s.SIZE.opt, gives=(s.STREET,),
        ),
    ),
)
