#!/usr/bin/python3
"""scripts/bench's rows: which are marked as taken on a shared core, which of two measurements is kept, and what the file has at the end."""
import contextlib
import io
import json
import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../../scripts/lib"))
import bench  # noqa: E402
import bench_document as document  # noqa: E402
from bench_context import KEYS, Context, Rows  # noqa: E402


def figure(name, value, source, **more):
	return {"figure": f"ESP out, AES-128-GCM, {name}", "direction": "out", "suite": "aes-128-gcm", "size": 64, "entries": 1, "udp": False, "value": value,
		"unit": "cycles", "cycles_per_packet": value, "source": source, "runs": 5, "spread": [value, value], "_kind": "memory", **more}


class RowsTest(unittest.TestCase):
	def setUp(self):
		folder = tempfile.TemporaryDirectory()
		self.addCleanup(folder.cleanup)
		self.path = os.path.join(folder.name, "rows.json")
		self.context = Context("build", False, 2.6e9, False, False, 5, 2.0, 3000)
		self.rows = Rows(self.path, {"commit": "x"})

	def file(self):
		with open(self.path) as file:
			return [json.loads(line) for line in file]

	def again(self, *figures, seconds=1):
		return ("unit", seconds, lambda context: iter(figures))

	def repeat(self):
		with contextlib.redirect_stdout(io.StringIO()):
			self.rows.repeat(self.context)

	def test_a_row_has_every_key_and_is_written_at_once(self):
		self.rows.add("esp", figure("a", 200.0, 16), 2.6e9)
		row = self.file()[0]
		self.assertEqual([key for key in row if key in KEYS], list(KEYS))
		self.assertEqual((row["mpps"], row["budget"], type(row["reference"])), (13.0, 185, dict))
		self.assertFalse([key for key in row if key.startswith("_")])

	def test_marked_by_the_source_of_its_kind_alone(self):
		for name, value, source in (("a", 300, 16), ("b", 100, 21), ("c", 100, 20.5)):
			self.rows.add("esp", figure(name, value, source), 0)
		self.rows.add("esp", figure("in", 100, 24, direction="in"), 0)
		self.rows.mark()
		self.assertEqual([row["shared"] for row in self.rows.rows], [False, True, False, False])

	def test_the_lower_source_is_kept_though_its_figure_is_worse(self):
		self.rows.add("esp", figure("a", 300, 16), 0)
		self.rows.add("esp", figure("b", 100, 22, _again=self.again(figure("b", 120, 16))), 0)
		self.repeat()
		self.rows.finish()
		row = self.file()[1]
		self.assertEqual((row["value"], row["shared"], row["tried"]), (120, False, [{"value": 100, "source": 22}]))

	def test_the_higher_source_is_not_kept_though_its_figure_is_better(self):
		self.rows.add("esp", figure("a", 300, 16), 0)
		self.rows.add("esp", figure("b", 100, 22, _again=self.again(figure("b", 50, 23))), 0)
		self.repeat()
		self.assertEqual((self.rows.rows[1]["value"], self.rows.rows[1]["shared"], len(self.rows.rows[1]["tried"])), (100, True, 2))

	def test_nothing_again_without_time_or_with_a_fault(self):
		self.rows.add("esp", figure("a", 300, 16), 0)
		self.rows.add("esp", figure("b", 100, 22, _again=self.again(figure("b", 50, 16), seconds=4000)), 0)
		self.rows.add("esp", figure("c", 100, 23, _again=("c", 1, lambda context: 1 / 0)), 0)
		self.repeat()
		self.assertEqual([row["value"] for row in self.rows.rows], [300, 100, 100])

	def test_what_was_in_the_file_stays(self):
		with open(self.path, "w") as file:
			file.write('{"figure": "old"}\n')
		rows = Rows(self.path, {})
		rows.add("esp", figure("a", 300, 16), 0)
		rows.finish()
		self.assertEqual([row["figure"] for row in self.file()], ["old", "ESP out, AES-128-GCM, a"])

	def test_a_part_that_fails_does_not_stop_the_next(self):
		def bad(context):
			yield figure("a", 1, 16)
			raise OSError("no such thing")
		bench.ALL["test"] = ("a test", 0, 0, [bad, lambda context: iter([figure("b", 2, 16)])])
		with contextlib.redirect_stdout(io.StringIO()):
			bench.run(["test"], self.context, self.rows)
		self.assertEqual(([row["value"] for row in self.rows.rows], len(self.context.failures)), ([1, 2], 1))

	def test_the_document_has_the_last_row_of_a_figure(self):
		self.rows.add("esp", figure("64 octets, 1 SA", 300, 16), 0)
		self.rows.add("esp", figure("64 octets, 1 SA", 180, 16), 0)
		text = "".join(document.text(document.rows_read(self.path)))
		self.assertIn("| ESP out, AES-128-GCM, 1 SA | 180 (185) |", text)
		self.assertNotIn("300", text)

	def test_the_document_names_the_commit_of_what_was_measured_before(self):
		rows = [{"bench": bench, "time": at, "machine": {"commit": commit}} for bench, at, commit in (("esp", 3, "c2"), ("ring", 1, "c1"), ("ndr", 2, "c1"))]
		self.assertEqual(document.commits(rows), "commit c2; ring, ndr: c1")
		self.assertEqual(document.commits(rows[:1]), "commit c2")
		rows.append(dict(rows[-1], bench=rows[0]["bench"]))  # of the same commit as the one before
		self.assertIn(f"{rows[0]['bench']} in part", document.commits(rows))


if __name__ == "__main__":
	unittest.main()
