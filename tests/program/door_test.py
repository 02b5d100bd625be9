"""The door of a running server: TLS without resumption, the names that it is asked for by, and an end
that keeps what it acknowledged."""

import http.client
import signal
import socket
import ssl
import threading

import program

WRITERS = 6


def context(version=None):
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    if version is not None:
        made.minimum_version = made.maximum_version = version
    return made


class Door(program.ProgramTest):
    def ask(self, port, of, session=None):
        """One request on a connection of its own; the session to resume, and whether one was."""
        with socket.create_connection(("127.0.0.1", port), program.PATIENCE) as plain:
            with of.wrap_socket(plain, session=session) as secure:
                secure.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                answer = b""
                while chunk := secure.recv(65536):
                    answer += chunk
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
                return secure.session, secure.session_reused, secure.version()

    def test_no_session_is_resumed_so_that_a_revocation_counts_at_once(self):
        with self.node().serve() as server:
            one = context()
            first, reused, version = self.ask(server.port, one)
            self.assertEqual((reused, version), (False, "TLSv1.3"))
            self.assertFalse(first is not None and first.has_ticket)
            for _ in range(3):
                _, reused, _ = self.ask(server.port, one, first)
                self.assertFalse(reused)
            with self.assertRaises((ssl.SSLError, ConnectionError)):
                self.ask(server.port, context(ssl.TLSVersion.TLSv1_2))

    def status_under(self, server, host):
        """Of GET /health, asked for by that name."""
        caller = program.Caller(server.port)
        caller.connection.request("GET", "/health", headers={"Host": host})
        answer = caller.connection.getresponse()
        said = answer.read()
        caller.close()
        return answer.status, said

    def test_a_name_is_refused_until_the_technician_gives_it(self):
        node = self.node()
        own = socket.gethostname()
        with node.serve() as server:
            for host in ("localhost", f"127.0.0.1:{server.port}", "[::1]", "nbo", own, own + ".:8443"):
                self.assertEqual(self.status_under(server, host)[0], 200, host)
            status, said = self.status_under(server, "nbo.example.org")
            self.assertEqual(status, 421)
            self.assertIn(b"waystation certificate hosts --host", said)
            self.assertDone(node.run("certificate", "hosts", "--host", "nbo.example.org"))
            self.assertEqual(self.status_under(server, "NBO.example.org.:8443")[0], 200)
            self.assertEqual(self.status_under(server, "evil.example")[0], 421)
        with node.serve() as server:
            self.assertEqual(self.status_under(server, "nbo.example.org")[0], 200)

    def test_ended_while_many_save_keeps_every_save_that_it_acknowledged(self):
        node = self.node()
        self.assertDone(node.add_user())
        acknowledged = set()
        with node.serve() as server:
            token = server.caller().token
            begun = threading.Barrier(WRITERS + 1)

            def write(number):
                caller = program.Caller(server.port, token)
                count = 0
                try:
                    while True:
                        name = f"writer-{number}-{count}"
                        if caller.save_person(name).status != 200:
                            break
                        acknowledged.add(name)
                        count += 1
                        if count == 3:
                            begun.wait()
                except (OSError, http.client.HTTPException):
                    pass  # the server has gone, in the middle of this one

            threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
            for thread in threads:
                thread.start()
            begun.wait(program.PATIENCE)
            server.process.send_signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(program.PATIENCE), 0)
            for thread in threads:
                thread.join()
        with node.serve() as server:
            caller = server.caller()
            kept, cursor = set(), ""
            while cursor is not None:
                page = caller.call("GET", "/api/v1/records?kind=person&limit=200" + cursor).json
                kept |= {record["fields"]["given_name"] for record in page["records"]}
                cursor = page["cursor"] and "&cursor=" + page["cursor"]
            caller.close()
        self.assertGreaterEqual(len(acknowledged), 3 * WRITERS)
        self.assertEqual(acknowledged - kept, set())
        print(f"{len(acknowledged)} saves acknowledged before the end, 0 lost")


if __name__ == "__main__":
    program.main()
