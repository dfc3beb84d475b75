"""The house: smart home, energy, repairs."""

from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import TIME, integer, many, number, record, text

# fmt: off
REPAIR = s.ident("repair", "repair order number")
CAMERA = s.choice("camera", "at the {}", "Which camera", "entrance driveway garden garage", names="camera camera_name")
DOOR = s.choice("door", "at the {}", "Which door", "front back garage cellar", names="door lock_name")
APPLIANCE = s.choice(
    "appliance", "for the {}", "Which appliance", "dishwasher fridge oven dryer freezer", names="appliance device",
)
KWH = s.named(
    "kwh", number(50, 5000), "at {} kWh|showing {} kWh", "Meter reading in kWh", names="reading_kwh reading",
    label="reading",
)
SWITCH = s.choice("switch", "switched {}|to {}", "On or off", "on off", names="state power", label="state")
SCENE = s.choice("scene", "to {}|in {} mode", "Scene", "dinner movie reading party night", names="scene mood")

CONCEPTS = (
    *domain(
        "smart_home",
        tool(
            "set_light_brightness dim_lights", "Sets the brightness of the lights in a room.",
            "set the brightness of the lights|dim the lights",
            s.ROOM, s.PERCENT, s.AT.opt,
        ),
        tool(
            "set_light_color color_lights", "Sets the color of the lights in a room.",
            "color the lights|change the light color",
            s.ROOM, s.COLOR,
        ),
        tool(
            "switch_socket toggle_plug", "Switches a smart plug.",
            "switch the smart plug|flip the smart socket",
            s.ROOM, SWITCH, s.MINUTES.opt,
        ),
        tool(
            "set_thermostat set_room_temperature", "Sets the temperature of a room.",
            "set the thermostat|heat things up|adjust the room temperature",
            s.ROOM, s.DEGREES, s.AT.said("until {}|up to {}", "Until when, HH:MM", names="until", label="end time").opt,
        ),
        tool(
            "lock_smart_door lock_door", "Locks a door.",
            "lock the smart lock|make sure we are locked up",
            DOOR, s.AT.opt,
        ),
        tool(
            "create_door_code add_door_code", "Makes a code that opens a door for a guest.",
            "create a door code|make an entry code",
            DOOR, s.PERSON, s.UNTIL,
        ),
        tool(
            "set_blinds move_blinds", "Moves the blinds of a room.",
            "move the blinds|close the shutters",
            s.ROOM, s.PERCENT, s.AT.opt,
        ),
        tool(
            "start_robot_vacuum vacuum_rooms", "Sends the robot vacuum through rooms.",
            "start the robot vacuum|have the floors vacuumed",
            s.named("rooms", many(s.ROOM.kind), "in these rooms: {}|through {}", "Rooms to clean", names="rooms areas"),
            s.choice(
                "power", "at {} power", "Suction power", "quiet normal turbo", names="power suction",
                label="suction power",
            ).opt,
        ),
        tool(
            "get_camera_snapshot camera_picture", "Takes a picture with a camera of the house.",
            "take a camera snapshot|show me the camera picture",
            CAMERA, gives=(s.FILE,),
        ),
        tool(
            "arm_alarm_system set_alarm_system", "Arms the burglar alarm.",
            "arm the alarm system|switch on the burglar alarm",
            s.choice("alarm_mode", "in {} mode", "Mode", "home away night", names="mode alarm_mode", label="mode"),
            s.MINUTES.said("after {}|with a delay of {}", "Delay in minutes", names="delay_minutes delay").opt,
        ),
        tool(
            "activate_home_scene set_scene", "Sets lights and sound of a room to a scene.",
            "set the mood|activate a home scene",
            SCENE, s.ROOM.opt,
        ),
        tool(
            "run_appliance_program start_appliance", "Starts a program of an appliance.",
            "start a program|run a program",
            APPLIANCE.said("on the {}|with the {}"),
            s.choice(
                "program", "namely {}|using the program {}", "Program", "eco quick intensive", names="program cycle",
            ),
            s.AT.said(
                "to be done by {}|finishing by {}", "When it is to be done, HH:MM", names="finish_by",
                label="finish time",
            ).opt,
        ),
    ),
    *domain(
        "energy",
        tool(
            "submit_meter_reading report_meter", "Sends a meter reading to the supplier.",
            "submit a meter reading|report the electricity meter",
            s.ident("meter", "meter number").said("for the meter {}|of meter {}"), KWH, s.DAY.opt,
        ),
        tool(
            "get_energy_usage power_usage", "Tells how much energy the home used in a period.",
            "show our energy use|?how much power did we use",
            s.PERIOD,
            s.choice(
                "resolution", "by {}|broken down by {}", "Step of the figures", "hour day month",
                names="resolution interval", label="resolution",
            ).opt,
            gives=(KWH,),
        ),
        tool(
            "compare_energy_tariffs find_tariff", "Compares energy tariffs.",
            "compare electricity tariffs|find a cheaper energy tariff",
            s.named(
                "usage", integer(800, 9000, 50), "at {} kWh a year|using {} kWh a year", "Yearly use in kWh",
                names="yearly_kwh usage", label="yearly use",
            ),
            s.named(
                "postcode", text(lambda rng: str(rng.randint(10000, 99999))), "in the postcode {}|for the postcode {}",
                "Postcode", names="postcode zip",
            ),
            s.flag(
                "green", "Whether only green energy counts", "green energy only|renewables only",
                "green or not|not only green energy", "green_only green",
            ),
            gives=(s.ident("tariff", "tariff number"), s.TOTAL),
        ),
        tool(
            "switch_energy_tariff change_tariff", "Changes to another energy tariff.",
            "switch to the energy tariff|change my contract to tariff",
            s.ident("tariff", "tariff number"),
            s.DAY.said(
                "from {}|starting {}|effective {}", "First day, as YYYY-MM-DD", names="start_date", label="start date",
            ),
        ),
        tool(
            "set_ev_charging charge_car", "Sets when and how far the electric car is charged at home.",
            "charge the car at home|set up the charging of the car",
            s.PERCENT,
            s.AT.said(
                "to be ready by {}|until {}", "When it is to be ready, HH:MM", names="ready_by", label="ready time",
            ),
            s.flag(
                "cheap", "Whether it waits for cheap power", "only with cheap power|when power is cheap",
                "whatever power costs|no matter the price", "cheap_hours cheap_only",
            ),
        ),
        tool(
            "get_solar_yield solar_output", "Tells what the solar panels gave.",
            "check the solar panels|?how much did the solar panels give",
            s.PERIOD, gives=(KWH,),
        ),
        tool(
            "report_power_outage power_cut", "Reports a power cut.",
            "report a power cut|tell the grid company that we are without power",
            s.ADDRESS.said("at {}|for the address {}"),
            s.PHONE.said("with {} as the number to call back|reachable at {}", "Number to call back").opt,
            gives=(s.ident("outage", "outage number"),),
        ),
        tool(
            "set_boiler_schedule schedule_hot_water", "Plans when the boiler heats water.",
            "schedule the hot water|program the boiler",
            s.named(
                "slots", many(record("{start} to {end}|{start}-{end}", start=TIME, end=TIME), 1, 2, "start"),
                "during {}|in the times {}", "Times of day, HH:MM", names="time_slots slots", label="times",
            ),
            s.DEGREES.opt,
        ),
    ),
    *domain(
        "repairs",
        tool(
            "request_repair order_repair", "Orders a repair at home.",
            "order a repair|get somebody to fix things",
            APPLIANCE,
            s.MESSAGE.said("reporting the fault {}|describing it as {}", "What is wrong", names="fault problem"),
            s.DAY.opt, s.URGENT, gives=(REPAIR,),
        ),
        tool(
            "find_tradesperson search_craftsmen", "Finds craftspeople.",
            "find a craftsperson|look for somebody in the trades",
            s.choice(
                "trade", "who is a {}|working as a {}", "Trade", "plumber electrician roofer painter carpenter",
                names="trade profession",
            ),
            s.CITY,
            s.SCORE.said(
                "rated {} stars or better|with {} stars at least", "Least rating", names="min_rating",
                label="least rating",
            ).opt,
            gives=(s.PERSON, s.PHONE),
        ),
        tool("cancel_repair call_off_repair", "Cancels a repair.", "cancel the repair|call off repair order", REPAIR),
        tool(
            "reschedule_repair move_repair", "Moves a repair to another day.",
            "move the repair|reschedule repair order",
            REPAIR, s.DAY.said("to {}|onto {}", "New day, as YYYY-MM-DD", names="new_date"), s.AT.opt,
        ),
        tool(
            "get_repair_quote repair_estimate", "Tells what a repair would cost.",
            "get a quote for a repair|?what would a repair cost",
            APPLIANCE,
            s.named(
                "age", integer(1, 20), "which is {} years old|bought {} years ago", "Age in years", names="age_years",
                label="age",
            ).opt,
            gives=(s.TOTAL,),
        ),
        tool(
            "check_warranty warranty_status", "Tells whether a product is under warranty.",
            "check the warranty of serial number|?is there still warranty on serial number",
            s.ident("serial", "serial number", "serial_number serial"),
            s.PAST.as_("purchase_date", "bought on {}|purchased on {}", "Day of purchase, as YYYY-MM-DD",
                names="purchase_date", label="purchase date",
            ).opt,
            gives=(s.UNTIL,),
        ),
        tool(
            "order_spare_part buy_spare_part", "Orders a spare part.",
            "order a spare part|get a replacement part",
            s.ident("part", "part number").said("with the part number {}|namely {}"), s.COUNT.opt, APPLIANCE,
            gives=(s.ident("order", "order number"), s.TOTAL),
        ),
    ),
)
