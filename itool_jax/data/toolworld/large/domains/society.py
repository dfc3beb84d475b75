"""Society: messages, social networks, public offices."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import DATE_TIME, integer, many, text, words

# fmt: off
POST = s.ident("post", "post number")
GROUP = s.named(
    "group", text(values.title, 1.0), "in the group {}|to the group {}", "Name of the group",
    names="group group_name chat",
)
USER = s.named(
    "user", text(texts.user_name), "{}|called {}", "User name", names="user username", label="user name", leads=True,
)
CASE = s.ident("case", "case number")
DOCUMENT_KIND = s.choice(
    "document_kind", "for a {}", "Kind of document",
    {"passport": "passport", "id_card": "identity card", "driving_license": "driving license"},
    names="document_type document", label="kind of document",
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
            s.PAST.as_("born", "born on {}|born {}", "Day of birth, as YYYY-MM-DD", names="birth_date born_on",
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
)
