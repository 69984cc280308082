"""Checks that the compiler refuses each misuse in misuse.cc, and says why.

Usage: misuse_check.py SOURCE BUILD. The flags are those of the library, from the compile database in
BUILD, with warnings as errors. Prints one line for each part that compiles, or is refused for
another reason, and exits with 1 if there is any.
"""

import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "tree"))
from headers_check import library_flags  # noqa: E402

PART = re.compile(
    r"^// refused(?: by (?P<compiler>clang|g\+\+)(?: (?P<version>\d+))?)?: (?P<words>.*)\n#ifdef (?P<macro>\w+)$", re.MULTILINE)
SKIPPED = 77


def compile_part(flags, build, source, macro):
    """What the compiler says about the part that `macro` turns on; empty if it takes it."""
    # What is right stays right when the compiler is asked to look closely.
    define = [f"-D{macro}" if macro else "-DWHARF_CORO_CHECK_LIFETIMES=1"]
    done = subprocess.run(
        [*flags, "-Werror", "-Wno-unused", "-Wunused-result", "-Wunused-value", "-fsyntax-only", *define, str(source)],
        cwd=build, capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def compiler_of(command):
    """What the compiler is, clang or g++, and the first number of its version."""
    said = [subprocess.run([command, option], capture_output=True, text=True, check=True).stdout
            for option in ("--version", "-dumpversion")]
    match = re.search(r"clang version (\d+)", said[0])
    return ("clang", int(match[1])) if match else ("g++", int(re.match(r"\d+", said[1])[0]))


def concerns(part, compiler, version):
    """Whether a part is for this compiler: `clang 18` is that or newer, `g++ 12` that or older."""
    if part["compiler"] is None:
        return True
    limit = int(part["version"] or version)
    return part["compiler"] == compiler and (version >= limit if compiler == "clang" else version <= limit)


def problem_of(words, said):
    """What is wrong with the compiler's answer to one part, or None."""
    if not said:
        return "compiles, and must not"
    if not re.search(words, said):
        return f"is refused for another reason than '{words}'\n{said}"
    return None


def main():
    source, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    flags = library_flags(build)
    if not flags:
        print("the library has no sources yet")
        return SKIPPED
    flags = [word for word in flags if not word.endswith(".cc")]
    compiler, version = compiler_of(flags[0])
    parts = [(match["macro"], match["words"]) for match in PART.finditer(source.read_text())
             if concerns(match, compiler, version)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = list(pool.map(lambda part: compile_part(flags, build, source, part[0]),
                             [(None, None), *parts]))
    problems = [f"misuse.cc does not compile without misuse\n{said[0]}"] if said[0] else []
    for (macro, words), answer in zip(parts, said[1:]):
        problem = problem_of(words, answer)
        if problem:
            problems.append(f"{macro} {problem}")
    print("\n".join(problems) or f"all {len(parts)} misuses are refused")
    return 1 if problems or not parts else 0


if __name__ == "__main__":
    sys.exit(main())
