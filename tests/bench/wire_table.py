"""Runs wire_bench and prints its figures beside the budgets and the peers'.

Usage: wire_table.py WIRE_BENCH [DIR]. Without DIR the data is made. Exit 1 when a budget is
exceeded."""

import json
import pathlib
import subprocess
import sys
import tempfile

import make_wire_data

BUDGETS = json.loads((pathlib.Path(__file__).parent / "wire_budgets.json").read_text())
COLUMNS = ["W1", "W2", "W3", "W4", "W5", "W6", "W7", "store"]


def run(bench, folder, name):
    command = [bench, "--data", folder, "--budgets", name, "--json"]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    return [json.loads(line) for line in answer.stdout.splitlines()], answer.returncode


def figure(line):
    workload = line["workload"]
    if workload == "store":
        return f"{line['records']:,}"
    if workload == "W5":
        return str(line["both_kept"])
    if workload == "W6":
        return str(line["losing_kept"])
    if workload == "W7":
        return line["budget"].split()[-1]
    return f"{line['app_up'] + line['app_down']:,}"


def row(name, cells, mark=""):
    print(f"{name:26}" + "".join(f"{cells.get(column, ''):>12}" for column in COLUMNS) + mark)


def main():
    bench, given = sys.argv[1], sys.argv[2:]
    with tempfile.TemporaryDirectory() as folder:
        if not given:
            make_wire_data.make(pathlib.Path(folder))
        name = "cases-10000" if given else "made"
        lines, code = run(bench, given[0] if given else folder, name)
    row("", {column: column for column in COLUMNS})
    row("ours", {line["workload"]: figure(line) for line in lines})
    budget = {key: f"{value:,}" for key, value in BUDGETS["budgets"][name].items()}
    row("budget", budget)
    if given:
        row("aim", {key: f"{value:,}" for key, value in BUDGETS["aims"].items()})
        for peer, figures in BUDGETS["peers"].items():
            row(peer, figures)
    for line in lines:
        if not line["ok"]:
            print(f"EXCEEDED: {line['workload']}: {figure(line)}, budget {line['budget']}")
    return code


if __name__ == "__main__":
    sys.exit(main())
