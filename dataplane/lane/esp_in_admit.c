/* Before the cipher: which arrivals the lane takes. */
#include "dataplane/crypto/key.h"
#include "dataplane/handover.h"
#include "dataplane/lane/esp_in_private.h"

#include "lib/base/line.h"

static void sas_find(struct esp_in *lane)
{
	const struct sa_table *sas = lane->sas;

	for (unsigned i = 0; i < lane->count; i++) {
		struct arrival *a = &lane->arrivals[i];
		if (i > 0 && a->slot == a[-1].slot) {
			a->work.sa = a[-1].work.sa;
			a->state = a[-1].state;
			continue;
		}
		a->work.sa = sa_inbound_get(sas, a->slot);
		rte_prefetch0(a->work.sa);
		a->state = &sas->region.inbound[a->slot];
		line_take(a->state);
	}
}

/* SPIs that control did not choose do not carry their slot (sa_inbound_lookup). */
static __attribute__((noinline)) void sas_find_by_spi(struct esp_in *lane)
{
	for (unsigned i = 0; i < lane->count; i++) {
		struct arrival *a = &lane->arrivals[i];
		be32 spi = rte_cpu_to_be_32(esp_codec_spi((const uint8_t *)a->outer + a->work.at));

		if (a->work.sa != NULL && a->work.sa->spi == spi)
			continue;
		a->work.sa = sa_table_find(lane->sas, spi);
		if (a->work.sa == NULL)
			continue;
		a->sa_id = a->work.sa->sa_id;
		a->state = sa_inbound_state(lane->sas, a->sa_id);
	}
}

/* An address of ours, and not the broadcast address of the link. */
static __attribute__((noinline)) bool is_local(const struct esp_in *lane, be32 destination)
{
	const struct tables *tables = lane->worker->tables;
	const struct ip_address address = ip_address_from_v4(destination);
	const struct home_network *network = tables_home_network_of_port(tables, lane->port->index);

	return (network == NULL || !ip_prefix_contains(&network->prefix, &address)) &&
	       tables_local_lookup(tables, lane->port->vrf, &address).kind != LOCAL_NONE;
}

static inline bool is_ours(struct esp_in *lane, be32 destination)
{
	if (destination != lane->ours && !is_local(lane, destination))
		return false;
	lane->ours = destination;
	return true;
}

/* MP-04: what is another worker's goes to it as it came, before anything of its SA is looked at. Of
 * an SA that moves all goes by the steps. */
static __attribute__((noinline)) void hand_over(struct esp_in *lane)
{
	unsigned kept = 0, owner;

	for (unsigned i = 0; i < lane->count; i++) {
		const struct arrival *a = &lane->arrivals[i];
		const uint64_t bar = esp_in_bar(a->slot);
		bool goes = handover_is_elsewhere(lane->worker, SA_INBOUND, a->sa_id, &owner);

		if (goes && !(lane->barred & bar) && is_ours(lane, a->outer->dst_addr)) {
			lane->burst->taken |= UINT64_C(1) << a->work.index;
			handover_frame(lane->worker, a->work.packet, lane->port, SA_INBOUND, owner);
			continue;
		}
		if (goes || !handover_is_here(lane->worker, SA_INBOUND, a->sa_id))
			lane->barred |= bar;
		if (kept != i)
			lane->arrivals[kept] = *a;
		kept++;
	}
	lane->count = kept;
}

/* What is the same for all packets of an SA in a burst. */
static inline bool is_open_for(struct esp_in *lane, const struct arrival *a)
{
	const struct sa_inbound *sa = a->work.sa;

	if (sa == lane->admitted)
		return true;
	if (__atomic_load_n(&sa->state, __ATOMIC_ACQUIRE) != SA_STATE_LIVE ||
		atomic_load_explicit(&sa->failures, memory_order_relaxed) + BURST_SIZE >=
			ESP_FAILURES_MAX ||
		!esp_in_is_far_from_limits(lane, a) ||
		!handover_is_here(lane->worker, SA_INBOUND, a->sa_id) || /* MP-04 */
		!is_ours(lane, a->outer->dst_addr))
		return false;
	lane->admitted = sa;
	return true;
}

/* Right of all before it, nearly always. */
static inline bool is_new(const struct esp_in *lane, struct arrival *a)
{
	const struct sa_inbound *sa = a->work.sa;
	const struct replay_window window = esp_in_window(lane, a);

	a->work.number = a->low;
	if (likely(a->low > atomic_load_explicit(window.highest, memory_order_relaxed) &&
		    !(sa->flags & SA_ESN)))
		return true;
	return replay_window_infer(&window, a->low, &a->work.number) == REPLAY_NEW &&
	       replay_window_check(&window, a->work.number) == REPLAY_NEW;
}

/* decap/esp's questions; yes when all of them have the usual answer. */
static inline bool admit(struct esp_in *lane, struct arrival *a)
{
	const struct sa_inbound *sa = a->work.sa;
	uint32_t fixed;

	if (unlikely(sa == NULL || !sa_is_usual(sa, a->usual) || !is_open_for(lane, a)))
		return false;
	fixed = ESP_HEADER_LENGTH + sa->iv_length + sa->icv_length;
	if (unlikely(a->work.text < fixed + sa->alignment ||
		     (a->work.text - fixed) & (sa->alignment - 1u) || !is_new(lane, a)))
		return false;
	a->work.text -= fixed;
	if (sa->flags & SA_ASKS_LOCAL)
		rte_prefetch0(&sa->selector);
	lane->direct &= sa->gcm_key != 0;
	return true;
}

/*
 * Its key, while there is time. The first cache has room for what short packets read of the keys of
 * a whole burst; what is pushed out of it all the same esp_in_open fetches again when its turn
 * comes.
 */
static CRYPTO_KEY_INLINE void key_approach(const struct esp_work *w, const struct arrival *before)
{
	if (before == NULL || before->work.sa != w->sa)
		crypto_key_prefetch_gcm(w->sa->key, w->sa->gcm_key, w->text);
}

/* All packets of an SA, or none of them: in a burst the steps ask all before they judge any. */
static __attribute__((noinline)) void leave_barred(struct esp_in *lane)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < lane->count; i++)
		if (!(lane->barred & esp_in_bar(lane->arrivals[i].slot)))
			lane->arrivals[kept++] = lane->arrivals[i];
	lane->count = kept;
}

void esp_in_admit(struct esp_in *lane)
{
	const bool slots = likely(lane->sas->spis.used == 0); /* SPIs carry them all */
	unsigned kept = 0;

	if (unlikely(lane->worker->handover != NULL) && slots)
		hand_over(lane);
	sas_find(lane);
	if (unlikely(!slots)) {
		sas_find_by_spi(lane);
		if (lane->worker->handover != NULL)
			hand_over(lane);
	}
	for (unsigned i = 0; i < lane->count; i++) {
		struct arrival *a = &lane->arrivals[i];
		if (unlikely(!admit(lane, a))) {
			lane->barred |= esp_in_bar(a->slot);
			continue;
		}
		if (unlikely(i != kept))
			lane->arrivals[kept] = *a;
		key_approach(&a->work, kept > 0 ? &lane->arrivals[kept - 1] : NULL);
		kept++;
	}
	lane->count = kept;
	if (unlikely(lane->barred != 0))
		leave_barred(lane);
}
