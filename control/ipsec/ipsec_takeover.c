/*
 * Two gateways with the same SAs, of which one is active (RFC 6311; HA-02..06). The other one has
 * them in its dataplane with SA_STANDBY: it sends nothing and takes nothing in them, so no counter
 * is used twice (HA-04), and their lines in the region lie still. A takeover writes into these
 * lines, each number beyond what the failed node can have used, and only then tells the dataplane
 * to begin. Nothing is read that is older than what runs here (HA-05).
 */
#include "control/ipsec/ipsec_state.h"
#include "control/ipsec/sa_export.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define HINTS_NS  (600 * CLOCK_NS_PER_S) /* so long strangers' SPIs are hints (HA-06) */
#define HINT_NS   CLOCK_NS_PER_S         /* between two of them */
#define GAP_MS    1000                   /* at least: clocks and looks are not exact */
#define MS_PER_NS 1000000

static struct sa *next_of_all(struct ipsec *ipsec, unsigned *direction, uint32_t *cursor)
{
	struct sa *sa = NULL;

	while (*direction < 2 && !(sa = sa_database_next(ipsec->associations,
					   (enum sa_direction) * direction, cursor))) {
		++*direction;
		*cursor = 0;
	}
	return sa;
}

static void tell_all(struct ipsec *ipsec)
{
	unsigned direction = 0;
	uint32_t cursor = 0;

	for (struct sa *sa; (sa = next_of_all(ipsec, &direction, &cursor));) {
		sa->version++;
		ipsec_refer_sa(ipsec, sa);
	}
}

static void role_note(struct ipsec *ipsec)
{
	if (ipsec->attachment)
		atomic_store_explicit(&ipsec->attachment->header->control_role,
			ipsec->standby ? REGION_ROLE_STANDBY : REGION_ROLE_ACTIVE,
			memory_order_relaxed);
}

void ipsec_role_attached(struct ipsec *ipsec, bool first)
{
	uint32_t noted = atomic_load_explicit(
		&ipsec->attachment->header->control_role, memory_order_relaxed);

	if (first && noted != REGION_ROLE_CONFIGURED)
		ipsec->standby = noted == REGION_ROLE_STANDBY;
	role_note(ipsec);
}

bool ipsec_is_standby(const struct ipsec *ipsec)
{
	return ipsec->standby;
}

void ipsec_release(struct ipsec *ipsec)
{
	if (ipsec->standby)
		return;
	ipsec->standby = true;
	role_note(ipsec);
	tell_all(ipsec);
}

/* ---- taking over ---- */

static void raise(_Atomic uint64_t *word, uint64_t value)
{
	if (atomic_load_explicit(word, memory_order_relaxed) < value)
		atomic_store_explicit(word, value, memory_order_relaxed);
}

static bool is_line(const struct ipsec *ipsec, const struct sa *sa)
{
	return sa->state == SA_IS_LIVE && sa->command.sa_id &&
	       sa_handover_is_own(ipsec->handover, sa);
}

static struct sa_export_estimate estimate(const struct ipsec *ipsec, const struct sa *sa,
	const struct sa_export_record *record, uint64_t gap_ms)
{
	uint64_t running = ipsec_query_sa(ipsec, sa).sequence;
	bool esn = sa->command.flags & SA_ESN;

	return sa->command.direction == SA_OUTBOUND
		       ? sa_export_outbound(record, running, gap_ms, esn)
		       : sa_export_inbound(record, running, gap_ms, esn);
}

/* The window stands empty right of what counts as seen: all of that is left of it (HA-03). */
static void line_write(struct ipsec *ipsec, const struct sa *sa, uint64_t number,
	const struct sa_export_record *record)
{
	const struct attachment *a = ipsec->attachment;
	uint32_t slot = sa->command.sa_id;
	uint64_t last = sa->command.flags & SA_ESN ? UINT64_MAX : UINT32_MAX;
	uint64_t packets = record ? record->packets : 0, bytes = record ? record->bytes : 0;

	if (sa->command.direction == SA_OUTBOUND) {
		raise(&a->sa_outbound[slot].sequence, number);
		raise(&a->sa_outbound[slot].packets, packets);
		raise(&a->sa_outbound[slot].bytes, bytes);
		return;
	}
	if (number > 0)
		number = last - number < sa->command.replay_window
				 ? last
				 : number + sa->command.replay_window;
	raise(&a->sa_inbound[slot].highest, number);
	raise(&a->sa_inbound[slot].packets, packets);
	raise(&a->sa_inbound[slot].bytes, bytes);
}

/* HA-02: replaced soon. charon hears of it again when it was not there. */
static void expire_soon(struct ipsec *ipsec, struct sa *sa)
{
	sa->expired |= 1u << SA_EXPIRED_SOFT_SEQUENCE;
	ipsec_tell(ipsec, &(struct ipsec_event){.type = IPSEC_EVENT_SA_SOFT_EXPIRED,
				  .sa = sa,
				  .spi = ntohl(sa->command.spi),
				  .source = sa->command.local,
				  .destination = sa->command.remote,
				  .cause = "takeover"});
}

/* -ESTALE when the file is older than what runs here, or too old to say anything. */
static int check_all(struct ipsec *ipsec, const struct sa_export *export, uint64_t gap_ms,
	struct config_error *error)
{
	unsigned direction = 0;
	uint32_t cursor = 0;

	for (struct sa *sa; (sa = next_of_all(ipsec, &direction, &cursor));) {
		const struct sa_export_record *record = sa_export_find(export, sa);
		if (!is_line(ipsec, sa) || !record)
			continue;
		if (record->sequence < ipsec_query_sa(ipsec, sa).sequence) {
			snprintf(error->text, sizeof(error->text),
				"the file is older than what runs here: SPI 0x%08x is beyond it",
				record->spi);
			return -ESTALE;
		}
		if (estimate(ipsec, sa, record, gap_ms).too_old) {
			snprintf(error->text, sizeof(error->text),
				"the file is too old: nobody can say what SPI 0x%08x has sent "
				"since",
				record->spi);
			return -ESTALE;
		}
	}
	return 0;
}

static int check_state(
	const struct ipsec *ipsec, const struct sa_export *export, struct config_error *error)
{
	const char *why = NULL;
	int result = 0;

	if (!ipsec->standby) {
		why = "this gateway is active already";
		result = -EALREADY;
	} else if (!ipsec->attachment) {
		why = "no dataplane is attached";
		result = -ENOTCONN;
	} else if (map_count(ipsec->tickets) > 0) {
		why = "the dataplane has not taken all associations yet; try again";
		result = -EAGAIN;
	} else if (export->written_ms <= ipsec->taken_ms) {
		why = "the file is not newer than the one of the last takeover";
		result = -ESTALE;
	}
	if (why)
		snprintf(error->text, sizeof(error->text), "%s", why);
	return result;
}

int ipsec_takeover(struct ipsec *ipsec, const struct sa_export *export, struct clock_now now,
	struct ipsec_takeover *result, struct config_error *error)
{
	uint64_t now_ms = (uint64_t)now.wall_ns / MS_PER_NS, gap_ms = export->interval_ms;
	unsigned direction = 0;
	uint32_t cursor = 0;
	int refused;

	if (now_ms > export->written_ms && now_ms - export->written_ms > gap_ms)
		gap_ms = now_ms - export->written_ms;
	gap_ms = gap_ms > GAP_MS ? gap_ms : GAP_MS;
	*result = (struct ipsec_takeover){.gap_ms = gap_ms};
	refused = check_state(ipsec, export, error);
	if (!refused)
		refused = check_all(ipsec, export, gap_ms, error);
	if (refused)
		return refused;
	for (struct sa *sa; (sa = next_of_all(ipsec, &direction, &cursor));) {
		const struct sa_export_record *record = sa_export_find(export, sa);
		struct sa_export_estimate at = estimate(ipsec, sa, record, gap_ms);
		if (!is_line(ipsec, sa))
			continue;
		line_write(ipsec, sa, at.number, record);
		result->known += record != NULL;
		result->unknown += record == NULL;
		if (at.soft)
			expire_soon(ipsec, sa);
	}
	ipsec->standby = false;
	ipsec->taken_ms = export->written_ms;
	ipsec->hints_until_ns = now.monotonic_ns + HINTS_NS;
	role_note(ipsec);
	tell_all(ipsec); /* after all numbers: SA_SET releases them to the dataplane */
	return 0;
}

/* ---- after it ---- */

static bool is_peer(struct ipsec *ipsec, const struct ip_address *address)
{
	unsigned direction = 0;
	uint32_t cursor = 0;

	for (const struct sa *sa; (sa = next_of_all(ipsec, &direction, &cursor));)
		if (ip_address_equal(&sa->command.remote, address))
			return true;
	return false;
}

void ipsec_liveness_hint(struct ipsec *ipsec, const struct ip_address *peer,
	const struct ip_address *local, uint32_t spi, monotonic now)
{
	if (now >= ipsec->hints_until_ns || now < ipsec->hint_due_ns || !is_peer(ipsec, peer))
		return;
	ipsec->hint_due_ns = now + HINT_NS;
	ipsec_tell(ipsec, &(struct ipsec_event){.type = IPSEC_EVENT_LIVENESS,
				  .spi = spi,
				  .source = *peer,
				  .destination = *local,
				  .cause = "ipsec_no_sa"});
}

int ipsec_own(struct ipsec *ipsec, uint32_t spi, unsigned worker)
{
	unsigned direction = 0, moved = 0;
	uint32_t cursor = 0;

	for (struct sa *sa; (sa = next_of_all(ipsec, &direction, &cursor));) {
		if (ntohl(sa->command.spi) != spi || sa->state != SA_IS_LIVE)
			continue;
		sa->command.worker = (uint8_t)(worker + 1);
		sa->version++;
		ipsec_refer_sa(ipsec, sa);
		moved++;
	}
	return moved > 0 ? 0 : -ENOENT;
}
