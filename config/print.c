#include "config/loader.h"

struct printer {
	FILE *out;
	const struct config *config;
	bool with_keys;
};

static void print_group(const struct printer *printer, const struct section *section,
	const void *object, unsigned depth);

static void print_text(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

static long long integer_of(const struct setting *setting, const void *member)
{
	uint16_t narrow;
	uint32_t word;
	long long value;

	if (setting->size == 2) {
		memcpy(&narrow, member, 2);
		return narrow;
	}
	if (setting->size == 4) {
		memcpy(&word, member, 4);
		return setting->min < 0 ? (int32_t)word : (long long)word;
	}
	memcpy(&value, member, 8);
	return value;
}

static void print_key(const struct printer *printer, const struct secret *key)
{
	char fingerprint[SECRET_FINGERPRINT_SIZE];

	if (!printer->with_keys) {
		config_fingerprint(key, fingerprint);
		fprintf(printer->out, "\"\" /* not shown, fingerprint %s */", fingerprint);
		return;
	}
	fputc('"', printer->out);
	for (unsigned i = 0; i < key->length; i++)
		fprintf(printer->out, "%02x", key->bytes[i]);
	fputc('"', printer->out);
}

static void print_mac(FILE *out, const uint8_t mac[6])
{
	fprintf(out, "\"%02x:%02x:%02x:%02x:%02x:%02x\"", mac[0], mac[1], mac[2], mac[3], mac[4],
		mac[5]);
}

static void print_home(FILE *out, const struct ip_prefix *home)
{
	char text[IP_PREFIX_TEXT_SIZE];

	if (home->length == 128)
		print_text(out, ip_address_format(&home->address, text));
	else
		print_text(out, home->length ? ip_prefix_format(home, text) : "");
}

static void print_numbers(FILE *out, const struct setting *setting, const void *member)
{
	uint16_t number;

	fputs("[", out);
	for (size_t i = 0; i < setting->size / 2; i++) {
		memcpy(&number, (const char *)member + 2 * i, 2);
		if (!number)
			break;
		fprintf(out, "%s%u", i ? ", " : "", number);
	}
	fputs("]", out);
}

static void print_list(const struct printer *printer, const struct setting *setting,
	const void *object, unsigned depth)
{
	const char *elements;
	unsigned count = *(const unsigned *)((const char *)object + setting->second);
	bool groups = setting->kind == SETTING_GROUPS;
	char text[IP_PREFIX_TEXT_SIZE];

	memcpy(&elements, (const char *)object + setting->offset, sizeof(elements));
	fputs(groups ? "(" : "[", printer->out);
	for (unsigned i = 0; i < count; i++) {
		const void *element = elements + i * schema_element_size(setting);
		fputs(i == 0 ? "" : groups ? "," : ", ", printer->out);
		if (groups) {
			fprintf(printer->out, "\n%*s{\n", (int)depth * 2 + 2, "");
			print_group(printer, setting->section, element, depth + 2);
			fprintf(printer->out, "%*s}", (int)depth * 2 + 2, "");
		} else if (setting->kind == SETTING_ADDRESSES) {
			print_text(printer->out, ip_address_format(element, text));
		} else if (setting->kind == SETTING_PREFIXES) {
			print_text(printer->out, ip_prefix_format(element, text));
		} else if (setting->kind == SETTING_SELECTORS) {
			char selector[TRAFFIC_SELECTOR_TEXT_SIZE];
			print_text(printer->out, traffic_selector_format(element, selector));
		} else {
			print_text(printer->out, element);
		}
	}
	fputs(groups ? ")" : "]", printer->out);
}

static const char *port_name(const struct config *config, uint16_t port)
{
	return port < config->dataplane.port_count ? config->dataplane.ports[port].name : "";
}

static void print_value(
	const struct printer *printer, const struct setting *setting, const void *member)
{
	FILE *out = printer->out;
	char text[IP_PREFIX_TEXT_SIZE];
	uint16_t index;
	unsigned word;

	switch (setting->kind) {
	case SETTING_BOOLEAN:
		fputs(*(const bool *)member ? "true" : "false", out);
		break;
	case SETTING_INTEGER:
		/* Large ones without a suffix: text_prepare reads them back. */
		fprintf(out, "%lld", integer_of(setting, member));
		break;
	case SETTING_WORD:
		memcpy(&word, member, sizeof(word));
		print_text(out, setting->words[word]);
		break;
	case SETTING_TEXT:
		print_text(out, member);
		break;
	case SETTING_ADDRESS:
		print_text(out, setting->fallback && ip_address_is_unspecified(member)
					? ""
					: ip_address_format(member, text));
		break;
	case SETTING_PREFIX:
		print_text(out, ip_prefix_format(member, text));
		break;
	case SETTING_HOME:
		print_home(out, member);
		break;
	case SETTING_MAC:
		print_mac(out, member);
		break;
	case SETTING_KEY:
		print_key(printer, member);
		break;
	case SETTING_PORT:
		memcpy(&index, member, sizeof(index));
		print_text(out, port_name(printer->config, index));
		break;
	case SETTING_INSTANCE:
		memcpy(&index, member, sizeof(index));
		print_text(out, printer->config->instances[index].name);
		break;
	case SETTING_NUMBERS:
		print_numbers(out, setting, member);
		break;
	default:
		break;
	}
}

/* A key from a file is told by the file's name, a MAC not given is not told. */
static bool is_left_out(const struct setting *setting, const void *object)
{
	if (setting->kind == SETTING_MAC && setting->second != SIZE_MAX)
		return !*(const bool *)((const char *)object + setting->second);
	if (setting->kind == SETTING_KEY)
		return *((const char *)object + setting->second) != '\0';
	return false;
}

static void print_group(const struct printer *printer, const struct section *section,
	const void *object, unsigned depth)
{
	for (unsigned i = 0; i < section->setting_count; i++) {
		const struct setting *setting = &section->settings[i];
		const void *member = (const char *)object + setting->offset;
		if (is_left_out(setting, object))
			continue;
		fprintf(printer->out, "%*s%s = ", (int)depth * 2, "", setting->name);
		if (schema_is_list(setting)) {
			print_list(printer, setting, object, depth);
		} else if (setting->kind == SETTING_GROUP) {
			fputs("{\n", printer->out);
			print_group(printer, setting->section, member, depth + 1);
			fprintf(printer->out, "%*s}", (int)depth * 2, "");
		} else {
			print_value(printer, setting, member);
		}
		fputs(";\n", printer->out);
	}
}

void config_print(const struct config *config, FILE *out, bool with_keys)
{
	struct printer printer = {.out = out, .config = config, .with_keys = with_keys};

	print_group(&printer, &schema_root, config, 0);
}
