"""Logs for TensorBoard: the records and messages of the files, and the same events as PyTorch writes, where it can."""

import importlib.util
import pathlib
import struct
import warnings
import zlib

import pytest
from event_files import events, inside, message

import polytensor as pt
import polytensor.nn as nn
from polytensor.utils.tensorboard import FileWriter, SummaryWriter, wire


# ---- what the files hold -------------------------------------------------------------------------------------------------
def files(folder):
    return sorted(p for p in pathlib.Path(folder).rglob("*tfevents*"))


def values(folder):
    """{tag: (step, value message)} of one folder's file."""
    (path,) = (p for p in files(folder) if p.parent == pathlib.Path(folder))
    out = {}
    for event in events(path):
        fields = message(event)
        for value in message(fields[5][0])[1] if 5 in fields else ():
            out[inside(value, 1).decode()] = fields.get(2, [0])[0], value
    return out


def unpacked(raw, kind="d"):
    return list(struct.unpack(f"<{len(raw) // struct.calcsize(kind)}{kind}", raw))


def pixels(raw):
    """(width, height, colour type, rows with their filter bytes) of a PNG file of one IDAT chunk."""
    assert raw[:8] == b"\x89PNG\r\n\x1a\n"
    width, height, depth, kind = struct.unpack_from(">IIBB", raw, 16)
    at = raw.index(b"IDAT")
    (size,) = struct.unpack_from(">I", raw, at - 4)
    assert depth == 8
    assert struct.unpack_from(">I", raw, at + 4 + size)[0] == zlib.crc32(raw[at : at + 4 + size])
    return width, height, kind, list(zlib.decompress(raw[at + 4 : at + 4 + size]))


# ---- tests ------------------------------------------------------------------------------------------------------------
def test_checksums():
    """CRC-32C's check value, masked as in TensorFlow's records."""
    crc = 0xE3069283
    assert wire.checksum(b"123456789") == struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)
    assert message(wire.integer(2, -1))[2] == [2**64 - 1]
    assert message(wire.f32(1, 1e300))[1] == [float("inf")]


def test_scalars(tmp_path):
    with SummaryWriter(tmp_path / "log", flush_secs=1000) as w:
        w.add_scalar("loss", pt.tensor([0.5], requires_grad=True), 3)
        w.add_scalar("count", 7, pt.tensor(2**40))
        w.add_scalar("exact", 1e50, 1, new_style=True, double_precision=True)
        w.add_scalars("both/runs", {"one": 1.0, "two": pt.tensor(2)}, 5)
        w.flush()
        seen = values(tmp_path / "log")
        assert w.get_logdir() == tmp_path / "log"
    step, loss = seen["loss"]
    assert (step, inside(loss, 2)) == (3, 0.5)
    assert seen["count"][0] == 2**40
    assert unpacked(inside(seen["exact"][1], 8, 6)) == [1e50]
    assert inside(seen["exact"][1], 9, 1, 1) == b"scalars"
    for name, value in (("one", 1.0), ("two", 2.0)):
        assert inside(values(tmp_path / "log" / f"both_runs_{name}")["both/runs"][1], 2) == value
    assert events(files(tmp_path / "log")[0])[0].endswith(b"brain.Event:2")
    w.add_scalar("later", 1)  # a closed writer goes on in a new file
    w.close()
    assert sum(p.parent == tmp_path / "log" for p in files(tmp_path / "log")) == 2


def test_folder_by_time_and_purge(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with SummaryWriter(comment="_mine", purge_step=4, filename_suffix=".x") as w:
        pass
    (path,) = files(tmp_path / "runs")
    assert path.parent.name.endswith("_mine") and path.name.endswith(".x")
    assert w.log_dir.startswith("runs")
    start = [message(e) for e in events(path)]
    assert [e.get(2) for e in start] == [None, [4], [4]]
    assert start[2][7] == [wire.integer(1, 1)]


def test_histograms(tmp_path):
    x = pt.tensor([-2.0, 0.0, 0.5, 0.5, 3.0, float("nan")])
    with SummaryWriter(tmp_path) as w:
        w.add_histogram("numbers", pt.arange(10), 2, bins=[0, 2, 4, 8])
        w.add_histogram("ten", pt.arange(11.0).numpy(), bins=10)
        w.add_histogram("joined", pt.arange(11.0), bins=10, max_bins=3)
        w.add_histogram("growing", x[:5])
        w.add_histogram("with nan", x)
        w.add_histogram("auto", pt.arange(16.0), bins="auto")
        w.add_histogram("equal", pt.ones(4), bins="fd")
        w.add_histogram_raw("raw", 0, 1, 4, 2, 3, [0, 1, 2], [1, 1, 2])
        with pytest.raises(ValueError, match="no element"):
            w.add_histogram("empty", pt.ones(0))
        with pytest.raises(ValueError, match="not a valid estimator"):
            w.add_histogram("rule", pt.ones(3), bins="best")
        with pytest.raises(ValueError, match="len"):
            w.add_histogram_raw("raw", 0, 1, 4, 2, 3, [0], [1, 1])
    seen = {tag: message(inside(value, 5)) for tag, (_, value) in values(tmp_path).items()}
    shown = {tag: (unpacked(h[6][0]), unpacked(h[7][0])) for tag, h in seen.items()}
    assert [seen["numbers"][i][0] for i in range(1, 6)] == [0, 9, 10, 45, 285]
    assert shown["numbers"] == ([0, 2, 4, 8], [0, 2, 2, 5])
    assert shown["ten"] == (list(range(11)), [0, *[1] * 9, 2])
    assert shown["joined"] == ([0, 3, 6, 9, 10], [0, 3, 3, 3, 2])
    limits, counts = shown["growing"]
    assert sum(counts) == 5 and len(limits) == len(counts)
    assert limits[0] < -2 < limits[1] and limits[-2] <= 3 < limits[-1]
    assert sum(shown["with nan"][1]) == 5
    assert shown["auto"] == ([0, 3, 6, 9, 12, 15], [0, 3, 3, 3, 3, 4])
    assert shown["equal"] == ([0.5, 1.5], [0, 4])
    assert shown["raw"] == ([0, 1, 2], [1, 1, 2])


def test_pictures(tmp_path):
    x = pt.arange(12, dtype=pt.uint8).reshape(3, 2, 2)
    with SummaryWriter(tmp_path) as w:
        w.add_image("rgb", x)
        w.add_image("floats", pt.tensor([[-1.0, 0.5, 2.0]]), dataformats="HW")
        w.add_image("hwc", x.permute(1, 2, 0).numpy(), dataformats="hwc")
        w.add_images("grid", x.expand(9, 3, 2, 2))
        w.add_images("rgba", pt.cat((x, x[:1])).permute(1, 2, 0), dataformats="HWC")
        with pytest.raises(AssertionError, match="different"):
            w.add_image("flat", pt.ones(3))
        with pytest.raises(AssertionError, match="twice"):
            w.add_image("cch", x, dataformats="CCH")
        with pytest.raises(NotImplementedError, match="list"):
            w.add_image("list", [1, 2])
    seen = {tag: message(inside(value, 4)) for tag, (_, value) in values(tmp_path).items()}
    rows = [0, 0, 4, 8, 1, 5, 9, 0, 2, 6, 10, 3, 7, 11]
    for tag in ("rgb", "hwc"):
        assert [seen[tag][i][0] for i in (1, 2, 3)] == [2, 2, 3]
        assert pixels(seen[tag][4][0]) == (2, 2, 2, rows)
    assert pixels(seen["floats"][4][0]) == (3, 1, 2, [0, 0, 0, 0, 127, 127, 127, 255, 255, 255])
    width, height, _, many = pixels(seen["grid"][4][0])
    assert (width, height) == (16, 4)
    assert many[:49] == [0, *rows[1:7] * 8]
    assert many[2 * 49 : 2 * 49 + 13] == [0, *rows[1:7], *[0] * 6]
    assert pixels(seen["rgba"][4][0]) == (2, 2, 6, [0, 0, 4, 8, 0, 1, 5, 9, 1, 0, 2, 6, 10, 2, 3, 7, 11, 3])


def test_figures(tmp_path):
    plt = pytest.importorskip("matplotlib.pyplot")
    figure = plt.figure(figsize=(0.5, 0.25), dpi=100, facecolor="red")
    with SummaryWriter(tmp_path) as w:
        w.add_figure("one", figure, close=False)
        w.add_figure("two", [figure, figure])
    seen = {tag: pixels(inside(value, 4, 4)) for tag, (_, value) in values(tmp_path).items()}
    assert seen["one"][:2] == (50, 25)
    assert seen["one"][3][:4] == [0, 255, 0, 0]
    assert seen["two"][:2] == (100, 25)
    assert not plt.fignum_exists(figure.number)


def test_sound_text_curves(tmp_path, capsys):
    labels, p = pt.tensor([1, 0, 1, 1]), pt.tensor([0.1, 0.4, 0.6, 1.0])
    with SummaryWriter(tmp_path) as w:
        w.add_audio("sound", pt.tensor([[0.0, 1.0, -2.0]]), sample_rate=8000)
        w.add_text("words", "grüße")
        w.add_pr_curve("curve", labels, p.numpy(), num_thresholds=3)
        w.add_custom_scalars({"A": {"b": ["Multiline", ["x", "y"]], "c": ["Margin", ["l", "m", "n"]]}})
        w.add_tensor("t", pt.tensor([[1.5, 2.5]]))
        for refused in (w.add_video, w.add_mesh, w.add_onnx_graph):
            with pytest.raises(NotImplementedError, match="PolyTensor"):
                refused("x", pt.ones(1)) if refused != w.add_onnx_graph else refused("x")
        with pytest.raises(AssertionError, match="3 tags"):
            w.add_custom_scalars_marginchart(["a"])
    assert "clipped" in capsys.readouterr().out
    seen = {tag: value for tag, (_, value) in values(tmp_path).items()}
    sound = message(inside(seen["sound"], 6))
    assert (sound[1][0], sound[3][0], sound[5][0]) == (8000, 3, b"audio/wav")
    assert unpacked(sound[4][0][44:], "h") == [0, 32767, -32767]
    assert inside(seen["words/text_summary"], 8, 8).decode() == "grüße"
    curve = unpacked(inside(seen["curve"], 8, 5), "f")
    assert curve[:6] == [3, 2, 1, 1, 0, 0]
    assert curve[12:15] == pytest.approx([0.75, 1, 1])
    assert inside(seen["custom_scalars__config__"], 9, 1, 1) == b"custom_scalars"
    assert inside(seen["custom_scalars__config__"], 8, 8, 2, 1) == b"A"
    assert unpacked(inside(seen["t"], 8, 4), "f") == [1.5, 2.5]


def test_hparams(tmp_path):
    with SummaryWriter(tmp_path) as w:
        w.add_hparams({"lr": 0.1, "opt": "sgd", "no": None}, {"acc": 0.5}, {"opt": ["sgd", "adam"]}, run_name="r")
        for wrong in (([], {}), ({"a": [1]}, {}), ({"a": 1}, {}, {"a": ["x"]})):
            with pytest.raises((TypeError, ValueError)):
                w.add_hparams(*wrong)
    seen = {tag: value for tag, (_, value) in values(tmp_path / "r").items()}
    assert inside(seen["acc"], 2) == 0.5
    start = message(inside(seen["_hparams_/session_start_info"], 9, 1, 2, 3))
    assert [message(e)[1][0] for e in start[1]] == [b"lr", b"opt"]
    assert inside(start[1][0], 2, 2) == 0.1
    experiment = message(inside(seen["_hparams_/experiment"], 9, 1, 2, 2))
    assert [message(m)[4][0] for m in experiment[4]] == [3, 1]
    assert inside(experiment[5][0], 1, 2) == b"acc"


def test_embeddings(tmp_path, capsys):
    x = pt.arange(6.0).reshape(3, 2)
    with SummaryWriter(tmp_path) as w:
        w.add_embedding(x, ["a", 2, "c"], pt.full((3, 1, 2, 4), 0.5), global_step=1)
        w.add_embedding(x, [["a", 1]] * 3, tag="o/p", metadata_header=["x", "y"])
        w.add_embedding(x, global_step=1)
        with pytest.raises(AssertionError, match="labels"):
            w.add_embedding(x, ["a"], tag="q")
        with pytest.raises(AssertionError, match="2D"):
            w.add_embedding(x[0], tag="r")
    assert "Embedding dir exists" in capsys.readouterr().out
    folder = tmp_path / "00001" / "default"
    assert (folder / "tensors.tsv").read_text() == "0.0\t1.0\n2.0\t3.0\n4.0\t5.0\n"
    assert (folder / "metadata.tsv").read_text() == "a\n2\nc\n"
    width, height, _, sprite = pixels((folder / "sprite.png").read_bytes())
    assert (width, height) == (8, 8)
    assert sprite[:25] == [0, *[127] * 24]
    assert (tmp_path / "00000" / "o%2fp" / "metadata.tsv").read_text().startswith("x\ty\na\t1\n")
    config = (tmp_path / "projector_config.pbtxt").read_text()
    assert config.count("embeddings {") == 3
    assert 'image_path: "00001/default/sprite.png"' in config
    assert config.index("single_image_dim: 4") < config.index("single_image_dim: 2")


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(3)
        self.seq = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))

    def forward(self, x, y):
        return self.seq((self.norm(x) * y).exp()), x.sum()


def test_graphs(tmp_path, capsys):
    model = Model()
    before = {name: x.clone() for name, x in model.state_dict().items()}
    with SummaryWriter(tmp_path) as w, pt.no_grad():
        w.add_graph(model, (pt.ones(2, 3), pt.ones(3)), verbose=True)
    assert model.training and all(pt.equal(x, before[name]) for name, x in model.state_dict().items())
    (path,) = files(tmp_path)
    graph = message(message(events(path)[1])[4][0])
    nodes = {inside(n, 1).decode(): message(n) for n in graph[1]}
    kinds = {name: node[2][0].decode() for name, node in nodes.items()}
    sources = {name: [s.decode() for s in node.get(3, ())] for name, node in nodes.items()}
    assert {name for name, kind in kinds.items() if kind == "IO Node"} == {"input/0", "input/1", "output/0", "output/1"}
    assert kinds["Model/Sequential[seq]/ReLU[1]/Relu"] == "Relu"
    assert sources["Model/Mul"][1] == "input/1" and sources["Model/Mul"][0].startswith("Model/BatchNorm1d[norm]/")
    assert sources["Model/Exp"] == ["Model/Mul"]
    assert sources["output/1"] == ["Model/Sum"]
    assert sources["Model/Sequential[seq]/Linear[0]/Addmm"][:2] == ["Model/Sequential[seq]/Linear[0]/bias", "Model/Exp"]
    assert all(s in nodes for found in sources.values() for s in found)
    assert "Model/Exp = Exp(Model/Mul)" in capsys.readouterr().out


def test_a_file_by_hand(tmp_path):
    w = FileWriter(str(tmp_path), max_queue=1)
    w.add_summary(wire.data(1, wire.data(1, "x") + wire.f32(2, 4.0)), 2)
    assert inside(values(tmp_path)["x"][1], 2) == 4.0  # written at once
    w.close()
    w.add_summary(b"")  # a closed file takes nothing
    w.reopen()
    w.close()
    assert len(files(tmp_path)) == 2


def logged(torch, folder):
    """The same calls to both writers."""
    writer = importlib.import_module(f"{torch.__name__}.utils.tensorboard").SummaryWriter(str(folder))
    x = torch.linspace(-3, 5, 101, dtype=torch.float64)
    p = (torch.arange(100) * 37 % 101) / 101.0
    picture = (torch.arange(105).reshape(3, 5, 7) * 2).to(torch.uint8)
    at = {"walltime": 1.0}
    writer.add_scalar("a/b c", 1.5, 3, **at)
    writer.add_scalar("new", torch.tensor([3.0]), new_style=True, **at)
    for i, bins in enumerate(("tensorflow", 7, "auto", "fd", "sqrt", "sturges", "rice", "scott")):
        writer.add_histogram(f"h{i}", x * x, 1, bins=bins, **at)
        writer.add_histogram(f"m{i}", x, 1, bins=bins, max_bins=3, **at)
    writer.add_pr_curve("pr", torch.arange(100) % 3 == 0, p, 1, **at)
    writer.add_pr_curve("pr2", torch.arange(100) % 3 == 0, p, num_thresholds=11, weights=2.0, **at)
    writer.add_text("t", "text", 1, **at)
    writer.add_audio("au", torch.linspace(-1, 1, 50), 1, **at)
    writer.add_custom_scalars({"T": {"c": ["Multiline", ["a", "b"]], "m": ["Margin", ["x", "y", "z"]]}})
    writer.add_hparams({"lr": 0.1}, {"acc": 0.5}, {"lr": [0.1, 0.2]}, run_name="hp")  # a map has no order
    writer.add_embedding(x[:4, None].expand(4, 2), list("abcd"), picture.float().expand(4, 3, 5, 7) / 255)
    writer.add_image("rgb", picture, **at)
    writer.close()


def test_events_of_pytorch(tmp_path, torch_or_none):
    if torch_or_none is None or importlib.util.find_spec("tensorboard") is None:
        pytest.skip("needs PyTorch and the package tensorboard")
    from tensorboard.compat.proto.event_pb2 import Event

    def parsed(folder):
        out = {}
        for path in pathlib.Path(folder).rglob("*"):
            name = str(path.relative_to(folder))
            if "tfevents" in name:
                found = out[str(path.relative_to(folder).parent)] = []
                for raw in events(path):
                    event = Event.FromString(raw)
                    event.ClearField("source_metadata")
                    event.wall_time = min(event.wall_time, 1)
                    for value in event.summary.value:
                        value.image.encoded_image_string = b""
                    found.append(str(event))
            elif path.suffix in (".tsv", ".pbtxt"):
                out[name] = path.read_text().split()
        return out

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logged(torch_or_none, tmp_path / "theirs")
    logged(pt, tmp_path / "ours")
    ours, theirs = parsed(tmp_path / "ours"), parsed(tmp_path / "theirs")
    assert ours.keys() == theirs.keys()
    for name, found in theirs.items():
        assert ours[name] == found


def test_curves_counted_elsewhere_and_layouts(tmp_path):
    counts = [[3, 2], [1, 0], [0, 1], [0, 1], [0.75, 1.0], [1.0, 2 / 3]]
    with SummaryWriter(tmp_path) as w:
        w.add_pr_curve_raw("lists", *counts, num_thresholds=2)
        w.add_pr_curve_raw("tensors", *map(pt.tensor, counts), num_thresholds=2)
        w.add_custom_scalars_multilinechart(["a", "b"], "category", "title")
        with pytest.raises(AssertionError, match="Expected 3 tags, got 2"):
            w.add_custom_scalars_marginchart(["a", "b"])
    found = values(tmp_path)
    assert inside(found["lists"][1], 8) == inside(found["tensors"][1], 8)
    raw = files(tmp_path)[0].read_bytes()
    assert b"custom_scalars__config__" in raw and raw.count(b"category") == raw.count(b"title") == 1


def test_boxes_are_drawn_and_pictures_rescaled(tmp_path):
    pytest.importorskip("PIL")
    picture, box = pt.zeros(3, 12, 16), pt.tensor([[2.0, 3.0, 9.0, 10.0]])
    with SummaryWriter(tmp_path) as w:
        w.add_image("plain", picture)
        w.add_image_with_boxes("boxes", picture, box)
        w.add_image_with_boxes("named", picture, box, labels="a")
        w.add_image_with_boxes("twice", picture, box, rescale=2, labels=["a", "too many"])
    found = {tag: message(inside(value, 4)) for tag, (_, value) in values(tmp_path).items()}
    assert [(found[k][1], found[k][2]) for k in ("boxes", "twice")] == [([12], [16]), ([24], [32])]
    drawn = {k: pixels(found[k][4][0])[3] for k in ("plain", "boxes", "named")}
    assert drawn["plain"] != drawn["boxes"] != drawn["named"]
