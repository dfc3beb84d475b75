"""`itool-jax plan`: what it prints, and what it refuses."""

from __future__ import annotations

import json

import pytest

from itool_jax.cli import main


def arguments(*more, config="configs/smollm2_135m.py:smoke"):
    return ["plan", f"--config={config}", *more]


def test_the_command_says_what_does_not_fit(capsys):
    assert main(arguments("--devices=1", "--hbm=16", "--config.mesh.fsdp=1")) == 0
    out = capsys.readouterr().out
    assert "everything fits" in out and "saved activations" in out and "992 tokens" in out
    assert main(arguments("--devices=1", "--hbm=0.5", "--stage=sft", "--json")) == 1
    found = json.loads(capsys.readouterr().out)
    (step,) = found["stages"]["sft"]
    assert not step["fits"] and step["needs"] > found["hbm"] and step["compiled"] is None
    assert step["flops"]["total"] == step["flops"]["linear"] + step["flops"]["attention"]
    advice = found["advice"]
    assert set(advice) == {"keeps_results", "changes_method", "devices", "needs", "fits"}
    assert advice["fits"] == (advice["needs"]["sft"] <= found["hbm"]) and set(advice["needs"]) == {"sft"}


def test_parameters_of_a_real_model_are_counted(capsys):
    config = "configs/qwen2_5_7b.py:full"
    assert (
        main(arguments("--devices=1", "--hbm=800", "--stage=score", "--json", "--config.mesh.tensor=1", config=config))
        == 0
    )
    (batch,) = json.loads(capsys.readouterr().out)["stages"]["score"]
    assert batch["estimate"]["arguments"]["parameters"] == 2 * 7_615_616_512  # as the card says


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ((), "either --devices=N --hbm=GiB or --topology"),
        (("--devices=8",), "--devices=8 needs --hbm=GiB too"),
        (("--devices=8", "--hbm=16", "--topology=v5e:4x4"), "give one of the two"),
        (("--devices=0", "--hbm=16"), "argument --devices: expected a whole number from 1, found '0'"),
        (("--devices=8", "--hbm=-1"), "expected a number above 0, found '-1'"),
        (("--devices=8", "--hbm=16", "--config.mesh.tensor=3"), "tensor 3, which 8 devices cannot make"),
        (("--devices=8", "--hbm=16", "--config.mesh.tensor=3"), "would do: --config.mesh.tensor=4; or --config.mesh."),
        (("--devices=1", "--hbm=16", "--config.mesh.tensor=2"), "This would do: --config.mesh.tensor=1"),
        (("--devices=8", "--hbm=16"), "config.warmup.rows is 2, config.round.search.trees is 4, config.round.prefer.r"),
        (("--devices=8", "--hbm=16"), "--config.evaluate.slots=8; or --config.mesh.tensor=4; or"),
        (
            ("--devices=4", "--hbm=16", "--stage=search", "--config.round.search.trees=6"),
            "trees is 6, but rows, the trees",
        ),
        (("--devices=1", "--hbm=16", "--config.model.preset=tiny"), "weights in smollm2_135m are of another model"),
        (("--devices=1", "--hbm=16", "--prompt-tokens=9000"), "longer than the model's context of 8192"),
        (("--devices=1", "--hbm=16", "--stage=warmup"), "invalid choice: 'warmup'"),
    ],
)
def test_what_cannot_be_planned_is_said(more, message, capsys):
    assert main(arguments(*more)) == 2
    assert message in capsys.readouterr().err


def test_the_checkpoint_is_of_the_model_that_is_planned(capsys):
    """As in a run; but no name on the hub is looked up."""
    config = "configs/quickstart.py"
    more = ("--devices=1", "--hbm=16", "--stage=score")
    assert main(arguments(*more, config=config)) == 0
    assert main(arguments(*more, "--config.model.preset=nano", config=config)) == 2
    assert "the weights in checkpoints/tiny_base are of another model: vocab_size" in capsys.readouterr().err
    assert main(arguments(*more, "--config.model.checkpoint=owner/name", config=config)) == 0
