"""Writers of TensorBoard's event files. Source: torch.utils.tensorboard.writer."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any

from . import summary as s
from .graph import graph_of
from .wire import data, f64, integer, record

__all__ = ["FileWriter", "SummaryWriter"]

_counter = [0]


class FileWriter:
    """An event file in a folder. Records are written when `max_queue` of them wait, each `flush_secs`, and at flush."""

    def __init__(self, log_dir: Any, max_queue: int = 10, flush_secs: float = 120, filename_suffix: str = "") -> None:
        self._log_dir = os.fspath(log_dir)
        self._max_queue, self._flush_secs, self._suffix = max_queue, flush_secs, filename_suffix
        self._lock = threading.Lock()
        self._file: Any = None
        self._open()

    def _open(self) -> None:
        os.makedirs(self._log_dir, exist_ok=True)
        now = time.time()
        name = f"events.out.tfevents.{int(now):010d}.{socket.gethostname()}.{os.getpid()}.{_counter[0]}{self._suffix}"
        _counter[0] += 1
        self._file = open(os.path.join(self._log_dir, name), "wb")  # noqa: SIM115
        self._waiting, self._since = 0, now
        self._file.write(record(f64(1, now) + data(3, "brain.Event:2")))
        self._file.flush()

    def get_logdir(self) -> str:
        return self._log_dir

    def add_event(self, event: bytes, step: Any = None, walltime: float | None = None) -> None:
        """An Event without its time and step."""
        head = f64(1, time.time() if walltime is None else walltime)
        if step is not None:
            head += integer(2, int(step))
        with self._lock:
            if self._file is None:
                return
            self._file.write(record(head + event))
            self._waiting += 1
            if self._waiting >= self._max_queue or time.time() - self._since > self._flush_secs:
                self._flush()

    def add_summary(self, summary: bytes, global_step: Any = None, walltime: float | None = None) -> None:
        self.add_event(data(5, summary), global_step, walltime)

    def add_graph(self, graph: bytes, walltime: float | None = None) -> None:
        self.add_event(data(4, graph), None, walltime)

    def _flush(self) -> None:
        self._file.flush()
        self._waiting, self._since = 0, time.time()

    def flush(self) -> None:
        with self._lock:
            if self._file is not None:
                self._flush()

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def reopen(self) -> None:
        """Write on after close(), in a new file."""
        if self._file is None:
            self._open()


class SummaryWriter:
    """Logs of a training run in a folder, for `tensorboard --logdir`. Default: runs/<date>_<host><comment>.

    A graph (add_graph) is made of what autograd records, not of a trace. Videos and meshes are not written.
    Source: torch.utils.tensorboard.SummaryWriter.
    """

    def __init__(
        self, log_dir: Any = None, comment: str = "", purge_step: int | None = None, max_queue: int = 10,
        flush_secs: float = 120, filename_suffix: str = "",
    ) -> None:  # fmt: skip
        if not log_dir:
            log_dir = os.path.join("runs", f"{time.strftime('%b%d_%H-%M-%S')}_{socket.gethostname()}{comment}")
        self.log_dir = log_dir
        self.purge_step, self.max_queue, self.flush_secs = purge_step, max_queue, flush_secs
        self.filename_suffix = filename_suffix
        self.file_writer: Any = None
        self.all_writers: dict[str, FileWriter] | None = None
        self._get_file_writer()

    def _get_file_writer(self) -> FileWriter:
        if self.all_writers is None or self.file_writer is None:
            self.file_writer = FileWriter(self.log_dir, self.max_queue, self.flush_secs, self.filename_suffix)
            self.all_writers = {self.file_writer.get_logdir(): self.file_writer}
            if self.purge_step is not None:  # what was written from this step on, before a crash, is to be forgotten
                self.file_writer.add_event(data(3, "brain.Event:2"), self.purge_step)
                self.file_writer.add_event(data(7, integer(1, 1)), self.purge_step)
                self.purge_step = None
        return self.file_writer  # type: ignore[no-any-return]

    def get_logdir(self) -> Any:
        return self.log_dir

    def _add(self, summary: bytes, global_step: Any, walltime: Any = None) -> None:
        self._get_file_writer().add_summary(summary, global_step, walltime)

    # ---- numbers ------------------------------------------------------------------------------------------------
    def add_scalar(
        self, tag: str, scalar_value: Any, global_step: Any = None, walltime: float | None = None,
        new_style: bool = False, double_precision: bool = False,
    ) -> None:  # fmt: skip
        """One number at a step."""
        self._add(s.scalar(tag, scalar_value, None, new_style, double_precision), global_step, walltime)

    def add_scalars(
        self, main_tag: str, tag_scalar_dict: dict[str, Any], global_step: Any = None, walltime: float | None = None
    ) -> None:
        """Several numbers in one chart: each has a writer of its own, in a folder below."""
        walltime = time.time() if walltime is None else walltime
        folder = self._get_file_writer().get_logdir()
        assert self.all_writers is not None
        for tag, value in tag_scalar_dict.items():
            at = f"{folder}/{main_tag.replace('/', '_')}_{tag}"
            if at not in self.all_writers:
                self.all_writers[at] = FileWriter(at, self.max_queue, self.flush_secs, self.filename_suffix)
            self.all_writers[at].add_summary(s.scalar(main_tag, value), global_step, walltime)

    def add_tensor(self, tag: str, tensor: Any, global_step: Any = None, walltime: float | None = None) -> None:
        """A whole tensor."""
        self._add(s.tensor_proto(tag, tensor), global_step, walltime)

    def add_hparams(
        self, hparam_dict: dict[str, Any], metric_dict: dict[str, Any], hparam_domain_discrete: Any = None,
        run_name: str | None = None, global_step: Any = None,
    ) -> None:  # fmt: skip
        """Hyperparameters and what came of them, in a folder below (`run_name`, else the time)."""
        if type(hparam_dict) is not dict or type(metric_dict) is not dict:
            raise TypeError("hparam_dict and metric_dict should be dictionary.")
        summaries = s.hparams(hparam_dict, metric_dict, hparam_domain_discrete)
        folder = os.path.join(self._get_file_writer().get_logdir(), run_name or str(time.time()))
        with SummaryWriter(log_dir=folder) as writer:
            for each in summaries:
                writer.file_writer.add_summary(each, global_step)
            for name, value in metric_dict.items():
                writer.add_scalar(name, value, global_step)

    # ---- distributions ------------------------------------------------------------------------------------------
    def add_histogram(
        self, tag: str, values: Any, global_step: Any = None, bins: Any = "tensorflow", walltime: float | None = None,
        max_bins: int | None = None,
    ) -> None:  # fmt: skip
        """The distribution of values."""
        self._add(s.histogram(tag, values, bins, max_bins=max_bins), global_step, walltime)

    def add_histogram_raw(
        self, tag: str, min: Any, max: Any, num: Any, sum: Any, sum_squares: Any, bucket_limits: Any,
        bucket_counts: Any, global_step: Any = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A distribution that was counted elsewhere."""
        if len(bucket_limits) != len(bucket_counts):
            raise ValueError("len(bucket_limits) != len(bucket_counts), see the document.")
        self._add(
            s.histogram_raw(tag, min, max, num, sum, sum_squares, bucket_limits, bucket_counts), global_step, walltime
        )

    def add_pr_curve(
        self, tag: str, labels: Any, predictions: Any, global_step: Any = None, num_thresholds: int = 127,
        weights: Any = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A precision-recall curve of predictions in [0, 1]."""
        self._add(s.pr_curve(tag, labels, predictions, num_thresholds, weights), global_step, walltime)

    def add_pr_curve_raw(
        self, tag: str, true_positive_counts: Any, false_positive_counts: Any, true_negative_counts: Any,
        false_negative_counts: Any, precision: Any, recall: Any, global_step: Any = None, num_thresholds: int = 127,
        weights: Any = None, walltime: float | None = None,
    ) -> None:  # fmt: skip
        """A precision-recall curve that was computed elsewhere."""
        rows = (true_positive_counts, false_positive_counts, true_negative_counts, false_negative_counts)
        self._add(s.pr_curve_raw(tag, *rows, precision, recall, num_thresholds, weights), global_step, walltime)

    def add_custom_scalars(self, layout: dict[str, Any]) -> None:
        """Which scalars share a chart: {category: {chart: ["Multiline" or "Margin", tags]}}."""
        self._add(s.custom_scalars(layout), None)

    def add_custom_scalars_multilinechart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        self.add_custom_scalars({category: {title: ["Multiline", tags]}})

    def add_custom_scalars_marginchart(
        self, tags: list[str], category: str = "default", title: str = "untitled"
    ) -> None:
        if len(tags) != 3:
            raise AssertionError(f"Expected 3 tags, got {len(tags)}.")
        self.add_custom_scalars({category: {title: ["Margin", tags]}})

    # ---- pictures, sound, text ----------------------------------------------------------------------------------
    def add_image(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None,
        dataformats: str = "CHW",
    ) -> None:  # fmt: skip
        """A picture: uint8, or floats in [0, 1]."""
        self._add(s.image(tag, img_tensor, dataformats=dataformats), global_step, walltime)

    def add_images(
        self, tag: str, img_tensor: Any, global_step: Any = None, walltime: float | None = None,
        dataformats: str = "NCHW",
    ) -> None:  # fmt: skip
        """Pictures in one grid."""
        self._add(s.image(tag, img_tensor, dataformats=dataformats), global_step, walltime)

    def add_image_with_boxes(
        self, tag: str, img_tensor: Any, box_tensor: Any, global_step: Any = None, walltime: float | None = None,
        rescale: float = 1, dataformats: str = "CHW", labels: Any = None,
    ) -> None:  # fmt: skip
        """A picture with boxes (xmin, ymin, xmax, ymax) drawn on it."""
        if isinstance(labels, str):
            labels = [labels]
        if labels is not None and len(labels) != box_tensor.shape[0]:
            labels = None
        self._add(s.image_boxes(tag, img_tensor, box_tensor, rescale, dataformats, labels), global_step, walltime)

    def add_figure(
        self, tag: str, figure: Any, global_step: Any = None, close: bool = True, walltime: float | None = None
    ) -> None:
        """A figure of matplotlib, or a list of them in one grid."""
        pixels = s.figure_pixels(figure, close)
        self._add(
            s.image(tag, pixels, dataformats="NCHW" if isinstance(figure, list) else "CHW"), global_step, walltime
        )

    def add_audio(
        self, tag: str, snd_tensor: Any, global_step: Any = None, sample_rate: int = 44100,
        walltime: float | None = None,
    ) -> None:  # fmt: skip
        """Sound of one channel, values in [-1, 1]."""
        self._add(s.audio(tag, snd_tensor, sample_rate), global_step, walltime)

    def add_text(self, tag: str, text_string: str, global_step: Any = None, walltime: float | None = None) -> None:
        """A text, as Markdown."""
        self._add(s.text(tag, text_string), global_step, walltime)

    def add_video(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("PolyTensor writes no videos: add_images() shows frames")

    def add_mesh(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("PolyTensor writes no meshes: add_figure() shows a picture of one")

    def add_onnx_graph(self, prototxt: Any) -> None:
        raise NotImplementedError("PolyTensor reads no ONNX files: add_graph() takes a Module")

    # ---- models -------------------------------------------------------------------------------------------------
    def add_graph(
        self, model: Any, input_to_model: Any = None, verbose: bool = False, use_strict_trace: bool = True
    ) -> None:
        """What a model does with an input (a Tensor, or a tuple of arguments), as autograd records it."""
        nodes, message = graph_of(model, input_to_model)
        if verbose:
            print("\n".join(nodes))
        self._get_file_writer().add_graph(message)

    @staticmethod
    def _encode(rawstr: str) -> str:
        for character in "%/\\":
            rawstr = rawstr.replace(character, f"%{ord(character):02x}")
        return rawstr

    def add_embedding(
        self, mat: Any, metadata: Any = None, label_img: Any = None, global_step: Any = None, tag: str = "default",
        metadata_header: Any = None,
    ) -> None:  # fmt: skip
        """Rows of a matrix for TensorBoard's projector, with labels and pictures (N, C, H, W)."""
        mat = s.values_of(mat)
        step = str(0 if global_step is None else global_step).zfill(5)
        subdir = f"{step}/{self._encode(tag)}"
        top = self._get_file_writer().get_logdir()
        path = os.path.join(top, subdir)
        if os.path.isfile(path):
            raise NotADirectoryError(f"Path: `{path}` exists, but is a file. Cannot proceed.")
        if os.path.isdir(path):
            print("warning: Embedding dir exists, did you set global_step for add_embedding()?")
        os.makedirs(path, exist_ok=True)
        lines = [f'tensor_name: "{tag}:{step}"']
        if metadata is not None:
            if mat.shape[0] != len(metadata):
                raise AssertionError("#labels should equal with #data points")
            rows = [str(m) for m in metadata]
            if metadata_header:
                if len(metadata_header) != len(metadata[0]):
                    raise AssertionError("len of header must be equal to the number of columns in metadata")
                rows = ["\t".join(str(e) for e in row) for row in [metadata_header, *metadata]]
            with open(os.path.join(path, "metadata.tsv"), "w", encoding="utf-8") as f:
                f.write("\n".join(rows) + "\n")
            lines.append(f'metadata_path: "{subdir}/metadata.tsv"')
        if label_img is not None:
            if mat.shape[0] != label_img.shape[0]:
                raise AssertionError("#images should equal with #data points")
            images = s.values_of(label_img)
            side = int((images.shape[0] - 1) ** 0.5) + 1
            with open(os.path.join(path, "sprite.png"), "wb") as f:
                f.write(s.sprite(images, side))
            sizes = [f"  single_image_dim: {n}" for n in (images.shape[3], images.shape[2])]
            lines += ["sprite {", f'  image_path: "{subdir}/sprite.png"', *sizes, "}"]
        if mat.dim() != 2:
            raise AssertionError("mat should be 2D, where mat.size(0) is the number of data points")
        with open(os.path.join(path, "tensors.tsv"), "w", encoding="utf-8") as f:
            f.writelines("\t".join(map(str, row)) + "\n" for row in mat.tolist())
        lines.append(f'tensor_path: "{subdir}/tensors.tsv"')
        self._embeddings = [*getattr(self, "_embeddings", []), lines]
        with open(os.path.join(top, "projector_config.pbtxt"), "w", encoding="utf-8") as f:
            for each in self._embeddings:
                f.write("embeddings {\n  " + "\n  ".join(each) + "\n}\n")

    # ---- end ----------------------------------------------------------------------------------------------------
    def flush(self) -> None:
        """Everything is in the files."""
        for writer in (self.all_writers or {}).values():
            writer.flush()

    def close(self) -> None:
        """Close the files; what is added later goes into new ones."""
        for writer in (self.all_writers or {}).values():
            writer.close()
        self.file_writer = self.all_writers = None

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
