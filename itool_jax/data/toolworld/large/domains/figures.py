"""Figures: mathematics and measures."""

from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import integer, many, number

# fmt: off
NUMBERS = s.named(
    "numbers", many(integer(1, 600), 3, 5), "of {}|of the numbers {}|for {}", "The numbers", names="numbers values",
    label="numbers",
)
FLOATS = s.named(
    "samples", many(number(0.5, 90), 3, 5), "of {}|of the samples {}", "The samples", names="samples data",
    label="samples",
)

CONCEPTS = (
    *domain(
        "maths",
        tool(
            "add_numbers sum_numbers", "Adds numbers.",
            "work out the sum|add up numbers",
            NUMBERS, gives=(s.AMOUNT.said("at {}", "The sum", names="sum"),),
        ),
        tool("calculate_mean average", "Works out the average.", "work out the average|calculate the mean", NUMBERS),
        tool("calculate_median median", "Works out the median.", "find the median|calculate the median", NUMBERS),
        tool(
            "calculate_deviation standard_deviation", "Works out the standard deviation.",
            "calculate the standard deviation|work out the spread",
            FLOATS,
            s.choice(
                "basis", "over the {}", "What is divided by", {"sample": "sample", "population": "whole population"},
                names="basis kind",
            ).opt,
        ),
        tool(
            "solve_quadratic quadratic_equation", "Solves a quadratic equation.",
            "solve a quadratic equation|find the roots of a quadratic",
            s.named(
                "a", integer(2, 30), "with a = {}|where a is {}", "Factor of the square", names="a coefficient_a",
                label="a",
            ),
            s.named(
                "b", integer(2, 90), "with b = {}|where b is {}", "Linear factor", names="b coefficient_b", label="b",
            ),
            s.named("c", integer(2, 90), "with c = {}|where c is {}", "Constant", names="c coefficient_c", label="c"),
        ),
        tool(
            "calculate_triangle_area triangle_area", "Works out the area of a triangle.",
            "calculate the area of a triangle|?how large is the triangle",
            s.named(
                "base", number(1, 80), "with a base of {} cm|whose base is {} cm", "Base in cm", names="base base_cm",
            ),
            s.named(
                "height", number(1, 80), "with a height of {} cm|{} cm high", "Height in cm", names="height height_cm",
            ),
        ),
        tool(
            "calculate_circle circle_area", "Works out the area of a circle.",
            "calculate the area of a circle|?how large is the circle",
            s.named(
                "circle_radius", number(1, 90), "with a radius of {} cm|whose radius is {} cm", "Radius in cm",
                names="radius radius_cm", label="radius",
            ),
        ),
        tool(
            "compound_interest interest_growth", "Works out compound interest.",
            "work out compound interest|calculate how savings grow",
            s.named(
                "principal", integer(500, 60000, 100), "on {} euros|starting with {} euros",
                "Money at the start in euros", names="principal start_amount",
            ),
            s.named(
                "rate", number(0.5, 9, 2), "at {} percent a year|at a rate of {}%", "Yearly interest in percent",
                names="rate annual_rate", label="interest rate",
            ),
            s.named(
                "years", integer(2, 40), "over {} years|for {} years", "Years", names="years num_years", label="years",
            ),
        ),
        tool(
            "prime_factors factorize", "Splits a number into primes.",
            "split into primes the number|find the prime factors of",
            s.named(
                "whole", integer(60, 9000), "{}|which is {}", "The number", names="number n", label="number",
                leads=True,
            ),
        ),
        tool(
            "random_number draw_number", "Draws a random number.",
            "draw a random number|pick a number at random",
            s.named(
                "low", integer(1, 50), "from {}|not below {}", "Least number", names="low minimum", label="lower limit",
            ),
            s.named(
                "high", integer(60, 900), "up to {}|not above {}", "Greatest number", names="high maximum",
                label="upper limit",
            ),
        ),
        tool(
            "probability_of_dice dice_probability", "Tells the chance of a sum of dice.",
            "work out a dice probability|?what are the odds with dice",
            s.named(
                "dice", integer(2, 6), "with {} dice|throwing {} dice", "Number of dice", names="dice num_dice",
                label="number of dice",
            ),
            s.named(
                "target", integer(8, 30), "for a sum of {}|to reach {}", "Sum wanted", names="target wanted_sum",
                label="sum",
            ),
        ),
    ),
    *domain(
        "measures",
        tool(
            "convert_length length_converter", "Converts a length.",
            "convert a length|do a length conversion",
            s.named("length", number(1, 900), "of {}|measuring {}", "Length", names="value length"),
            s.choice(
                "from_unit", "from {}", "Unit given", "miles feet inches yards", names="from_unit", label="given unit",
            ),
            s.choice(
                "to_unit", "to {}|into {}", "Unit wanted", "kilometers meters centimeters", names="to_unit",
                label="wanted unit",
            ),
        ),
        tool(
            "convert_weight mass_converter", "Converts a weight.",
            "convert a weight|do a weight conversion",
            s.named("mass", number(1, 500), "of {}|weighing {}", "Weight", names="value weight", label="weight"),
            s.choice(
                "from_unit", "from {}", "Unit given", "pounds ounces stones", names="from_unit", label="given unit",
            ),
            s.choice(
                "to_unit", "to {}|into {}", "Unit wanted", "kilograms grams tons", names="to_unit", label="wanted unit",
            ),
        ),
        tool(
            "convert_temperature temperature_converter", "Converts a temperature.",
            "convert a temperature|do a temperature conversion",
            s.named(
                "temperature", number(2, 300), "of {} degrees|at {} degrees", "Temperature", names="value temperature",
            ),
            s.choice(
                "from_unit", "from {}", "Scale given", "Celsius Fahrenheit Kelvin", names="from_unit from_scale",
                label="given scale",
            ),
            s.choice(
                "to_unit", "to {}|into {}", "Scale wanted", "Rankine Reaumur Newton", names="to_unit to_scale",
                label="wanted scale",
            ),
        ),
        tool(
            "convert_time_zone time_zone_converter", "Converts a time to another zone.",
            "convert a time of day|work out the time elsewhere",
            s.AT.said("of {}|when it is {}"),
            s.CITY.as_("from_zone", "from {}|in {}", "City whose time is given", names="from_city", label="city given"),
            s.CITY.as_(
                "to_zone", "to the time in {}|for {}", "City whose time is wanted", names="to_city",
                label="city wanted",
            ),
            gives=(s.AT,),
        ),
        tool(
            "days_between date_difference", "Counts the days between two dates.",
            "count the days|?how many days are there",
            s.DAY.said(
                "from {}|starting on {}", "First day, as YYYY-MM-DD", names="first_date start_date", label="first day",
            ),
            s.DAY.as_(
                "last_day", "to {}|up to {}", "Last day, as YYYY-MM-DD", names="last_date end_date", label="last day",
            ),
            s.flag(
                "workdays", "Whether only working days count", "working days only|without weekends",
                "weekends too|including weekends", "workdays_only workdays",
            ),
        ),
        tool(
            "add_days_to_date date_plus_days", "Adds days to a date.",
            "work out a date|add days to a date",
            s.DAY.said(
                "from {}|starting on {}", "First day, as YYYY-MM-DD", names="start_date date", label="start date",
            ),
            s.named(
                "offset", integer(10, 400), "{} days later|plus {} days", "Days to add", names="offset days",
                label="days to add",
            ),
            gives=(s.DAY,),
        ),
        tool(
            "world_clock time_in_city", "Tells the time in a city.",
            "look at the world clock|?what time is it",
            s.CITY,
            s.choice(
                "clock", "on the {} clock", "Form of the time", {"12": "12-hour", "24": "24-hour"},
                names="clock_format clock", label="clock",
            ).opt,
            gives=(s.AT,),
        ),
        tool(
            "calculate_fuel_use fuel_consumption", "Works out the fuel a car uses.",
            "work out the fuel consumption|?how much fuel does the car use",
            s.DISTANCE,
            s.named(
                "liters", number(4, 80), "with {} liters|burning {} liters", "Liters of fuel",
                names="liters fuel_liters", label="liters",
            ),
        ),
        tool(
            "split_bill share_costs", "Splits a bill.",
            "split the bill|share the costs",
            s.AMOUNT, s.PEOPLE.said("among {} people|between {} of us"),
            s.named(
                "tip", integer(5, 25), "with a tip of {} percent|adding {}% tip", "Tip in percent",
                names="tip_percent tip", label="tip",
            ).opt,
            gives=(s.TOTAL,),
        ),
    ),
)
