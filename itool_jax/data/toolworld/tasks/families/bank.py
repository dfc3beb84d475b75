"""A bank: accounts, payees, payments and cards."""

from __future__ import annotations

from random import Random

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import tool
from itool_jax.data.toolworld.large.kinds import euros, integer, text, words
from itool_jax.data.toolworld.tasks.backend import Arguments, Family, Function, Refused, State, cents, known, new_id
from itool_jax.data.toolworld.tasks.play import Play

# fmt: off
PURPOSES = ("household", "savings", "travel", "business", "reserve")
ACCOUNT = s.named("account", words(" ".join(PURPOSES)), "from the {} account|out of my {} account", "Account")
INTO = ACCOUNT.as_("to_account", "to the {} account|into my {} account", "Receiving account", label="target account")
OF = ACCOUNT.said("of the {} account|on my {} account")
AMOUNT = s.named("amount", euros(1, 60), "of {}|worth {}|{}", "Amount in euros")
PAYEE = s.ident("payee", "payee id", "payee_id")
WHO = s.named("name", text(texts.company), "called {}|namely {}", "Name of the payee", label="payee")
LIMIT = s.named("limit", integer(100, 3000, 50), "to {} euros|at {} euros", "Limit in euros a day", label="limit")
# fmt: on


def _balance(state: State, a: Arguments) -> dict:
    return {"balance": known(state["accounts"], a["account"], "account") / 100}


def _transfer(state: State, a: Arguments) -> dict:
    amount = cents(a["amount"])
    known(state["accounts"], a["to_account"], "account")
    if a["to_account"] == a["account"]:
        raise Refused("the accounts are the same")
    _take(state, a["account"], amount)
    state["accounts"][a["to_account"]] += amount
    return {"status": "transferred"}


def _find(state: State, a: Arguments) -> dict:
    found = sorted(key for key, name in state["payees"].items() if name == a["name"])
    return {"payees": [{"payee_id": key, "name": a["name"]} for key in found]}


def _add(state: State, a: Arguments) -> dict:
    if a["name"] in state["payees"].values():
        raise Refused("there is such a payee")
    key = new_id("PA", state["payees"], a["name"])
    state["payees"][key] = a["name"]
    return {"payee_id": key}


def _pay(state: State, a: Arguments) -> dict:
    known(state["payees"], a["payee_id"], "payee")
    amount = cents(a["amount"])
    _take(state, a["account"], amount)
    payment = {"payee": a["payee_id"], "account": a["account"], "cents": amount}
    key = new_id("PY", state["payments"], payment)
    state["payments"][key] = payment
    return {"payment_id": key}


def _set_limit(state: State, a: Arguments) -> dict:
    if not 0 < a["limit"] <= 5000:
        raise Refused("the limit must be from 1 to 5000")
    state["card"]["limit"] = a["limit"]
    return {"limit": a["limit"]}


def _freeze(state: State, a: Arguments) -> dict:
    state["card"]["frozen"] = True
    return {"status": "frozen"}


def _unfreeze(state: State, a: Arguments) -> dict:
    state["card"]["frozen"] = False
    return {"status": "active"}


def _take(state: State, account: str, amount: int) -> None:
    if known(state["accounts"], account, "account") < amount:
        raise Refused("not enough money on the account")
    state["accounts"][account] -= amount


def _initial(rng: Random) -> State:
    accounts = {name: rng.randint(50_000, 900_000) for name in PURPOSES}
    payees = {f"PA-{rng.randint(10**5, 10**6 - 1)}": name for name in sorted({texts.company(rng) for _ in range(5)})}
    return {"accounts": accounts, "payees": payees, "payments": {}, "card": {"limit": 500, "frozen": False}}


def balance(play: Play) -> bool:
    given = {"account": play.draw(OF)}
    play.call("get_balance", **given)
    play.ask("get_balance", given, wanted=True)
    return True


def transfer(play: Play) -> bool:
    source, target = play.rng.sample(PURPOSES, 2)
    given = {"account": source, "to_account": target, "amount": play.draw(AMOUNT)}
    play.call("transfer_money", **given)
    play.ask("transfer_money", given)
    return True


def add_payee(play: Play) -> bool:
    name = f"{values.syllables(play.rng, 2)} {play.rng.choice(('Bakery', 'Garage', 'Gallery', 'Law', 'Clinic'))}"
    if name in play.state["payees"].values():
        return False
    play.ids["payee", name] = play.call("add_payee", name=name)["payee_id"]
    play.last = {"payee": name}
    play.ask("add_payee", {"name": name})
    return True


def pay(play: Play) -> bool:
    names = sorted(play.state["payees"].values())
    name = play.choose("payee", names)
    payee = play.found("payee", name, lambda: play.call("find_payee", name=name)["payees"][0]["payee_id"])
    given = {"account": play.draw(ACCOUNT), "amount": play.draw(AMOUNT)}
    play.call("pay_payee", payee_id=payee, **given)
    play.ask("pay_payee", given, _who(play, name))
    return True


def limit(play: Play) -> bool:
    given = {"limit": play.draw(LIMIT)}
    if given["limit"] == play.state["card"]["limit"]:
        return False
    play.call("set_card_limit", **given)
    play.ask("set_card_limit", given)
    return True


def freeze(play: Play) -> bool:
    name = "unfreeze_card" if play.state["card"]["frozen"] else "freeze_card"
    play.call(name)
    play.ask(name, {})
    return True


def _who(play: Play, name: str) -> str:
    said = play.mention("payee", name, play.rng.choice(("{}", "the company {}", "the payee {}")))
    return "them" if said == "it" else said


# fmt: off
FAMILY = Family(
    "bank",
    (
        Function(
            tool(
                "get_balance", "Tells the balance of an account in euros.",
                "check the balance|look up how much money is left|?how much money do I have|?what is the balance",
                OF,
            ),
            _balance,
        ),
        Function(
            tool(
                "transfer_money", "Moves money between one's own accounts.",
                "move money|shift some money|transfer an amount|rebook a sum",
                AMOUNT, ACCOUNT, INTO,
            ),
            _transfer,
        ),
        Function(tool("find_payee", "Finds a payee by exact name.", "find a payee", WHO), _find),
        Function(
            tool(
                "add_payee", "Stores a payee and returns the payee_id.",
                "add a payee|store a new payee|put somebody on my list of payees",
                WHO,
            ),
            _add,
        ),
        Function(
            tool(
                "pay_payee", "Pays a payee from an account.",
                "pay {o}|send money to {o}|make a payment to {o}",
                PAYEE, AMOUNT, ACCOUNT,
            ),
            _pay,
        ),
        Function(
            tool(
                "set_card_limit", "Sets the daily limit of the card.",
                "set the limit of my card|change the daily card limit",
                LIMIT,
            ),
            _set_limit,
        ),
        Function(tool("freeze_card", "Freezes the card.", "freeze my card|block my card for now"), _freeze),
        Function(
            tool(
                "unfreeze_card", "Makes a frozen card work again.",
                "unfreeze my card|make my card work again",
            ),
            _unfreeze,
        ),
    ),
    _initial,
    (balance, balance, transfer, transfer, add_payee, pay, pay, limit, freeze),
)
