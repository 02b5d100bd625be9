"""A photo of 3 MB: uploaded at an office whose server is killed meanwhile, brought to headquarters,
which is killed meanwhile too, handed over to another office with its case, and fetched there."""

import base64
import hashlib
import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))

import nodes  # noqa: E402

binary = ""
CHUNK = 32 * 1024
PHOTO = random.Random(20).randbytes(3_000_000)
SMALL = b"\xff\xd8\xff" + random.Random(21).randbytes(3_000)
# Slow enough that headquarters can be killed in the middle of it.
SLOW = {"rate": 6_000_000, "rtt_ms": 20}


def digest(data):
    return hashlib.sha256(data).hexdigest()


def chunk(place):
    return PHOTO[place * CHUNK:(place + 1) * CHUNK]


def description(root):
    places = range((len(PHOTO) + CHUNK - 1) // CHUNK)
    return {"root": root, "name": "camp.jpg", "type": "image/jpeg", "size": len(PHOTO),
            "sha256": digest(PHOTO), "chunks": [digest(chunk(place)) for place in places],
            "thumbnail": base64.urlsafe_b64encode(SMALL).decode().rstrip("=")}


def fetch(api, path):
    """(status, bytes) of an answer that need not be JSON."""
    api.connection.request("GET", "/api/v1/" + path, headers={"Cookie": api.cookie})
    answer = api.connection.getresponse()
    return answer.status, answer.read()


def put(api, upload, place):
    api.connection.request("PUT", f"/api/v1/files/{upload}/chunks/{place}", chunk(place),
                           {"Cookie": api.cookie, "Content-Type": "application/octet-stream"})


class Files(unittest.TestCase):
    def setUp(self):
        self.fleet = self.enterContext(nodes.Fleet(binary, cheap_keys=True))
        self.hq = self.fleet.headquarters()
        self.hq.add_user("officer", "hq-officer")
        self.line = nodes.Line(self.fleet, self.hq.sync_port)
        self.nairobi = self.fleet.office("NBO", self.hq, self.line)
        self.nairobi.add_user("chief", "supervisor")
        self.mombasa = self.fleet.office("MBA", self.hq)
        self.mombasa.add_user("worker", "caseworker")

    def upload_with_a_kill(self, root):
        """What was acknowledged before the kill is not asked for again."""
        api = self.nairobi.api("chief")
        begun = api.post("files", description(root))
        upload = begun["upload"]
        acknowledged = begun["missing"][::2]
        for place in acknowledged:
            put(api, upload, place)
            api.receive("PUT", "chunk")
        put(api, upload, begun["missing"][1])
        self.nairobi.kill()
        self.nairobi.start()
        api = self.nairobi.api("chief")
        again = api.post("files", description(root))
        self.assertEqual(again["upload"], upload)
        self.assertFalse(set(again["missing"]) & set(acknowledged))
        for place in again["missing"]:
            put(api, upload, place)
            api.receive("PUT", "chunk")
        return api.post(f"files/{upload}/finish", {})["record"]

    def one_of(self, api, root):
        files = api.get(f"files?root={root}")["files"]
        self.assertEqual(len(files), 1)
        return files[0]

    def bring_up_with_a_kill(self, root):
        self.line.become(**SLOW)
        api = self.nairobi.api("chief")

        def is_under_way():
            return 0 < self.one_of(api, root)["chunksSent"]
        nodes.wait_until(is_under_way, "some chunks are at headquarters")
        self.hq.kill()
        self.assertLess(self.one_of(api, root)["chunksSent"], len(description(root)["chunks"]))
        self.hq.start()
        self.line.become()
        self.nairobi.command("sync", "now", check=False)
        nodes.wait_until(lambda: self.one_of(api, root)["atHq"], "the photo is at headquarters")
        self.assertEqual(api.get("sync")["filesUp"], 0)

    def hand_over(self, root):
        chief = self.nairobi.api("chief")
        chief.post("handovers", {"root": root, "to": "MBA", "why": "moved to the coast"})
        worker = self.mombasa.api("worker")
        nodes.wait_until(lambda: worker.record(root), "the case is at Mombasa")
        nodes.wait_until(lambda: not chief.record(root), "the case has left Nairobi")
        return worker

    def test_a_photo_goes_from_office_to_headquarters_to_office(self):
        answer = self.nairobi.api("chief").save(
            {"record": "new:1", "kind": "person", "fields": {"given_name": "Amina"}})
        root = answer["records"]["new:1"]["id"]
        self.nairobi.command("sync", "now")
        self.line.become(**SLOW)
        file = self.upload_with_a_kill(root)
        self.bring_up_with_a_kill(root)
        officer = self.hq.api("officer")
        self.assertEqual(fetch(officer, f"files/{file}"), (200, PHOTO))
        self.assertEqual(fetch(officer, f"files/{file}/thumbnail"), (200, SMALL))
        worker = self.hand_over(root)
        shown = self.one_of(worker, root)
        self.assertEqual((shown["name"], shown["here"], shown["atHq"]), ("camp.jpg", False, True))
        self.assertEqual(fetch(worker, f"files/{file}")[0], 409)
        nodes.wait_until(lambda: fetch(worker, f"files/{file}")[0] == 200, "the photo has come")
        self.assertEqual(fetch(worker, f"files/{file}")[1], PHOTO)
        nodes.wait_until(lambda: fetch(worker, f"files/{file}/thumbnail") == (200, SMALL),
                         "the small picture has come")
        self.assertEqual(fetch(self.nairobi.api("chief"), f"files/{file}")[0], 404)
        for node, held in ((self.hq, 2), (self.mombasa, 2), (self.nairobi, 0)):
            report = node.command("check")[-1]
            self.assertEqual(report["attachments"], held, node.name)


if __name__ == "__main__":
    binary = sys.argv.pop(1)
    unittest.main(warnings="ignore")  # connections end with the process
