"""Checks the protocol models with spin: each model holds, and each of its mutants fails.

Usage: model_check.py SPIN CC MODEL.pml...
A mutant is `#if MUTANT == n` in the model, for n from 1 on.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

MEMORY_MIB_MAX = 1024  # of one search; more than it needs by far


def run(*command, cwd):
    done = subprocess.run(command, cwd=cwd, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        sys.exit(f"failed ({done.returncode}): {' '.join(map(str, command))}\n{done.stdout}")
    return done.stdout


def holds(spin, compiler, model, mutant):
    """Whether spin finds no error; says how many states it saw."""
    with tempfile.TemporaryDirectory() as folder:
        run(spin, "-a", f"-DMUTANT={mutant}", model, cwd=folder)
        # -DBITSTATE would be a sample: this is exhaustive. Safety only: assertions and invalid end states.
        run(compiler, "-O1", "-w", "-DSAFETY", "-DCOLLAPSE", f"-DMEMLIM={MEMORY_MIB_MAX}", "-o", "pan",
            "pan.c", cwd=folder)
        said = run("./pan", "-m1000000", cwd=folder)
    if "max search depth too small" in said or "memory limit" in said or "out of memory" in said:
        sys.exit(f"{model.name}: the search was not exhaustive\n{said}")
    errors = int(re.search(r"errors: (\d+)", said).group(1))
    states = re.search(r"(\S+) states, stored", said).group(1)
    return errors == 0, states


def main():
    spin, compiler = sys.argv[1:3]
    failed = False
    for name in sys.argv[3:]:
        model = pathlib.Path(name).resolve()
        mutants = sorted({int(n) for n in re.findall(r"MUTANT [!=]= (\d+)", model.read_text())} - {0})
        for mutant in [0, *mutants]:
            held, states = holds(spin, compiler, model, mutant)
            right = held == (mutant == 0)
            failed = failed or not right
            what = "the model" if mutant == 0 else f"mutant {mutant}"
            print(f"{model.name}: {what} {'holds' if held else 'fails'} ({states} states)"
                  f"{'' if right else '  <-- wrong'}")
    sys.exit(failed)


if __name__ == "__main__":
    main()
