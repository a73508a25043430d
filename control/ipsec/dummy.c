/*
 * Dummy packets (RFC 4303 2.6, ESP-FMT-12): traffic that says nothing, for who counts packets from
 * outside. Control makes a datagram and names the SA; the dataplane gives it a number, next header
 * 59 and sends it as any other. The peer throws it away after it was found authentic.
 *
 * The datagram runs from our outer address to the peer's: in transport mode that is its own header,
 * in tunnel mode nobody looks at it.
 */
#include "control/ipsec/ipsec_state.h"

#include "lib/wire/checksum.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#define NO_NEXT_HEADER 59
#define HOP_LIMIT      64
#define IPV4_LENGTH    20
#define IPV6_LENGTH    40
#define DONT_FRAGMENT  0x40

static int say(struct config_error *error, int result, const char *name, const char *text)
{
	snprintf(error->text, sizeof(error->text), "%s: %s", name, text);
	return result;
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void header_write(uint8_t *out, const struct sa_command *c, unsigned length)
{
	if (ip_address_is_v4(&c->local)) {
		be32 source = ip_address_v4(&c->local), destination = ip_address_v4(&c->remote);
		memset(out, 0, IPV4_LENGTH);
		out[0] = 0x45;
		put16(out + 2, length);
		out[6] = DONT_FRAGMENT; /* what does not fit is not worth two packets */
		out[8] = HOP_LIMIT;
		out[9] = NO_NEXT_HEADER;
		memcpy(out + 12, &source, sizeof(source));
		memcpy(out + 16, &destination, sizeof(destination));
		be16 sum = checksum(out, IPV4_LENGTH);
		memcpy(out + 10, &sum, sizeof(sum));
		return;
	}
	memset(out, 0, IPV6_LENGTH);
	out[0] = 0x60;
	put16(out + 4, length - IPV6_LENGTH);
	out[6] = NO_NEXT_HEADER;
	out[7] = HOP_LIMIT;
	memcpy(out + 8, c->local.bytes, 16);
	memcpy(out + 24, c->remote.bytes, 16);
}

int ipsec_dummy(struct ipsec *ipsec, const char *name, unsigned count, unsigned length,
	struct config_error *error)
{
	const struct sa *sa = sa_database_named(ipsec->associations, SA_OUTBOUND, name);
	static struct inject_record record; /* loop thread's alone; too big for the stack */

	if (!sa || sa->state != SA_IS_LIVE)
		return say(error, -ENOENT, name, "no live security association has that name");
	if (count == 0 || count > IPSEC_DUMMY_COUNT_MAX || length < IPSEC_DUMMY_LENGTH_MIN ||
		length > IPSEC_DUMMY_LENGTH_MAX)
		return say(error, -EINVAL, name, "count or length is out of its range");
	if (!ipsec->attachment || !sa->command.sa_id || !ipsec->ops.send)
		return say(error, -ENOTCONN, name, "no dataplane has it");
	memset(&record, 0, offsetof(struct inject_record, data));
	record.kind = INJECT_ESP_DUMMY;
	record.port = PORT_NONE;
	record.vrf = sa->command.vrf;
	record.sa_id = sa->command.sa_id;
	record.length = (uint16_t)length;
	ipsec->ops.random(ipsec->ops.context, record.data, length);
	header_write(record.data, &sa->command, length);
	for (unsigned i = 0; i < count; i++)
		if (!ipsec->ops.send(ipsec->ops.context, &record))
			return say(error, -EAGAIN, name, "the dataplane is slow to take them");
	ipsec->counters.dummies += count;
	return 0;
}
