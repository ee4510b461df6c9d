#!/usr/bin/env python3
"""Weakens every ordering of the library by one step, and says which model notices.

    loom-tests/weaken.py [--small] [part of a site ...]

Works on a copy of the tree under the target directory. Prints a table; a mutant that survives is either an ordering
without a reason or a model that is missing, unless the README says why. With --small the large models are left out: minutes instead of an hour.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
COPY = TARGET / "weaken"
FLAGS = [argument for argument in sys.argv[1:] if argument.startswith("-")]
PARTS = [argument for argument in sys.argv[1:] if not argument.startswith("-")]
STATES = ["state::", "half_open::", "generation::", "reading::"]
WINDOWS = ["count_window::", "runs::", "ring::", "stripes::", "generation::", "reading::", "loser_erases"]
# The models of each file's subject.
FILES = {
    "breaker/cell.rs": STATES,
    "breaker/engine.rs": STATES,
    "breaker/limits.rs": STATES,
    "seats.rs": ["seats::"],
    "window/buckets.rs": ["time_window::", "bucket"],
    "window/marks.rs": WINDOWS,
    "window/mod.rs": WINDOWS,
    "window/stripes.rs": WINDOWS,
    "window/verdict.rs": WINDOWS,
}
WEAKER = {"AcqRel": ["Acquire", "Release"], "Acquire": ["Relaxed"], "Release": ["Relaxed"]}


def mutants(file):
    """Yields (site, edges, what is changed, the file's new text)."""
    text = (COPY / "src" / file).read_text()
    code = text.split("#[cfg(test)]\nmod tests")[0]
    function, edges, behind_comment = "", [], True
    start = 0
    for line in code.splitlines(keepends=True):
        name = re.search(r"\bfn (\w+)", line)
        function = name[1] if name else function
        if line.lstrip().startswith("//"):
            edges = [] if behind_comment else edges
            behind_comment = False
            edges += re.findall(r"\bE\d+\b", line)
        else:
            behind_comment = True
            site = f"{file}: {function}"
            if "fence(Ordering::" in line:
                order = re.search(r"Ordering::(\w+)", line)[1]
                yield site, edges, f"{order} fence removed", text[:start] + text[start + len(line):]
            else:
                for place in re.finditer(r"Ordering::(\w+)", line):
                    for weaker in WEAKER.get(place[1], []):
                        call = re.findall(r"(?:(\w+)\.|\.)(load|store|compare_exchange|fetch_\w+)\(", line)
                        at, end = start + place.start(1), start + place.end(1)
                        what = f"{'.'.join(filter(None, call[-1]))}: {place[1]} -> {weaker}"
                        yield site, edges, what, text[:at] + weaker + text[end:]
        start += len(line)


def models(names):
    """Runs models by parts of their names; returns the first to fail, None if all hold."""
    command = ["cargo", "test", "--release", "-q", "-p", "failfast-loom-tests", "--", "--first", *FLAGS, *names]
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET / "weaken-target")}
    try:
        done = subprocess.run(command, cwd=COPY, env=environment, capture_output=True, text=True, timeout=900)
    except subprocess.TimeoutExpired:
        return "(time)"
    if done.returncode == 0:
        return None
    failed = re.search(r"FAILED ([\w:]+\w)", done.stdout)
    if not failed:
        sys.exit(done.stdout + done.stderr)
    return failed[1]


def main():
    shutil.rmtree(COPY, ignore_errors=True)
    # Copied without their times: Cargo must not take the last mutant of an earlier run for up to date.
    shutil.copytree(ROOT, COPY, ignore=shutil.ignore_patterns("target", ".git"), copy_function=shutil.copy)
    if models([]):
        sys.exit("the models fail before anything is weakened")
    survivors = 0
    print("| site | edges | weakened | noticed by |\n|---|---|---|---|")
    for file, names in FILES.items():
        path = COPY / "src" / file
        original = path.read_text()
        for site, edges, what, text in list(mutants(file)):
            if PARTS and not any(part in f"{site} {what}" for part in PARTS):
                continue
            path.write_text(text)
            by = models(names)
            survivors += by is None
            print(f"| `{site}` | {' '.join(edges)} | {what} | {f'`{by}`' if by else '-'} |", flush=True)
        path.write_text(original)
    print(f"\n{survivors} survived")


if __name__ == "__main__":
    main()
