"""An office with 10,000 cases is ready within its memory."""

import time

import program

MOST_KIB = 96 * 1024


class Ready(program.ProgramTest):
    def test_an_office_with_10000_cases_fits_its_memory(self):
        cases = program.bench_cases()
        node = self.node(quick=False)
        self.assertDone(node.run("import", "--as", "cases", cases))
        before = time.monotonic()
        with node.serve() as server:
            seconds = time.monotonic() - before
            peak, now = server.memory_kib("VmHWM"), server.memory_kib("VmRSS")
            print(f"ready in {seconds:.2f} s, {now / 1024:.0f} MB, at most {peak / 1024:.0f} MB")
            self.assertLess(peak, MOST_KIB)
            self.assertLess(now, MOST_KIB)
            self.assertEqual(server.end(), 0)


if __name__ == "__main__":
    program.main()
