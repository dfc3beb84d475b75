"""Insurance, invoices and taxes."""

from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.domains.money import ACCOUNT, YEAR
from itool_jax.data.toolworld.large.kinds import euros, integer, many, number, record, text, words

# fmt: off
INVOICE = s.ident("invoice", "invoice number")
POLICY = s.ident("policy", "policy number")
CLIENT = s.named(
    "client", text(texts.company), "for {}|to the client {}", "Name of the client", names="client customer_name",
    label="client",
)
LINES = s.named(
    "lines",
    many(
        record("{text} at {price} euros|{price} euros of {text}", text=text(texts.subject), price=number(20, 900, 2)),
        1, 3, "text",
    ),
    "listing {}|with the items {}", "Items and their prices in euros", names="line_items lines", label="items",
)

CONCEPTS = (
    *domain(
        "insurance",
        tool(
            "get_insurance_quote insurance_quote", "Tells the price of an insurance.",
            "get an insurance quote|?what would insurance cost",
            s.choice(
                "insurance_type", "for {} insurance", "What is insured", "travel household liability bicycle legal",
                names="insurance_type product", label="type of insurance",
            ),
            s.named("age", integer(18, 80), "at the age of {}|aged {}", "Age in years", names="age").opt,
            s.AMOUNT.said("covering {}|with a coverage of {}", "Coverage in euros", names="coverage", label="coverage"),
            gives=(s.ident("quote", "quote number"), s.TOTAL),
        ),
        tool(
            "take_out_insurance accept_quote", "Takes out an insurance from a quote.",
            "accept the insurance quote|take out the insurance from quote",
            s.ident("quote", "quote number"),
            s.DAY.said("starting {}|from {}", "First day, as YYYY-MM-DD", names="start_date", label="start date"),
            s.EMAIL.opt, gives=(POLICY,),
        ),
        tool(
            "file_insurance_claim report_damage", "Reports damage to the insurer.",
            "file an insurance claim under policy|report damage under policy",
            POLICY,
            s.choice(
                "damage", "for {} damage", "Kind of damage", "water fire theft storm glass", names="damage_type damage",
                label="kind of damage",
            ),
            s.AMOUNT,
            s.PAST.as_("happened", "that happened on {}|of {}", "Day of the damage, as YYYY-MM-DD",
                names="damage_date happened_on", label="day of the damage",
            ).opt,
            gives=(s.ident("claim", "claim number"),),
        ),
        tool(
            "get_claim_status claim_status", "Tells the state of a claim.",
            "check on the claim|?how far is the claim",
            s.ident("claim", "claim number"), gives=(s.STATUS,),
        ),
        tool(
            "cancel_insurance end_policy", "Ends an insurance.",
            "end the insurance with policy|cancel the insurance with policy",
            POLICY,
            s.DAY.said("as of {}|effective {}", "Last day, as YYYY-MM-DD", names="end_date", label="end date").opt,
        ),
        tool(
            "add_insured_person insure_person", "Adds a person to an insurance.",
            "add a person to the insurance policy|have someone else insured under policy",
            POLICY, s.PERSON.said("namely {}|who is called {}"),
            s.named("birth", s.PAST.kind, "born {}", "Day of birth", names="birth_date", label="date of birth").opt,
        ),
        tool(
            "download_insurance_card insurance_certificate", "Makes the certificate of an insurance.",
            "get the certificate of the insurance policy|download proof of the insurance policy",
            POLICY, s.FORMAT, gives=(s.FILE,),
        ),
    ),
    *domain(
        "invoicing",
        tool(
            "create_invoice write_invoice", "Writes an invoice.",
            "write an invoice|create an invoice|bill somebody",
            CLIENT, LINES, s.BY_DATE.opt, s.CURRENCY.opt, gives=(INVOICE, s.TOTAL),
        ),
        tool(
            "send_invoice mail_invoice", "Mails an invoice.",
            "send out the invoice|mail the invoice",
            INVOICE, s.EMAIL,
        ),
        tool(
            "pay_invoice settle_invoice", "Pays an invoice from an account.",
            "pay the invoice|settle the invoice",
            INVOICE, ACCOUNT.said("from account {}|out of the account {}").opt, s.DAY.opt,
        ),
        tool(
            "send_payment_reminder dun_invoice", "Reminds a client of an unpaid invoice.",
            "remind the client of the unpaid invoice|send a payment reminder for invoice",
            INVOICE,
            s.named(
                "fee", euros(2, 40), "with a fee of {}|adding a charge of {}", "Fee in euros", names="late_fee fee",
            ).opt,
            s.UNTIL.opt,
        ),
        tool(
            "list_unpaid_invoices open_invoices", "Lists unpaid invoices.",
            "list unpaid invoices|?which invoices are still open",
            CLIENT.said("of the client {}|from {}").opt,
            s.DAYS.said(
                "overdue by {} days|late by at least {} days", "Days overdue", names="days_overdue",
                label="days overdue",
            ),
            gives=(INVOICE,),
        ),
        tool(
            "void_invoice cancel_invoice", "Cancels an invoice.",
            "void the invoice|cancel the invoice",
            INVOICE, s.NOTE,
        ),
        tool(
            "record_expense log_expense", "Books an expense.",
            "record an expense|log an expense",
            s.AMOUNT,
            s.choice(
                "category", "under {}|in the category {}", "Category", "travel meals software rent training",
                names="category expense_type",
            ),
            s.PAST.as_("spent", "spent on {}|dated {}", "Day, as YYYY-MM-DD", names="date spent_on", label="date").opt,
            s.FILE.said("with the receipt {}|attaching the receipt {}", "Receipt", names="receipt attachment").opt,
        ),
        tool(
            "calculate_vat vat_calculator", "Works out value added tax.",
            "work out the VAT|?how much VAT is in it",
            s.AMOUNT,
            s.choice(
                "vat_rate", "at the {} rate", "Rate", "standard reduced zero", names="vat_rate rate", label="VAT rate",
            ),
        ),
        tool(
            "file_tax_return submit_taxes", "Hands in a tax return.",
            "file my tax return|hand in the tax return",
            YEAR,
            s.named(
                "income", integer(9000, 150000, 100), "with an income of {} euros|having earned {} euros",
                "Income in euros", names="income",
            ),
            s.named(
                "deductions",
                many(
                    record(
                        "{amount} euros for {kind}|{kind} of {amount} euros",
                        kind=words("commuting donations training equipment"), amount=integer(100, 4000, 10),
                    ),
                    1, 3, "kind",
                ),
                "deducting {}|with deductions: {}", "Deductions in euros", names="deductions",
            ).opt,
            gives=(s.ident("tax_case", "tax case number"),),
        ),
        tool(
            "get_tax_refund_status tax_refund", "Tells the state of a tax refund.",
            "check on the tax refund with case|?where is my tax refund for case",
            s.ident("tax_case", "tax case number"), gives=(s.STATUS, s.AMOUNT),
        ),
    ),
)
