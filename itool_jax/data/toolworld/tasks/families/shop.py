"""A web shop: articles are found, put into the cart, counted anew, taken out and ordered."""

from __future__ import annotations

from random import Random

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import tool
from itool_jax.data.toolworld.large.kinds import integer, words
from itool_jax.data.toolworld.tasks.backend import Arguments, Family, Function, Refused, State, known, new_id
from itool_jax.data.toolworld.tasks.play import Play

# fmt: off
ARTICLE = s.ident("article", "article id", "article_id")
NAME = s.PRODUCT.said("{}|called {}")
QUANTITY = s.COUNT.said("{} of them|{} pieces|times {}", names="quantity")
COUPON = s.named("coupon", words("SPRING10 FRIENDS5 WELCOME20"), "{}|namely {}", "Coupon code")
REDUCTIONS = {"SPRING10": 10, "FRIENDS5": 5, "WELCOME20": 20}
SHIPPING = s.choice("shipping", "with {} shipping|by {} delivery", "How it is sent", "standard express pickup")
STARS = s.named("stars", integer(1, 5), "with {} stars|giving {} stars", "Stars from 1 to 5")
# fmt: on


def _search(state: State, a: Arguments) -> dict:
    found = {key: item for key, item in state["articles"].items() if item["name"] == a["product"]}
    return {"articles": [{"article_id": key, **found[key]} for key in sorted(found)]}


def _add(state: State, a: Arguments) -> dict:
    item = known(state["articles"], a["article_id"], "article")
    quantity = state["cart"].get(a["article_id"], 0) + _some_pieces(a)
    if quantity > item["stock"]:
        raise Refused(f"only {item['stock']} in stock")
    state["cart"][a["article_id"]] = quantity
    return {"in_cart": quantity}


def _set(state: State, a: Arguments) -> dict:
    known(state["cart"], a["article_id"], "article in the cart")
    if _some_pieces(a) > state["articles"][a["article_id"]]["stock"]:
        raise Refused("not enough in stock")
    state["cart"][a["article_id"]] = a["quantity"]
    return {"in_cart": a["quantity"]}


def _remove(state: State, a: Arguments) -> dict:
    known(state["cart"], a["article_id"], "article in the cart")
    del state["cart"][a["article_id"]]
    return {"status": "removed"}


def _coupon(state: State, a: Arguments) -> dict:
    state["coupon"] = a["coupon"]
    return {"reduction_percent": REDUCTIONS[a["coupon"]]}


def _view(state: State, a: Arguments) -> dict:
    items = [{"name": state["articles"][key]["name"], "quantity": state["cart"][key]} for key in sorted(state["cart"])]
    return {"items": items, "total": _total(state)}


def _order(state: State, a: Arguments) -> dict:
    if not state["cart"]:
        raise Refused("the cart is empty")
    order = {"items": dict(sorted(state["cart"].items())), "shipping": a["shipping"], "total": _total(state)}
    key = new_id("OR", state["orders"], order)
    for article, quantity in state["cart"].items():
        state["articles"][article]["stock"] -= quantity
    state["orders"][key] = order
    state["cart"], state["coupon"] = {}, ""
    return {"order_id": key, "total": order["total"]}


def _rate(state: State, a: Arguments) -> dict:
    known(state["articles"], a["article_id"], "article")["rating"] = a["stars"]
    return {"status": "rated"}


def _some_pieces(a: Arguments) -> int:
    if a["quantity"] < 1:
        raise Refused("the quantity must be at least 1")
    return a["quantity"]


def _total(state: State) -> float:
    cents = sum(round(state["articles"][key]["price"] * 100) * count for key, count in state["cart"].items())
    return round(cents * (100 - REDUCTIONS.get(state["coupon"], 0)) / 100) / 100


def _initial(rng: Random) -> State:
    names = sorted({values.product(rng) for _ in range(9)})
    articles = {
        f"AR-{rng.randint(1000, 9999)}": {"name": name, "price": cost / 100, "stock": rng.randint(800, 2000)}
        for name in names
        for cost in [rng.randint(199, 19999)]
    }
    return {"articles": articles, "cart": {}, "coupon": "", "orders": {}}


def _id(play: Play, name: str) -> str:
    return play.found("product", name, lambda: play.call("search_articles", product=name)["articles"][0]["article_id"])


def _named(play: Play, name: str) -> str:
    return play.mention("product", name, play.rng.choice(("the {}", "the product {}", "the article {}")))


def _in_cart(play: Play) -> str:
    return play.state["articles"][play.rng.choice(sorted(play.state["cart"]))]["name"]


def add(play: Play) -> bool:
    articles = play.state["articles"].items()
    name = play.rng.choice(sorted(article["name"] for key, article in articles if key not in play.state["cart"]))
    given = {"count": play.draw(QUANTITY)}
    play.call("add_to_cart", article_id=_id(play, name), quantity=given["count"])
    play.ask("add_to_cart", given, _named(play, name))
    return True


def change(play: Play) -> bool:
    if not play.state["cart"]:
        return False
    name, given = _in_cart(play), {"count": play.draw(QUANTITY)}
    play.call("set_quantity", article_id=_id(play, name), quantity=given["count"])
    play.ask("set_quantity", given, _named(play, name))
    return True


def remove(play: Play) -> bool:
    if len(play.state["cart"]) < 2:
        return False
    name = _in_cart(play)
    play.call("remove_from_cart", article_id=_id(play, name))
    play.ask("remove_from_cart", {}, _named(play, name))
    play.last = {}
    return True


def coupon(play: Play) -> bool:
    given = {"coupon": play.draw(COUPON)}
    if play.state["coupon"]:
        return False
    play.call("apply_coupon", **given)
    play.ask("apply_coupon", given)
    return True


def view(play: Play) -> bool:
    if not play.state["cart"]:
        return False
    play.call("view_cart")
    play.ask("view_cart", {}, wanted=True)
    return True


def order(play: Play) -> bool:
    if not play.state["cart"]:
        return False
    given = {"shipping": play.draw(SHIPPING)}
    play.call("place_order", **given)
    play.ask("place_order", given)
    play.last = {}
    return True


def rate(play: Play) -> bool:
    name = play.rng.choice(sorted(article["name"] for article in play.state["articles"].values()))
    given = {"stars": play.draw(STARS)}
    play.call("rate_article", article_id=_id(play, name), **given)
    play.ask("rate_article", given, _named(play, name))
    return True


# fmt: off
FAMILY = Family(
    "shop",
    (
        Function(
            tool(
                "search_articles", "Finds articles by the exact name of the product.",
                "search the shop",
                NAME,
            ),
            _search,
        ),
        Function(
            tool(
                "add_to_cart", "Puts an article into the cart.",
                "put {o} in my cart|add {o} to the cart|take {o}",
                ARTICLE, QUANTITY,
            ),
            _add,
        ),
        Function(
            tool(
                "set_quantity", "Sets how many pieces of an article are in the cart.",
                "change how many I take of {o} in the cart: I want|correct the quantity of {o} in my cart to|"
                "of {o} in the cart, rather take",
                ARTICLE, QUANTITY.said("{}|{} pieces"),
            ),
            _set,
        ),
        Function(
            tool(
                "remove_from_cart", "Takes an article out of the cart.",
                "take {o} out of the cart|remove {o} from my cart|leave out {o} after all",
                ARTICLE,
            ),
            _remove,
        ),
        Function(
            tool(
                "apply_coupon", "Applies a coupon to the cart; it lasts until the order.",
                "apply the coupon|use the coupon|redeem the voucher",
                COUPON,
            ),
            _coupon,
        ),
        Function(
            tool(
                "view_cart", "Shows the cart and its total in euros.",
                "show me the cart|tell me the total of my cart|?what is in my cart|?how much is the cart",
            ),
            _view,
        ),
        Function(
            tool(
                "place_order", "Orders what is in the cart and empties it.",
                "place the order|check out|order everything in the cart",
                SHIPPING,
            ),
            _order,
        ),
        Function(
            tool(
                "rate_article", "Stores a rating of an article.",
                "rate {o}|leave a rating for {o}",
                ARTICLE, STARS,
            ),
            _rate,
        ),
    ),
    _initial,
    (add, add, add, change, remove, coupon, view, order, rate),
)
