"""Files, data and devices."""

from itool_jax.data.toolworld import values
from itool_jax.data.toolworld.large import slots as s
from itool_jax.data.toolworld.large import texts
from itool_jax.data.toolworld.large.concept import domain, tool
from itool_jax.data.toolworld.large.domains.servers import HOST, VERSION
from itool_jax.data.toolworld.large.kinds import integer, many, number, record, text, words

# fmt: off
LOGIN = s.named(
    "login", text(texts.user_name), "for the user {}|of the user {}", "User name", names="username login",
    label="user name",
)
TARGET_FOLDER = s.FOLDER.as_(
    "target_folder", "to the folder {}|into {}", "Folder that receives", names="target_folder destination",
    label="target folder",
)
TABLE_NAME = s.choice(
    "table", "of the table {}|in the table {}", "Table of the database", "customers orders products payments shipments",
    names="table table_name",
)
DEVICE = s.ident("device", "device number")
RECORDS = s.named(
    "columns", many(words("id name price country created_at status")), "with the columns {}|showing {}", "Columns",
    names="columns fields",
)

CONCEPTS = (
    *domain(
        "files",
        tool(
            "find_files search_files", "Finds files.",
            "find files|look for files",
            s.QUERY.said("with {} in the name|matching {}", "Words of the name", names="pattern name_contains"),
            s.FOLDER.opt, s.FORMAT, gives=(s.FILE,),
        ),
        tool(
            "move_file relocate_file", "Moves a file to a folder.",
            "move the file|put the file elsewhere:",
            s.FILE, TARGET_FOLDER,
            s.flag(
                "overwrite", "Whether an existing file is replaced", "replacing what is there|overwriting",
                "without overwriting|keeping what is there", "overwrite replace_existing",
            ),
        ),
        tool(
            "copy_file duplicate_file", "Copies a file.",
            "copy the file|make a copy of the file",
            s.FILE, TARGET_FOLDER,
        ),
        tool(
            "delete_file remove_file", "Deletes a file.",
            "delete the file|get rid of the file",
            s.FILE,
            s.flag(
                "permanent", "Whether it is gone for good", "for good|beyond recovery", "only to the bin|not for good",
                "permanent skip_bin",
            ),
        ),
        tool(
            "compress_files zip_files", "Packs files into an archive.",
            "zip files|pack files into an archive",
            s.named("files", many(text(texts.path), 1, 3), "namely {}|made of {}", "Files", names="files paths"),
            s.named(
                "archive", text(lambda rng: f"{values.syllables(rng, 2).lower()}.zip"), "as {}|called {}",
                "Name of the archive", names="archive archive_name",
            ),
            gives=(s.FILE,),
        ),
        tool(
            "upload_file store_file", "Uploads a file to the cloud.",
            "upload the file|put in the cloud the file",
            s.FILE, TARGET_FOLDER, s.PUBLIC, gives=(s.URL,),
        ),
        tool(
            "download_from_url fetch_url", "Downloads what is at a web address.",
            "download what is at|fetch from the web",
            s.URL, TARGET_FOLDER.said("to the folder {}|saving it in {}"), gives=(s.FILE,),
        ),
        tool(
            "share_file_link create_share_link", "Makes a link to a file.",
            "make a link to the file|create a share link for the file",
            s.FILE,
            s.DAYS.said(
                "expiring after {} days|that works for {} days", names="expires_days", label="days it works",
            ).opt,
            s.named(
                "password", text(texts.user_name), "protected by the password {}|with the password {}", "Password",
                names="password",
            ).opt,
            gives=(s.URL,),
        ),
        tool(
            "create_folder make_directory", "Makes a folder.",
            "create a folder|make a directory",
            s.FOLDER.said("called {}|named {}"),
            s.FOLDER.as_(
                "parent", "inside {}|under the folder {}", "Folder above it", names="parent parent_folder",
                label="parent folder",
            ).opt,
        ),
        tool(
            "restore_backup recover_backup", "Restores a snapshot to a machine.",
            "restore the snapshot|recover from the snapshot",
            s.ident("snapshot", "snapshot number"), HOST.said("onto the machine {}|to {}"),
        ),
        tool(
            "convert_image resize_image", "Converts a picture.",
            "convert the picture|resize the image",
            s.FILE,
            s.choice(
                "image_format", "to {}", "Format", {"png": "PNG", "jpeg": "JPEG", "webp": "WebP"},
                names="target_format image_format", label="image format",
            ),
            s.named(
                "width", integer(200, 4000, 20), "{} pixels wide|with a width of {} pixels", "Width in pixels",
                names="width width_px",
            ).opt,
            gives=(s.FILE,),
        ),
    ),
    *domain(
        "data",
        tool(
            "query_table select_rows", "Reads rows of a table.",
            "query the database|select rows",
            TABLE_NAME,
            s.named(
                "filters",
                many(
                    record(
                        "{column} {op} {value}", column=words("price quantity age score"), op=words("above below"),
                        value=integer(1, 900),
                    ),
                    1, 2, "column",
                ),
                "where {}|with {}", "Conditions", names="filters conditions",
            ),
            RECORDS.opt, s.LIMIT.opt,
        ),
        tool(
            "insert_row add_row", "Adds a row to a table.",
            "insert a row|add a record",
            TABLE_NAME.said("into the table {}|to the table {}"),
            s.named(
                "row",
                record(
                    "name {name} and price {price}|{name} at the price {price}", name=text(values.product),
                    price=number(2, 400, 2),
                ),
                "with {}|holding {}", "The row", names="row values",
            ),
        ),
        tool(
            "export_table dump_table", "Exports a table to a file.",
            "export a table|dump a database table",
            TABLE_NAME.said("namely {}|called {}"), s.FORMAT,
            s.choice(
                "separator", "separated by {}", "Separator", "comma semicolon tab", names="separator delimiter",
            ).opt,
            gives=(s.FILE,),
        ),
        tool(
            "plot_chart draw_chart", "Draws a chart of numbers.",
            "draw a chart|plot a diagram",
            s.named(
                "series", many(integer(1, 400), 3, 5), "of the values {}|with the data {}", "Values",
                names="series values", label="values",
            ),
            s.choice(
                "chart", "as a {} chart", "Kind of chart", "bar line pie", names="chart_type kind",
                label="kind of chart",
            ),
            s.TITLE.opt, gives=(s.FILE,),
        ),
        tool(
            "schedule_report plan_report", "Sends a report regularly.",
            "schedule a report|have a report sent regularly",
            TABLE_NAME.said("on the table {}|about the table {}"),
            s.choice("frequency", "every {}", "How often", "morning week month", names="frequency interval"), s.EMAILS,
        ),
        tool(
            "detect_outliers find_outliers", "Finds values that stand out.",
            "look for outliers|find values that stand out",
            s.named(
                "series", many(integer(1, 900), 4, 6), "in the values {}|among {}", "Values", names="series values",
                label="values",
            ),
            s.named(
                "threshold", number(1.5, 4), "beyond {} standard deviations|with a threshold of {}",
                "Threshold in standard deviations", names="threshold", label="threshold",
            ).opt,
        ),
        tool(
            "anonymize_table mask_table", "Masks personal data in a table.",
            "anonymize a table|mask personal data",
            TABLE_NAME, RECORDS.said("masking {}|namely {}"),
        ),
        tool(
            "import_csv load_csv", "Loads a CSV file into a table.",
            "load the CSV file|import the CSV",
            s.FILE, TABLE_NAME.said("into the table {}|to the table {}"),
            s.flag(
                "header", "Whether the first line holds names", "with a header line|the first line holds names",
                "without a header line|no header in it", "has_header header",
            ),
        ),
    ),
    *domain(
        "devices",
        tool(
            "find_my_phone ring_phone", "Makes a lost phone ring.",
            "make the lost device ring:|find the lost device",
            DEVICE, s.MESSAGE.said("showing {}|displaying the text {}", names="message display_text", label="text").opt,
        ),
        tool(
            "lock_device lock_phone", "Locks a device from afar.",
            "lock from afar the device|lock down the stolen device",
            DEVICE, s.PHONE.said("showing {} as the number to call|with {} to call", names="callback_number").opt,
        ),
        tool(
            "install_app add_app", "Installs an app on a device.",
            "install an app|put an app on my device",
            s.named(
                "app",
                text(
                    lambda rng: f"{values.syllables(rng, 2)} {rng.choice(('Notes', 'Maps', 'Chess', 'Scan', 'Radio'))}",
                ),
                "called {}|namely {}", "Name of the app", names="app app_name",
            ),
            DEVICE.said("on the device {}|to the device {}"),
        ),
        tool(
            "set_do_not_disturb mute_notifications", "Mutes notifications for a while.",
            "turn on do not disturb|mute my notifications",
            s.MINUTES,
            s.named(
                "allowed", many(s.PERSON_NAME), "except for {}|letting through {}", "Who may still call",
                names="exceptions allowed_contacts", label="exceptions",
            ).opt,
        ),
        tool(
            "set_alarm wake_me", "Sets an alarm on the phone.",
            "set an alarm|wake me up",
            s.AT,
            s.named(
                "alarm_days", many(words("Mondays Tuesdays Fridays weekends"), 1, 2), "on {}|every time on {}", "Days",
                names="days repeat_on", label="days",
            ).opt,
            s.choice("sound", "with the sound {}", "Sound", "birds bell waves radio", names="sound ringtone").opt,
        ),
        tool(
            "connect_wifi join_network", "Joins a wireless network.",
            "connect to the wifi|join the wireless network",
            s.named(
                "network", text(lambda rng: f"{values.syllables(rng, 2)}-{rng.randint(10, 99)}"), "called {}|named {}",
                "Name of the network", names="network ssid",
            ),
            s.named(
                "password", text(texts.user_name), "with the password {}|using the password {}", "Password",
                names="password wifi_password",
            ),
        ),
        tool(
            "pair_bluetooth connect_bluetooth", "Pairs a Bluetooth device.",
            "pair over Bluetooth the device|connect by Bluetooth to the device",
            DEVICE,
            s.choice(
                "profile", "as a {}", "What it is", "headset keyboard speaker watch", names="profile device_type",
                label="type of device",
            ).opt,
        ),
        tool(
            "update_firmware upgrade_device", "Updates the software of a device.",
            "update the software of device|upgrade the firmware of device",
            DEVICE, VERSION.said("to version {}|up to version {}").opt, s.AT.opt,
        ),
        tool(
            "print_file print_document", "Prints a file.",
            "print the file|send to the printer the file",
            s.FILE,
            s.named(
                "copies", integer(2, 30), "{} times|in {} copies", "Number of copies", names="copies",
                label="number of copies",
            ).opt,
            s.flag(
                "duplex", "Whether both sides are printed on", "on both sides|double-sided",
                "single-sided|on one side only", "duplex double_sided",
            ),
            s.choice("paper", "on {} paper", "Paper", "A3 A4 A5", names="paper paper_size").opt,
        ),
        tool(
            "reset_password change_password", "Sets off a new password.",
            "reset the password|set off a password reset",
            LOGIN, s.EMAIL.said("mailing the link to {}|with the link going to {}"),
        ),
    ),
)
