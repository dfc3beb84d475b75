"""The office: calendar, mail, projects, documents, customers, staff."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import DATE_TIME, integer, many, record, text, words

# fmt: off
EVENT = s.ident("event", "event id", "event_id meeting_id")
MAIL = s.ident("mail", "mail id", "mail_id message_id")
TASK = s.ident("task", "task id", "task_id")
PROJECT = s.named(
    "project", text(values.title, 1.0), "in the project {}|for the project {}", "Name of the project",
    names="project project_name",
)
EMPLOYEE = s.ident("employee", "employee number")
LEAD = s.ident("lead", "customer number", "customer_id client_id")
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
ASSIGNEE = s.PERSON.as_("assignee", "to {}|assigned to {}", "Who does it", names="assignee owner", label="assignee")
BOX = s.choice(
    "box", "in the {}", "Mail folder", "inbox archive drafts spam", names="folder mailbox", label="mail folder",
)
LEAVE = s.choice(
    "leave", "as {}", "Kind of leave",
    {"vacation": "vacation|holiday", "sick": "sick leave", "parental": "parental leave", "unpaid": "unpaid leave"},
    names="leave_type kind", label="kind of leave",
)
COMPANY = s.named("company", text(texts.company), "at {}|of the company {}", "Company", names="company organization")
STAGE = s.choice(
    "stage", "to the stage {}|into {}", "Stage", "contacted qualified proposal won lost", names="stage pipeline_stage",
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
        "projects",
        tool(
            "create_task add_task", "Makes a task in a project.",
            "create a task|add a task|open a task",
            WHAT.said("saying {}|called {}"), PROJECT, ASSIGNEE.opt, s.BY_DATE.opt, s.PRIORITY.opt, s.TAGS.opt,
            gives=(TASK,),
        ),
        tool(
            "assign_task reassign_task", "Gives a task to somebody.",
            "assign the task|hand over the task",
            TASK, ASSIGNEE,
        ),
        tool("complete_task close_task", "Marks a task as done.", "mark as done the task|close the task", TASK, s.NOTE),
        tool(
            "comment_on_task add_task_comment", "Writes a comment on a task.",
            "comment on the task|leave a comment on the task",
            TASK, s.MESSAGE,
        ),
        tool(
            "list_project_tasks get_tasks", "Lists the tasks of a project.",
            "list the tasks|?which tasks are there",
            PROJECT,
            s.choice(
                "task_state", "that are {}|in the state {}", "State", "open blocked finished", names="state status",
                label="state",
            ).opt,
            ASSIGNEE.said("of {}|assigned to {}").opt, gives=(TASK,),
        ),
        tool(
            "set_task_deadline change_due_date", "Sets the day when a task is due.",
            "change the deadline of the task|give a new due date to the task",
            TASK, s.BY_DATE.said("to {}|which is now {}"),
        ),
        tool(
            "log_work_time track_time", "Books time on a task.",
            "log time on the task|book working time on the task",
            TASK, s.MINUTES, s.DAY.opt,
            s.flag(
                "billable", "Whether the client pays for it", "billable|to be billed", "not billable|not to be billed",
                "billable chargeable",
            ),
        ),
        tool(
            "create_sprint start_sprint", "Starts a sprint.",
            "start a sprint|create a sprint",
            s.TITLE.said("called {}|named {}"), PROJECT, s.PERIOD, gives=(s.ident("sprint", "sprint number"),),
        ),
        tool(
            "link_tasks set_task_dependency", "Makes a task wait for another.",
            "link two tasks: hold back task|make a dependency for task",
            TASK,
            TASK.as_(
                "blocker", "until {} is done|which waits for {}", "Task that must be done first",
                names="blocked_by depends_on", label="blocking task",
            ),
        ),
        tool(
            "get_project_report project_status", "Reports on a project.",
            "get a status report|?how is the project going",
            PROJECT, s.PERIOD.opt, s.FORMAT, gives=(s.FILE,),
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
            s.FILE.said("into {}|saving as {}", "Name of the result", names="output target_file", label="target file"),
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
    *domain(
        "customers",
        tool(
            "add_customer create_contact", "Stores a customer.",
            "add a customer|put a new contact in the customer list",
            s.PERSON.said("called {}|named {}"), COMPANY, s.EMAIL.said("reachable at {}|with the email {}"),
            s.PHONE.said("with the phone number {}|calling {}").opt, gives=(LEAD,),
        ),
        tool(
            "find_customer search_contacts", "Finds a customer.",
            "find a customer|look up a customer",
            s.PERSON.said("called {}|by the name of {}").said("called {}|by the name of {}"), COMPANY.opt,
            gives=(LEAD, s.EMAIL, s.PHONE),
        ),
        tool(
            "update_deal_stage move_deal", "Moves a deal to another stage.",
            "move the deal with customer|update the deal with customer",
            LEAD, STAGE,
        ),
        tool(
            "log_customer_call log_call", "Notes a call with a customer.",
            "log a call with customer|note down a call with customer",
            LEAD, s.MINUTES,
            s.MESSAGE.said("where we said {}|about {}", "What was said", names="summary notes", label="summary"),
        ),
        tool(
            "create_support_ticket open_ticket", "Opens a ticket for a customer.",
            "open a support ticket for customer|create a ticket for customer",
            LEAD, s.MESSAGE.said("with the problem {}|describing {}", "The problem", names="problem description"),
            s.PRIORITY,
            s.choice("channel", "received by {}", "How it came in", "phone email chat", names="channel").opt,
            gives=(s.ident("ticket", "ticket number"),),
        ),
        tool(
            "close_support_ticket resolve_ticket", "Closes a ticket.",
            "close the support ticket|resolve the ticket",
            s.ident("ticket", "ticket number"), s.NOTE,
        ),
        tool(
            "escalate_ticket raise_ticket", "Passes a ticket to the next level.",
            "escalate the ticket|raise the ticket",
            s.ident("ticket", "ticket number"),
            s.choice("team", "to the {} team", "Team", "billing legal engineering security", names="team target_team"),
            s.URGENT,
        ),
        tool(
            "grant_discount give_discount", "Grants a customer a discount.",
            "grant a discount to customer|give a discount to customer",
            LEAD,
            s.named(
                "discount", integer(3, 40), "of {} percent|worth {}%", "Discount in percent",
                names="discount_percent discount", label="discount",
            ),
            s.UNTIL.opt,
        ),
        tool(
            "send_survey customer_survey", "Sends customers a survey.",
            "send out a survey|have customers fill in a survey",
            s.EMAILS, s.SUBJECT, s.UNTIL.opt,
        ),
    ),
    *domain(
        "staff",
        tool(
            "request_leave apply_for_leave", "Asks for days off.",
            "request leave|apply for time off|ask for some days off",
            LEAVE, s.PERIOD,
            s.PERSON.said(
                "with {} standing in|covered by {}", "Who stands in", names="substitute deputy", label="substitute",
            ).opt,
            gives=(s.ident("leave_request", "leave request number"),),
        ),
        tool(
            "approve_leave accept_leave", "Approves a request for leave.",
            "approve the leave request|accept the leave request",
            s.ident("leave_request", "leave request number"), s.NOTE,
        ),
        tool(
            "get_leave_balance days_off_left", "Tells how many days off are left.",
            "check the days off left of employee|?how much vacation is left for employee",
            EMPLOYEE, LEAVE.opt, gives=(s.DAYS,),
        ),
        tool(
            "submit_travel_expenses claim_travel_costs", "Hands in travel expenses.",
            "hand in travel expenses|claim my travel costs",
            s.named(
                "costs",
                many(
                    record(
                        "{amount} euros for {kind}|{kind}: {amount} euros", kind=words("train hotel meals taxi fuel"),
                        amount=integer(8, 600),
                    ),
                    1, 3, "kind",
                ),
                "namely {}|consisting of {}", "Kinds of cost and amounts in euros", names="costs expenses",
            ),
            s.DESTINATION, gives=(s.ident("expense_report", "expense report number"),),
        ),
        tool(
            "onboard_employee add_employee", "Registers a new member of staff.",
            "onboard a new colleague|register a new employee",
            s.PERSON.said("called {}|named {}"),
            s.choice(
                "department", "in {}|joining {}", "Department", "sales finance support research logistics",
                names="department",
            ),
            s.DAY.said("starting {}|from {}", "First day, as YYYY-MM-DD", names="start_date", label="first day"),
            s.choice(
                "contract", "on a {} contract", "Contract", "permanent temporary part_time",
                names="contract_type contract", label="contract",
            ).opt,
            gives=(EMPLOYEE,),
        ),
        tool(
            "get_payslip download_payslip", "Gets a payslip.",
            "get the payslip of employee|download a payslip for employee",
            EMPLOYEE, s.choice("month", "for {}", "Month", "January March May August October December", names="month"),
            gives=(s.FILE,),
        ),
        tool(
            "record_sick_day call_in_sick", "Reports somebody as ill.",
            "call in sick for employee|report a sick day for employee",
            EMPLOYEE, s.DAY, s.DAYS.opt,
        ),
        tool(
            "book_training enroll_in_training", "Books a training for an employee.",
            "book a training for employee|send off to training employee",
            EMPLOYEE, s.SUBJECT, s.DAY.opt, s.MAX_PRICE.opt,
        ),
        tool(
            "nominate_award employee_award", "Nominates a colleague for an award.",
            "nominate a colleague for an award|put a colleague up for an award",
            s.PERSON.said("namely {}|who is {}"),
            s.MESSAGE.said("with the reason {}|because {}", names="reason", label="reason"),
        ),
    ),
)
