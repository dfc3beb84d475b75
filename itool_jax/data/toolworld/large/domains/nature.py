"""Pets and garden."""

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import integer, text

# fmt: off
PET = s.named("pet", text(values.first_name), "{}|called {}", "Name of the pet", names="pet pet_name", leads=True)
FOR_PET = PET.said("for our pet {}|for {} the pet")
PLANT = s.named(
    "plant", text(values.one_of(pools.FOODS)), "of the plant {}|of {}", "Kind of plant", names="plant species",
    label="plant",
)
BED = s.choice(
    "bed", "in the {}", "Where in the garden", "greenhouse lawn orchard flower_bed terrace", names="bed garden_area",
    label="garden area",
)

CONCEPTS = (
    *domain(
        "pets",
        tool(
            "register_pet add_pet", "Registers a pet.",
            "register the pet|sign up our pet",
            PET,
            s.choice(
                "species", "which is a {}", "Kind of animal", "dog cat rabbit parrot tortoise", names="species animal",
            ),
            s.named("age", integer(1, 18), "aged {}|{} years old", "Age in years", names="age age_years").opt,
            s.WEIGHT.opt, gives=(s.ident("chip", "chip number"),),
        ),
        tool(
            "book_vet_appointment vet_visit", "Books a visit at the vet.",
            "book a vet appointment|arrange a visit to the vet",
            FOR_PET, s.DAY, s.AT.opt,
            s.choice(
                "reason", "because of {}|for {}", "Reason", "vaccination limping check_up dental_care",
                names="reason visit_reason",
            ),
            s.URGENT, gives=(s.ident("vet_visit", "vet visit number"),),
        ),
        tool(
            "feed_pet dispense_food", "Has the feeder give out food.",
            "feed the pet|give some food to",
            PET,
            s.named(
                "grams", integer(20, 400, 5), "with {} grams|giving {} g", "Grams of food", names="grams portion_grams",
                label="portion",
            ),
        ),
        tool(
            "log_pet_weight record_pet_weight", "Notes a pet's weight.",
            "note down the weight of our pet|record how heavy the pet is, that is",
            PET, s.WEIGHT.said("at {} kg|with {} kg"), s.DAY.opt,
        ),
        tool(
            "find_dog_sitter search_pet_sitters", "Finds somebody to mind a pet.",
            "find a pet sitter|look for somebody to mind the dog",
            s.CITY, s.PERIOD, s.MAX_PRICE.opt, gives=(s.PERSON, s.PHONE),
        ),
        tool(
            "report_missing_pet lost_pet", "Reports a lost pet.",
            "report the missing pet|tell everyone that we lost",
            PET, s.ADDRESS.said("last seen at {}|missing from {}", "Where it was seen last", names="last_seen"),
            s.PHONE.said("with calls to {}|and the number to call is {}"),
            s.named(
                "reward", integer(20, 500, 10), "with a reward of {} euros|offering {} euros", "Reward in euros",
                names="reward",
            ).opt,
        ),
        tool(
            "get_vaccination_record pet_vaccinations", "Shows a pet's vaccinations.",
            "show the vaccinations of our pet|?which shots did our pet have, meaning",
            PET,
        ),
    ),
    *domain(
        "garden",
        tool(
            "water_garden start_irrigation", "Runs the irrigation.",
            "water the garden|start the irrigation",
            BED, s.MINUTES, s.AT.opt,
        ),
        tool(
            "schedule_irrigation plan_irrigation", "Plans regular watering.",
            "set up regular watering|schedule the sprinklers",
            BED, s.AT,
            s.choice("every", "every {}", "How often", "day week month", names="every interval", label="interval"),
            s.MINUTES.opt,
        ),
        tool(
            "get_soil_moisture soil_moisture", "Tells how wet the soil is.",
            "check how dry the soil is|?how wet is the soil",
            BED,
        ),
        tool(
            "log_harvest record_harvest", "Notes what was harvested.",
            "log our harvest|write down the harvest",
            PLANT, s.WEIGHT.said("at {} kg|coming to {} kg"), s.DAY.opt,
        ),
        tool(
            "identify_plant recognize_plant", "Names the plant on a picture.",
            "identify the plant on the picture|?which plant is on the picture",
            s.FILE, s.LIMIT.opt,
        ),
        tool(
            "get_planting_calendar when_to_sow", "Tells when to sow or plant.",
            "look up when to sow|?when is the time to sow",
            PLANT, s.COUNTRY.opt,
        ),
        tool(
            "mow_lawn start_mower", "Sends the robot mower out.",
            "mow the lawn|send the mower out",
            s.named(
                "height", integer(2, 9), "at {} cm|cut to {} cm", "Height of cut in cm",
                names="height_cm cutting_height", label="cutting height",
            ),
            s.AT.opt,
            s.flag(
                "edges", "Whether the edges are cut", "edges too|including the edges",
                "not the edges|without the edges", "cut_edges edges",
            ),
        ),
        tool(
            "order_seeds buy_seeds", "Orders seeds.",
            "order seeds|buy some seeds",
            PLANT,
            s.COUNT.said(
                "{} packets|in {} packets", "Number of packets", names="packets count", label="number of packets",
            ),
            s.flag(
                "organic", "Whether the seeds are organic", "organic ones|certified organic",
                "not organic|organic is not needed", "organic organic_only",
            ),
            gives=(s.ident("order", "order number"), s.TOTAL),
        ),
    ),
)
