"""Money: banking and investing."""

from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import integer, number, text, year

# fmt: off
ACCOUNT = s.ident("account", "account number", "account_number account_id")
CARD = s.ident("card", "card number", "card_number card_id")
TRANSFER = s.ident("transfer", "transfer number")
STANDING = s.ident("standing_order", "standing order number")
STOCK = s.named(
    "stock", text(texts.stock), "{}|with the symbol {}", "Ticker symbol", names="symbol ticker", label="ticker symbol",
    leads=True,
)
SHARES = s.named(
    "shares", integer(2, 400), "{} shares|for {} shares", "Number of shares", names="shares quantity",
    label="number of shares",
)
TO_ACCOUNT = ACCOUNT.as_(
    "to_account", "to the account {}|to account number {}", "Account that receives", names="to_account target_account",
    label="target account",
)
PAYEE = s.PERSON.as_("payee", "to {}|in favor of {}", "Name of the recipient", names="payee beneficiary", label="payee")
PURPOSE = s.named(
    "purpose", text(texts.subject, 1.0), "with the reference {}|stating {}", "Text on the statement",
    names="reference purpose", label="reference",
).opt
RATE = s.named(
    "rate", number(0.4, 9.5, 2), "at {} percent interest|at a rate of {}%", "Yearly interest in percent",
    names="interest_rate rate", label="interest rate",
)
YEAR = s.named("year", year(2015, 2025), "for the year {}|for {}", "Year", names="year tax_year").said(
    "for the year {}|for {} as the year",
)
COIN = s.choice(
    "coin", "in {}|of {}", "Coin", {"BTC": "Bitcoin|BTC", "ETH": "Ether|ETH", "SOL": "Solana", "XRP": "Ripple|XRP"},
    names="coin crypto",
)

CONCEPTS = (
    *domain(
        "banking",
        tool(
            "get_account_balance account_balance", "Tells the balance of an account.",
            "check the balance of account|?how much money is on account",
            ACCOUNT, s.CURRENCY.opt, gives=(s.AMOUNT,),
        ),
        tool(
            "transfer_money send_money", "Transfers money to somebody.",
            "transfer money|send money|make a transfer",
            s.AMOUNT, PAYEE, TO_ACCOUNT, PURPOSE, s.DAY.opt, gives=(TRANSFER,),
        ),
        tool(
            "create_standing_order standing_order", "Sets up a regular transfer.",
            "set up a standing order|arrange a regular transfer",
            s.AMOUNT, TO_ACCOUNT,
            s.choice("interval", "every {}", "How often", "week month quarter", names="interval every"), s.UNTIL.opt,
            gives=(STANDING,),
        ),
        tool(
            "cancel_standing_order stop_standing_order", "Stops a regular transfer.",
            "cancel the standing order|stop the standing order",
            STANDING,
        ),
        tool(
            "list_transactions get_transactions", "Lists what went through an account in a period.",
            "list the transactions of account|show what happened on account",
            ACCOUNT, s.PERIOD,
            s.AMOUNT.said(
                "above {}|of more than {}", "Least amount in euros", names="min_amount", label="least amount",
            ).opt,
            s.choice("direction", "only {} ones", "Direction", "incoming outgoing", names="direction").opt,
        ),
        tool(
            "block_card freeze_card", "Blocks a bank card.",
            "block the card|freeze the card",
            CARD,
            s.choice(
                "reason", "because it was {}", "Reason", "lost stolen copied swallowed", names="reason block_reason",
            ),
            s.flag(
                "replace", "Whether a new card is sent", "and send a new one|with a replacement card",
                "no new card|without a replacement card", "replace send_new",
            ),
        ),
        tool(
            "set_card_limit change_card_limit", "Sets the daily limit of a card.",
            "change the daily limit of the card|set the daily limit of the card",
            CARD,
            s.named(
                "daily_limit", integer(100, 5000, 50), "to {} euros|at {} euros", "Limit in euros",
                names="daily_limit limit_euros", label="daily limit",
            ),
        ),
        tool(
            "dispute_card_payment dispute_charge", "Disputes a card payment.",
            "dispute a payment with the card|contest a charge on the card",
            CARD, s.AMOUNT, s.NOTE, gives=(s.ident("dispute", "dispute number"),),
        ),
        tool(
            "open_savings_account open_account", "Opens a savings account.",
            "open a savings account|start a savings account",
            s.PERSON,
            s.AMOUNT.said(
                "with {} to start|paying in {}", "First payment in euros", names="initial_deposit",
                label="first payment",
            ),
            s.MONTHS.opt, gives=(ACCOUNT,),
        ),
        tool(
            "close_account close_bank_account", "Closes an account.",
            "close the account|shut down the account",
            ACCOUNT, TO_ACCOUNT.opt,
        ),
        tool(
            "calculate_loan loan_calculator", "Works out the monthly rate of a loan.",
            "work out a loan|calculate the monthly rate of a loan",
            s.AMOUNT, s.MONTHS, RATE, gives=(s.TOTAL,),
        ),
        tool(
            "find_cash_machine find_atm", "Finds cash machines.",
            "find a cash machine|?where is an ATM",
            s.CITY, s.RADIUS.opt,
            s.flag(
                "free", "Whether only free machines count", "free of charge only|without fees",
                "fees are fine|even with fees", "no_fee free_only",
            ),
            gives=(s.STREET,),
        ),
    ),
    *domain(
        "investing",
        tool(
            "get_stock_quote stock_price", "Tells the price of a share.",
            "look up the price of the stock|?how is the stock doing|get a quote for the stock",
            STOCK, s.CURRENCY.opt, gives=(s.AMOUNT,),
        ),
        tool(
            "buy_stock place_buy_order", "Buys shares.",
            "buy the stock|place a buy order for",
            STOCK, SHARES,
            s.MAX_PRICE.said(
                "at a price of at most {}|with a limit of {}", names="limit_price max_price", label="price limit",
            ).opt,
            gives=(s.ident("trade", "trade number"),),
        ),
        tool(
            "sell_stock place_sell_order", "Sells shares.",
            "sell the stock|place a sell order for",
            STOCK, SHARES,
            s.MAX_PRICE.said(
                "at no less than {}|for at least {}", "Lowest price in euros", names="min_price limit_price",
                label="lowest price",
            ).opt,
            gives=(s.ident("trade", "trade number"),),
        ),
        tool(
            "cancel_trade withdraw_trade", "Cancels an order at the exchange.",
            "cancel the trade|withdraw the trade",
            s.ident("trade", "trade number"),
        ),
        tool(
            "get_portfolio portfolio_value", "Shows a portfolio.",
            "show the portfolio in depot|?what is in the depot",
            s.ident("depot", "depot number"), s.DAY.said("as of {}|on {}").opt, gives=(s.AMOUNT,),
        ),
        tool(
            "get_exchange_rate exchange_rate", "Tells an exchange rate.",
            "look up the exchange rate|?what is the exchange rate",
            s.CURRENCY.as_(
                "base", "from {}|of {}", "Currency to convert from", names="base_currency from_currency",
                label="base currency",
            ),
            s.CURRENCY.as_(
                "quote", "to {}|against {}", "Currency to convert to", names="quote_currency to_currency",
                label="target currency",
            ),
            gives=(s.AMOUNT,),
        ),
        tool(
            "convert_money convert_currency", "Converts an amount of euros into another currency.",
            "convert some money|exchange an amount",
            s.AMOUNT, s.CURRENCY.said("into {}", names="to_currency currency"), gives=(s.AMOUNT,),
        ),
        tool(
            "get_crypto_price coin_price", "Tells the price of a coin.",
            "check the price of a coin|?what is the rate today",
            COIN, s.CURRENCY.opt, gives=(s.AMOUNT,),
        ),
        tool(
            "create_savings_plan fund_savings_plan", "Sets up a monthly plan for a fund.",
            "set up a savings plan for the fund|invest monthly into the fund",
            STOCK,
            s.AMOUNT.said(
                "with {} a month|putting in {} each month", "Monthly amount in euros", names="monthly_amount",
                label="monthly amount",
            ),
            s.choice(
                "day", "on the {} of the month", "Day of the month", {"1": "first|1st", "15": "fifteenth|15th"},
                names="day_of_month", label="day of the month",
            ).opt,
        ),
        tool(
            "get_dividends dividend_history", "Lists dividends of a share.",
            "list the dividends of the stock|?which dividends were paid by",
            STOCK, YEAR.opt,
        ),
    ),
)
