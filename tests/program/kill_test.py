"""A server killed 200 times while people save loses nothing that it had acknowledged."""

import http.client
import os
import random
import ssl
import threading
import time

import program

ROUNDS = int(os.environ.get("WAYSTATION_KILLS", "200"))
THREADS = 4


class Saver(threading.Thread):
    """Saves persons one after the other until the server is gone; keeps what was acknowledged."""

    def __init__(self, port, token, name):
        super().__init__()
        self.caller = program.Caller(port, token)
        self.title = name
        self.acknowledged = []
        self.refused = []

    def run(self):
        number = 0
        try:
            while True:
                number += 1
                given = f"{self.title} {number}"
                answer = self.caller.save_person(given)
                if answer.status == 200:
                    self.acknowledged.append((answer.json["records"]["new:1"]["id"], given))
                else:
                    self.refused.append(answer.body)
        except (OSError, http.client.HTTPException, ssl.SSLError, ValueError):
            pass  # the server was killed; this save was not acknowledged
        finally:
            self.caller.close()


class Killed(program.ProgramTest):
    def check_held(self, caller, saves):
        for record, name in saves:
            answer = caller.call("GET", "/api/v1/records/" + record)
            self.assertEqual(answer.status, 200, f"the acknowledged save of {name} is lost")
            self.assertEqual(answer.json["fields"]["given_name"], name)

    def save_and_kill(self, server, token, number):
        savers = [Saver(server.port, token, f"Round {number} saver {i}") for i in range(THREADS)]
        for saver in savers:
            saver.start()
        # Not a wait for something: the moment of the kill is drawn at random.
        time.sleep(random.uniform(0.02, 0.15))
        server.process.kill()
        server.process.wait(program.PATIENCE)
        for saver in savers:
            saver.join(program.PATIENCE)
            self.assertEqual(saver.refused, [])
        return [save for saver in savers for save in saver.acknowledged]

    def test_no_acknowledged_save_is_lost(self):
        node = self.node()
        self.assertDone(node.add_user())
        saves, last = [], []
        for number in range(ROUNDS):
            with node.serve() as server:
                caller = server.caller()
                self.check_held(caller, last)
                last = self.save_and_kill(server, caller.token, number)
                caller.close()
            saves += last
        with node.serve() as server:
            caller = server.caller()
            self.check_held(caller, saves)
            caller.close()
            self.assertDone(node.run("check", passphrase=False))
            self.assertEqual(server.end(), 0)
        self.assertDone(node.run("check"))
        self.assertGreater(len(saves), ROUNDS, "hardly anything was saved: the test tests nothing")
        print(f"{ROUNDS} kills, {len(saves)} acknowledged saves, none lost")


if __name__ == "__main__":
    program.main()
