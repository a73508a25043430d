#include "control/ctl/ctl.h"

#include <string.h>

/*
 * Columns of a table, in order; the rest of a row's keys is in -j alone. A row wider than its
 * column pushes the rest: nothing is cut.
 */
struct column {
	const char *key, *title;
	int width;
};

static const struct {
	const char *words;
	struct column columns[12]; /* ends with a key of NULL */
} tables[] = {
	{"show bindings",
		{{"home_address", "HOME ADDRESS", 15}, {"care_of_address", "CARE-OF ADDRESS", 15},
			{"care_of_port", "PORT", 5}, {"encapsulation", "TUNNEL", 8},
			{"nat", "NAT", 10}, {"flags", "FLAGS", 6}, {"state", "STATE", 8},
			{"remaining_s", "LEFT(s)", 7}, {"instance", "INSTANCE", 10},
			{"nai", "NAI", 0}}},
	{"show drops", {{"packets", "PACKETS", 12}, {"step", "STEP", 8}, {"reason", "REASON", 24},
			       {"help", "MEANING", 0}}},
	{"show ports",
		{{"port", "PORT", 12}, {"zone", "ZONE", 9}, {"link_up", "LINK", 6},
			{"mtu", "MTU", 5}, {"mac", "MAC", 17}, {"rx_packets", "RX PACKETS", 12},
			{"tx_packets", "TX PACKETS", 12}, {"rx_missed", "RX MISSED", 10},
			{"rx_errors", "RX ERRORS", 10}, {"device", "DEVICE", 0}}},
	{"show workers",
		{{"worker", "WORKER", 6}, {"received_port", "RECEIVED", 12},
			{"sent_port", "SENT", 12}, {"dropped", "DROPPED", 10},
			{"punted_control", "TO CONTROL", 10}, {"punted_exception", "TO KERNEL", 10},
			{"encapsulated", "ENCAPSULATED", 12}, {"decapsulated", "DECAPSULATED", 12},
			{"sleeps", "SLEEPS", 10}, {"busy_permille", "BUSY(1/1000)", 0}}},
	{"show violations", {{"source", "SOURCE", 15}, {"reason", "REASON", 20},
				    {"count", "COUNT", 8}, {"home_address", "HOME ADDRESS", 15},
				    {"spi", "SPI", 10}, {"identification", "IDENTIFICATION", 18},
				    {"instance", "INSTANCE", 10}, {"nai", "NAI", 0}}},
	{"show mobile-nodes", {{"nai", "NAI", 28}, {"home_address", "HOME ADDRESS", 18},
				      {"instance", "INSTANCE", 12}, {"security", "SECURITY", 0}}},
	{"show nodes", {{"home_address", "HOME ADDRESS", 15}, {"instance", "INSTANCE", 10},
			       {"bindings", "BINDINGS", 8}, {"accepted", "ACCEPTED", 9},
			       {"denied", "DENIED", 9}, {"service_s", "SERVED(s)", 10},
			       {"accepted_ago_s", "ACCEPTED(s AGO)", 15},
			       {"denied_ago_s", "DENIED(s AGO)", 13}, {"denied_code", "CODE", 5},
			       {"nai", "NAI", 0}}},
	{"show instances",
		{{"instance", "INSTANCE", 12}, {"role", "ROLE", 6}, {"vrf", "VRF", 5},
			{"addresses", "ADDRESSES", 24}, {"home_networks", "HOME NETWORKS", 24},
			{"max_bindings", "MAX BINDINGS", 0}}},
	{"show pools", {{"pool", "POOL", 16}, {"instance", "INSTANCE", 12}, {"first", "FIRST", 15},
			       {"last", "LAST", 15}, {"size", "SIZE", 8}, {"leased", "LEASED", 8},
			       {"held_down", "HELD DOWN", 0}}},
	{"sa show", {{"name", "NAME", 14}, {"direction", "DIR", 3}, {"spi", "SPI", 10},
			    {"state", "STATE", 7}, {"mode", "MODE", 9}, {"local", "LOCAL", 15},
			    {"remote", "REMOTE", 15}, {"remote_port", "PORT", 5},
			    {"algorithm", "ALGORITHM", 16}, {"packets", "PACKETS", 12},
			    {"bytes", "OCTETS", 0}}},
	{"policy show", {{"order", "ORDER", 6}, {"name", "NAME", 16}, {"direction", "DIR", 4},
				{"action", "ACTION", 8}, {"security_association", "SA", 14},
				{"hits_out", "HITS OUT", 12}, {"hits_in", "HITS IN", 12},
				{"local_ts", "LOCAL", 20}, {"remote_ts", "REMOTE", 0}}},
	{"trace drop show", {{"time", "TIME", 27}, {"worker", "WORKER", 6}, {"port", "PORT", 8},
				    {"reason", "REASON", 24}, {"source", "SOURCE", 15},
				    {"destination", "DESTINATION", 15}, {"protocol", "PROTOCOL", 8},
				    {"spi", "SPI", 10}, {"sequence", "SEQUENCE", 8},
				    {"sa", "SA", 12}, {"length", "OCTETS", 0}}},
	{"help", {{"command", "COMMAND", 18}, {"role", "ROLE", 10}, {"help", "", 0}}},
};

static const struct column *columns_of(const char *words)
{
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (strcmp(tables[i].words, words) == 0)
			return tables[i].columns;
	return NULL;
}

/* A peer's text may hold anything: control characters do not reach the terminal. */
static int put_plain(FILE *out, const char *text)
{
	int width = 0;

	for (; *text; text++) {
		fputc((unsigned char)*text < ' ' || *text == 127 ? '?' : *text, out);
		width += ((unsigned char)*text & 0xc0) != 0x80;
	}
	return width;
}

static int put_value(FILE *out, const json_t *value)
{
	int width = 0;
	size_t i;
	const char *key;
	json_t *inner;

	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_STRING:
		return put_plain(out, json_string_value(value));
	case JSON_INTEGER:
		return fprintf(out, "%lld", (long long)json_integer_value(value));
	case JSON_TRUE:
		return fprintf(out, "yes");
	case JSON_FALSE:
		return fprintf(out, "no");
	case JSON_REAL:
		return fprintf(out, "%g", json_real_value(value));
	case JSON_ARRAY:
		json_array_foreach(value, i, inner)
		{
			width += i ? fprintf(out, ", ") : 0;
			width += put_value(out, inner);
		}
		return width ? width : fprintf(out, "-");
	case JSON_OBJECT:
		json_object_foreach((json_t *)(uintptr_t)value, key, inner)
		{
			width += width ? fprintf(out, " ") : 0;
			width += put_value(out, inner);
		}
		return width;
	default:
		return fprintf(out, "-");
	}
}

static void print_header(const struct column *columns)
{
	for (; columns->key; columns++)
		printf("%-*s%s", columns->width, columns->title, columns[1].key ? " " : "\n");
}

static void print_columns(const struct column *columns, const json_t *row)
{
	for (; columns->key; columns++) {
		int width = put_value(stdout, json_object_get(row, columns->key));
		if (columns[1].key)
			printf("%*s", columns->width > width ? columns->width - width + 1 : 1, "");
	}
	putchar('\n');
}

/* Nested objects as indented blocks; a long text (the configuration) as it is. */
static void print_block(const json_t *object, int depth)
{
	const char *key;
	json_t *value, *inner;
	size_t i;

	json_object_foreach((json_t *)(uintptr_t)object, key, value)
	{
		if (json_is_object(value)) {
			printf("%*s%s:\n", depth * 2, "", key);
			print_block(value, depth + 1);
		} else if (json_is_array(value) && json_is_object(json_array_get(value, 0))) {
			json_array_foreach(value, i, inner)
			{
				printf("%*s%s:\n", depth * 2, "", key);
				print_block(inner, depth + 1);
			}
		} else if (strcmp(key, "text") == 0 && json_is_string(value)) {
			printf("\n%s", json_string_value(value));
		} else {
			printf("%*s%-*s ", depth * 2, "", depth ? 28 : 24, key);
			put_value(stdout, value);
			putchar('\n');
		}
	}
}

void print_row(struct printer *printer, const char *row, size_t length)
{
	const struct column *columns = columns_of(printer->row->words);

	printer->rows++;
	if (printer->as_json && !printer->capture) {
		fwrite(row, 1, length, stdout);
		putchar('\n');
		return;
	}
	json_t *parsed = json_loadb(row, length, 0, NULL);
	if (printer->capture) {
		printer->capture_failed |= !capture_row(printer->capture, parsed);
		json_decref(parsed);
		return;
	}
	if (columns && !printer->header)
		print_header(columns);
	printer->header = true;
	if (columns) {
		print_columns(columns, parsed);
	} else {
		if (printer->rows > 1)
			putchar('\n');
		print_block(parsed, 0);
	}
	json_decref(parsed);
}

void print_answer(struct printer *printer, json_t *answer)
{
	printer->count += (unsigned long long)json_integer_value(json_object_get(answer, "count"));
	json_object_del(answer, "rows");
	json_object_del(answer, "cursor");
	json_decref(printer->rest);
	printer->rest = json_incref(answer);
}

void print_end(struct printer *printer)
{
	const json_t *data = json_object_get(printer->rest, "data"),
		     *total = json_object_get(printer->rest, "total");
	bool counted = json_object_get(printer->rest, "count") != NULL;

	if (counted)
		json_object_set_new(
			printer->rest, "count", json_integer((json_int_t)printer->count));
	if (printer->as_json) {
		json_dumpf(printer->rest, stdout, JSON_COMPACT);
		putchar('\n');
	} else if (data) {
		print_block(data, 0);
	} else if (total) {
		printf("%lld in all\n", (long long)json_integer_value(total));
	} else if (counted) {
		printf("%llu %s\n", printer->count,
			printer->row->role == OPERATOR_ADMIN ? "removed" : "in all");
	} else if (!printer->rows && printer->row->role == OPERATOR_READ_ONLY) {
		puts("none");
	} else if (!printer->rows) {
		puts("done");
	}
	json_decref(printer->rest);
	printer->rest = NULL;
}

void print_event(const char *line, size_t length)
{
	json_t *event = json_loadb(line, length, 0, NULL);
	const char *key;
	json_t *value;
	bool first = true;

	json_object_foreach(event, key, value)
	{
		if (!first)
			printf(" %s=", key);
		put_value(stdout, value);
		first = false;
	}
	putchar('\n');
	json_decref(event);
}
