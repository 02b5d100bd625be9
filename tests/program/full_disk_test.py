"""A full disk: saves and uploads are refused in plain words, what was acknowledged stays, reading
goes on, and saving works again once there is room. On a disk of its own, in memory."""

import hashlib
import random
import subprocess
import unittest

import program

MOST_SAVES = 5000
SMALL = "1500k"
ROOMY = "64m"
CHUNK = 32 * 1024
PHOTO = random.Random(7).randbytes(2_000_000)
CHUNKS = [PHOTO[at:at + CHUNK] for at in range(0, len(PHOTO), CHUNK)]


def mount(folder, size, *more):
    subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(["size=" + size, *more]),
                    "waystation-test", folder], check=True)


@unittest.skipUnless(program.has_own_mounts(), "this machine lets nobody mount a small disk")
class FullDisk(program.ProgramTest):
    def fill(self, caller):
        """Saves until refused; answers what was acknowledged and the refusal."""
        saves = []
        for number in range(MOST_SAVES):
            answer = caller.save_person(f"Person {number}")
            if answer.status != 200:
                return saves, answer
            saves.append((answer.json["records"]["new:1"]["id"], f"Person {number}"))
        self.fail("the disk never became full")

    def check_held(self, caller, saves):
        for record, name in saves:
            answer = caller.call("GET", "/api/v1/records/" + record)
            self.assertEqual(answer.status, 200, answer.body)
            self.assertEqual(answer.json["fields"]["given_name"], name)

    def test_a_full_disk_loses_nothing(self):
        mount(self.folder, SMALL)
        self.addCleanup(subprocess.run, ["umount", "-l", self.folder], check=True)
        node = self.node()
        self.assertDone(node.add_user())
        with node.serve() as server:
            caller = server.caller()
            saves, refusal = self.fill(caller)
            self.assertGreater(len(saves), 0)
            self.assertEqual(refusal.status, 507, refusal.body)
            self.assertEqual(refusal.json["code"], "store.full")
            self.assertEqual(caller.save_person("Once more").status, 507)
            self.check_held(caller, saves)
            mount(self.folder, ROOMY, "remount")
            answer = caller.save_person("After")
            self.assertEqual(answer.status, 200, answer.body)
            saves.append((answer.json["records"]["new:1"]["id"], "After"))
            self.check_held(caller, saves)
            caller.close()
            self.assertEqual(server.end(), 0)
        self.assertDone(node.run("check"))
        with node.serve() as server:
            caller = server.caller()
            self.check_held(caller, saves)
            caller.close()
            self.assertEqual(server.end(), 0)

    def begin_upload(self, caller, root):
        answer = caller.call("POST", "/api/v1/files", {
            "root": root, "name": "roof.jpg", "type": "image/jpeg", "size": len(PHOTO),
            "sha256": hashlib.sha256(PHOTO).hexdigest(),
            "chunks": [hashlib.sha256(chunk).hexdigest() for chunk in CHUNKS]})
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json["upload"], answer.json["missing"]

    def put(self, caller, upload, place):
        caller.connection.request(
            "PUT", f"/api/v1/files/{upload}/chunks/{place}", CHUNKS[place],
            {"authorization": "Bearer " + caller.token,
             "content-type": "application/octet-stream"})
        response = caller.connection.getresponse()
        return program.Answer(response.status, response.read())

    def fill_with_chunks(self, caller, upload, missing):
        """Answers the places that were taken, until one is refused."""
        taken = []
        for place in missing:
            answer = self.put(caller, upload, place)
            if answer.status != 200:
                self.assertEqual((answer.status, answer.json["code"]), (507, "store.full"))
                self.assertIn("disk", answer.json["detail"])
                return taken
            taken.append(place)
        self.fail("the disk never became full")

    def files_of(self, caller, root):
        answer = caller.call("GET", "/api/v1/files?root=" + root)
        self.assertEqual(answer.status, 200, answer.body)
        return answer.json["files"]

    def test_a_photo_that_finds_the_disk_full_is_not_there_by_half(self):
        mount(self.folder, SMALL)
        self.addCleanup(subprocess.run, ["umount", "-l", self.folder], check=True)
        node = self.node()
        self.assertDone(node.add_user())
        with node.serve() as server:
            caller = server.caller()
            root = caller.save_person("Amina").json["records"]["new:1"]["id"]
            upload, missing = self.begin_upload(caller, root)
            taken = self.fill_with_chunks(caller, upload, missing)
            self.assertGreater(len(taken), 0)
            self.assertGreaterEqual(
                caller.call("POST", f"/api/v1/files/{upload}/finish", {}).status, 400)
            self.assertEqual(self.files_of(caller, root), [])
            self.check_held(caller, [(root, "Amina")])
            mount(self.folder, ROOMY, "remount")
            again, missing = self.begin_upload(caller, root)
            self.assertEqual(again, upload)
            self.assertFalse(set(missing) & set(taken), "what was taken is asked for once more")
            for place in missing:
                self.assertEqual(self.put(caller, upload, place).status, 200)
            finished = caller.call("POST", f"/api/v1/files/{upload}/finish", {})
            self.assertEqual(finished.status, 200, finished.body)
            record = finished.json["record"]
            self.assertEqual([file["id"] for file in self.files_of(caller, root)], [record])
            self.assertEqual(caller.call("GET", f"/api/v1/files/{record}").body, PHOTO)
            caller.close()
            self.assertEqual(server.end(), 0)
        self.assertDone(node.run("check"))


if __name__ == "__main__":
    program.enter_own_mounts()
    program.main()
