"""Numbers as people read them: three digits and a unit."""

from __future__ import annotations


def scaled(value: float, steps: list[tuple[float, str]]) -> str:
    """`value` in the largest of the units (each a factor and a name, ascending) that leaves at least 1."""
    factor, name = steps[0]
    for step, unit in steps[1:]:
        if value >= step * 0.9995:
            factor, name = step, unit
    return f"{three_digits(value / factor)} {name}".strip()


def three_digits(value: float) -> str:
    if value >= 99.95:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 9.995 else f"{value:.2f}"


def nanoseconds(value: float) -> str:
    return scaled(value, [(1, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")])


def per_second(value: float) -> str:
    return scaled(value, [(1, "/s"), (1e3, "k/s"), (1e6, "M/s"), (1e9, "G/s")])


def bytes_per_second(value: float) -> str:
    return scaled(value, [(1, "B/s"), (1e3, "kB/s"), (1e6, "MB/s"), (1e9, "GB/s")])


def size(value: float) -> str:
    """Bytes, in powers of 1024."""
    return scaled_exact(value, [(1 << 20, "MiB"), (1 << 10, "KiB"), (1, "B")])


def scaled_exact(value: float, steps: list[tuple[int, str]]) -> str:
    for factor, name in steps:
        if value >= factor:
            number = value / factor
            return f"{number:.0f} {name}" if number == int(number) else f"{three_digits(number)} {name}"
    return f"{value:.0f} {steps[-1][1]}"


def times(value: float) -> str:
    return f"{three_digits(value)}x"


def value_with_unit(value: float, unit: str) -> str:
    """A result's value in its unit, as results in the JSON have them."""
    if unit == "ns":
        return nanoseconds(value)
    if unit == "KiB":
        return size(value * 1024)
    return f"{value:.3g} {unit}"


def duration(seconds: float) -> str:
    seconds = max(0, round(seconds))
    return f"{seconds // 60}:{seconds % 60:02d}"
