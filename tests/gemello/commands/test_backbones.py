"""What ``gemello train --backbone`` takes, and a sentence for each thing that it does not."""

from pathlib import Path

import pytest

from app.bundle.model_store import list_models
from app.errors import ModelCorrupt
from gemello.commands.backbones import stored_backbone
from gemello.commands.errors import OptionInvalid
from tests.support.command_line import refusal, run
from tests.support.drawings import draw_classes
from tests.support.tiny_model import publish_tiny


@pytest.fixture
def store(tmp_path: Path) -> Path:
    publish_tiny(tmp_path / "store")
    publish_tiny(tmp_path / "store", "efficientnet_lite0")
    return tmp_path / "store"


def test_a_pretrained_network_goes_before_a_model_of_its_name(store: Path) -> None:
    assert stored_backbone(None, store) is None
    assert stored_backbone("efficientnet_lite0", store) is None
    for name, title in (("efficientnet_lite0/1", "efficientnet_lite0/1"), ("tiny", "tiny/1")):
        found = stored_backbone(name, store)
        assert found is not None
        assert found.title == title


@pytest.mark.parametrize(
    ("backbone", "command"),
    [
        ("dino.onnx", "models import dino.onnx --name dino --mean R,G,B --std R,G,B`"),
        ("my files/DINO v2.ONNX", "models import 'my files/DINO v2.ONNX' --name encoder --mean"),
    ],
)
def test_a_file_is_answered_with_the_command_that_imports_it(
    store: Path, backbone: str, command: str
) -> None:
    with pytest.raises(OptionInvalid) as caught:
        stored_backbone(backbone, store)
    assert command in str(caught.value)
    assert "and then `--backbone" in str(caught.value)


@pytest.mark.parametrize("backbone", ["dina", "tiny/2", "../store/tiny", "", "/"])
def test_what_is_neither_is_told_what_there_is(store: Path, backbone: str) -> None:
    with pytest.raises(OptionInvalid, match=r"neither a pretrained network \(.*such as tiny/1"):
        stored_backbone(backbone, store)


def test_an_empty_store_says_so(tmp_path: Path) -> None:
    with pytest.raises(OptionInvalid, match="it holds none"):
        stored_backbone("dino", tmp_path)


def test_a_changed_model_is_refused(store: Path) -> None:
    graph = store / "tiny" / "1" / "openvino" / "model.bin"
    graph.write_bytes(graph.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelCorrupt, match="SHA-256"):
        stored_backbone("tiny", store)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--backbone", "none"), "--backbone: 'none' is neither"),
        (("--backbone", "dino.onnx"), "`gemello models import dino.onnx --name dino"),
        (("--backbone", "tiny", "--epochs", 3), "epochs has no use with the backbone tiny/1"),
        (("--backbone", "tiny", "--weights", "w.h5"), "network.weights has no use"),
        (("--backbone", "tiny", "--set", "augment.flip=1"), "augment.flip has no use"),
        (("--backbone", "tiny", "--set", "network.dimension=64"), "tiny/1 has 48 features"),
        (("--backbone", "tiny", "--config", "configs/default.toml"), "more have no use"),
    ],
)
def test_the_command_ends_with_one_sentence(
    store: Path, tmp_path: Path, options: tuple[object, ...], words: str
) -> None:
    data = draw_classes(tmp_path / "data", 2, 2)
    before = list_models(store)
    places = ("--store", store, "--cache", tmp_path / "cache")
    assert words in refusal(run("train", data, "--name", "mine", *places, *options))
    assert list_models(store) == before
