#!/usr/bin/env python3
"""A bad line on loopback: a TCP relay with a rate, a round-trip delay, and cuts.

    slow_link.py --listen PORT --to HOST:PORT [--rate BIT_PER_S] [--rtt-ms MS]
                 [--cut-after-bytes N[,N...]] [--control PORT]

Port 0 takes a free one. On stdout, first {"listen": PORT, "control": PORT or null} when it can be
used; at the end (SIGTERM, SIGINT, or `quit`) one line of counts:

    {"up": B, "down": B, "connections": N, "refused": N, "cuts": N}

`up` is what went from the connecting side to HOST:PORT, `down` what came back: payload bytes that
were handed over, whatever became of the connection.

The line. --rate is for each direction and shared by all connections; 0 or nothing is unlimited.
Each byte arrives half of --rtt-ms after it has left; TCP's handshake is delayed by one round trip:
the far side is connected to that much later. What is under way is bounded, as in a real line's
buffer, so that a sender feels the rate.

Cuts. When the line is cut, every connection is reset, what was under way is lost, and new ones are
refused until it is restored. SIGUSR1 cuts and SIGUSR2 restores. The control port takes one command
a line and answers one line of JSON, the counts with "linked": `cut`, `restore`, `drop` (reset the
connections, line stays), `rate BIT_PER_S`, `counts`, `quit`. --cut-after-bytes drops the connections
when so many bytes, both ways together, have passed since the last such cut; the line is good again
at once, for whoever connects again.
"""

import argparse
import asyncio
import json
import signal
import socket
import struct

CHUNK = 1400           # bytes handed on at once: about a packet
BUFFERED_SECONDS = 1   # how much of the rate the line's buffer holds
UNLIMITED_BUFFER = 1 << 20


class Direction:
    """One direction of the line: when the next byte may leave, and how many have arrived."""

    def __init__(self, rate, delay):
        self.rate = rate      # bit/s, 0 for unlimited
        self.delay = delay    # seconds from leaving to arriving
        self.free_at = 0.0    # loop time at which the last byte that was accepted will have left
        self.arrived = 0

    def schedule(self, now, size):
        """Takes size bytes onto the line at time now; returns the time when they arrive."""
        self.free_at = max(self.free_at, now) + (size * 8 / self.rate if self.rate else 0)
        return self.free_at + self.delay

    def buffer_bytes(self):
        if not self.rate:
            return UNLIMITED_BUFFER
        return max(2 * CHUNK, int(self.rate / 8 * (BUFFERED_SECONDS + self.delay)))


class Connection:
    """One relayed connection, until either side or the line ends it."""

    def __init__(self, link, near, far):
        self.link = link
        self.near = near  # (reader, writer)
        self.far = far

    async def relay(self):
        pumps = [asyncio.create_task(self.pump(self.near[0], self.far[1], self.link.up)),
                 asyncio.create_task(self.pump(self.far[0], self.near[1], self.link.down))]
        try:
            await asyncio.gather(*pumps)
        except (ConnectionError, OSError):
            self.reset()
        finally:
            for pump in pumps:
                pump.cancel()
            for writer in (self.near[1], self.far[1]):
                writer.close()

    async def pump(self, reader, writer, direction):
        """Moves bytes one way; reading waits while the line's buffer is full."""
        under_way = asyncio.Queue()
        room = asyncio.Semaphore(max(1, direction.buffer_bytes() // CHUNK))
        deliver = asyncio.create_task(self.deliver(under_way, room, writer, direction))
        loop = asyncio.get_running_loop()
        try:
            while True:
                await room.acquire()
                data = await reader.read(CHUNK)
                under_way.put_nowait((direction.schedule(loop.time(), len(data)), data))
                if not data:
                    break
            await deliver
        finally:
            deliver.cancel()

    async def deliver(self, under_way, room, writer, direction):
        loop = asyncio.get_running_loop()
        while True:
            due, data = await under_way.get()
            await asyncio.sleep(max(0.0, due - loop.time()))
            if not data:
                writer.write_eof()
                return
            allowed = self.link.allowance(len(data))
            writer.write(data[:allowed])
            await writer.drain()
            direction.arrived += allowed
            if self.link.passed(allowed):
                return
            room.release()

    def reset(self):
        """Ends both sides at once, as a line that has gone: no orderly close."""
        for _, writer in (self.near, self.far):
            sock = writer.get_extra_info("socket")
            if sock is not None and sock.fileno() >= 0:
                # Lingering for zero seconds makes close send a reset.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.transport.abort()


class Link:
    """The line with all its connections."""

    def __init__(self, target, rate, rtt, cuts):
        self.target = target
        self.rtt = rtt
        self.up = Direction(rate, rtt / 2)
        self.down = Direction(rate, rtt / 2)
        self.cuts_to_come = list(cuts)
        self.since_cut = 0
        self.linked = True
        self.connections = set()
        self.count = {"connections": 0, "refused": 0, "cuts": 0}
        self.ended = asyncio.Event()

    def counts(self):
        return {"up": self.up.arrived, "down": self.down.arrived, **self.count}

    def allowance(self, size):
        """How many of size bytes pass before the next scripted cut."""
        if not self.cuts_to_come:
            return size
        return max(0, min(size, self.cuts_to_come[0] - self.since_cut))

    def passed(self, size):
        """Counts bytes handed over; true when that brought a scripted cut."""
        self.since_cut += size
        if not self.cuts_to_come or self.since_cut < self.cuts_to_come[0]:
            return False
        self.cuts_to_come.pop(0)
        self.drop()
        return True

    def drop(self):
        self.since_cut = 0
        self.count["cuts"] += 1
        self.up.free_at = self.down.free_at = 0.0
        for connection in list(self.connections):
            connection.reset()

    def cut(self):
        if self.linked:
            self.linked = False
            self.drop()

    def restore(self):
        self.linked = True

    async def accept(self, reader, writer):
        far = None
        if self.linked:
            await asyncio.sleep(self.rtt)
            try:
                far = await asyncio.open_connection(*self.target) if self.linked else None
            except OSError:
                far = None
        connection = Connection(self, (reader, writer), far or (reader, writer))
        if far is None or not self.linked:
            self.count["refused"] += 1
            connection.reset()
            return
        self.count["connections"] += 1
        self.connections.add(connection)
        try:
            await connection.relay()
        finally:
            self.connections.discard(connection)

    async def control(self, reader, writer):
        while line := await reader.readline():
            answer = self.obey(line.decode("utf-8", "replace").split())
            writer.write((json.dumps(answer) + "\n").encode())
            await writer.drain()
        writer.close()

    def obey(self, words):
        simple = {"cut": self.cut, "restore": self.restore, "drop": self.drop,
                  "quit": self.ended.set, "counts": lambda: None}
        if len(words) == 1 and words[0] in simple:
            simple[words[0]]()
        elif len(words) == 2 and words[0] == "rate" and words[1].isdigit():
            self.up.rate = self.down.rate = int(words[1])
        else:
            return {"error": "commands are: " + ", ".join([*simple, "rate BIT_PER_S"])}
        return {"linked": self.linked, **self.counts()}


async def run(options):
    link = Link(options.to, options.rate, options.rtt_ms / 1000, options.cut_after_bytes)
    loop = asyncio.get_running_loop()
    for number, action in [(signal.SIGTERM, link.ended.set), (signal.SIGINT, link.ended.set),
                           (signal.SIGUSR1, link.cut), (signal.SIGUSR2, link.restore)]:
        loop.add_signal_handler(number, action)
    listening = await asyncio.start_server(link.accept, "127.0.0.1", options.listen, limit=CHUNK)
    ready = {"listen": listening.sockets[0].getsockname()[1], "control": None}
    if options.control is not None:
        control = await asyncio.start_server(link.control, "127.0.0.1", options.control)
        ready["control"] = control.sockets[0].getsockname()[1]
    print(json.dumps(ready), flush=True)
    await link.ended.wait()
    counts = link.counts()
    for connection in list(link.connections):
        connection.reset()
    print(json.dumps(counts), flush=True)


def address(text):
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError(f"{text} is not HOST:PORT")
    return host, int(port)


def numbers(text):
    return [int(part) for part in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description="A bad line on loopback.")
    parser.add_argument("--listen", type=int, required=True, metavar="PORT")
    parser.add_argument("--to", type=address, required=True, metavar="HOST:PORT")
    parser.add_argument("--rate", type=int, default=0, metavar="BIT_PER_S")
    parser.add_argument("--rtt-ms", type=float, default=0, metavar="MS")
    parser.add_argument("--cut-after-bytes", type=numbers, default=[], metavar="N[,N...]")
    parser.add_argument("--control", type=int, default=None, metavar="PORT")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
