"""The office: calendar, mail, documents."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import DATE_TIME, integer, many, text, words

# fmt: off
EVENT = s.ident("event", "event id", "event_id meeting_id")
MAIL = s.ident("mail", "mail id", "mail_id message_id")
DOCUMENT = s.ident("document", "document id", "document_id doc_id")
ROOM_NAME = s.named(
    "meeting_room", text(values.place, 0.4), "in the meeting room {}|in room {}", "Meeting room",
    names="meeting_room room", label="meeting room",
)
START = s.named(
    "start", DATE_TIME, "starting {}|beginning on {}", "Start as YYYY-MM-DDTHH:MM", names="start start_time",
    label="start",
)
WHAT = s.named(
    "what", text(texts.task, 1.0), "saying {}|to {}|called {}", "What is to be done", names="title task_title",
    label="task",
)
BOX = s.choice(
    "box", "in the {}", "Mail folder", "inbox archive drafts spam", names="folder mailbox", label="mail folder",
)

CONCEPTS = (
    *domain(
        "calendar",
        tool(
            "create_event schedule_meeting", "Puts an event into the calendar.",
            "schedule a meeting|put a meeting in the calendar|set up a meeting",
            s.TITLE, START, s.MINUTES.opt, s.PEOPLE_LIST.opt,
            s.flag(
                "online", "Whether it takes place online", "online|as a video call", "in person|face to face",
                "online virtual",
            ),
            gives=(EVENT,),
        ),
        tool(
            "move_event reschedule_meeting", "Moves an event.",
            "move the meeting|reschedule the event",
            EVENT, START.said("to {}|so that it starts {}", "New start as YYYY-MM-DDTHH:MM", names="new_start"),
            s.NOTIFY,
        ),
        tool(
            "cancel_event delete_meeting", "Cancels an event.",
            "cancel the meeting|call off the event",
            EVENT, s.NOTIFY,
        ),
        tool(
            "list_events get_agenda", "Lists the events of a day.",
            "show my agenda|?what is on my calendar|list my appointments",
            s.DAY,
            s.choice(
                "calendar", "in my {} calendar", "Calendar", "work private family", names="calendar calendar_name",
            ).opt,
            gives=(EVENT,),
        ),
        tool(
            "invite_to_event add_attendees", "Invites more people to an event.",
            "invite more people to the meeting|add attendees to the event",
            EVENT, s.PEOPLE_LIST.said("namely {}|bringing in {}"),
        ),
        tool(
            "find_free_slot find_meeting_time", "Finds a time when everybody is free.",
            "find a time that suits everyone|?when is everybody free",
            s.PEOPLE_LIST.said("among {}|for {}"), s.MINUTES, s.PERIOD, gives=(START,),
        ),
        tool(
            "answer_invitation rsvp", "Answers an invitation.",
            "answer the invitation to event|reply to the invitation for event",
            EVENT, s.choice("answer", "with {}|saying {}", "Answer", "yes no maybe", names="answer response"), s.NOTE,
        ),
        tool(
            "book_meeting_room reserve_meeting_room", "Reserves a meeting room.",
            "book a meeting room|reserve a room for a meeting",
            ROOM_NAME, START, s.MINUTES,
            s.named(
                "equipment", many(words("projector whiteboard phone camera")), "equipped with {}|having {}",
                "Equipment", names="equipment features",
            ).opt,
        ),
        tool(
            "set_reminder create_reminder", "Reminds of something at a time.",
            "remind me|set a reminder",
            WHAT.said("to {}|with the text {}", names="text reminder_text", label="text"),
            START.said("on {}|due {}", "When, as YYYY-MM-DDTHH:MM", names="remind_at when"), s.REPEAT,
        ),
        tool(
            "set_working_hours office_hours", "Sets the hours of work in the calendar.",
            "set my working hours|change my office hours",
            s.named(
                "weekdays", many(words("Monday Tuesday Wednesday Thursday Friday"), 1, 3), "on {}|for {}",
                "Days of the week", names="weekdays days",
            ),
            s.AT.said("from {}|starting at {}", "Start, HH:MM", names="start from_time", label="start"),
            s.AT.as_("end_time", "until {}|ending at {}", "End, HH:MM", names="end to_time", label="end"),
        ),
    ),
    *domain(
        "mail",
        tool(
            "send_email compose_email", "Sends an email.",
            "send an email|write an email|mail somebody",
            s.EMAIL, s.SUBJECT.said("with the subject {}|about {}"), s.MESSAGE,
            s.EMAILS.as_("cc", "with a copy to {}|cc {}", "Who gets a copy", names="cc copies", label="copies").opt,
            s.FILE.said("with {} attached|attaching {}", names="attachment", label="attachment").opt, gives=(MAIL,),
        ),
        tool(
            "reply_to_email answer_email", "Answers an email.",
            "reply to the email|answer the mail",
            MAIL, s.MESSAGE,
            s.flag(
                "all", "Whether everyone gets the answer", "to all of them|replying to all",
                "only to the sender|not to all", "reply_all to_all",
            ),
        ),
        tool(
            "forward_email pass_on_email", "Forwards an email.",
            "forward the email|pass on the mail",
            MAIL, s.EMAILS, s.NOTE,
        ),
        tool(
            "search_emails find_emails", "Finds emails.",
            "search my mail|find emails|look through my mailbox",
            s.QUERY, s.EMAIL.said("from {}|sent by {}", "Sender", names="sender from_address", label="sender").opt,
            BOX.opt,
            s.flag(
                "unread", "Whether only unread emails count", "unread ones only|that are unread",
                "read or unread|unread or not", "unread_only unread",
            ),
            gives=(MAIL,),
        ),
        tool("delete_email trash_email", "Deletes an email.", "delete the email|trash the mail", MAIL),
        tool(
            "move_email file_email", "Moves an email to a folder.",
            "move the email|file the mail",
            MAIL, BOX.said("to the {}|into the {}"),
        ),
        tool(
            "set_out_of_office auto_reply", "Sets an automatic reply.",
            "set up an out-of-office reply|turn on automatic replies",
            s.PERIOD, s.MESSAGE,
        ),
        tool(
            "create_mail_filter mail_rule", "Makes a rule that sorts emails.",
            "create a mail filter|make a rule for incoming mail",
            s.EMAIL.said("for mails from {}|for the sender {}", "Sender", names="sender", label="sender"),
            BOX.said("sorting them into the {}|moving them to the {}", names="target_folder", label="target folder"),
        ),
        tool(
            "schedule_email send_email_later", "Sends an email at a later time.",
            "schedule an email|have an email go out later",
            s.EMAIL, s.MESSAGE,
            START.said("leaving on {}|set for {}", "When, as YYYY-MM-DDTHH:MM", names="send_at", label="sending time"),
        ),
        tool(
            "unsubscribe_newsletter unsubscribe", "Ends the subscription of a newsletter.",
            "unsubscribe from a newsletter|get me off a mailing list",
            s.EMAIL.said("sent by {}|from {}", "Sender", names="sender", label="sender"),
        ),
    ),
    *domain(
        "documents",
        tool(
            "create_document new_document", "Makes a document from a template.",
            "create a document|start a new document",
            s.TITLE,
            s.choice(
                "template", "from the {} template", "Template", "letter report contract minutes blank",
                names="template",
            ),
            s.FOLDER.opt, gives=(DOCUMENT,),
        ),
        tool(
            "share_document give_document_access", "Shares a document.",
            "share the document|give others access to the document",
            DOCUMENT, s.EMAILS,
            s.choice(
                "permission", "as {}|with the right of {}", "Right",
                {"view": "viewers|viewing", "comment": "commenters|commenting", "edit": "editors|editing"},
                names="permission access",
            ),
            s.UNTIL.opt,
        ),
        tool(
            "search_documents find_documents", "Finds documents.",
            "search my documents|find documents",
            s.QUERY, s.FOLDER.opt, s.LIMIT.opt, gives=(DOCUMENT,),
        ),
        tool(
            "translate_document translate_file", "Translates a document.",
            "translate the document|have a translation made of the document",
            DOCUMENT, s.LANGUAGE, gives=(DOCUMENT,),
        ),
        tool(
            "export_document download_document", "Exports a document as a file.",
            "export the document|download the document",
            DOCUMENT, s.FORMAT.said("as {}|in {} format"), gives=(s.FILE,),
        ),
        tool(
            "summarize_document document_summary", "Summarizes a document.",
            "summarize the document|boil down the document",
            DOCUMENT,
            s.named(
                "sentences", integer(2, 12), "in {} sentences|using {} sentences", "Number of sentences",
                names="sentences length", label="number of sentences",
            ).opt,
        ),
        tool(
            "request_signature send_for_signature", "Asks people to sign a document.",
            "have it signed, document|request signatures on the document",
            DOCUMENT, s.EMAILS.said("from {}|by {}"), s.BY_DATE.opt,
        ),
        tool(
            "merge_pdfs join_pdfs", "Joins several files into one.",
            "merge PDF files|join PDFs into one",
            s.named("files", many(text(texts.path), 2, 3), "namely {}|from {}", "Files in order", names="files paths"),
            s.FILE.as_(
                "merged", "into {}|saving as {}", "Name of the result", names="output target_file", label="target file",
            ),
        ),
        tool(
            "restore_document_version roll_back_document", "Brings an older version of a document back.",
            "restore an older version of the document|roll back the document",
            DOCUMENT,
            s.named(
                "version", integer(1, 60), "to version {}|taking version {}", "Number of the version",
                names="version version_number",
            ),
        ),
    ),
)
