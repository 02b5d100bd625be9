"""The table that `demo --once` prints: what was observed in each step, and which claims held."""

import textwrap
import time

COLUMNS = (("step", 21), ("what happened", 52), ("records", 7), ("changes", 7), ("moved", 7),
           ("up, B", 10), ("down, B", 11), ("trips", 5), ("seconds", 7))
TEXT_COLUMNS = 2


class Table:
    """Rows are printed as they come, so that a story that breaks off has told what it knows."""

    def __init__(self, meter):
        self.meter = meter
        self.broken = []  # claims that did not hold
        self.totals = [0, 0, 0, 0, 0, 0, 0.0]

    def head(self):
        self.line([name for name, _ in COLUMNS])
        self.rule()

    def rule(self):
        print("-+-".join("-" * width for _, width in COLUMNS), flush=True)

    def line(self, cells):
        wrapped = [textwrap.wrap(cell, width) or [""] if at < TEXT_COLUMNS else [cell]
                   for at, (cell, (_, width)) in enumerate(zip(cells, COLUMNS))]
        for row in range(max(map(len, wrapped))):
            parts = []
            for at, (_, width) in enumerate(COLUMNS):
                text = wrapped[at][row] if row < len(wrapped[at]) else ""
                parts.append(text.ljust(width) if at < TEXT_COLUMNS else text.rjust(width))
            print(" | ".join(parts).rstrip(), flush=True)

    def row(self, name, step):
        """Runs `step(tell, claim)`, which answers (records, changes), and prints its row.

        What is thrown breaks the story off; its row is printed all the same.
        """
        sentences, missed, counts = [], [], (0, 0)

        def claim(holds, sentence):
            (sentences if holds else missed).append(sentence)

        before, began = self.meter.read(), time.monotonic()
        try:
            counts = step(sentences.append, claim)
        except Exception as error:
            missed.append(f"{type(error).__name__}: {error}")
            raise
        finally:
            seconds = time.monotonic() - began
            moved = [after - first for first, after in zip(before, self.meter.read())]
            numbers = [*counts, *moved, seconds]
            self.totals = [total + number for total, number in zip(self.totals, numbers)]
            self.broken += [f"{name}: {sentence}" for sentence in missed]
            said = "; ".join(sentences + [f"DID NOT HOLD: {sentence}" for sentence in missed])
            self.line([name, said, *self.cells(numbers)])

    @staticmethod
    def cells(numbers):
        return [f"{number:,}" for number in numbers[:-1]] + [f"{numbers[-1]:.1f}"]

    def foot(self):
        self.rule()
        self.line(["all steps", "", *self.cells(self.totals)])
