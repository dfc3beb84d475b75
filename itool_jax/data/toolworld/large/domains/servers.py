"""Servers and source code."""

from itool_jax.data.toolworld import pools, values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.kinds import integer, many, text

# fmt: off
SERVICE = s.named(
    "service", text(values.one_of(pools.SERVICES)), "of the service {}|for the service {}", "Name of the service",
    names="service service_name",
)
HOST = s.named("host", text(texts.host), "{}|on {}", "Name of the machine", names="host hostname server", leads=True)
ENVIRONMENT = s.choice(
    "environment", "on {}|in the {} environment", "Environment",
    {"production": "production|prod", "staging": "staging", "development": "development|dev"},
    names="environment stage",
)
VERSION = s.named("version", text(values.version), "in version {}|at version {}", "Version", names="version release")
REPO = s.named(
    "repository", text(texts.repository), "in the repository {}|of the repository {}", "Repository",
    names="repository repo",
)
BRANCH = s.named("branch", text(texts.branch), "{}|called {}", "Branch", names="branch branch_name", leads=True)
PULL = s.ident("pull_request", "pull request number", "pull_number pr_id")
ISSUE = s.ident("code_issue", "issue number", "issue_id issue_number")
BUILD = s.ident("build", "build number")
INCIDENT = s.ident("incident", "incident number")

CONCEPTS = (
    *domain(
        "servers",
        tool(
            "deploy_service release_service", "Deploys a version of a service.",
            "deploy a release|roll out a new version",
            SERVICE, VERSION, ENVIRONMENT,
            s.flag(
                "dry_run", "Whether it is only simulated", "as a dry run|only simulated", "for real|not as a dry run",
                "dry_run simulate",
            ),
            gives=(s.ident("deployment", "deployment number"),),
        ),
        tool(
            "roll_back_service revert_deployment", "Takes a deployment back.",
            "roll back the deployment|revert the deployment",
            s.ident("deployment", "deployment number"),
            s.MESSAGE.said("with the reason {}|because {}", names="reason", label="reason").opt,
        ),
        tool(
            "restart_server reboot_host", "Restarts a machine.",
            "restart the server|reboot the machine",
            HOST, s.flag("force", "Whether it is forced", "by force|forcing it", "gently|without force", "force hard"),
        ),
        tool(
            "scale_service set_replicas", "Sets how many copies of a service run.",
            "scale things|change the number of replicas",
            SERVICE,
            s.named(
                "replicas", integer(2, 40), "to {} replicas|with {} copies", "Number of copies",
                names="replicas instances", label="number of replicas",
            ),
            ENVIRONMENT,
        ),
        tool(
            "get_server_logs read_logs", "Reads the logs of a machine.",
            "read the logs of|pull the latest logs from the machine",
            HOST,
            s.named(
                "lines", integer(20, 500, 10), "the last {} lines|limited to {} lines", "Number of lines",
                names="lines tail", label="number of lines",
            ).opt,
            s.choice(
                "severity", "at the level {}|with the severity {}", "Least severity", "debug info warning error",
                names="severity min_level",
            ).opt,
        ),
        tool(
            "get_server_load cpu_usage", "Tells the load of a machine.",
            "check the load of the machine|?how busy is the machine",
            HOST, s.MINUTES.said("over the last {}|for the past {}").opt,
        ),
        tool(
            "open_firewall_port allow_port", "Opens a port.",
            "open a firewall port on the machine|let traffic through the firewall on the machine",
            HOST, s.named("port", integer(1025, 60000), "port {}|on port number {}", "Port", names="port port_number"),
            s.choice("protocol", "for {}", "Protocol", {"tcp": "TCP", "udp": "UDP"}, names="protocol").opt,
        ),
        tool(
            "create_server_snapshot back_up_server", "Takes a snapshot of a machine.",
            "take a snapshot of the server|back up the machine",
            HOST,
            s.DAYS.said(
                "kept for {} days|to be deleted after {} days", "Days to keep it", names="keep_days retention_days",
                label="days to keep",
            ).opt,
            gives=(s.ident("snapshot", "snapshot number"),),
        ),
        tool(
            "declare_incident open_incident", "Opens an incident.",
            "declare an incident|open an incident",
            SERVICE, s.PRIORITY.said("with {} severity|severity {}", names="severity"),
            s.MESSAGE.said("with the summary {}|described as {}", names="summary", label="summary"), gives=(INCIDENT,),
        ),
        tool(
            "page_on_call alert_on_call", "Alerts whoever is on call.",
            "page the person on call about incident|wake the on-call engineer for incident",
            INCIDENT,
            s.choice("team", "in the {} team", "Team", "platform database network mobile", names="team rotation"),
            s.URGENT,
        ),
        tool(
            "rotate_credentials renew_keys", "Replaces the secret keys of a service.",
            "rotate the credentials|renew the secret keys",
            SERVICE, ENVIRONMENT.opt,
        ),
    ),
    *domain(
        "code",
        tool(
            "create_branch new_branch", "Makes a branch.",
            "create the branch|start a branch",
            BRANCH, REPO,
            s.named(
                "base", text(texts.branch), "based on {}|off {}", "Branch to start from", names="base from_branch",
                label="base branch",
            ).opt,
        ),
        tool(
            "open_pull_request create_pull_request", "Opens a pull request.",
            "open a pull request from the branch|propose the changes of branch",
            BRANCH, REPO, s.TITLE.said("titled {}|with the title {}"),
            s.named(
                "reviewers", many(text(texts.user_name)), "with reviews by {}|asking {} to review", "Reviewers",
                names="reviewers",
            ).opt,
            s.flag(
                "draft", "Whether it is a draft", "as a draft|still a draft", "ready for review|not as a draft",
                "draft is_draft",
            ),
            gives=(PULL,),
        ),
        tool(
            "merge_pull_request merge_changes", "Merges a pull request.",
            "merge the pull request|bring in pull request",
            PULL,
            s.choice(
                "strategy", "by {}", "Strategy",
                {"squash": "squashing|squash", "rebase": "rebasing|rebase", "merge": "a merge commit"},
                names="strategy method",
            ).opt,
        ),
        tool(
            "review_pull_request approve_changes", "Reviews a pull request.",
            "review the pull request|give my verdict on the pull request",
            PULL,
            s.choice(
                "verdict", "with the verdict {}|to {}", "Verdict", "approve comment reject", names="verdict decision",
            ),
            s.NOTE,
        ),
        tool(
            "report_bug create_issue", "Reports a bug in a repository.",
            "report a bug|file a bug report",
            REPO, s.TITLE.said("titled {}|with the title {}"),
            s.MESSAGE.said("described as {}|with the description {}", names="description", label="description"),
            s.TAGS.opt, gives=(ISSUE,),
        ),
        tool(
            "close_issue resolve_issue", "Closes an issue.",
            "close the issue|mark as resolved the issue",
            ISSUE,
            s.choice(
                "outcome", "as {}", "Outcome", {"fixed": "fixed", "duplicate": "a duplicate", "wont_fix": "won't fix"},
                names="outcome resolution",
            ).opt,
        ),
        tool(
            "run_test_suite run_tests", "Runs the tests of a branch.",
            "run the tests on branch|start the test suite for branch",
            BRANCH, REPO,
            s.named(
                "only", text(texts.repository), "only those matching {}|restricted to {}", "Which tests",
                names="filter pattern", label="filter",
            ).opt,
            gives=(BUILD,),
        ),
        tool(
            "get_build_status build_result", "Tells how a build went.",
            "check the build|?did it pass, the build",
            BUILD, gives=(s.STATUS, s.URL),
        ),
        tool(
            "search_code find_in_code", "Searches source code.",
            "search the source code|look through the code",
            s.QUERY.said("for {}|matching {}"), REPO.opt,
            s.choice(
                "language", "in {} files", "Programming language", "python rust java typescript", names="language",
            ).opt,
        ),
        tool(
            "tag_release create_release", "Makes a release.",
            "tag a release|publish a release",
            REPO, VERSION.said("as version {}|with the version {}"), s.NOTE, gives=(s.URL,),
        ),
    ),
)
