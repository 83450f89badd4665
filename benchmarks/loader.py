"""The cases of loaders: one pass over a dataset each; benchmarks/compare.py takes them as its group "loader".

Two datasets: rows of a TensorDataset, and image files (JPEG and PNG) that are decoded, resized and turned into floats.
PyTorch's side of the latter makes the Pillow and tensor calls that torchvision's ImageFolder, Resize and ToTensor make.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

SIZE = (224, 224)  # of the images after Resize


def write_images(root: Path, n: int = 240) -> None:
    """n pictures of 256 x 256 in two classes: soft blots under a little noise; two of three are JPEG, the others PNG."""
    import numpy as np
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in "ab":
        (root / name).mkdir()
    for i in range(n):
        blots = Image.fromarray(rng.integers(0, 256, (12, 12, 3), np.uint8)).resize(
            (256, 256), Image.Resampling.BICUBIC
        )
        noisy = np.asarray(blots) + rng.normal(0, 4, (256, 256, 3))
        image = Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
        image.save(root / "ab"[i % 2] / (f"{i:03}.png" if i % 3 == 2 else f"{i:03}.jpg"), quality=90)


def images() -> Path:
    """The folder of the pictures, which are written at the first use."""
    root = Path(__file__).parent / "out" / "images"
    if not root.exists():
        root.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(dir=root.parent))
        write_images(new)
        try:
            new.rename(root)
        except OSError:  # another process was quicker
            shutil.rmtree(new)
            if not root.exists():
                raise
    return root


def image_files(t, root: Path):
    """The image files as a dataset of (tensor, class)."""
    if t.__name__ == "polytensor":
        from polytensor.vision import datasets, transforms

        return datasets.ImageFolder(root, transforms.Compose([transforms.Resize(SIZE), transforms.ToTensor()]))
    import numpy as np
    from PIL import Image

    class Files(t.utils.data.Dataset):
        def __init__(self):
            self.samples = [(str(p), "ab".index(p.parent.name)) for p in sorted(root.glob("[ab]/*"))]

        def __len__(self):
            return len(self.samples)

        def __getitem__(self, i):
            path, label = self.samples[i]
            with open(path, "rb") as f:
                image = Image.open(f).convert("RGB")
            image = image.resize(SIZE[::-1], Image.Resampling.BILINEAR)
            x = t.from_numpy(np.array(image, np.uint8, copy=True)).view(*SIZE, 3).permute(2, 0, 1).contiguous()
            return x.to(t.get_default_dtype()).div(255), label

    return Files()


def cases(t) -> dict:
    """Name -> a function that reads the dataset once."""
    rows = t.utils.data.TensorDataset(t.rand(4096, 784), t.arange(4096) % 10)
    files = image_files(t, images())

    def read(dataset, size, **options):
        loader = t.utils.data.DataLoader(dataset, batch_size=size, shuffle=True, **options)

        def run() -> None:
            n = 0
            for x, y in loader:
                assert x.shape[0] == y.shape[0]
                n += len(y)
            assert n == len(dataset)

        return run

    return {
        "4096 x 784, 0 workers": read(rows, 64),
        "4096 x 784, 2 workers": read(rows, 64, num_workers=2),
        "4096 x 784, 2 persistent": read(rows, 64, num_workers=2, persistent_workers=True),
        "image files, 0 workers": read(files, 16),
        "image files, 2 workers": read(files, 16, num_workers=2),
        "image files, 2 persistent": read(files, 16, num_workers=2, persistent_workers=True),
    }
