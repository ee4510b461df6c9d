#!/usr/bin/env python3
"""Plants bugs in the library, one at a time, and says what the schedules' histories make of each.

    loom-tests/histories/plant.py [part of a name ...]

Works on a copy of the tree under the target directory. Fails if a bug goes unnoticed.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
COPY = TARGET / "planted"

# Name, file, what stands there, what is planted instead.
BUGS = [
    ("one half-open place too many", "src/breaker/engine.rs",
     "word.probes().granted >= places", "word.probes().granted > places"),
    ("a probe's report in any half-open generation", "src/breaker/engine.rs",
     "|| self.shared.state.generation(word) != name.named_generation()", ""),
    ("a stripe's count in any generation", "src/window/stripes.rs",
     "            if stripe.generation.load(Ordering::Acquire) == name.bits() {\n"
     "                // If the owner has moved on since",
     "            if stripe.generation.load(Ordering::Acquire) != NONE {\n"
     "                // If the owner has moved on since"),
    ("a warm success that does not ask for the state", "src/breaker/engine.rs",
     "self.load() == name && self.window.count_untimed(seat, name)", "self.window.count_untimed(seat, name)"),
    ("a control call that may lose", "src/breaker/engine.rs",
     "            if let Some(change) = self.transit(word, to, TransitionCause::Control) {\n"
     "                heard(change);\n                return;\n            }\n",
     "            if let Some(change) = self.transit(word, to, TransitionCause::Control) {\n"
     "                heard(change);\n            }\n            return;\n"),
    ("a judge that always skips its windows", "src/window/mod.rs",
     "self.view(name, size, before).judge_mark(ticket, known, rules)",
     "self.view(name, size, before).judge_mark(ticket, Known { skips: true, ..known }, rules)"),
    ("a lease that is never renewed", "src/breaker/engine.rs",
     "        let seen = self.shared.stamp.fetch_max(now, Ordering::Relaxed);",
     "        let seen = self.shared.stamp.fetch_max(now.min(1), Ordering::Relaxed);"),
]


def copy_tree():
    shutil.rmtree(COPY, ignore_errors=True)
    skipped = shutil.ignore_patterns("target", ".git", "shared")
    shutil.copytree(ROOT, COPY, ignore=skipped, symlinks=True)


def verdict(output):
    """The first line of the checker's own words, or the last one printed."""
    lines = output.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("seed "):
            told = [line.split(": ", 1)[1]] + [more.strip() for more in lines[number + 1:number + 12]]
            reasons = [more for more in told if more[:1].isdigit() and ": " in more and "->" not in more]
            return (reasons or told)[0]
    return lines[-1] if lines else "nothing"


def main():
    wanted = sys.argv[1:]
    copy_tree()
    environment = {**os.environ, "CARGO_TARGET_DIR": str(TARGET / "planted-build"), "RUST_BACKTRACE": "0"}
    command = ["cargo", "test", "--release", "-p", "failfast-histories", "--test", "schedules"]
    unnoticed = 0
    for name, file, there, planted in BUGS:
        if wanted and not any(part in name for part in wanted):
            continue
        path = COPY / file
        text = path.read_text()
        if text.count(there) != 1:
            sys.exit(f"{name}: its place in {file} has changed")
        path.write_text(text.replace(there, planted))
        run = subprocess.run(command, cwd=COPY, env=environment, text=True, errors="replace",
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        path.write_text(text)
        noticed = run.returncode != 0 and "could not compile" not in run.stdout
        unnoticed += not noticed
        told = verdict(run.stdout) if noticed else run.stdout[-300:]
        print(f"| {name} | {'refused: ' + told if noticed else 'NOT NOTICED ' + told} |", flush=True)
    sys.exit(1 if unnoticed else 0)


if __name__ == "__main__":
    main()
