"""The bench of classifiers runs a real worker on a real Kafka, with networks it makes up."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from tests.bench.bench_command import run
from tests.infer.media import write_image
from vss.bench.frames import read_jpegs
from vss.bench.networks import make_network
from vss.cli.bench.group import bench
from vss.config import ModelSettings
from vss.errors import SourceUnreadable
from vss.model_store.runner.runner import Runner


def test_both_sides_are_measured_and_every_event_is_read_back(bootstrap_servers: str, tmp_path: Path) -> None:
    for i in range(3):
        write_image(tmp_path / f"{i}.jpg", 50 * i, 32, 32)
    report = run(
        "classify", "--network", "resnet20", "--pictures", tmp_path, "--frames", 32,
        "--bootstrap-servers", bootstrap_servers,
    )  # fmt: skip
    assert (report["model"], report["output"], report["image"]) == ("resnet20", "logits", report["image"])
    worker = report["worker"]
    assert isinstance(worker, dict)
    assert worker["committed_events"] == 6 * 32
    assert isinstance(report["cpu_ratio"], float)
    assert 0 < report["cpu_ratio"] < 1.5


@pytest.mark.parametrize(("network", "side", "classes"), [("resnet18", 224, 1000), ("resnet20", 32, 10)])
def test_made_up_networks_have_the_shape_of_the_known_ones(
    tmp_path: Path, network: str, side: int, classes: int
) -> None:
    ref = make_network(network, tmp_path)
    runner = Runner.load(ref, ModelSettings(device="cpu", threads=1))
    assert (runner.input_wh, len(runner.labels)) == ((side, side), classes)
    # torchvision's ResNet-18 has 11,689,512 parameters, batch normalisation (two numbers a channel for the one that is
    # left of it here) included; CIFAR's ResNet-20 has 0.27 million.
    parameters = ref.file.stat().st_size / 4
    assert parameters == pytest.approx(11_684_712 if network == "resnet18" else 270_000, rel=0.02)
    [answer] = runner.run([np.full((side, side, 3), 90, np.uint8)])
    assert 0 < answer.value[0].confidence < 1
    runner.close()


def test_a_folder_without_jpegs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreadable, match="no JPEGs"):
        CliRunner().invoke(bench, ["classify", "--pictures", str(tmp_path)], catch_exceptions=False)
    (tmp_path / "a.jpg").write_bytes(b"no picture")
    with pytest.raises(SourceUnreadable, match=r"a\.jpg"):
        read_jpegs(tmp_path)
