"""Work: projects, customers, staff."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.domains.office import WHAT
from itool_jax.data.toolworld.large.kinds import integer, many, record, text, words

# fmt: off
TASK = s.ident("task", "task id", "task_id")
PROJECT = s.named(
    "project", text(values.title, 1.0), "in the project {}|for the project {}", "Name of the project",
    names="project project_name",
)
EMPLOYEE = s.ident("employee", "employee number")
LEAD = s.ident("lead", "customer number", "customer_id client_id")
ASSIGNEE = s.PERSON.as_("assignee", "to {}|assigned to {}", "Who does it", names="assignee owner", label="assignee")
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
