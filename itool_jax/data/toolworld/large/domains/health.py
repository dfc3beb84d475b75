"""Health: doctors, medicines, fitness."""

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import integer, many, number, record, text, words

# fmt: off
VISIT = s.ident("doctor_visit", "appointment number", "appointment_id visit_id")
PRESCRIPTION = s.ident("prescription", "prescription number")
FIELD = s.choice(
    "specialty", "with a {}|by a {}", "Field of medicine", "dermatologist cardiologist dentist paediatrician optician",
    names="specialty doctor_type", label="kind of doctor",
)
MEDICINE = s.named(
    "medicine", text(lambda rng: f"{values.syllables(rng, 2)}{rng.choice(('ol', 'in', 'an', 'ix'))}"),
    "{}|which is called {}", "Name of the medicine", names="medicine drug medication", leads=True,
)
DOSE = s.named("dose", integer(5, 800, 5), "with {} mg|at a dose of {} mg", "Dose in mg", names="dose_mg dose")
WORKOUT = s.choice(
    "sport", "of {}|doing {}", "Kind of exercise", "running cycling swimming rowing yoga", names="sport activity",
)
PATIENT = s.PERSON.said("for {}|for the patient {}", "Name of the patient", names="patient patient_name")
EXERCISES = s.named(
    "exercises",
    many(
        record(
            "{sets} sets of {name}|{name} in {sets} sets", name=words("squats lunges planks deadlifts pull-ups"),
            sets=integer(2, 6),
        ),
        1, 3, "name",
    ),
    "with {}|consisting of {}", "Exercises and their sets", names="exercises",
)

CONCEPTS = (
    *domain(
        "doctors",
        tool(
            "find_doctor search_doctors", "Finds doctors.",
            "find a doctor|look for a doctor",
            FIELD.said("who is a {}|namely a {}"), s.CITY,
            s.named(
                "insurance", words("public private"), "taking {} insurance|on {} insurance", "Kind of insurance",
                names="insurance_kind insurance", label="kind of insurance",
            ).opt,
            s.choice(
                "language", "speaking {}|who speaks {}", "Language", "English Turkish Arabic Polish",
                names="language spoken_language",
            ).opt,
            gives=(s.PERSON, s.PHONE),
        ),
        tool(
            "book_doctor_appointment make_appointment", "Makes an appointment at a doctor.",
            "book a doctor's appointment|make an appointment at the doctor",
            FIELD, s.DAY, s.AT.opt, PATIENT,
            s.MESSAGE.said(
                "with the complaint {}|because of {}", "Complaint", names="complaint reason", label="complaint",
            ).opt,
            gives=(VISIT,),
        ),
        tool(
            "cancel_doctor_appointment cancel_appointment", "Cancels an appointment at a doctor.",
            "cancel the doctor's appointment|call off the appointment at the doctor",
            VISIT,
        ),
        tool(
            "reschedule_doctor_appointment move_appointment", "Moves an appointment at a doctor.",
            "move the doctor's appointment|reschedule the appointment at the doctor",
            VISIT, s.DAY.said("to {}|onto {}", names="new_date"), s.AT.opt,
        ),
        tool(
            "get_lab_results test_results", "Gets results of the laboratory.",
            "get the lab results of appointment|?what did the lab find at appointment",
            VISIT, s.FORMAT, gives=(s.FILE,),
        ),
        tool(
            "request_referral get_referral", "Asks for a referral to a specialist.",
            "request a referral|ask for a referral",
            FIELD.said("to a {}|for a {}"), PATIENT, s.URGENT,
        ),
        tool(
            "find_hospital_er emergency_rooms", "Finds emergency rooms.",
            "find an emergency room|?where is the nearest hospital with an emergency room",
            s.COORDINATES, s.RADIUS.opt, gives=(s.STREET, s.PHONE),
        ),
        tool(
            "book_vaccination vaccination_appointment", "Makes an appointment for a vaccination.",
            "book a vaccination|get somebody vaccinated",
            s.choice(
                "vaccine", "against {}", "What against", "flu tetanus measles hepatitis rabies",
                names="vaccine disease",
            ),
            PATIENT, s.DAY, gives=(VISIT,),
        ),
    ),
    *domain(
        "pharmacy",
        tool(
            "refill_prescription renew_prescription", "Refills a prescription.",
            "refill the prescription|renew the prescription",
            PRESCRIPTION,
            s.PLACE.said(
                "at the pharmacy {}|to be picked up at {}", "Pharmacy", names="pharmacy", label="pharmacy",
            ).opt,
            gives=(s.DAY,),
        ),
        tool(
            "set_medicine_reminder pill_reminder", "Reminds of taking a medicine.",
            "remind me to take the medicine|set a pill reminder for",
            MEDICINE,
            s.named(
                "times", many(s.AT.kind, 1, 3), "at {}|always at {}", "Times, HH:MM", names="times times_of_day",
                label="times",
            ),
            DOSE.opt, s.UNTIL.opt,
        ),
        tool(
            "check_drug_interactions drug_interactions", "Tells whether medicines get along.",
            "check whether medicines get along|look up drug interactions",
            s.named(
                "medicines", many(MEDICINE.kind, 2, 3), "namely {}|between {}", "Medicines", names="medicines drugs",
                label="medicines",
            ),
        ),
        tool(
            "get_medicine_leaflet drug_information", "Shows what a medicine is for and its side effects.",
            "look up the side effects of|?what is it good for, the medicine",
            MEDICINE,
            s.choice(
                "section", "only the part on {}", "Part of the leaflet", "dosage side_effects storage",
                names="section topic",
            ).opt,
        ),
        tool(
            "log_medicine_taken record_dose", "Notes that a medicine was taken.",
            "note that I took|log that I have taken",
            MEDICINE, DOSE, s.AT,
        ),
        tool(
            "order_medicine buy_medicine", "Orders medicine without a prescription.",
            "order at the pharmacy|have the pharmacy send",
            MEDICINE, s.COUNT.said("{} packs|in {} packs", names="packs quantity", label="number of packs"), s.ADDRESS,
            gives=(s.ident("order", "order number"), s.TOTAL),
        ),
        tool(
            "find_night_pharmacy open_pharmacy", "Finds pharmacies that are open at night.",
            "find a pharmacy open at night|?which pharmacy has night duty",
            s.CITY, s.DAY.opt, gives=(s.STREET, s.PHONE),
        ),
    ),
    *domain(
        "fitness",
        tool(
            "log_workout record_exercise", "Notes an exercise.",
            "log a workout|record some exercise",
            WORKOUT, s.MINUTES, s.DISTANCE.opt,
            s.named(
                "calories", integer(50, 1500, 10), "burning {} calories|with {} kcal", "Energy in kcal",
                names="calories kcal",
            ).opt,
            gives=(s.ident("workout", "workout number"),),
        ),
        tool(
            "create_workout_plan build_training_plan", "Makes a plan of exercises.",
            "make a workout plan|put together a training plan",
            s.TITLE, EXERCISES,
            s.named(
                "weekdays", many(words("Monday Wednesday Friday Saturday"), 1, 3), "for {}|on {}", "Days of the week",
                names="weekdays days",
            ).opt,
        ),
        tool(
            "set_step_goal daily_steps", "Sets a goal of steps a day.",
            "set my step goal|change my daily step goal",
            s.named(
                "steps", integer(3000, 25000, 500), "to {} steps|at {} steps", "Steps a day", names="steps daily_steps",
                label="number of steps",
            ),
        ),
        tool(
            "get_heart_rate heart_rate", "Shows the heart rate of a day.",
            "show my heart rate|?how was my heart rate",
            s.PAST.as_("measured", "on {}|for {}", "Day, as YYYY-MM-DD", names="date day", label="day"),
            s.choice("view", "as the {}", "What is shown", "average maximum minimum", names="statistic view").opt,
        ),
        tool(
            "log_body_weight record_weight", "Notes one's weight.",
            "log my body weight|note down my weight",
            s.WEIGHT.said("at {} kg|which is {} kg"), s.DAY.opt,
        ),
        tool(
            "book_fitness_class join_class", "Books a place in a class.",
            "book a fitness class|sign me up for a gym class",
            s.choice(
                "class", "namely {}|for {}", "Class", "pilates spinning zumba boxing stretching",
                names="class_name class",
            ),
            s.PLACE.said("at the gym {}|in the studio {}", "Gym", names="gym studio", label="gym"), s.DAY, s.AT,
            gives=(s.ident("class_booking", "class booking number"),),
        ),
        tool(
            "cancel_fitness_class leave_class", "Cancels a place in a class.",
            "cancel the fitness class booking|drop out of the gym class with booking",
            s.ident("class_booking", "class booking number"),
        ),
        tool(
            "log_sleep record_sleep", "Notes how long one slept.",
            "log my sleep|write down how I slept",
            s.named(
                "slept", number(3, 11), "of {} hours|lasting {} hours", "Hours", names="hours hours_slept",
                label="hours",
            ),
            s.SCORE.said("with a quality of {} out of 5|rated {} out of 5").opt, s.DAY.opt,
        ),
        tool(
            "calculate_bmi body_mass_index", "Works out the body mass index.",
            "work out the body mass index|calculate my BMI",
            s.WEIGHT,
            s.named(
                "height", integer(140, 205), "at a height of {} cm|being {} cm tall", "Height in cm",
                names="height_cm height",
            ),
            gives=(s.named("bmi", number(17, 35), "at {}", "Body mass index"),),
        ),
        tool(
            "log_meal record_food", "Notes what was eaten.",
            "log a meal|write down what I ate",
            s.named(
                "eaten", many(text(values.one_of(pools.FOODS)), 1, 4), "with {}|consisting of {}", "Foods",
                names="foods items", label="foods",
            ),
            s.choice("meal", "as {}|for {}", "Meal", "breakfast lunch dinner snack", names="meal meal_type"), s.AT.opt,
        ),
        tool(
            "log_water drink_water", "Notes what was drunk.",
            "log the water I drank|note that I drank water",
            s.named(
                "milliliters", integer(100, 1500, 50), "with {} ml|of {} milliliters", "Milliliters",
                names="milliliters ml", label="amount of water",
            ),
        ),
        tool(
            "start_meditation guided_meditation", "Plays a guided meditation.",
            "start a meditation|play a guided meditation",
            s.MINUTES,
            s.choice(
                "theme", "on the theme {}|about {}", "Theme", "sleep focus gratitude breathing", names="theme topic",
            ).opt,
        ),
    ),
)
