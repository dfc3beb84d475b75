"""Calendar, mail and telephone, documents, and work tickets."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.concept import concept
from itool_jax.data.toolworld.slots import (
    ATTENDEES,
    DATE,
    EMAIL,
    EMAILS,
    FILE,
    LANGUAGE,
    MESSAGE,
    MINUTES,
    NOTE,
    NOTIFY,
    PERSON,
    PHONE,
    PRIORITY,
    QUANTITY,
    REPEAT,
    TAGS,
    TIME,
    TITLE,
    TOPIC,
    URGENT,
    flag,
    reference,
    slot,
)

MEETING = reference("meeting", "meeting_id meeting event_id", "meeting code")
MAIL = reference("mail", "mail_id email_id mail", "mail code")
TICKET = reference("ticket", "ticket_id ticket issue_id", "ticket number")
ONLINE = flag("online", "online virtual remote", ("as an online meeting", "online"), ("not online", "in person"))
UNREAD = flag("unread", "unread unread_only", ("only the unread ones", "that are unread"), ("read or unread",))
EDIT = flag("edit", "can_edit editable write_access", ("with the right to edit",), ("without the right to edit",))
RECIPIENT = PERSON.said("to {}", "addressed to {}", names=("recipient", "to", "contact"))
SENDER = PERSON.said("from {}", "sent by {}", names=("sender", "from_name", "author"))
ASSIGNEE = PERSON.said("assigned to {}", names=("assignee", "owner", "assigned_to"))
FORMAT = slot(
    "format",
    "format to_format target_type",
    values.choices(
        {"pdf": ("to PDF", "into a PDF"), "html": ("to HTML",), "word": ("to Word",)}, ("PDF", "HTML", "DOCX")
    ),
)
NEW_PRIORITY = slot(
    "priority",
    "priority new_priority urgency",
    values.choices({p: (f"to {p}", f"to {p} priority") for p in ("low", "medium", "high")}, ("LOW", "MEDIUM", "HIGH")),
)
UNREAD_COUNT = slot("unread_count", "unread", values.integer(0, 90), label="number of unread emails")
NEW_NAME = slot("new_name", "new_name rename_to target", values.string(values.file_name), "to {}")
LIMIT = QUANTITY.said("at most {} of them", "no more than {}", names=("limit", "max_results", "top"))

CONCEPTS = (
    concept(
        "calendar", "create schedule add", "meeting", ("schedule a meeting", "set up a meeting", "create a meeting"),
        TITLE, DATE, TIME, ATTENDEES.optional(), MINUTES.optional(), ONLINE, returns=(MEETING,),
    ),
    concept("calendar", "cancel delete", "meeting", ("cancel the meeting", "call off the meeting"), MEETING, NOTIFY),
    concept(
        "calendar", "cancel delete", "meeting_by_title titled_meeting", ("cancel the meeting", "call off the meeting"),
        TITLE, NOTIFY,
    ),
    concept(
        "calendar", "move reschedule", "meeting", ("move the meeting", "reschedule the meeting"),
        MEETING, DATE.said("to {}", "to the new date {}", names=("new_date", "date", "day")), TIME.optional(),
    ),
    concept("calendar", "list show", "meetings", ("list my meetings", "show my meetings"), DATE, returns=(MEETING,)),
    concept(
        "calendar", "invite", "people colleagues", ("invite people to the meeting", "add people to the meeting"),
        MEETING, ATTENDEES.said("namely {}", names=("people", "attendees", "invitees")),
    ),
    concept(
        "calendar", "create set add", "reminder", ("remind me", "set a reminder", "create a reminder"),
        MESSAGE, TIME, REPEAT.optional(), DATE.optional(),
    ),
    concept(
        "mail", "send write", "email mail", ("send an email", "write an email"),
        EMAIL, TOPIC, MESSAGE.optional(), URGENT, returns=(MAIL,),
    ),
    concept(
        "mail", "find search", "emails mails", ("find emails", "search my mail", "look for emails"),
        SENDER, UNREAD, LIMIT.optional(), returns=(MAIL,),
    ),
    concept("mail", "delete remove", "email mail", ("delete the email", "remove the email"), MAIL),
    concept(
        "mail", "forward", "email mail", ("forward the email", "pass on the email"),
        MAIL, EMAIL.said("to {}", names=("to", "recipient", "forward_to")), NOTE,
    ),
    concept(
        "mail", "count get", "unread_emails", ("count my unread emails", "tell me how many unread emails I have"),
        returns=(UNREAD_COUNT,),
    ),
    concept(
        "phone", "send", "text_message sms", ("send a text message", "send an SMS", "text a message"),
        RECIPIENT, MESSAGE,
    ),
    concept("phone", "call dial", "number phone_number", ("call the number", "dial the number", "phone"), PHONE),
    concept(
        "phone", "find get", "phone_number contact_phone", ("find the phone number", "look up the phone number"),
        PERSON.said("of {}", "belonging to {}", names=("name", "person", "contact")), returns=(PHONE,),
    ),
    concept(
        "phone", "find get", "email_address", ("find the email address", "look up the mail address"),
        PERSON.said("of {}", "belonging to {}", names=("name", "person", "contact")), returns=(EMAIL,),
    ),
    concept(
        "phone", "add create save", "contact", ("add a contact", "save a new contact"),
        PERSON.said("named {}", "called {}"), PHONE.said("with the number {}", "with the phone number {}"),
        EMAIL.said("with the email {}").optional(),
    ),
    concept(
        "document", "create write", "document note", ("create a document", "make a new document"),
        TITLE, TAGS.optional(), MESSAGE.optional(), returns=(FILE,),
    ),
    concept("document", "share", "document file", ("share the file", "give access to the file"), FILE, EMAILS, EDIT),
    concept("document", "delete remove", "document file", ("delete the file", "remove the file"), FILE),
    concept("document", "rename", "document file", ("rename the file", "change the name of the file"), FILE, NEW_NAME),
    concept(
        "document", "convert export", "document file", ("convert the file", "export the file"),
        FILE, FORMAT, returns=(FILE,),
    ),
    concept(
        "document", "find search", "documents files", ("find files", "search for files"),
        TOPIC, TAGS.optional(), LIMIT.optional(), returns=(FILE,),
    ),
    concept(
        "document", "translate", "document file", ("translate the file", "have the file translated"),
        FILE, LANGUAGE, returns=(FILE,),
    ),
    concept(
        "ticket", "create open", "ticket issue", ("open a ticket", "create a ticket", "file an issue"),
        TITLE, PRIORITY.optional(), ASSIGNEE.optional(), TAGS.optional(), returns=(TICKET,),
    ),
    concept("ticket", "close resolve", "ticket issue", ("close the ticket", "resolve the ticket"), TICKET, NOTE),
    concept(
        "ticket", "assign", "ticket issue", ("assign the ticket", "hand over the ticket"),
        TICKET, PERSON.said("to {}", names=("assignee", "person", "to")),
    ),
    concept(
        "ticket", "list find", "tickets issues", ("list the tickets", "show the open tickets"),
        PRIORITY.optional(), ASSIGNEE.optional(), LIMIT.optional(), returns=(TICKET,),
    ),
    concept(
        "ticket", "set change", "ticket_priority",
        ("change the priority of the ticket", "set the priority of the ticket"),
        TICKET, NEW_PRIORITY,
    ),
)  # fmt: skip
