"""Weather, and parcels on their way."""

from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.domains.city import HOURS, PICKUP
from itool_jax.data.toolworld.large.kinds import many, words

# fmt: off
PARCEL = s.ident("parcel", "tracking number", "tracking_number parcel_id")
DIMENSIONS = s.choice(
    "parcel_size", "as a {} parcel|in a {} box", "Size of the parcel", "small medium large", names="size parcel_size",
    label="parcel size",
)

CONCEPTS = (
    *domain(
        "weather",
        tool(
            "get_current_weather current_weather", "Tells the weather of a city now.",
            "check the weather right now|?what is the weather like right now|tell me the current weather",
            s.CITY, s.UNIT, gives=(s.DEGREES,),
        ),
        tool(
            "get_weather_forecast weather_forecast", "Forecasts the weather of a city for some days.",
            "get the weather forecast|look up the forecast|?what will the weather be",
            s.CITY, s.DAYS, s.UNIT, gives=(s.DEGREES,),
        ),
        tool(
            "get_hourly_rain rain_radar", "Forecasts rain hour by hour.",
            "check when it will rain|?how much rain is coming|look at the rain radar",
            s.CITY, HOURS,
        ),
        tool(
            "get_air_quality air_quality", "Tells the air quality of a city.",
            "check the air quality|?how clean is the air|look up air pollution",
            s.CITY,
            s.named(
                "pollutants", many(words("ozone pm10 pm25 no2")), "with figures for {}|showing {}",
                "Pollutants to show", names="pollutants substances",
            ).opt,
        ),
        tool(
            "get_pollen_count pollen_forecast", "Tells the pollen count.",
            "check the pollen count|?how bad is the pollen",
            s.CITY,
            s.choice(
                "plant", "for {} pollen", "Plant", "birch grass ragweed hazel", names="plant pollen_type",
                label="pollen type",
            ).opt,
            s.DAY.opt,
        ),
        tool(
            "get_sun_times sunrise_sunset", "Tells sunrise and sunset.",
            "look up sunrise and sunset|?when does the sun rise and set",
            s.COORDINATES, s.DAY, gives=(s.AT,),
        ),
        tool(
            "get_historical_weather past_weather", "Tells the weather of a day that is over.",
            "look up how the weather was back then|?what was the weather",
            s.CITY,
            s.PAST.as_("past_date", "on {}", "Day that is over, as YYYY-MM-DD", names="past_date date", label="day"),
            gives=(s.DEGREES,),
        ),
        tool(
            "set_storm_alert severe_weather_alert", "Warns of severe weather.",
            "warn me of severe weather|set up a storm warning",
            s.CITY,
            s.choice(
                "hazard", "about {}", "Kind of weather", "storm hail flood snow heat", names="hazard event_type",
                label="hazard",
            ),
            s.PHONE.said("by text message to {}|texting {}", "Number that is told"),
        ),
        tool(
            "get_sea_conditions surf_report", "Tells waves and water temperature at a beach.",
            "check the sea conditions|?how high are the waves|get the surf report",
            s.PLACE.said("at the beach {}|off {}", "Name of the beach", names="beach spot"), s.DAY.opt,
            gives=(s.DEGREES,),
        ),
        tool(
            "get_uv_index uv_index", "Tells the UV index.",
            "check the UV index|?how strong is the sun",
            s.CITY, s.DAY.opt,
        ),
    ),
    *domain(
        "parcels",
        tool(
            "ship_parcel send_parcel", "Orders the shipping of a parcel.",
            "ship a parcel|send a package",
            s.ADDRESS, s.WEIGHT, DIMENSIONS.opt, s.EXPRESS, s.INSURANCE, gives=(PARCEL, s.TOTAL),
        ),
        tool(
            "track_parcel track_package", "Tells where a parcel is.",
            "track the parcel|?where is the parcel|follow up on parcel",
            PARCEL, gives=(s.STATUS, s.CITY),
        ),
        tool(
            "estimate_shipping_cost shipping_quote", "Tells what shipping would cost.",
            "get a shipping quote|?what would shipping cost|estimate the postage",
            s.COUNTRY.said("to {}|headed for {}", "Country of the recipient"), s.WEIGHT, DIMENSIONS.opt,
            gives=(s.TOTAL,),
        ),
        tool(
            "schedule_parcel_pickup book_pickup", "Has parcels picked up.",
            "have parcels picked up|schedule a courier pickup",
            PICKUP, s.DAY,
            s.COUNT.said(
                "with {} parcels waiting|{} parcels in all", "Number of parcels", names="parcels count",
                label="number of parcels",
            ).opt,
            gives=(s.AT,),
        ),
        tool(
            "redirect_parcel change_parcel_address", "Sends a parcel to another address.",
            "redirect the parcel|send on the parcel",
            PARCEL, s.ADDRESS,
        ),
        tool(
            "hold_parcel keep_parcel_at_shop", "Keeps a parcel at a pickup shop.",
            "hold the parcel at a shop|have the pickup shop keep parcel",
            PARCEL, s.PLACE, s.DAYS.opt,
        ),
        tool(
            "report_lost_parcel lost_parcel", "Reports a parcel as lost.",
            "report the parcel as lost|start a search for the missing parcel",
            PARCEL,
            s.AMOUNT.said("worth {}|with a value of {}", "Value in euros", names="declared_value value", label="value"),
            gives=(s.ident("claim", "claim number"),),
        ),
        tool(
            "print_shipping_label shipping_label", "Makes the label for a parcel.",
            "print the label for parcel|make a shipping label for parcel",
            PARCEL, s.FORMAT, gives=(s.FILE,),
        ),
        tool(
            "find_pickup_points parcel_shops", "Finds parcel shops and lockers.",
            "find a parcel shop|look for a parcel locker|?where can I pick up parcels",
            s.CITY, s.RADIUS.opt, gives=(s.PLACE, s.STREET),
        ),
    ),
)
