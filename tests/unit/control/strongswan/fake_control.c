#include "tests/unit/control/strongswan/fake_control.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define NOTED_MAX 65536

static struct {
	pthread_t thread;
	pthread_mutex_t mutex;
	const char *path;
	int listener, connection, end[2];
	enum fake_mood mood;
	enum keying_status refusal;
	uint64_t bytes, packets, last_use_s, events;
	uint32_t spi;
	struct keying_message *noted[NOTED_MAX];
	unsigned count;
} fake = {.mutex = PTHREAD_MUTEX_INITIALIZER, .listener = -1, .connection = -1, .spi = 0x10000000};

static void put(struct keying_message *message)
{
	uint8_t octets[KEYING_MESSAGE_MAX];
	size_t length = keying_encode(message, octets);

	if (length == 0)
		abort();
	send(fake.connection, octets, length, MSG_NOSIGNAL);
}

static enum keying_status status_for(const struct keying_message *request)
{
	switch (fake.mood) {
	case FAKE_ACCEPTED:
		return KEYING_ACCEPTED;
	case FAKE_REFUSES:
		if (request->header.type == KEYING_ADD_SA ||
			request->header.type == KEYING_UPDATE_SA ||
			request->header.type == KEYING_ADD_POLICY)
			return fake.refusal;
		return KEYING_OK;
	default:
		return KEYING_OK;
	}
}

static void answer(const struct keying_message *request)
{
	struct keying_message out = {.header = {.type = KEYING_STATUS, .id = request->header.id}};

	switch (request->header.type) {
	case KEYING_HELLO:
		out.header.type = KEYING_WELCOME;
		out.welcome = (struct keying_welcome){.epoch = 1,
			.spi_block = 64,
			.wait_ms = 100,
			.replay_window_max = 4096,
			.dataplane = 1};
		break;
	case KEYING_LEASE_SPIS:
		out.header.type = KEYING_SPIS;
		out.spis.count = (uint16_t)request->lease_spis.count;
		for (unsigned i = 0; i < request->lease_spis.count; i++)
			out.spis.of[i] = __builtin_bswap32(++fake.spi);
		break;
	case KEYING_QUERY_SA:
		out.header.type = KEYING_SA_STATE;
		out.sa_state = (struct keying_sa_state){.bytes = fake.bytes,
			.packets = fake.packets,
			.last_use_s = fake.last_use_s};
		break;
	case KEYING_QUERY_POLICY:
		out.header.type = KEYING_POLICY_STATE;
		out.policy_state = (struct keying_policy_state){
			.hits = fake.packets, .last_use_s = fake.last_use_s};
		break;
	default:
		out.status.status = status_for(request);
		if (out.status.status != KEYING_OK && out.status.status != KEYING_ACCEPTED)
			strcpy(out.status.text, "the test says so");
		break;
	}
	put(&out);
}

static void take(void)
{
	uint8_t octets[KEYING_MESSAGE_MAX];
	struct keying_message *request = calloc(1, sizeof(*request));
	const char *reason;
	ssize_t length = recv(fake.connection, octets, sizeof(octets), 0);

	if (length <= 0 || keying_decode(octets, (size_t)length, request, &reason) != KEYING_OK) {
		close(fake.connection);
		fake.connection = -1;
		free(request);
		return;
	}
	if (fake.count == NOTED_MAX)
		abort();
	fake.noted[fake.count++] = request;
	answer(request);
}

static void *run(void *unused)
{
	struct pollfd fds[3];

	while (true) {
		pthread_mutex_lock(&fake.mutex);
		fds[0] = (struct pollfd){.fd = fake.end[0], .events = POLLIN};
		fds[1] = (struct pollfd){.fd = fake.listener, .events = POLLIN};
		fds[2] = (struct pollfd){
			.fd = fake.mood == FAKE_DEAF ? -1 : fake.connection, .events = POLLIN};
		pthread_mutex_unlock(&fake.mutex);
		poll(fds, 3, 20);
		if (fds[0].revents)
			return NULL;
		pthread_mutex_lock(&fake.mutex);
		if (fds[1].revents && fake.connection < 0)
			fake.connection = accept4(fake.listener, NULL, NULL, SOCK_CLOEXEC);
		if (fds[2].revents && fake.connection >= 0 && fake.mood != FAKE_DEAF)
			take();
		pthread_mutex_unlock(&fake.mutex);
	}
}

void fake_control_start(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	fake.path = path;
	strncpy(address.sun_path, path, sizeof(address.sun_path) - 1);
	unlink(path);
	fake.listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fake.listener < 0 ||
		bind(fake.listener, (struct sockaddr *)&address, sizeof(address)) ||
		chmod(path, 0600) || listen(fake.listener, 4) || pipe(fake.end) ||
		pthread_create(&fake.thread, NULL, run, NULL))
		abort();
}

void fake_control_stop(void)
{
	if (fake.listener < 0)
		return;
	close(fake.end[1]);
	pthread_join(fake.thread, NULL);
	close(fake.end[0]);
	close(fake.listener);
	fake.listener = -1;
	if (fake.connection >= 0)
		close(fake.connection);
	fake.connection = -1;
	unlink(fake.path);
}

void fake_control_mood(enum fake_mood mood, enum keying_status refusal)
{
	pthread_mutex_lock(&fake.mutex);
	fake.mood = mood;
	fake.refusal = refusal;
	pthread_mutex_unlock(&fake.mutex);
}

void fake_control_usage(uint64_t bytes, uint64_t packets, uint64_t last_use_s)
{
	pthread_mutex_lock(&fake.mutex);
	fake.bytes = bytes;
	fake.packets = packets;
	fake.last_use_s = last_use_s;
	pthread_mutex_unlock(&fake.mutex);
}

void fake_control_send(struct keying_message *event)
{
	pthread_mutex_lock(&fake.mutex);
	event->header.id = ++fake.events;
	put(event);
	pthread_mutex_unlock(&fake.mutex);
}

void fake_control_send_garbage(void)
{
	pthread_mutex_lock(&fake.mutex);
	send(fake.connection, "\0\1\0\2garbage that is long enough", 30, MSG_NOSIGNAL);
	pthread_mutex_unlock(&fake.mutex);
}

void fake_control_forget(void)
{
	pthread_mutex_lock(&fake.mutex);
	for (unsigned i = 0; i < fake.count; i++)
		free(fake.noted[i]);
	fake.count = 0;
	pthread_mutex_unlock(&fake.mutex);
}

unsigned fake_control_count(void)
{
	unsigned count;

	pthread_mutex_lock(&fake.mutex);
	count = fake.count;
	pthread_mutex_unlock(&fake.mutex);
	return count;
}

static const struct keying_message *find(enum keying_type type, unsigned nth, unsigned *of_type)
{
	const struct keying_message *found = NULL;
	unsigned count = 0;

	pthread_mutex_lock(&fake.mutex);
	for (unsigned i = 0; i < fake.count; i++)
		if (fake.noted[i]->header.type == type && count++ == nth)
			found = fake.noted[i];
	pthread_mutex_unlock(&fake.mutex);
	*of_type = count;
	return found;
}

unsigned fake_control_count_of(enum keying_type type)
{
	unsigned count;

	find(type, 0, &count);
	return count;
}

const struct keying_message *fake_control_request(enum keying_type type, unsigned nth)
{
	const struct keying_message *found;
	unsigned count;

	for (unsigned tries = 0; tries < 30000; tries++) {
		found = find(type, nth, &count);
		if (found != NULL)
			return found;
		nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
	}
	return NULL;
}

unsigned fake_control_place(const struct keying_message *request)
{
	unsigned place = NOTED_MAX;

	pthread_mutex_lock(&fake.mutex);
	for (unsigned i = 0; i < fake.count; i++)
		if (fake.noted[i] == request)
			place = i;
	pthread_mutex_unlock(&fake.mutex);
	return place;
}
