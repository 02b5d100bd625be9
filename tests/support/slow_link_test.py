"""The bad line is itself a measuring tool, so what it counts and cuts is tested."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import unittest

import slow_link

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "slow_link.py")
PATIENCE = 60  # seconds after which a test that hangs has failed


class EchoServer:
    """Sends back what it gets, and keeps what it got, one entry for each connection."""

    def __init__(self):
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.got = []
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        while True:
            connection, _ = self.socket.accept()
            with connection:
                got = bytearray()
                try:
                    while data := connection.recv(65536):
                        got += data
                        connection.sendall(data)
                except ConnectionError:
                    pass
                if got == b"end of the test":
                    return
                self.got.append(bytes(got))

    def close(self):
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as last:
            last.sendall(b"end of the test")
            last.shutdown(socket.SHUT_WR)
            while last.recv(65536):
                pass
        self.thread.join(PATIENCE)
        self.socket.close()


class SlowLink(unittest.TestCase):
    def setUp(self):
        self.server = EchoServer()
        self.addCleanup(self.server.close)

    def start(self, *options):
        self.link = subprocess.Popen(
            [sys.executable, PROGRAM, "--listen", "0", "--control", "0",
             "--to", f"127.0.0.1:{self.server.port}", *options],
            stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.link.stdout.close)
        self.addCleanup(self.link.wait)
        self.addCleanup(self.link.kill)
        ready = json.loads(self.link.stdout.readline())
        self.port = ready["listen"]
        control = socket.create_connection(("127.0.0.1", ready["control"]), PATIENCE)
        self.control = control.makefile("rw")
        self.addCleanup(control.close)
        self.addCleanup(self.control.close)

    def command(self, line):
        self.control.write(line + "\n")
        self.control.flush()
        return json.loads(self.control.readline())

    def connect(self):
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self.addCleanup(connection.close)
        return connection

    def finish(self):
        self.link.terminate()
        return json.loads(self.link.stdout.readline())

    def echo(self, data, connection=None):
        """Sends data and returns what came back until the end, or as many bytes."""
        connection = connection or self.connect()
        sender = threading.Thread(target=self.send_all, args=(connection, data))
        sender.start()
        back = bytearray()
        try:
            while len(back) < len(data) and (part := connection.recv(65536)):
                back += part
        except ConnectionError:
            pass
        sender.join(PATIENCE)
        return bytes(back)

    @staticmethod
    def send_all(connection, data):
        try:
            connection.sendall(data)
        except ConnectionError:
            pass

    def test_bytes_pass_unharmed_and_are_counted(self):
        self.start("--rate", "80000000", "--rtt-ms", "2")
        data = os.urandom(300_000)
        self.assertEqual(self.echo(data), data)
        self.assertEqual(self.finish(), {"up": 300_000, "down": 300_000, "connections": 1,
                                         "refused": 0, "cuts": 0})

    def test_the_end_of_one_direction_leaves_the_other_open(self):
        self.start()
        connection = self.connect()
        connection.sendall(b"question")
        connection.shutdown(socket.SHUT_WR)
        back = b""
        while part := connection.recv(100):
            back += part
        self.assertEqual(back, b"question")

    def test_a_scripted_cut_falls_on_its_byte_and_the_next_try_goes_on(self):
        self.start("--cut-after-bytes", "10000,20000")
        data = os.urandom(100_000)
        first = self.echo(data)
        self.assertLess(len(first), 10_000)
        counts = self.command("counts")
        self.assertEqual(counts["up"] + counts["down"], 10_000)
        self.assertEqual(counts["cuts"], 1)
        self.echo(data)
        counts = self.command("counts")
        self.assertEqual(counts["up"] + counts["down"], 30_000)
        self.assertEqual(counts["cuts"], 2)
        self.assertEqual(self.echo(data), data)
        self.assertEqual(self.finish()["cuts"], 2)

    def test_a_cut_line_refuses_until_it_is_restored(self):
        self.start()
        connection = self.connect()
        self.assertEqual(self.echo(b"before", connection), b"before")
        self.assertFalse(self.command("cut")["linked"])
        with self.assertRaises(ConnectionError):
            if connection.recv(1) == b"":
                raise ConnectionResetError
        self.assertEqual(self.echo(b"while cut"), b"")
        self.assertTrue(self.command("restore")["linked"])
        self.assertEqual(self.echo(b"after"), b"after")
        counts = self.finish()
        self.assertEqual((counts["connections"], counts["refused"], counts["cuts"]), (2, 1, 1))

    def test_signals_cut_and_restore(self):
        self.start()
        connection = self.connect()
        self.assertEqual(self.echo(b"before", connection), b"before")
        self.link.send_signal(signal.SIGUSR1)
        with self.assertRaises(ConnectionError):
            if connection.recv(1) == b"":
                raise ConnectionResetError
        self.link.send_signal(signal.SIGUSR2)
        while not self.command("counts")["linked"]:
            pass
        self.assertEqual(self.echo(b"after"), b"after")

    def test_what_is_under_way_when_the_line_is_cut_is_lost(self):
        # At one bit a second, whatever is sent is still under way when the cut comes.
        self.start("--rate", "1")
        connection = self.connect()
        connection.sendall(b"never arrives")
        self.command("cut")
        self.assertEqual(self.finish()["up"], 0)
        self.assertNotIn(b"never arrives", self.server.got)

    def test_a_server_that_is_not_there_is_a_refusal(self):
        self.start()
        with socket.create_server(("127.0.0.1", 0)) as nobody:
            free = nobody.getsockname()[1]
        other = subprocess.Popen([sys.executable, PROGRAM, "--listen", "0", "--to",
                                  f"127.0.0.1:{free}"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(other.wait)
        self.addCleanup(other.stdout.close)
        self.port = json.loads(other.stdout.readline())["listen"]
        self.assertEqual(self.echo(b"anyone?"), b"")
        other.terminate()
        self.assertEqual(json.loads(other.stdout.readline())["refused"], 1)

    def test_an_unknown_command_is_answered_with_those_known(self):
        self.start()
        self.assertIn("restore", self.command("explode")["error"])
        self.assertEqual(self.command("rate 64000")["linked"], True)


class Line(unittest.TestCase):
    """The line's arithmetic, on a clock of the test's own."""

    def test_a_byte_takes_its_time_at_the_rate_and_then_half_a_round_trip(self):
        line = slow_link.Direction(rate=64_000, delay=0.3)
        self.assertAlmostEqual(line.schedule(10.0, 8_000), 10.0 + 1.0 + 0.3)

    def test_what_is_sent_together_queues(self):
        line = slow_link.Direction(rate=64_000, delay=0.3)
        line.schedule(10.0, 8_000)
        self.assertAlmostEqual(line.schedule(10.0, 8_000), 10.0 + 2.0 + 0.3)

    def test_an_idle_line_saves_nothing_up(self):
        line = slow_link.Direction(rate=64_000, delay=0.3)
        line.schedule(10.0, 8_000)
        self.assertAlmostEqual(line.schedule(100.0, 8_000), 100.0 + 1.0 + 0.3)

    def test_a_line_without_rate_only_delays(self):
        line = slow_link.Direction(rate=0, delay=0.3)
        line.schedule(10.0, 1 << 30)
        self.assertAlmostEqual(line.schedule(10.0, 1), 10.3)

    def test_the_buffer_of_a_slow_line_holds_about_a_second(self):
        self.assertLess(slow_link.Direction(rate=64_000, delay=0.3).buffer_bytes(), 16_000)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
