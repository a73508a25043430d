/* Associations that go to another worker, or to another gateway (control/ipsec/ipsec_takeover.c).
 */
#include "control/operator/server.h"

#include <errno.h>
#include <stdio.h>

static void answer_failed(struct writer *out, int result, const char *text)
{
	const char *code = result == -ENOENT     ? "not_found"
			   : result == -ENOTSUP  ? "unsupported"
			   : result == -EINVAL   ? "bad_argument"
			   : result == -ESTALE   ? "stale"
			   : result == -EALREADY ? "active"
						 : "failed";

	answer_error(out, out->used, code, text);
}

void takeover_sa_move(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	uint64_t spi = request_argument(request, "spi")->number;
	struct config_error error = {""};
	int result = -ENOENT;

	if (provider->sa_move && spi <= UINT32_MAX)
		result = provider->sa_move(provider->context, (uint32_t)spi,
			request_argument(request, "worker")->number, &error);
	if (result) {
		answer_failed(
			out, result, error.text[0] ? error.text : "no association has that SPI");
		return;
	}
	answer_begin(out, request);
	answer_end(out);
}

/* The word that is marked in now, then the ring. */
static void write_bitmap(
	const struct provider *provider, const struct provider_sa *sa, struct writer *out)
{
	const _Atomic uint64_t *words;
	char hex[20];
	unsigned count = provider->sa_bitmap(
		provider->context, sa->sa_id, sa->in_dataplane ? sa->replay_window : 0, &words);

	writer_array_begin(out, "bitmap");
	for (unsigned i = 0; i <= count && count > 0; i++) {
		uint64_t word = i == 0 ? sa->window_front
				       : atomic_load_explicit(&words[i - 1], memory_order_relaxed);
		snprintf(hex, sizeof(hex), "%016llx", (unsigned long long)word);
		writer_text(out, NULL, hex);
	}
	writer_array_end(out);
}

static void write_sa(
	const struct provider *provider, const struct provider_sa *sa, struct writer *out)
{
	char hex[12];

	snprintf(hex, sizeof(hex), "0x%08x", sa->spi);
	writer_object_begin(out, NULL);
	writer_text(out, "direction", sa->inbound ? "in" : "out");
	writer_text(out, "spi", hex);
	writer_address(out, "local", &sa->local);
	writer_address(out, "remote", &sa->remote);
	writer_unsigned(out, "sequence", sa->sequence);
	writer_null(out, "rate"); /* homeportctl sees it over time */
	writer_unsigned(out, "packets", sa->packets);
	writer_unsigned(out, "bytes", sa->bytes);
	if (sa->idle_s == UINT64_MAX)
		writer_null(out, "idle_s");
	else
		writer_unsigned(out, "idle_s", sa->idle_s);
	if (sa->inbound)
		write_bitmap(provider, sa, out);
	writer_object_end(out);
}

// HA-01
void takeover_sa_export(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	uint64_t cursor = request->cursor;
	bool more = true;
	struct provider_sa sa;

	if (!provider->sa_next || !provider->sa_bitmap) {
		answer_error(out, out->used, "unsupported", "no IPsec here");
		return;
	}
	answer_begin(out, request);
	writer_array_begin(out, "rows");
	for (unsigned i = 0; more && i < request->limit; i++) {
		more = provider->sa_next(provider->context, &cursor, &sa);
		if (more && sa.algorithm) /* a larval one has no numbers */
			write_sa(provider, &sa, out);
	}
	writer_array_end(out);
	answer_page_end(out, cursor, more);
}

void takeover_sa_takeover(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;
	struct provider_takeover took = {0};
	struct config_error error = {""};
	int result = provider->sa_takeover
			     ? provider->sa_takeover(provider->context,
				       request_argument(request, "file")->text, &took, &error)
			     : -ENOTSUP;

	if (result) {
		answer_failed(out, result, error.text[0] ? error.text : "no IPsec here");
		return;
	}
	answer_begin(out, request);
	writer_object_begin(out, "data");
	writer_unsigned(out, "known", took.known);
	writer_unsigned(out, "unknown", took.unknown);
	writer_unsigned(out, "gap_ms", took.gap_ms);
	writer_object_end(out);
	answer_end(out);
}

void takeover_sa_release(
	struct operator_server *server, const struct request *request, struct writer *out)
{
	const struct provider *provider = server->provider;

	if (!provider->sa_release) {
		answer_failed(out, -ENOTSUP, "no IPsec here");
		return;
	}
	provider->sa_release(provider->context);
	answer_begin(out, request);
	answer_end(out);
}
