"""A library: books are looked up, borrowed, renewed, reserved and returned."""

from __future__ import annotations

from random import Random

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import tool
from itool_jax.data.toolworld.large.kinds import integer
from itool_jax.data.toolworld.tasks.backend import Arguments, Family, Function, Refused, State, known
from itool_jax.data.toolworld.tasks.play import Play

# fmt: off
BOOK = s.ident("book", "book id", "book_id")
TITLE = s.TITLE.said("called {}|titled {}", names="title")
WEEKS = s.named("weeks", integer(1, 6), "for {} weeks|over {} weeks", "Number of weeks", label="number of weeks")
CARD = s.ident("card", "card number", "card_number").said("on the card {}|with card number {}|using card {}")
# fmt: on


def _search(state: State, a: Arguments) -> dict:
    found = {key: book for key, book in state["books"].items() if book["title"] == a["title"]}
    return {"books": [{"book_id": key, "free": not found[key]["holder"]} for key in sorted(found)]}


def _borrow(state: State, a: Arguments) -> dict:
    book = _weeks_right(state, a)
    known(state["cards"], a["card_number"], "card")
    if book["holder"]:
        raise Refused("the book is out")
    book.update(holder=a["card_number"], weeks=a["weeks"])
    return {"status": "borrowed"}


def _renew(state: State, a: Arguments) -> dict:
    book = _weeks_right(state, a)
    if not book["holder"] or book["weeks"] + a["weeks"] > 60:
        raise Refused("the book is not out, or out for too long")
    book["weeks"] += a["weeks"]
    return {"weeks": book["weeks"]}


def _return(state: State, a: Arguments) -> dict:
    book = known(state["books"], a["book_id"], "book")
    if not book["holder"]:
        raise Refused("the book is not out")
    book.update(holder="", weeks=0)
    return {"status": "returned"}


def _reserve(state: State, a: Arguments) -> dict:
    known(state["cards"], a["card_number"], "card")
    book = known(state["books"], a["book_id"], "book")
    book["reserved"] = sorted({*book["reserved"], a["card_number"]})
    return {"reservations": len(book["reserved"])}


def _fees(state: State, a: Arguments) -> dict:
    return {"fees": known(state["cards"], a["card_number"], "card") / 100}


def _pay(state: State, a: Arguments) -> dict:
    known(state["cards"], a["card_number"], "card")
    state["cards"][a["card_number"]] = 0
    return {"fees": 0}


def _weeks_right(state: State, a: Arguments) -> dict:
    if not 1 <= a["weeks"] <= 8:
        raise Refused("from 1 to 8 weeks")
    return known(state["books"], a["book_id"], "book")


def _initial(rng: Random) -> State:
    cards = {f"C{rng.randint(10**5, 10**6 - 1)}": rng.randint(50, 2500) for _ in range(3)}
    books = {
        f"B{rng.randint(10**4, 10**5 - 1)}": {"title": title, "holder": "", "weeks": 0, "reserved": []}
        for title in sorted({values.title(rng) for _ in range(9)})
    }
    for key in rng.sample(sorted(books), 3):
        books[key].update(holder=rng.choice(sorted(cards)), weeks=rng.randint(1, 4))
    return {"books": books, "cards": cards}


def _some(play: Play, *, out: bool | None) -> tuple[str, str] | None:
    """A book that is out or not, and how it is referred to."""
    titles = sorted(b["title"] for b in play.state["books"].values() if out is None or bool(b["holder"]) == out)
    if not titles:
        return None
    title = play.choose("book", titles)
    key = play.found("book", title, lambda: play.call("search_books", title=title)["books"][0]["book_id"])
    return key, play.mention("book", title, play.rng.choice(('the book "{}"', '"{}"')))


def borrow(play: Play) -> bool:
    some = _some(play, out=False)
    if some is None:
        return False
    given = {"weeks": play.draw(WEEKS)}
    card = play.rng.choice(sorted(play.state["cards"]))
    play.call("borrow_book", book_id=some[0], card_number=card, **given)
    play.ask("borrow_book", {**given, "card": card}, some[1])
    return True


def renew(play: Play) -> bool:
    some = _some(play, out=True)
    if some is None:
        return False
    given = {"weeks": play.draw(WEEKS)}
    play.call("renew_book", book_id=some[0], **given)
    play.ask("renew_book", given, some[1])
    return True


def give_back(play: Play) -> bool:
    some = _some(play, out=True)
    if some is None:
        return False
    play.call("return_book", book_id=some[0])
    play.ask("return_book", {}, some[1])
    return True


def reserve(play: Play) -> bool:
    some = _some(play, out=None)
    if some is None:
        return False
    card = play.rng.choice(sorted(play.state["cards"]))
    play.call("reserve_book", book_id=some[0], card_number=card)
    play.ask("reserve_book", {"card": card}, some[1])
    return True


def fees(play: Play) -> bool:
    card = play.rng.choice(sorted(play.state["cards"]))
    play.call("get_fees", card_number=card)
    play.ask("get_fees", {"card": card}, wanted=True)
    return True


def pay(play: Play) -> bool:
    owing = sorted(card for card, cents in play.state["cards"].items() if cents)
    if not owing:
        return False
    card = play.rng.choice(owing)
    play.call("pay_fees", card_number=card)
    play.ask("pay_fees", {"card": card})
    return True


# fmt: off
FAMILY = Family(
    "library",
    (
        Function(
            tool(
                "search_books", "Finds books by their exact title and tells whether they are free.",
                "find a book",
                TITLE,
            ),
            _search,
        ),
        Function(
            tool(
                "borrow_book", "Lends a free book to the holder of a card.",
                "borrow {o}|check out {o}",
                BOOK, CARD, WEEKS,
            ),
            _borrow,
        ),
        Function(
            tool(
                "renew_book", "Adds weeks to the loan of a book that is out.",
                "renew {o}|extend the loan of {o}|keep {o} longer",
                BOOK, WEEKS.said("by {} weeks|for another {} weeks"),
            ),
            _renew,
        ),
        Function(tool("return_book", "Takes a book back.", "return {o}|give {o} back|bring {o} back", BOOK), _return),
        Function(
            tool(
                "reserve_book", "Reserves a book for the holder of a card.",
                "reserve {o}|put a hold on {o}",
                BOOK, CARD,
            ),
            _reserve,
        ),
        Function(
            tool(
                "get_fees", "Tells the fees on a card in euros.",
                "check the fees|?how much is owed",
                CARD,
            ),
            _fees,
        ),
        Function(tool("pay_fees", "Pays all fees on a card.", "pay all fees|settle what is owed", CARD), _pay),
    ),
    _initial,
    (borrow, borrow, renew, give_back, reserve, fees, pay),
)
