"""What an exchange with nothing to tell costs on the wire, between a real office and a real HQ.

The relay counts TCP payload, TLS and HTTP included; nothing is subtracted."""

import pathlib
import statistics
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import nodes  # noqa: E402

BUDGET_BYTES = 400
TURNS = 5


def quiet(line):
    """The counts, once two readings in a row are the same."""
    last = line.counts()

    def unchanged():
        nonlocal last
        before, last = last, line.counts()
        return before == last
    nodes.wait_until(unchanged, "the line is quiet")
    return last


def idle_exchange(office, api, line):
    """Bytes up and down of one exchange with nothing to tell, and what the office says of it."""
    before = quiet(line)
    told = {exchange["at"] for exchange in api.get("sync")["exchanges"]}
    office.command("sync", "now")
    after = quiet(line)
    link = api.get("sync")
    mine = [exchange for exchange in link["exchanges"] if exchange["at"] not in told]
    return (after["up"] - before["up"], after["down"] - before["down"],
            after["connections"] - before["connections"],
            sum(exchange["roundTrips"] for exchange in mine), link["agree"])


def main():
    with nodes.Fleet(sys.argv[1], cheap_keys=True) as fleet:
        headquarters = fleet.headquarters()
        line = nodes.Line(fleet, headquarters.sync_port)
        office = fleet.office("NBO", headquarters, line)
        office.add_user("caseworker", "caseworker")
        api = office.api("caseworker")
        answer = api.save({"record": "new:1", "kind": "person", "fields": {"given_name": "Amara"}})
        office.command("sync", "now")
        person = api.record(answer["records"]["new:1"]["id"])
        turns = [idle_exchange(office, api, line) for _ in range(TURNS)]
    for up, down, connections, trips, agree in turns:
        print(f"idle exchange: {up} B up, {down} B down, {up + down} B in all, {trips} round "
              f"trips, {connections} connections opened, agree {agree}")
    # A poll for news that ends in one of the turns is counted with it, so the middle one tells.
    middle = statistics.median(up + down for up, down, *_ in turns)
    print(f"middle of {TURNS}: {middle} B of TCP payload both ways; {BUDGET_BYTES} B are allowed")
    wrong = []
    if person["durability"] != "hq":
        wrong.append("the person was not at headquarters after an exchange")
    if middle > BUDGET_BYTES:
        wrong.append(f"an idle exchange takes {middle} B, more than {BUDGET_BYTES}")
    if any(connections for _, _, connections, _, _ in turns):
        wrong.append("an exchange opened a new connection while one was open")
    if any(trips != 1 for _, _, _, trips, _ in turns):
        wrong.append("an idle exchange took more than one round trip")
    if not all(agree is True for *_, agree in turns):
        wrong.append("office and headquarters did not agree")
    for sentence in wrong:
        print("FAILED: " + sentence)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
