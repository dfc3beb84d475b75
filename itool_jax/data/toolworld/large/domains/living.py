"""Homes to let, and jobs."""

from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.domains.society import CASE, WHEN
from itool_jax.data.toolworld.large.kinds import integer, many, number, words, year

# fmt: off
FLAT = s.ident("flat", "listing number", "listing_id flat_id")
JOB = s.ident("job", "job number")
ROOMS = s.named(
    "rooms", integer(2, 7), "with {} rooms|having {} rooms", "Number of rooms", names="rooms num_rooms",
    label="number of rooms",
)
PROFESSION = s.choice(
    "profession", "as a {}|working as a {}", "Profession", "nurse welder teacher accountant baker",
    names="profession job_title",
)

CONCEPTS = (
    *domain(
        "housing",
        tool(
            "search_flats find_apartments", "Finds flats to rent.",
            "find a flat to rent|look for an apartment|?which flats are to let",
            s.CITY, ROOMS,
            s.named(
                "max_rent", integer(400, 3000, 50), "for at most {} euros a month|with a rent up to {} euros",
                "Highest rent in euros", names="max_rent rent_limit", label="highest rent",
            ),
            s.named(
                "wishes", many(words("balcony lift garden garage cellar")), "with {}|having {}", "What it must have",
                names="features wishes", label="wishes",
            ).opt,
            gives=(FLAT, s.STREET),
        ),
        tool(
            "book_flat_viewing arrange_viewing", "Arranges to see a flat.",
            "arrange a viewing of the flat in listing|book a viewing for listing",
            FLAT, s.DAY, s.AT, s.PEOPLE.opt, gives=(s.ident("viewing", "viewing number"),),
        ),
        tool(
            "cancel_flat_viewing call_off_viewing", "Cancels a viewing.",
            "cancel the viewing|call off the viewing",
            s.ident("viewing", "viewing number"),
        ),
        tool(
            "apply_for_flat rental_application", "Applies for a flat.",
            "apply for the flat in listing|send in my application for listing",
            FLAT, s.PERSON,
            s.named(
                "net_income", integer(1200, 7000, 50), "earning {} euros a month|with an income of {} euros",
                "Monthly income in euros", names="net_income income", label="income",
            ),
            s.flag(
                "smoker", "Whether somebody smokes", "as a smoker|somebody smokes", "as a non-smoker|nobody smokes",
                "smoker smoking",
            ),
        ),
        tool(
            "estimate_house_value property_value", "Estimates what a house is worth.",
            "estimate the value of a house|?what is my house worth",
            s.ADDRESS.said("at {}|standing at {}"),
            s.named(
                "square_meters", integer(40, 400), "with {} square meters|of {} square meters",
                "Living space in square meters", names="square_meters area", label="living space",
            ),
            s.named("built", year(1880, 2020), "built in {}", "Year of construction", names="year_built built").opt,
            gives=(s.AMOUNT,),
        ),
        tool(
            "calculate_mortgage mortgage_calculator", "Works out a mortgage.",
            "work out a mortgage|calculate a mortgage",
            s.named(
                "price", integer(100000, 900000, 5000), "for a price of {} euros|on {} euros", "Price in euros",
                names="price purchase_price",
            ),
            s.named(
                "down_payment", integer(10000, 90000, 1000), "with {} euros down|with a down payment of {} euros",
                "Down payment in euros", names="down_payment deposit", label="down payment",
            ),
            s.named(
                "years", integer(5, 35), "over {} years|for {} years", "Years", names="years term_years", label="years",
            ),
            gives=(s.TOTAL,),
        ),
        tool(
            "report_tenancy_defect report_to_landlord", "Reports a defect to the landlord.",
            "report a defect to the landlord|tell the landlord about a fault",
            s.ROOM, s.MESSAGE.said("described as {}|with the description {}", names="description", label="description"),
            s.FILE.said("with the photo {}|proved by {}", "Photo", names="photo", label="photo").opt, gives=(CASE,),
        ),
        tool(
            "order_moving_van book_movers", "Orders movers.",
            "order a moving van|book movers",
            s.STREET.said("from {}|picking up at {}", names="from_street", label="old address"),
            s.ADDRESS.said("to {}|bringing it all to {}"), s.DAY,
            s.named(
                "volume", integer(5, 80), "with {} cubic meters|for {} cubic meters", "Volume in cubic meters",
                names="volume_m3 volume", label="volume",
            ).opt,
            gives=(s.TOTAL,),
        ),
        tool(
            "give_notice_flat end_tenancy", "Ends a tenancy.",
            "give notice on my flat|end my tenancy",
            s.STREET.said("at {}|in {}"),
            s.DAY.said(
                "as of {}|moving out on {}", "Last day, as YYYY-MM-DD", names="end_date last_day", label="last day",
            ),
        ),
    ),
    *domain(
        "jobs",
        tool(
            "search_jobs find_vacancies", "Finds jobs.",
            "search for jobs|look for vacancies|?which jobs are there",
            PROFESSION, s.CITY.opt,
            s.named(
                "salary", integer(20000, 120000, 1000), "paying at least {} euros a year|with a salary from {} euros",
                "Least salary in euros a year", names="min_salary salary", label="least salary",
            ).opt,
            s.flag(
                "remote", "Whether it can be done from home", "from home|remotely", "on site|not remotely",
                "remote home_office",
            ),
            gives=(JOB,),
        ),
        tool(
            "apply_for_job submit_application", "Applies for a job.",
            "apply for the job|send in an application for the job",
            JOB, s.FILE.said("with the CV {}|attaching {}", "CV", names="cv resume", label="CV"),
            s.MESSAGE.said("with the cover letter {}|writing {}", names="cover_letter", label="cover letter").opt,
            gives=(s.ident("application", "application number"),),
        ),
        tool(
            "withdraw_application cancel_application", "Withdraws an application.",
            "withdraw the application|take back the application",
            s.ident("application", "application number"),
        ),
        tool("save_job bookmark_job", "Remembers a job.", "bookmark the job|save for later the job", JOB, s.NOTE),
        tool(
            "set_job_alert job_notifications", "Tells of new jobs.",
            "set up a job alert|tell me about new jobs",
            PROFESSION, s.EMAIL.said("with mails to {}|mailing {}"), s.REPEAT,
        ),
        tool(
            "schedule_interview plan_interview", "Plans a job interview.",
            "schedule an interview|plan a job interview",
            s.ident("application", "application number").said("about application {}|for the application {}"), WHEN,
            s.choice("way", "by {}", "How it takes place", "phone video", names="way medium").opt,
        ),
        tool(
            "compare_salary salary_check", "Tells what a profession earns.",
            "check what people earn|?what does one earn",
            PROFESSION, s.COUNTRY,
            s.named(
                "experience", integer(1, 35), "with {} years of experience|after {} years in the trade",
                "Years of experience", names="years_experience experience", label="years of experience",
            ).opt,
            gives=(s.AMOUNT,),
        ),
        tool(
            "log_work_shift clock_in", "Notes a shift.",
            "log a shift|note down a shift I worked",
            s.DAY, s.AT.said("from {}|starting at {}", names="start", label="start"),
            s.named(
                "shift_hours", number(2, 11), "lasting {} hours|for {} hours", "Hours", names="hours duration_hours",
                label="hours",
            ),
        ),
    ),
)
