"""The web client in headless Chromium against a real server: signs in, registers, edits, settles a
conflict, and locks the server. The steps are server/web/e2e/run.mjs; its output and its exit code
are this test's."""

import pathlib
import subprocess
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(REPOSITORY / "tests" / "support"))

import nodes  # noqa: E402

CASES = """case_no,given_name,family_name,status,locality
W-0001,Amara,Okello,in_progress,Kibera
W-0002,Lucia,Ferreira,assessment,Likoni
W-0003,Yusuf,Haddad,on_hold,Manyatta
"""
PATIENCE_SECONDS = 600


def main():
    with nodes.Fleet(sys.argv[1], cheap_keys=True) as fleet:
        headquarters = fleet.headquarters()
        password = headquarters.add_user("officer", "hq-officer")
        cases = fleet.folder / "cases.csv"
        cases.write_text(CASES)
        headquarters.command("import", "--as", "cases", cases)
        office = fleet.office("KRT", headquarters)
        technician = office.add_user("ali", "technician")
        done = subprocess.run(
            ["node", REPOSITORY / "server" / "web" / "e2e" / "run.mjs", "--url",
             headquarters.url(), "--user", "officer", "--password-file", password,
             "--office-url", office.url(), "--technician", "ali",
             "--technician-password-file", technician, *sys.argv[2:]],
            stdin=subprocess.DEVNULL, timeout=PATIENCE_SECONDS, check=False)
        return done.returncode


if __name__ == "__main__":
    sys.exit(main())
