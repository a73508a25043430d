#include "config/schema.h"

static const char *kind_text(const struct setting *setting)
{
	static const char *const names[] = {
		[SETTING_BOOLEAN] = "true or false",
		[SETTING_INTEGER] = "number",
		[SETTING_WORD] = "word",
		[SETTING_TEXT] = "text",
		[SETTING_ADDRESS] = "address",
		[SETTING_PREFIX] = "prefix",
		[SETTING_HOME] = "address or prefix",
		[SETTING_MAC] = "Ethernet address",
		[SETTING_KEY] = "key in hex",
		[SETTING_PORT] = "name of a port",
		[SETTING_INSTANCE] = "name of an instance",
		[SETTING_ADDRESSES] = "array of addresses",
		[SETTING_PREFIXES] = "array of prefixes",
		[SETTING_NAMES] = "array of names",
		[SETTING_SELECTORS] = "array of selectors",
		[SETTING_GROUPS] = "list of groups",
		[SETTING_GROUP] = "group",
		[SETTING_NUMBERS] = "array of numbers",
	};
	return names[setting->kind];
}

static void document_range(FILE *out, const struct setting *setting)
{
	if (setting->words) {
		for (unsigned i = 0; setting->words[i]; i++)
			fprintf(out, "%s`\"%s\"`", i ? ", " : "", setting->words[i]);
		return;
	}
	fputs(kind_text(setting), out);
	if (setting->kind == SETTING_INTEGER || setting->kind == SETTING_NUMBERS ||
		schema_is_list(setting))
		fprintf(out, ", %lld to %lld", setting->min, setting->max);
	else if (setting->kind == SETTING_TEXT)
		fprintf(out, ", up to %zu", setting->size - 1);
}

static void document_default(FILE *out, const struct setting *setting)
{
	if (!setting->fallback)
		fputs("required", out);
	else if (setting->late)
		fputs(setting->fallback, out);
	else if (setting->kind == SETTING_GROUP || schema_is_list(setting) || !setting->fallback[0])
		fputs("none", out);
	else if (setting->kind == SETTING_BOOLEAN || setting->kind == SETTING_INTEGER)
		fprintf(out, "`%s`", setting->fallback);
	else
		fprintf(out, "`\"%s\"`", setting->fallback);
}

static void document_section(
	FILE *out, const struct section *section, const char *path, bool reload)
{
	char inner[160];

	fprintf(out,
		"\n## %s\n\n| setting | value | default | unit |%s meaning |\n|---|---|---|%s\n",
		path[0] ? path : "top level", reload ? " reload |" : "",
		reload ? "---|---|---|" : "---|---|");
	for (unsigned i = 0; i < section->setting_count; i++) {
		const struct setting *setting = &section->settings[i];
		fprintf(out, "| `%s` | ", setting->name);
		document_range(out, setting);
		fputs(" | ", out);
		document_default(out, setting);
		fprintf(out, " | %s |%s %s |\n", setting->unit ? setting->unit : "",
			!reload            ? ""
			: setting->restart ? " restart |"
					   : " yes |",
			setting->help);
	}
	for (unsigned i = 0; i < section->setting_count; i++) {
		const struct setting *setting = &section->settings[i];
		if (!setting->section)
			continue;
		snprintf(inner, sizeof(inner), "%s%s%s%s", path, path[0] ? "." : "", setting->name,
			setting->kind == SETTING_GROUPS ? "[]" : "");
		document_section(out, setting->section, inner, reload);
	}
}

void schema_document(FILE *out)
{
	fputs("# Settings\n\n"
	      "Generated from config/schema.c by `settings-document`; do not edit.\n\n"
	      "The configuration is one libconfig file, by default `/etc/homeport/homeport.cfg`, "
	      "read by both daemons. `--check` reads it and says\n"
	      "what is wrong, as `file:line: message`, with exit status 78; `--print-config` "
	      "prints what is in effect, defaults included. Unknown\n"
	      "settings are errors. Ports and instances are referred to by name. A setting marked "
	      "`restart` makes a reload refuse the whole file.\n\n"
	      "Keys are hex, in `key` or in a file named by `key_file` that nobody but its owner "
	      "may read. A configuration is printed with\n"
	      "`key = \"\"` and a fingerprint instead of the key, and is refused when read back "
	      "so: a file without keys is not a configuration.\n"
	      "Keys from a `key_file` are printed as that file's name, and read back. `@include` "
	      "is not supported.\n",
		out);
	document_section(out, &schema_root, "", true);
}

void schema_document_section(FILE *out, const struct section *section)
{
	document_section(out, section, "", false);
}
