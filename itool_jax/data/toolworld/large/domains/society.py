"""Society: messages, social networks, public offices, homes to let, jobs."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import DATE_TIME, integer, many, number, text, words, year

# fmt: off
POST = s.ident("post", "post number")
GROUP = s.named(
    "group", text(values.title, 1.0), "in the group {}|to the group {}", "Name of the group",
    names="group group_name chat",
)
FLAT = s.ident("flat", "listing number", "listing_id flat_id")
JOB = s.ident("job", "job number")
USER = s.named(
    "user", text(texts.user_name), "{}|called {}", "User name", names="user username", label="user name", leads=True,
)
CASE = s.ident("case", "case number")
DOCUMENT_KIND = s.choice(
    "document_kind", "for a {}", "Kind of document",
    {"passport": "passport", "id_card": "identity card", "driving_license": "driving license"},
    names="document_type document", label="kind of document",
)
ROOMS = s.named(
    "rooms", integer(2, 7), "with {} rooms|having {} rooms", "Number of rooms", names="rooms num_rooms",
    label="number of rooms",
)
PROFESSION = s.choice(
    "profession", "as a {}|working as a {}", "Profession", "nurse welder teacher accountant baker",
    names="profession job_title",
)
WHEN = s.named(
    "when", DATE_TIME, "on {}|scheduled for {}", "When, as YYYY-MM-DDTHH:MM", names="when date_time", label="time",
)

CONCEPTS = (
    *domain(
        "messaging",
        tool(
            "send_text_message send_sms", "Sends a text message to a number.",
            "send a text message|text somebody",
            s.PHONE.said("to {}|to the number {}"), s.MESSAGE,
            s.flag(
                "receipt", "Whether delivery is confirmed", "with a delivery receipt|confirming delivery",
                "without a delivery receipt|no receipt needed", "delivery_receipt receipt",
            ),
        ),
        tool(
            "send_chat_message message_contact", "Sends a chat message to somebody.",
            "send a chat message|write in the chat",
            s.CONTACT, s.MESSAGE,
            s.FILE.said("with {} attached|attaching {}", names="attachment", label="attachment").opt,
            gives=(s.ident("chat_message", "chat message number"),),
        ),
        tool(
            "create_group_chat start_group", "Makes a group for chatting.",
            "start a group chat|create a chat group",
            s.TITLE.said("called {}|named {}"),
            s.PEOPLE_LIST.said("with {}|bringing together {}", names="members participants", label="members"),
        ),
        tool(
            "leave_group exit_chat_group", "Leaves a chat group.",
            "leave a chat group|get out of a chat group",
            GROUP.said("namely {}|called {}"),
            s.flag(
                "silent", "Whether the others are not told", "quietly|without the others noticing",
                "letting the others know|not quietly", "silent quietly",
            ),
        ),
        tool(
            "make_phone_call call_number", "Calls a number.",
            "make a phone call|dial a number",
            s.PHONE.said("to {}|to the number {}"),
            s.flag(
                "speaker", "Whether the speaker is on", "on speaker|with the speaker on",
                "with the speaker off|not on speaker", "speaker loudspeaker",
            ),
        ),
        tool(
            "start_video_call video_call", "Starts a video call.",
            "start a video call|set off a video call",
            s.PEOPLE_LIST,
            s.choice(
                "background", "in front of a {} background", "Background", "blurred beach office plain",
                names="background",
            ).opt,
        ),
        tool(
            "add_phone_contact save_contact", "Stores a contact on the phone.",
            "save a contact on my phone|store a new phone contact",
            s.PERSON.said("called {}|for {}"), s.PHONE.said("with the number {}|who has the number {}"),
            s.EMAIL.said("with the email {}|and the address {}").opt,
        ),
        tool(
            "block_number block_caller", "Blocks a caller.",
            "block a caller|stop calls",
            s.PHONE.said("from {}|from the number {}"),
        ),
        tool(
            "schedule_text_message send_sms_later", "Sends a text message later.",
            "schedule a text message|have a text go out later",
            s.PHONE.said("to {}|to the number {}"), s.MESSAGE, WHEN,
        ),
        tool(
            "delete_chat_message unsend_message", "Deletes a chat message.",
            "delete the chat message|unsend the chat message",
            s.ident("chat_message", "chat message number"),
            s.flag(
                "everyone", "Whether it vanishes for everyone", "for everyone|for all of us",
                "only for me|just on my side", "for_everyone everyone",
            ),
        ),
        tool(
            "get_voicemail listen_voicemail", "Plays messages left on the answering machine.",
            "play my voicemail|?who left a voicemail",
            s.LIMIT.opt, s.PHONE.said("from the number {}|left by {}", names="caller from_number", label="caller").opt,
        ),
    ),
    *domain(
        "social",
        tool(
            "publish_post create_post", "Publishes a post.",
            "publish a post|post something",
            s.MESSAGE, s.TAGS.opt,
            s.FILE.said("with the picture {}|showing {}", "Picture", names="image picture", label="picture").opt,
            s.PUBLIC, gives=(POST,),
        ),
        tool("delete_post remove_post", "Deletes a post.", "delete the post|take down the post", POST),
        tool(
            "comment_on_post write_comment", "Comments on a post.",
            "comment on the post|leave a comment under post",
            POST, s.MESSAGE,
        ),
        tool(
            "follow_user add_friend", "Follows somebody.",
            "follow the account of|start following",
            USER,
            s.flag(
                "alerts", "Whether new posts are announced", "with alerts|and tell me of new posts",
                "without alerts|but no alerts", "alerts notifications",
            ),
        ),
        tool(
            "get_post_statistics post_insights", "Tells how a post does.",
            "show how it does, the post|?how many people saw the post",
            POST,
            s.named(
                "figures", many(words("views likes shares comments")), "namely {}|with the figures {}", "Figures",
                names="metrics figures",
            ).opt,
        ),
        tool(
            "schedule_post plan_post", "Publishes a post later.",
            "schedule a post|queue a post for later",
            s.MESSAGE, WHEN, s.TAGS.opt, gives=(POST,),
        ),
        tool(
            "report_user report_account", "Reports an account.",
            "report the account|flag the user",
            USER,
            s.choice(
                "offence", "for {}", "Why", "spam insults impersonation scam", names="reason offence", label="reason",
            ),
            s.NOTE,
        ),
        tool(
            "start_poll create_poll", "Asks followers a question.",
            "start a poll|ask my followers",
            s.named(
                "question", text(texts.subject, 1.0), "about {}|on {}", "What the poll is about",
                names="question topic", label="question",
            ),
            s.named(
                "answers", many(text(values.title, 1.0), 2, 4), "with the options {}|letting them pick from {}",
                "Options", names="options answers", label="options",
            ),
            s.DAYS.said("open for {} days|running {} days").opt,
        ),
    ),
    *domain(
        "offices",
        tool(
            "book_office_appointment public_office_appointment", "Makes an appointment at a public office.",
            "book an appointment at the town hall|make an appointment at the public office",
            DOCUMENT_KIND.said("about a {}|concerning a {}"), s.CITY, s.DAY, s.AT.opt, gives=(CASE,),
        ),
        tool(
            "apply_for_document request_document", "Applies for a passport or license.",
            "apply for papers|hand in an application",
            DOCUMENT_KIND, s.PERSON, s.EXPRESS.said("{}", "Whether it is made quickly"),
            s.ADDRESS.said("to be sent to {}|living at {}").opt, gives=(CASE,),
        ),
        tool(
            "get_application_status case_status", "Tells how far a case is.",
            "check on the application, case|?how far is the application with case",
            CASE, gives=(s.STATUS,),
        ),
        tool(
            "report_change_of_address register_address", "Registers a new address.",
            "report that we moved|register a change of address",
            s.ADDRESS,
            s.DAY.said(
                "as of {}|since {}|from {}", "Day of the move, as YYYY-MM-DD", names="moved_on",
                label="day of the move",
            ),
            s.PEOPLE.opt,
        ),
        tool(
            "report_street_damage report_pothole", "Reports damage in the street.",
            "report damage in the street|tell the city about a problem in the street",
            s.choice(
                "problem", "namely a {}", "What is wrong",
                {"pothole": "pothole", "lamp": "broken street lamp", "graffiti": "graffiti", "dump": "rubbish dump"},
                names="problem damage", label="problem",
            ),
            s.STREET,
            s.FILE.said("with the photo {}|showing it on {}", "Photo", names="photo picture", label="photo").opt,
            gives=(CASE,),
        ),
        tool(
            "get_waste_collection waste_calendar", "Tells when waste is collected.",
            "look up when waste is collected|?when does the garbage truck come",
            s.STREET,
            s.choice(
                "waste", "for {}", "Kind of waste",
                {"paper": "paper", "organic": "organic waste", "plastic": "plastic", "bulky": "bulky waste"},
                names="waste_type waste", label="kind of waste",
            ).opt,
        ),
        tool(
            "register_dog dog_tax", "Registers a dog for the dog tax.",
            "register a dog for the dog tax|sign up a dog with the city",
            s.named(
                "breed", words("poodle beagle collie terrier dachshund"), "which is a {}|of the breed {}", "Breed",
                names="breed dog_breed",
            ),
            s.PERSON.said("kept by {}|owned by {}", "Keeper", names="owner keeper", label="owner"),
        ),
        tool(
            "request_birth_certificate certificate_copy", "Orders a copy of a certificate.",
            "order a copy of a birth certificate|request a birth certificate",
            s.PERSON,
            s.DAY.as_(
                "born", "born on {}|born {}", "Day of birth, as YYYY-MM-DD", names="birth_date born_on",
                label="date of birth",
            ),
            s.named(
                "copies", integer(2, 9), "in {} copies|{} times", "Number of copies", names="copies",
                label="number of copies",
            ).opt,
        ),
        tool(
            "register_event_permit event_permission", "Asks for permission for a street event.",
            "ask for permission for a street event|apply for an event permit",
            s.TITLE, s.STREET, s.PERIOD,
            s.PEOPLE.said(
                "with {} visitors|expecting {} people", "Expected visitors", names="visitors expected_people",
                label="number of visitors",
            ),
            gives=(CASE,),
        ),
    ),
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
