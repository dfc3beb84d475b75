"""Banking, calculation and software operations."""

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.concept import concept
from itool_jax.data.toolworld.slots import (
    AMOUNT,
    CURRENCY,
    DATE,
    LANGUAGE,
    MESSAGE,
    NOTE,
    NUMBERS,
    PERSON,
    QUANTITY,
    flag,
    reference,
    slot,
)

ACCOUNT = reference("account", "account account_id account_number", "account number")
INVOICE = reference("invoice", "invoice invoice_id invoice_number", "invoice number")
BANK_CARD = reference("card", "card card_id card_number", "card number")
DEPLOYMENT = reference("deployment", "deployment_id deployment release_id", "deployment code")
PAYEE = PERSON.said("to {}", names=("recipient", "payee", "to"))
CLIENT = PERSON.said("for {}", "to the client {}", names=("client", "customer", "bill_to"))
TARGET_CURRENCY = slot(
    "target_currency",
    "currency to_currency target_currency",
    values.choices(
        {"EUR": ("to euros", "into euros"), "USD": ("to dollars", "into dollars"), "JPY": ("to yen", "into yen")},
        ("euro", "dollar", "yen"),
    ),
)
SERVICE = slot(
    "service", "service app service_name", values.string(values.one_of(pools.SERVICES)), "{}", "named {}", leads=True
)
VERSION = slot("version", "version release tag", values.string(values.version), "in version {}", "at version {}")
ENVIRONMENT = slot(
    "environment",
    "environment env stage",
    values.choices(
        {"staging": ("on staging", "in the staging environment"), "production": ("on production", "in production")},
        ("stage", "prod"),
    ),
)
DRY_RUN = flag("dry_run", "dry_run simulate", ("as a dry run",), ("for real", "not as a dry run"))
FORCE = flag("force", "force forced", ("by force", "forcing it"), ("without forcing it",))
REPLICAS = QUANTITY.said("to {} copies", "to {} replicas", names=("replicas", "copies", "instances"))
LINES = slot(
    "lines", "lines limit last", values.integer(10, 2000, step=5), "only the last {} lines", "limited to {} lines"
)
RATE = slot(
    "rate",
    "rate interest interest_rate",
    values.number(0.5, 9, digits=2),
    "at {} percent interest",
    "at a rate of {} percent",
)
YEARS = slot("years", "years term num_years", values.integer(2, 30), "over {} years", "for {} years")
LOAN = slot(
    "loan", "loan principal loan_amount", values.integer(1000, 90000, step=50), "of {} euros", "for a loan of {} euros"
)
LENGTH = slot("length", "length value distance", values.number(0.5, 500), "of {}", "of exactly {}", label="length")
LENGTH_UNITS = slot(
    "conversion",
    "conversion direction mode",
    values.choices(
        {
            "miles_to_km": ("from miles to kilometers",),
            "km_to_miles": ("from kilometers to miles",),
            "feet_to_m": ("from feet to meters",),
        }
    ),
)
DIGITS = slot("digits", "digits decimals precision", values.integer(1, 6), "with {} decimals", "rounded to {} decimals")
LOW = slot("low", "low minimum min_value", values.integer(0, 50), "from {}", "starting at {}")
HIGH = slot("high", "high maximum max_value", values.integer(60, 5000), "up to {}", "ending at {}")

CONCEPTS = (
    concept(
        "bank", "transfer send", "money", ("transfer a sum of money", "send a payment"),
        AMOUNT, PAYEE, CURRENCY.optional(), NOTE,
    ),
    concept(
        "bank", "get check", "balance account_balance",
        ("check the balance of the account", "tell me the balance of the account"),
        ACCOUNT, CURRENCY.optional(), returns=(AMOUNT,),
    ),
    concept(
        "bank", "list show", "transactions",
        ("list the transactions of the account", "show the payments on the account"),
        ACCOUNT, QUANTITY.said("at most {}", names=("limit", "count")).optional(),
        DATE.said("since {}", names=("since", "from_date")).optional(), returns=(AMOUNT,),
    ),
    concept(
        "bank", "block freeze", "card bank_card", ("block the bank card", "freeze the bank card"),
        BANK_CARD, flag("replace", "replace send_new reissue", ("and send a new one",), ("without sending a new one",)),
    ),
    concept(
        "bank", "set", "card_limit spending_limit",
        ("set the limit of the bank card", "change the spending limit of the card"),
        BANK_CARD, AMOUNT.said("to {} euros", names=("limit", "amount", "max_amount")),
    ),
    concept(
        "invoice", "create write", "invoice bill", ("write an invoice", "create an invoice"),
        CLIENT, AMOUNT, DATE.said("due on {}", names=("due_date", "due")).optional(), returns=(INVOICE,),
    ),
    concept(
        "invoice", "pay settle", "invoice bill", ("pay the invoice", "settle the invoice"),
        INVOICE, ACCOUNT.said("from the account {}", "with the account {}").optional(), returns=(AMOUNT,),
    ),
    concept(
        "invoice", "send mail", "invoice bill", ("send out the invoice", "mail out the invoice"),
        INVOICE, flag("reminder", "reminder as_reminder", ("as a reminder",), ("not as a reminder",)),
    ),
    concept(
        "currency", "convert exchange", "currency amount", ("convert the amount", "exchange the amount"),
        AMOUNT.said("of {}", "{}", leads=True), TARGET_CURRENCY, returns=(AMOUNT,),
    ),
    concept(
        "currency", "get", "exchange_rate rate", ("get the exchange rate", "look up the exchange rate"),
        TARGET_CURRENCY, DATE.optional(), returns=(AMOUNT,),
    ),
    concept(
        "maths", "compute calculate", "average mean", ("compute the average", "calculate the mean"),
        NUMBERS, DIGITS.optional(), returns=(AMOUNT,),
    ),
    concept(
        "maths", "compute calculate", "sum total", ("add up the numbers", "compute the sum"),
        NUMBERS.said("of {}", "of the values {}"), returns=(AMOUNT,),
    ),
    concept(
        "maths", "convert", "length distance", ("convert a length", "convert a distance"),
        LENGTH, LENGTH_UNITS, DIGITS.optional(),
    ),
    concept(
        "maths", "draw generate", "random_number number", ("draw a random number", "pick a random number"),
        LOW, HIGH,
    ),
    concept(
        "maths", "compute calculate", "loan_payment loan_rate",
        ("compute the monthly payment of a loan", "calculate the payments"),
        LOAN, YEARS, RATE, returns=(AMOUNT,),
    ),
    concept(
        "language", "translate", "text sentence", ("translate a text", "translate a sentence"),
        MESSAGE.said("reading {}", "that says {}"), LANGUAGE,
    ),
    concept(
        "language", "check correct", "spelling grammar", ("check the spelling of a text", "correct a text"),
        MESSAGE.said("reading {}", "that says {}"),
    ),
    concept(
        "software", "deploy release", "service app", ("deploy the service", "roll out the service"),
        SERVICE, VERSION, ENVIRONMENT, DRY_RUN, returns=(DEPLOYMENT,),
    ),
    concept(
        "software", "restart reboot", "service app", ("restart the service", "reboot the service"),
        SERVICE, ENVIRONMENT.optional(), FORCE,
    ),
    concept(
        "software", "scale resize", "service app", ("scale the service", "resize the service"),
        SERVICE, REPLICAS, ENVIRONMENT.optional(),
    ),
    concept(
        "software", "roll_back revert", "deployment", ("roll back the deployment", "undo the deployment"),
        DEPLOYMENT, NOTE,
    ),
    concept(
        "software", "get show", "logs", ("show the logs of the service", "get the logs of the service"),
        SERVICE, LINES.optional(), ENVIRONMENT.optional(),
    ),
)  # fmt: skip
