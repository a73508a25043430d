"""What scripts/bench says at the end: the table of all rows, the budget's rows with figure and budget, the ratios, the promises."""
import re

import bench_budget as budget

# What the project promises: (sentence, bench, figures by regular expression)
PROMISES = [
	("ESP with 100,000 SAs in random order at most 1.4 of one SA at 64 octets, 1.45 at 1400", "esp", r"SAs to one$"),
	("two workers at least 1.9 times one, a fat SA on two at least 1.6 times one", "scale", r"two workers to one$"),
	("no packet lost by table changes at 90 % of the load", "update", r"^blocked"),
	("changes of 50,000 pairs of SAs and 200,000 bindings a second take at most 1 % of a worker's time", "update", r"^worker time taken"),
	("200,000 bindings a second into the tables, 50,000 pairs of SAs", "tables", r"inserted, 1000000$"),
	("a binding in at most 256 octets", "ipip", r"^memory of a binding"),
	("an SA pair in at most 3,072 octets", "esp", r"^memory of an SA pair"),
	("1,000,000 SA pairs in at most 4 GiB", "esp-million", r"pairs and their policies"),
	("over 5,000,000 commands a second through the ring", "ring", r""),
	("1,000,000 bindings inserted at over 200,000 a second through control and rings", "bindings", r"^bindings inserted"),
	("the last tenth of them no slower than 0.8 of the first", "bindings", r"^last tenth"),
	("100,000 bindings replayed to a restarted dataplane within 2 s", "bindings", r"^resynchronisation"),
	("at least 20,000 authenticated registrations a second through the whole control path on one core",
		"control", r"CPU time"),  # a second of one core, whoever else wants it; the wall clock stands beside it in the table
]
# The same where the promise is to be ahead of a peer: (sentence, bench, figures, the peer)
AHEAD = [
	("ESP ahead of ipsec-secgw on every row", "esp", r"port to port$", "ipsec-secgw"),
	("ESP ahead of what VPP was noted to cost", "esp", r"", budget.NOTED),
	("other suites ahead of ipsec-secgw", "suites", r"port to port$", "ipsec-secgw"),
	("other suites ahead of what VPP was noted to cost", "suites", r"", budget.NOTED),
	("IP-in-IP with 1,000,000 bindings ahead of what VPP was noted to cost with 10,000", "ipip", r"1000000", budget.NOTED),
	("IPv4 forwarding ahead of what VPP was noted to cost", "forward", r"", budget.NOTED),
]
REST = ((1, 60), (100000, 110))  # entries, cycles of the pipeline besides source, sink and the bare call


def show(value):
	if isinstance(value, float):
		return f"{value:,.2f}" if abs(value) < 100 else f"{value:,.0f}"
	return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def ratios(row):
	"""How the figure stands to each of its references."""
	if not row["reference"] or not row["cycles_per_packet"]:
		return ""
	return ", ".join(f"x {row['cycles_per_packet'] / value:.2f} {name}" for name, value in row["reference"].items() if value)


def source(row):
	return f"{row['source']:.0f}{'*' if row.get('shared') else ''}" if row.get("source") else ""


def verdict(row):
	"""Whether the row does what is expected of it; empty where nothing is."""
	if row["budget"] and row["cycles_per_packet"]:
		over = row["cycles_per_packet"] / row["budget"] - 1
		return "reached" if over <= 0 else f"missed +{over:.0%}"
	if "pass" in row:
		return "reached" if row["pass"] else "missed"
	return ""


def line(row):
	"""A row as it comes."""
	spread = "-".join(show(value) for value in row["spread"]) if (row["runs"] or 0) > 1 and row["spread"] and None not in row["spread"] else ""
	return (f"{str(row.get('figure', ''))[:70]:70} {show(row.get('value', '')):>12} {row.get('unit', ''):12} {spread:>15} {source(row):>5} "
		f"{show(row['budget'] or row.get('target') or ''):>8} {verdict(row):12} {ratios(row)}").rstrip()


def table(rows):
	"""One block for each bench; the target is the budget in cycles or what is promised."""
	name = None
	for row in rows:
		if row["bench"] != name:
			name = row["bench"]
			print(f"\n{name:70} {'value':>12} {'unit':12} {'spread':>15} {'src':>5} {'target':>8} {'':12} to the references")
		print(line(row))
	if any(row.get("shared") for row in rows):
		print("* the core was shared with somebody: its source cost over 1.3 times the lowest of this run")


def budget_rows(rows):
	return [row for row in rows if row["budget"] and row["cycles_per_packet"]]


def rest_rows(rows):
	"""(row, cycles that it may cost besides source, sink and the bare call)."""
	return [(row, most) for entries, most in REST for row in rows if row["bench"] == "esp" and row["entries"] == entries and row["suite"] == "aes-128-gcm"
		and not row.get("inside") and row.get("rest") is not None]


def budget_table(rows):
	"""The rows of the budget, each with what it is missing; what is left besides the crypto call."""
	found = budget_rows(rows)
	if found:
		print(f"\n{'the budget (cycles a packet, in-memory source and sink included)':66} {'figure':>7} {'budget':>7} {'':12} {'source':>6} {'VPP':>6}")
	for row in found:
		noted = row["reference"].get(budget.NOTED, "")
		print(f"  {row['figure'][:64]:64} {row['cycles_per_packet']:7.0f} {row['budget']:7.0f} {verdict(row):12} {source(row):>6} {noted:>6}".rstrip())
	for row, most in rest_rows(rows):
		print(f"  {'rest besides source, sink, bare call: ' + row['figure'][:60]:64} {row['rest']:7.0f} {most:7} {'reached' if row['rest'] <= most else 'missed'}")


def of(good, found):
	"""How many of the rows are good."""
	return f"{sum(good)} of {len(found)} rows" if found else ""


def judged(rows, chosen):
	"""(reached, not reached or not measured; what is promised; the figures) of each promise of the benchmarks that were chosen."""

	def verdict_of(good, found, text, values):
		return "reached" if found and good else "NOT REACHED" if found else "NOT MEASURED", text, values

	def rows_of(bench, figure):
		return [row for row in rows if row["bench"] == bench and re.search(figure, str(row.get("figure", "")))]

	for text, bench, figure in PROMISES:
		found = [row for row in rows_of(bench, figure) if "pass" in row]
		if bench in chosen:
			yield verdict_of(all(row["pass"] for row in found), found, text, ", ".join(f"{show(row['value'])} {row.get('unit', '')}".strip() for row in found))
	for text, bench, figure, peer in AHEAD:
		found = [row for row in rows_of(bench, figure) if row["reference"].get(peer)]
		ahead = [row["cycles_per_packet"] < row["reference"][peer] for row in found]
		if bench in chosen:
			yield verdict_of(all(ahead), found, text, of(ahead, found))
	if "esp" in chosen:
		for entries, most in REST:
			found = [row for row, _ in rest_rows(rows) if row["entries"] == entries]
			within = [row["rest"] <= most for row in found]
			yield verdict_of(all(within), found, f"at most {most} cycles besides source, sink and the bare call with {entries:,} SA{'s' if entries > 1 else ''}", of(within, found))
	for bench in chosen:
		found = [row for row in budget_rows(rows) if row["bench"] == bench]
		within = [row["cycles_per_packet"] <= row["budget"] for row in found]
		if found:
			yield verdict_of(all(within), found, f"{bench} within the budget", of(within, found))


def promises(rows, chosen):
	"""Says of each promise whether it is kept; True when all of those that were chosen are."""
	budget_table(rows)
	print("\nwhat the project promises:")
	kept = True
	for result, text, values in judged(rows, chosen):
		print(f"  {result:12}  {text}{': ' + values if values else ''}")
		kept = kept and result == "reached"
	return kept
