"""Reads a document's code samples, joins them into one script, and runs scripts on small datasets."""

import hashlib
import html
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import textwrap
from typing import NamedTuple

BLOCK = re.compile(
    r"^(?P<margin>[ \t>]*)(?P<fence>```+|~~~+)[ \t]*(?P<info>[^\n`]*)\n(?P<code>.*?)^(?P=margin)[ \t]*(?P=fence)[ \t]*$"
    r"|<pre\b[^>]*>(?P<html>.*?)</pre>",
    re.S | re.M,
)


class Sample(NamedTuple):
    """A block of code, where it starts, and the name by which the lists know it."""

    line: int
    text: str

    @property
    def name(self):
        return hashlib.sha256(self.text.encode()).hexdigest()[:10]


def samples(document):
    """The blocks that a document marks as Python: ```py, ```python, <pre>; at any depth of lists and quotes."""
    found = []
    for match in BLOCK.finditer(document):
        if match["html"] is not None:
            code = html.unescape(re.sub(r"<[^>]+>", "", match["html"])).replace("\xa0", " ")
        elif match["info"].split(" ")[0].lower() in ("py", "python", "python3"):
            quote = re.escape(match["margin"].rstrip(" \t"))
            code = re.sub(f"^{quote}", "", match["code"], flags=re.M) if quote else match["code"]
            code = textwrap.dedent(code)
        else:
            continue
        found.append(Sample(document.count("\n", 0, match.start()) + 1, code))
    return found


def numbers(found, leave_out):
    """The numbers of the samples that are run, as text."""
    return [str(i) for i, sample in enumerate(found) if sample.name not in leave_out]


def script(found, listed, given, printed, probe=False):
    """The samples in order, as one program that prints `sample N` after each that it has run.

    listed[name] = (error, reason, what to run in its place); given[name] = (error, reason, what to run before it);
    printed: what is output and no code. With `probe` each listed sample, and each given one without what it is given,
    has to raise, and the program prints the error's classes.
    """
    parts = []
    for i, sample in enumerate(found):
        error, reason, ours = listed.get(sample.name) or given.get(sample.name) or ("", "", "")
        if sample.name in printed:
            continue
        if error and probe:
            parts.append(PROBE.format(text=sample.text, i=i))
        parts.append(f"# sample {i}, line {sample.line}{reason and ': '}{reason}\n{ours}")
        if sample.name not in listed:
            parts.append(f"{sample.text.rstrip()}\nprint('sample {i}')\n")
    return "\n".join(parts)


PROBE = """
try:
    exec(compile({text!r}, "sample {i}", "exec"), dict(globals()))
except Exception as error:
    print("sample {i} raises", *(c.__name__ for c in type(error).__mro__))
else:
    raise SystemExit("sample {i} does run")
"""
SITE = """
import json, multiprocessing, sys
if "fork" in multiprocessing.get_all_start_methods():  # scripts start workers without a main guard
    multiprocessing.set_start_method("fork")
overrides = json.load(open({overrides!r}))
if overrides:
    {datasets}
for name, values in overrides.items():
    for key, value in values.items():
        setattr(getattr(datasets, name), key, value)
"""
DATASETS = {
    "polytensor": "from polytensor.vision import datasets",
    "pytorch": "sys.path.append({here!r}); import vision_oracle; datasets = vision_oracle.load().datasets",
}


def installed(module):
    return importlib.util.find_spec(module) is not None


def run(program, folder, overrides, library="polytensor", backend="numpy"):
    """Runs a program in folder/work, as PyTorch's or by `python -m polytensor run`: its output.

    overrides: {dataset: {attribute: value}}, set before the program starts, by a module that Python imports by itself.
    """
    here = str(pathlib.Path(__file__).parent)
    site, work = folder / "site", folder / "work"
    site.mkdir(parents=True, exist_ok=True)
    work.mkdir(exist_ok=True)
    (site / "overrides.json").write_text(json.dumps(overrides))
    datasets = DATASETS[library].format(here=here)
    (site / "sitecustomize.py").write_text(SITE.format(datasets=datasets, overrides=str(site / "overrides.json")))
    if "import pandas" in program and not installed("pandas"):  # imported, and never called
        (site / "pandas.py").write_text("")
    (work / "program.py").write_text(program)
    command = ["-m", "polytensor", "run"] if library == "polytensor" else []
    environment = {
        **os.environ, "POLYTENSOR_BACKEND": backend, "MPLBACKEND": "Agg", "no_proxy": "127.0.0.1",
        "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(site), os.path.dirname(here)]),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, *command, "program.py"], cwd=work, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-4000:]
    return done.stdout
