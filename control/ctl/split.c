#include "control/ctl/ctl.h"

#include <string.h>

/* One past the object or array that starts at `at`; NULL when it does not end. */
static const char *value_end(const char *at, const char *end)
{
	unsigned depth = 0;

	for (; at < end; at++) {
		switch (*at) {
		case '"':
			for (at++; at < end && *at != '"'; at++)
				at += *at == '\\';
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (--depth == 0)
				return at + 1;
			break;
		default:
			break;
		}
	}
	return NULL;
}

/* The server writes "rows" before anything that a peer of its own could have put into a string. */
bool split_rows(const char *line, size_t length, struct split *split)
{
	static const char key[] = "\"rows\":[";
	const char *end = line + length,
		   *at = memmem(line, length < 200 ? length : 200, key, sizeof(key) - 1);

	if (!at)
		return false;
	split->head_length = (size_t)(at - line) + sizeof(key) - 1;
	split->rows = line + split->head_length;
	split->tail = value_end(split->rows - 1, end);
	split->end = end;
	return split->tail != NULL;
}

const char *split_next(struct split *split, size_t *length)
{
	const char *row = split->rows;

	if (*row == ',')
		row++;
	if (*row != '{')
		return NULL;
	const char *end = value_end(row, split->end);
	if (!end)
		return NULL;
	*length = (size_t)(end - row);
	split->rows = end;
	return row;
}
