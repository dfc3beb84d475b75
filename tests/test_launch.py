"""The launch scripts: what they would do, what they do with stand-ins for gcloud, kubectl and srun, their manifests."""

from __future__ import annotations

import importlib.util
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import pytest
import yaml

from tests.job_set import CONTAINER, JOB_SET, faults

ROOT = Path(__file__).parent.parent
LAUNCH = ROOT / "launch"
SCRIPTS = sorted([*LAUNCH.glob("*.sh"), LAUNCH / "slurm.sbatch"])
SHELLCHECK = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")

# Writes down how it was called; answers with the next line of the file of that question's name, the last one for ever.
STAND_IN = """#!/usr/bin/env bash
echo "$(basename "$0") $*" >>"$FAKES/calls"
case "$*" in
  *"queued-resources describe"*) question=queue ;;
  *"tpu-vm describe"*) question=node ;;
  *"itool-jax run"*) question=run ;;
  *) exit 0 ;;
esac
answer=$(head -n 1 "$FAKES/$question")
if (($(wc -l <"$FAKES/$question") > 1)); then sed -i 1d "$FAKES/$question"; fi
case "$question $answer" in
  *NOT_FOUND*) echo "ERROR: NOT_FOUND: no such thing" >&2; exit 1 ;;
  *DENIED*) echo "ERROR: PERMISSION_DENIED" >&2; exit 1 ;;
  run*) exit "$answer" ;;
  *) echo "$answer" ;;
esac
"""


@pytest.fixture
def fakes(tmp_path):
    """A folder with stand-ins that go before the real programs; its file `calls` has what they were asked."""
    folder = tmp_path / "fakes"
    folder.mkdir()
    (folder / "calls").touch()
    for name in ("gcloud", "kubectl", "srun", "scontrol", "sleep", "python3"):
        (folder / name).write_text(STAND_IN)
        (folder / name).chmod(0o755)
    return folder


def launched(fakes, script, *arguments, **variables):
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SLURM_")},
        "PATH": f"{fakes}{os.pathsep}{os.environ['PATH']}",
        "FAKES": str(fakes),
        "XLA_FLAGS": "",
        **variables,
    }
    command = ["bash", str(LAUNCH / script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=60)


def dry(fakes, script, *arguments, **variables):
    """Lines that a dry run prints; it must call nothing."""
    done = launched(fakes, script, *arguments, DRY_RUN="1", **variables)
    assert done.returncode == 0, done.stderr
    assert (fakes / "calls").read_text() == ""
    return done.stdout.splitlines()


def calls(fakes, word=""):
    return [line for line in (fakes / "calls").read_text().splitlines() if word in line]


@pytest.mark.skipif(SHELLCHECK is None, reason="shellcheck is not installed: extra dev")
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.name)
def test_shellcheck_has_nothing_to_say(script):
    done = subprocess.run(
        [str(SHELLCHECK), "--external-sources", f"--source-path={ROOT}", str(script)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


POD = ("tpu_pod.sh", "slice", "zone-a", "v5litepod-16", "configs/quickstart.py", "gs://bucket/run")
GKE = ("gke.sh", "slice", "v5litepod-16", "image", "configs/quickstart.py", "gs://bucket/run")
CALLED = [
    ("one_machine.sh", "cpu", "configs/quickstart.py", "runs/x"),
    ("tpu_vm.sh", "vm", "zone-a", "v6e-8", "configs/quickstart.py", "runs/x"),
    POD,
    GKE,
    ("slurm.sbatch", "configs/quickstart.py", "runs/x"),
    ("xla_flags.sh", "gpu"),
]


@pytest.mark.parametrize("call", CALLED, ids=lambda call: call[0])
def test_a_dry_run_prints_and_touches_nothing(call, fakes):
    script, *arguments = call
    assert dry(fakes, script, *arguments)
    few = launched(fakes, script, *arguments[:-1])
    assert few.returncode == 2 and f"launch/{script}" in few.stderr and (fakes / "calls").read_text() == ""


def test_every_script_is_tried():
    libraries = {"lib.sh", "cloud_tpu.sh"}
    assert {script.name for script in SCRIPTS} == {call[0] for call in CALLED} | libraries


def test_one_machine_runs_the_config_on_its_hardware(fakes):
    lines = dry(fakes, "one_machine.sh", "cuda", "c.py", "runs/x", "--config.seed=1", XLA_FLAG_SETS="gpu")
    assert any("-e '.[gcs,gguf,hub,cuda]'" in line for line in lines)
    assert "export XLA_PYTHON_CLIENT_MEM_FRACTION=0.95" in lines
    assert lines[-1] == ".venv/bin/itool-jax run --config=c.py --workdir=runs/x --config.seed=1"
    assert [line for line in lines if line.startswith("export 'XLA_FLAGS=--xla_gpu_enable_latency_hiding")]
    assert not [line for line in dry(fakes, "one_machine.sh", "cpu", "c.py", "x") if "export" in line]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (("tpu_vm.sh", "vm", "z", "v5litepod-16", "c", "w"), "v5litepod-16 has 4 hosts: launch/tpu_pod.sh"),
        (("tpu_vm.sh", "vm", "z", "h100", "c", "w"), "expected v5litepod-CHIPS, v6e-CHIPS or v5p-CORES"),
        (("tpu_pod.sh", "s", "z", "v5p-12", "c", "gs://b"), "a v5p slice has 8, 16"),
        (("tpu_pod.sh", "s", "z", "v6e-5", "c", "gs://b"), "a slice of v6e has 1, 4"),
        (("tpu_pod.sh", "s", "z", "v5p-64", "c", "runs/x"), "expected gs://BUCKET/..., which all 8 hosts see"),
        (("gke.sh", "s", "v5p-64", "i", "c", "runs/x"), "expected gs://BUCKET/..., which all 8 pods see"),
        (("gke.sh", "S_1", "v5p-64", "i", "c", "gs://b"), "NAME is 'S_1'"),
        (("xla_flags.sh", "gpu", "cpu"), "no set of XLA flags 'cpu': the sets are gpu gpu_repeatable tpu tpu_v6e"),
    ],
)
def test_what_cannot_be_started_is_said(call, words, fakes):
    done = launched(fakes, *call)
    assert done.returncode == 2 and words in done.stderr and (fakes / "calls").read_text() == ""


@pytest.mark.parametrize("call", [("one_machine.sh", "cpu", "c", "w"), POD, GKE, ("slurm.sbatch", "c", "w")])
def test_an_unknown_set_of_flags_is_refused_before_anything_is_done(call, fakes):
    done = launched(fakes, *call, XLA_FLAG_SETS="tpu none")
    assert done.returncode == 2 and "no set of XLA flags 'none'" in done.stderr
    assert (fakes / "calls").read_text() == ""


def scenario(fakes, queue, node="READY", run="0"):
    for name, answers in (("queue", queue), ("node", node), ("run", run)):
        (fakes / name).write_text("".join(f"{answer}\n" for answer in answers.split()))


def test_a_slice_that_is_taken_away_is_asked_for_again(fakes):
    scenario(
        fakes,
        queue="NOT_FOUND WAITING_FOR_RESOURCES ACTIVE SUSPENDED NOT_FOUND PROVISIONING ACTIVE",
        node="PREEMPTED",
        run="1 0",
    )
    done = launched(fakes, *POD, "--config.a=it's so", SPOT="1")
    assert done.returncode == 0, done.stderr
    assert len(calls(fakes, "queued-resources create")) == 2
    assert all("--spot" in call and "v2-alpha-tpuv5-lite" in call for call in calls(fakes, "resources create"))
    first, second = calls(fakes, "itool-jax run")
    assert first == second and "--worker=all" in first
    command = shlex.split(first.partition("--command=")[2])
    assert command[-4:] == ["--distributed", f"--config={POD[-2]}", f"--workdir={POD[-1]}", "--config.a=it's so"]
    # set up anew on every slice; deleted once by itself, once suspended, and at the end
    assert len(calls(fakes, "tpu-vm scp")) == 2 and len(calls(fakes, "resources delete")) == 3
    assert "the slice was taken away (restart 1 of" in done.stderr


def test_a_program_that_fails_by_itself_ends_the_script_and_leaves_the_slice(fakes):
    scenario(fakes, queue="ACTIVE", run="2")
    done = launched(fakes, *POD)
    assert done.returncode == 2 and "the slice is still there" in done.stderr
    assert len(calls(fakes, "itool-jax run")) == 1 and not calls(fakes, "resources delete")


def test_a_lost_connection_is_made_again(fakes):
    scenario(fakes, queue="ACTIVE", run="255 0")
    done = launched(fakes, *POD, KEEP="1")
    assert done.returncode == 0 and len(calls(fakes, "itool-jax run")) == 2 and not calls(fakes, "resources delete")


def test_a_run_that_was_told_to_stop_goes_on(fakes):
    scenario(fakes, queue="ACTIVE", run="75 0")
    done = launched(fakes, *POD, KEEP="1")
    assert done.returncode == 0 and len(calls(fakes, "itool-jax run")) == 2 and not calls(fakes, "resources delete")


def test_restarts_have_an_end(fakes):
    scenario(fakes, queue="SUSPENDED")
    done = launched(fakes, *POD, MAX_RESTARTS="3")
    assert done.returncode == 1 and len(calls(fakes, "resources delete")) == 3


def test_what_gcloud_refuses_to_say_is_no_absent_slice(fakes):
    """Else a second slice would be made, or one deleted that is at work."""
    scenario(fakes, queue="DENIED")
    done = launched(fakes, *POD)
    assert done.returncode == 2 and "PERMISSION_DENIED" in done.stderr and not calls(fakes, "create")
    scenario(fakes, queue="ACTIVE", node="DENIED", run="1")
    done = launched(fakes, *POD)
    assert done.returncode == 2 and not calls(fakes, "delete")


@pytest.mark.parametrize(("state", "made", "deleted"), [("NOT_FOUND", 1, 0), ("READY", 0, 0), ("PREEMPTED", 1, 1)])
def test_a_vm_is_made_unless_it_is_there(state, made, deleted, fakes):
    scenario(fakes, queue="", node=state)
    call = ("tpu_vm.sh", "vm", "zone-a", "v5p-8", "c.py", "runs/x")
    done = launched(fakes, *call, PROJECT="p", DATA="data/toolace", HF_TOKEN_FILE="token", XLA_FLAG_SETS="tpu")
    assert done.returncode == 0, done.stderr
    assert len(calls(fakes, "tpu-vm create")) == made and len(calls(fakes, "tpu-vm delete")) == deleted
    assert all("--zone=zone-a --project=p" in call for call in calls(fakes, "gcloud"))
    assert len(calls(fakes, "data/toolace vm:itool_jax/data/")) == 1
    assert len(calls(fakes, "token vm:.cache/huggingface/token")) == 1
    (run,) = calls(fakes, "itool-jax run")
    assert "LIBTPU_INIT_ARGS=--xla" in run and "--distributed" not in run


def header(script):
    """Options of a SLURM script: SLURM reads them up to the first command."""
    lines = iter(script.read_text().splitlines())
    found = {}
    for line in lines:
        if line.startswith("#SBATCH "):
            name, _, value = line.removeprefix("#SBATCH ").partition("=")
            assert name.startswith("--") and name not in found
            found[name.removeprefix("--")] = value
        elif line and not line.startswith("#"):
            break
    assert not [line for line in lines if line.startswith("#SBATCH")], "SLURM would not read it"
    return found


def test_slurm_reads_the_header():
    options = header(LAUNCH / "slurm.sbatch")
    assert options["ntasks-per-node"] == "1" and options["requeue"] == ""
    assert re.fullmatch(r"B:USR1@\d+", options["signal"]) and int(options["signal"].rpartition("@")[2]) >= 120
    assert options["open-mode"] == "append"  # a requeued job has the same log
    assert re.fullmatch(r"\d+:\d\d:\d\d", options["time"]) and "%j" in options["output"]


def test_a_node_is_one_process_over_all_its_gpus(fakes):
    lines = dry(fakes, "slurm.sbatch", "c.py", "runs/x", SLURM_GPUS_ON_NODE="4", SLURM_SUBMIT_DIR=str(ROOT))
    assert "export JAX_LOCAL_DEVICE_IDS=0,1,2,3" in lines
    assert lines[-1].startswith("srun ") and "itool-jax run --distributed --config=c.py --workdir=runs/x" in lines[-1]
    done = launched(fakes, "slurm.sbatch", "c.py", "x", SLURM_SUBMIT_DIR="/")
    assert done.returncode == 2 and "submit from the project's folder" in done.stderr


# Waits for a signal as a training does, and ends with 143 when it has come.
WAITING = """#!/usr/bin/env bash
trap 'echo "saved" >>"$FAKES/calls"; exit 75' USR1
trap 'echo "killed" >>"$FAKES/calls"; exit 137' TERM
touch "$FAKES/started"
for _ in {1..600}; do read -r -t 0.1 <> <(:) || true; done
"""


@pytest.mark.parametrize(("sent", "requeued"), [(signal.SIGUSR1, 1), (signal.SIGTERM, 0)])
def test_a_job_out_of_time_saves_and_goes_back_to_the_queue(sent, requeued, fakes):
    (fakes / "srun").write_text(WAITING)
    environment = {"PATH": f"{fakes}{os.pathsep}{os.environ['PATH']}", "FAKES": str(fakes), "SLURM_JOB_ID": "7"}
    command = ["bash", str(LAUNCH / "slurm.sbatch"), "c.py", "runs/x"]
    with subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL) as job:
        while not (fakes / "started").exists():
            time.sleep(0.02)
        job.send_signal(sent)
        assert job.wait(timeout=30) == 75
    assert calls(fakes) == ["saved", *["scontrol requeue 7"] * requeued]


@pytest.mark.parametrize("status", [0, 2])
def test_a_job_that_ends_by_itself_is_not_requeued(status, fakes):
    scenario(fakes, queue="", run=str(status))
    done = launched(fakes, "slurm.sbatch", "c.py", "runs/x", SLURM_JOB_ID="7")
    assert done.returncode == status and len(calls(fakes, "srun")) == 1 and not calls(fakes, "scontrol")


EVERY_OPTION = {
    "SPOT": "1",
    "SERVICE_ACCOUNT": "writer",
    "DATA_CLAIM": "toolace",
    "HF_SECRET": "hub",
    "NAMESPACE": "ml",
}
TYPES = [
    *(f"{kind}-{chips}" for kind in ("v5litepod", "v6e") for chips in (1, 4, 8, 16, 32, 64, 128, 256)),
    *(f"v5p-{cores}" for cores in (8, 16, 32, 64, 128, 256, 512)),
]


@pytest.mark.parametrize("options", [{}, EVERY_OPTION], ids=["plain", "every option"])
@pytest.mark.parametrize("type", TYPES)
def test_the_manifest_is_a_job_set_of_the_slice(type, options, fakes):
    odd = [
        "--config.data.folder=it's # a: {folder}",
        '--config.model.checkpoint="x" \\y',
        "--config.data.train=a.json,b",
    ]
    call = ("gke.sh", "run-1", type, "registry:5000/itool-jax:tpu", "configs/llama3_1_8b.py:full", "gs://bucket/run")
    sets = {"XLA_FLAG_SETS": "tpu tpu_v6e"} if options else {}
    manifest = yaml.safe_load("\n".join(dry(fakes, *call, *odd, **options, **sets)))
    assert faults(manifest, JOB_SET) == []

    (job,) = (entry["template"]["spec"] for entry in manifest["spec"]["replicatedJobs"])
    pod = job["template"]["spec"]
    (container,) = pod["containers"]
    chips = int(type.partition("-")[2]) // (2 if type.startswith("v5p") else 1)
    topology = [int(size) for size in pod["nodeSelector"]["cloud.google.com/gke-tpu-topology"].split("x")]
    assert math.prod(topology) == chips and len(topology) == (3 if type.startswith("v5p") else 2)
    assert job["parallelism"] == job["completions"] and job["backoffLimit"] == 0
    assert container["resources"]["limits"] == container["resources"]["requests"]
    assert job["parallelism"] * container["resources"]["limits"]["google.com/tpu"] == chips
    assert container["args"] == ["run", "--distributed", f"--config={call[4]}", f"--workdir={call[5]}", *odd]
    assert manifest["spec"]["network"]["subdomain"] == manifest["metadata"]["name"] == "run-1"
    names = {policy["onExitCodes"]["containerName"] for policy in job["podFailurePolicy"]["rules"]}
    assert names == {container["name"]}
    assert {mount["name"] for mount in container.get("volumeMounts", [])} == {v["name"] for v in pod.get("volumes", [])}
    assert ("tolerations" in pod) == ("SPOT" in options) == ("cloud.google.com/gke-spot" in pod["nodeSelector"])
    assert [entry["name"] for entry in container.get("env", [])] == (
        ["LIBTPU_INIT_ARGS", "HF_TOKEN"] if options else []
    )


def test_faults_of_a_manifest_are_found():
    assert faults({"name": "x", "image": "y", "arg": []}, CONTAINER) == [".resources is missing", ".arg is unknown"]
    assert faults([{"containerPort": "8471"}], [{"containerPort!": int}]) == ["[0].containerPort: found '8471'"]


def test_the_manifest_goes_to_the_cluster(fakes):
    (fakes / "kubectl").write_text('#!/usr/bin/env bash\necho "$*" >>"$FAKES/calls"; cat >>"$FAKES/calls"\n')
    assert launched(fakes, *GKE).returncode == 0
    first, *manifest = (fakes / "calls").read_text().splitlines()
    assert first == "apply -f -" and manifest == dry_lines(fakes)


def dry_lines(fakes):
    (fakes / "calls").write_text("")
    return dry(fakes, *GKE)[1:]


SETS = sorted((LAUNCH / "xla_flags").glob("*.txt"))


def reasons_in(text):
    """Each flag with the comment right above or beside it, "" where it has none; a blank line ends a comment."""
    above, found = "", {}
    for line in text.splitlines():
        flag, _, beside = line.partition("#")
        if flag.strip():
            found[flag.strip()], above = f"{above} {beside}".strip(), ""
        else:
            above = f"{above} {beside}" if line else ""
    return found


def flags_in(file):
    return [*reasons_in(file.read_text())]


@pytest.mark.parametrize("file", SETS, ids=lambda file: file.stem)
def test_every_flag_has_a_reason_of_its_own(file):
    text = file.read_text()
    reasons = reasons_in(text)
    assert reasons and all(flag.startswith("--xla_") for flag in reasons)
    assert [flag for flag, reason in reasons.items() if len(reason.split()) < 4] == []
    assert len(set(reasons.values())) == len(reasons)
    assert text.startswith("# ") and not text.partition("\n\n")[0].count("--xla")  # what the set is for


def test_a_flag_without_a_reason_is_found():
    text = "# The set.\n\n--xla_a=1\n# Why b.\n--xla_b=2\n--xla_c=3  # why c\n--xla_d=4\n# Of nothing.\n\n--xla_e=5\n"
    assert [*reasons_in(text).values()] == ["", "Why b.", "why c", "", ""]


@pytest.mark.parametrize("file", SETS, ids=lambda file: file.stem)
def test_xla_knows_the_flags(file):
    """Both jaxlib and libtpu end a process that is given a flag that they do not know."""
    flags = " ".join(flags_in(file))
    if file.stem.startswith("tpu"):
        if importlib.util.find_spec("libtpu") is None:
            pytest.skip("the TPU compiler is not installed: extra 'tpu'")
        code = "from itool_jax.plan.target import topology_devices; topology_devices('v6e:2x2')"
        variables = {"LIBTPU_INIT_ARGS": flags}
    else:
        code, variables = "import jax; jax.devices()", {"XLA_FLAGS": flags}
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))  # may bring libtpu
    environment = {**os.environ, **variables, "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-500:]
    name = "LIBTPU_INIT_ARGS" if "LIBTPU_INIT_ARGS" in variables else "XLA_FLAGS"
    broken = {**environment, name: f"{flags} --xla_no_such_flag=1"}
    done = subprocess.run([sys.executable, "-c", code], env=broken, capture_output=True, text=True, timeout=120)
    assert done.returncode != 0 and "xla_no_such_flag" in done.stdout + done.stderr


def test_flags_are_printed_for_eval(fakes):
    printed = launched(fakes, "xla_flags.sh", "gpu", "tpu", "tpu_v6e", XLA_FLAGS="--before=1").stdout
    command = ["bash", "-c", f'{printed}\nprintf "%s\\n" "$XLA_FLAGS" "$LIBTPU_INIT_ARGS"']
    gpu, tpu = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    sets = {file.stem: flags_in(file) for file in SETS}
    assert gpu.split() == ["--before=1", *sets["gpu"]]
    assert tpu.split() == [*sets["tpu"], *sets["tpu_v6e"]]


def test_the_images_are_of_what_the_project_offers():
    text = re.sub(r"\\\n", " ", (LAUNCH / "Dockerfile").read_text())
    stages = dict(re.findall(r"^FROM (\S+) AS (\S+)$", text, re.M))
    bases = {name: image for image, name in re.findall(r"^FROM (\S+) AS (\S+)$", text, re.M)}
    assert {name for name, base in bases.items() if base == "base"} == {"cpu", "cuda", "tpu"} and stages
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    installed = re.findall(r"pip install -e '\.\[(.*?)\]'", text)
    assert len(installed) == 3
    for extras in installed:
        assert set(extras.split(",")) <= set(project["optional-dependencies"])
    (copied,) = re.findall(r"^COPY (pyproject.*) \./$", text, re.M)
    assert all((ROOT / name).exists() for name in copied.split())
    assert re.findall(r'^ENTRYPOINT \["(.*)"\]$', text, re.M) == [*project["scripts"]]
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "runs"} <= set(ignored) and not {"itool_jax", "configs", "checkpoints"} & set(ignored)
