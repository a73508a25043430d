#include "control/ctl/ctl.h"

#include <errno.h>
#include <string.h>

static const char *value_name(const struct operator_argument *argument)
{
	switch (argument->kind) {
	case OPERATOR_PREFIX:
		return "ADDRESS|PREFIX";
	case OPERATOR_ADDRESS:
		return "ADDRESS";
	case OPERATOR_NUMBER:
	case OPERATOR_KEY_FD:
		return "NUMBER";
	case OPERATOR_SELECTORS:
		return "SELECTOR,...";
	case OPERATOR_KEY_FILE:
	case OPERATOR_OUT_FILE:
		return "FILE";
	case OPERATOR_WORDS:
		return argument->words;
	default:
		return "TEXT";
	}
}

static void put_argument(FILE *out, const struct operator_argument *argument)
{
	const char *value = argument->words ? argument->words : argument->name;

	if (argument->kind == OPERATOR_SECRET)
		return;
	if (argument->positional)
		fprintf(out, argument->required ? " %s" : " [%s]", value);
	else if (argument->kind == OPERATOR_FLAG)
		fprintf(out, " [%s]", argument->name);
	else
		fprintf(out, argument->required ? " %s %s" : " [%s %s]", argument->name,
			value_name(argument));
}

static void put_synopsis(FILE *out, const struct operator_command_row *row)
{
	fputs(row->words, out);
	for (unsigned i = 0; i < OPERATOR_ARGUMENTS_MAX && row->arguments[i].name; i++)
		put_argument(out, &row->arguments[i]);
}

void completion_usage(FILE *out)
{
	const struct operator_command_row *row;

	for (unsigned i = 0; (row = operator_command_get(i)); i++) {
		fputs("  ", out);
		put_synopsis(out, row);
		fprintf(out, "\n      %s%s\n", row->help,
			row->role == OPERATOR_ADMIN ? " (administrators)" : "");
	}
}

static void print_markdown(FILE *out)
{
	const struct operator_command_row *row;

	fputs("# homeportctl\n\nGenerated from lib/ipc/operator.c by `homeportctl completion "
	      "markdown`; do not edit.\n\n"
	      "`homeportctl [-s SOCKET] [-j] COMMAND`. Words may be cut while they stay unique. "
	      "With `-j` every row is one line of JSON and\n"
	      "the last line is the answer without its rows; errors are JSON too. Exit status: 0 "
	      "done, 1 refused, 64 usage, 69 no daemon, 77 not allowed.\n",
		out);
	for (unsigned i = 0; (row = operator_command_get(i)); i++) {
		fputs("\n## `", out);
		put_synopsis(out, row);
		fprintf(out, "`\n\n%c%s. Role: %s.\n",
			row->help[0] >= 'a' && row->help[0] <= 'z' ? row->help[0] - 32
								   : row->help[0],
			row->help + 1, operator_role_name(row->role));
		for (unsigned k = 0; k < OPERATOR_ARGUMENTS_MAX && row->arguments[k].name; k++)
			fprintf(out, "%s- `%s`: %s\n", k ? "" : "\n", row->arguments[k].name,
				row->arguments[k].help);
	}
}

/* The words that may follow the first `length` characters of a command, each once. */
static void put_next_words(FILE *out, const char *before)
{
	const struct operator_command_row *row;
	size_t length = strlen(before);
	char seen[512] = " ";

	for (unsigned i = 0; (row = operator_command_get(i)); i++) {
		if (strncmp(row->words, before, length) != 0 || !row->words[length])
			continue;
		const char *word = row->words + length;
		char spaced[40];
		snprintf(spaced, sizeof(spaced), " %.*s ", (int)strcspn(word, " "), word);
		if (strstr(seen, spaced))
			continue;
		strncat(seen, spaced + 1, sizeof(seen) - strlen(seen) - 1);
	}
	fputs(seen + 1, out);
}

static void put_argument_names(FILE *out, const struct operator_command_row *row)
{
	for (unsigned k = 0; k < OPERATOR_ARGUMENTS_MAX && row->arguments[k].name; k++) {
		const struct operator_argument *argument = &row->arguments[k];
		if (!argument->positional && argument->kind != OPERATOR_SECRET)
			fprintf(out, "%s ", argument->name);
		for (const char *at = argument->words; at;
			at = strchr(at, '|') ? strchr(at, '|') + 1 : NULL)
			fprintf(out, "%.*s ", (int)strcspn(at, "|"), at);
	}
}

static void print_bash(FILE *out)
{
	const struct operator_command_row *row;
	char done[256] = " ";

	fputs("# bash completion for homeportctl; generated from its command table\n"
	      "_homeportctl()\n{\n"
	      "\tlocal current=${COMP_WORDS[COMP_CWORD]} words=() word skip= next\n"
	      "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	      "\t\tif [[ $skip ]]; then skip=; continue; fi\n"
	      "\t\tcase $word in -s | --socket) skip=1 ;; -*) ;; *) words+=(\"$word\") ;; esac\n"
	      "\tdone\n"
	      "\tif [[ $skip ]]; then COMPREPLY=($(compgen -f -- \"$current\")); return; fi\n"
	      "\tcase \"${words[*]}\" in\n"
	      "\t'') next='-s -j completion ",
		out);
	put_next_words(out, "");
	fputs("' ;;\n\tcompletion) next='bash markdown' ;;\n", out);
	for (unsigned i = 0; (row = operator_command_get(i)); i++) {
		const char *space = strchr(row->words, ' ');
		char first[40], spaced[44];
		if (!space)
			continue;
		snprintf(first, sizeof(first), "%.*s ", (int)(space - row->words), row->words);
		snprintf(spaced, sizeof(spaced), " %s", first);
		if (strstr(done, spaced))
			continue;
		strncat(done, first, sizeof(done) - strlen(done) - 1);
		fprintf(out, "\t%.*s) next='", (int)(space - row->words), row->words);
		put_next_words(out, first);
		fputs("' ;;\n", out);
	}
	for (unsigned i = 0; (row = operator_command_get(i)); i++) {
		fprintf(out, "\t'%s' | '%s '*) next='", row->words, row->words);
		put_argument_names(out, row);
		fputs("' ;;\n", out);
	}
	fputs("\t*) next= ;;\n\tesac\n\tCOMPREPLY=($(compgen -W \"$next\" -- "
	      "\"$current\"))\n}\ncomplete -F _homeportctl homeportctl\n",
		out);
}

int completion_print(const char *format, FILE *out)
{
	if (strcmp(format, "bash") == 0)
		print_bash(out);
	else if (strcmp(format, "markdown") == 0)
		print_markdown(out);
	else
		return -EINVAL;
	return 0;
}
