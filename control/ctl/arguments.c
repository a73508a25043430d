#include "control/ctl/ctl.h"

#include <stdarg.h>
#include <string.h>

#define SAVE "save to" /* among the arguments, until the request is made: no argument's name */

/* Words of the row that the first `count` of `words` name, each whole or cut; 0 when they do not.
 * `exact`: none was cut. */
static int match_words(const char *row_words, int count, char **words, bool *exact)
{
	int matched = 0;

	*exact = true;
	for (const char *at = row_words; *at; matched++) {
		size_t length = strcspn(at, " ");
		if (matched >= count || strlen(words[matched]) > length || !words[matched][0] ||
			strncmp(at, words[matched], strlen(words[matched])) != 0)
			return 0;
		*exact &= strlen(words[matched]) == length;
		at += length + (at[length] == ' ');
	}
	return matched;
}

static bool takes_positional(const struct operator_command_row *row)
{
	return row->arguments[0].name && row->arguments[0].positional;
}

/* "show bind 10.1.0.10" fits two rows; the one that has a use for the address is meant, and without
 * one the other. */
static const struct operator_command_row *find_command(
	int count, char **words, int *taken, char *error, size_t error_size)
{
	const struct operator_command_row *found = NULL, *row;
	bool ambiguous = false;
	char candidates[120] = "";

	for (unsigned i = 0; (row = operator_command_get(i)); i++) {
		bool exact;
		int matched = match_words(row->words, count, words, &exact);
		if (!matched)
			continue;
		if (exact) {
			*taken = matched;
			return row;
		}
		size_t used = strlen(candidates);
		snprintf(candidates + used, sizeof(candidates) - used, "%s%s", used ? ", " : "",
			row->words);
		if (!found || (takes_positional(row) && count > matched)) {
			ambiguous = found && takes_positional(row) == takes_positional(found);
			found = row;
			*taken = matched;
		} else if (!takes_positional(row) || count > matched) {
			ambiguous |= takes_positional(row) == takes_positional(found);
		}
	}
	if (!found)
		snprintf(error, error_size, "no command \"%s%s%s\"; homeportctl help lists them",
			count ? words[0] : "", count > 1 ? " " : "", count > 1 ? words[1] : "");
	else if (ambiguous)
		snprintf(error, error_size, "ambiguous: %s", candidates);
	return ambiguous ? NULL : found;
}

static const struct operator_argument *next_positional(
	const struct operator_command_row *row, json_t *given)
{
	for (unsigned i = 0; i < OPERATOR_ARGUMENTS_MAX && row->arguments[i].name; i++)
		if (row->arguments[i].positional && !json_object_get(given, row->arguments[i].name))
			return &row->arguments[i];
	return NULL;
}

static const struct operator_argument *next_required(
	const struct operator_command_row *row, json_t *given)
{
	for (unsigned i = 0; i < OPERATOR_ARGUMENTS_MAX && row->arguments[i].name; i++)
		if (row->arguments[i].required && !json_object_get(given, row->arguments[i].name))
			return &row->arguments[i];
	return NULL;
}

static const char *secret_name(const struct operator_command_row *row)
{
	for (unsigned i = 0; i < OPERATOR_ARGUMENTS_MAX && row->arguments[i].name; i++)
		if (row->arguments[i].kind == OPERATOR_SECRET)
			return row->arguments[i].name;
	return NULL;
}

/* The content goes where the secret stands; it is never a word of the command line. */
static bool take_key(const struct operator_command_row *row,
	const struct operator_argument *argument, const char *word, json_t *given, char *error,
	size_t size)
{
	char *text = argument->kind == OPERATOR_KEY_FILE ? key_text_file(word, error, size)
							 : key_text_fd(word, error, size);
	const char *name = secret_name(row);
	bool good = text && json_object_set_new(given, name, json_string(text)) == 0;

	if (text && !good)
		snprintf(error, size, "%s is not text", word);
	key_text_free(text);
	return good;
}

/* Words it took, 0 with error filled. */
static int take_argument(const struct operator_command_row *row, int count, char **words,
	json_t *given, char *error, size_t size)
{
	bool dashed = strncmp(words[0], "--", 2) == 0;
	const struct operator_argument *argument =
		operator_argument_find(row, words[0] + (dashed ? 2 : 0));

	if (argument && argument->kind == OPERATOR_SECRET) {
		snprintf(error, size, "keys are read from key-file or key-fd, never from here");
		return 0;
	}
	if (argument && argument->kind == OPERATOR_FLAG) {
		json_object_set_new(given, argument->name, json_true());
		return 1;
	}
	if (argument && !argument->positional) {
		if (count < 2) {
			snprintf(error, size, "%s needs a value: %s", argument->name,
				argument->help);
			return 0;
		}
		if (argument->kind == OPERATOR_KEY_FILE || argument->kind == OPERATOR_KEY_FD)
			return take_key(row, argument, words[1], given, error, size) ? 2 : 0;
		json_object_set_new(given,
			argument->kind == OPERATOR_OUT_FILE ? SAVE : argument->name,
			json_string(words[1]));
		return 2;
	}
	argument = dashed ? NULL : next_positional(row, given);
	if (!argument) {
		snprintf(error, size, "%s does not take \"%s\"", row->words, words[0]);
		return 0;
	}
	json_object_set_new(given, argument->name, json_string(words[0]));
	return 1;
}

json_t *arguments_request(int count, char **words, const struct operator_command_row **row,
	char *error, size_t error_size)
{
	int taken = 0;

	*row = find_command(count, words, &taken, error, error_size);
	if (!*row)
		return NULL;
	json_t *given = json_object();
	while (taken < count) {
		int step =
			take_argument(*row, count - taken, words + taken, given, error, error_size);
		if (!step) {
			json_decref(given);
			return NULL;
		}
		taken += step;
	}
	const struct operator_argument *missing = next_required(*row, given);
	if (missing) {
		bool secret = missing->kind == OPERATOR_SECRET;
		snprintf(error, error_size, "%s needs %s: %s", (*row)->words,
			secret ? "key-file or key-fd" : missing->name,
			secret ? "where the keys are read from" : missing->help);
		json_decref(given);
		return NULL;
	}
	json_t *request = json_object();
	json_object_set_new(request, "command", json_string((*row)->words));
	if (json_object_get(given, SAVE)) {
		json_object_set(request, "save", json_object_get(given, SAVE));
		json_object_del(given, SAVE);
	}
	json_object_set_new(request, "arguments", given);
	if ((*row)->paged)
		json_object_set_new(request, "limit", json_integer(OPERATOR_LIMIT_MAX));
	return request;
}
