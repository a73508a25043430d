/*
 * The dataplane as a process: starts without huge pages or devices, takes commands from a client
 * that plays control, survives the client's death, and stops on SIGTERM with every packet accounted
 * for. argv[1] is the binary.
 */
// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
// clang-format on

#include "lib/ipc/attach.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define DEADLINE_MS 100000

static const char *binary;
static char directory[64], configuration[128], socket_path[128], report_path[128];
static pid_t process;

static uint64_t now_ms(void)
{
	return clock_read().monotonic_ns / 1000000;
}

static void configuration_write(const char *devices)
{
	FILE *out = fopen(configuration, "w");

	assert_non_null(out);
	fprintf(out,
		"dataplane = { socket = \"%s\"; workers = 1; huge_pages = false; memory_mb = 128; "
		"buffers = 4096;"
		" max_bindings = 20000; file_prefix = \"hpdpcore%d\"; ports = ( %s ); };\n",
		socket_path, getpid(), devices);
	fclose(out);
}

static pid_t binary_start(const char *option)
{
	pid_t pid = fork();

	if (pid == 0) {
		execl(binary, binary, "--config", configuration, option,
			option ? report_path : NULL, (char *)NULL);
		_exit(127);
	}
	return pid;
}

static int binary_status(pid_t pid)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	int status;

	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (now_ms() > deadline) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			fail_msg("the dataplane did not stop");
		}
		poll(NULL, 0, 5);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int setup(void **state)
{
	snprintf(directory, sizeof(directory), "/tmp/hp-dpcore-XXXXXX");
	assert_non_null(mkdtemp(directory));
	snprintf(configuration, sizeof(configuration), "%s/dataplane.cfg", directory);
	snprintf(socket_path, sizeof(socket_path), "%s/dataplane.sock", directory);
	snprintf(report_path, sizeof(report_path), "%s/report.json", directory);
	process = 0;
	return 0;
}

static int teardown(void **state)
{
	if (process > 0) {
		kill(process, SIGKILL);
		waitpid(process, NULL, 0);
	}
	unlink(configuration);
	unlink(socket_path);
	unlink(report_path);
	return rmdir(directory);
}

static void attach(struct attachment *control)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	int error;

	while ((error = attach_connect(control, socket_path, 1000)) != 0) {
		if (now_ms() > deadline || waitpid(process, NULL, WNOHANG) != 0)
			fail_msg("cannot attach: %s", strerror(-error));
		poll(NULL, 0, 10);
	}
}

static void put(struct attachment *control, struct command command)
{
	static uint64_t sequence;
	static uint64_t session;
	uint64_t deadline = now_ms() + DEADLINE_MS;

	if (session != control->session) {
		session = control->session;
		sequence = 0;
	}
	command.sequence = ++sequence;
	while (!ring_put(&control->command, &command)) {
		doorbell_ring(control->command_doorbell);
		if (now_ms() > deadline)
			fail_msg("the command ring stays full");
	}
	doorbell_ring(control->command_doorbell);
}

static uint64_t applied_wait(struct attachment *control, uint64_t sequence)
{
	uint64_t deadline = now_ms() + DEADLINE_MS, applied;

	while ((applied = atomic_load_explicit(
			&control->header->applied_sequence, memory_order_acquire)) < sequence) {
		struct pollfd doorbell = {.fd = control->event_doorbell, .events = POLLIN};
		if (now_ms() > deadline)
			fail_msg("applied stays at %llu", (unsigned long long)applied);
		if (poll(&doorbell, 1, 10) > 0)
			doorbell_clear(control->event_doorbell);
	}
	return applied;
}

static struct ip_address v4(unsigned a, unsigned b, unsigned c, unsigned d)
{
	struct ip_address address = ip_address_from_v4(0);
	const uint8_t octets[4] = {(uint8_t)a, (uint8_t)b, (uint8_t)c, (uint8_t)d};
	memcpy(address.bytes + 12, octets, 4);
	return address;
}

static struct command agent(void)
{
	return (struct command){.type = COMMAND_AGENT_SET,
		.agent = {.address = v4(192, 0, 2, 1), .tunnel_ttl = 64, .dscp = DSCP_COPY}};
}

static struct command binding(uint32_t id)
{
	return (struct command){.type = COMMAND_BINDING_SET,
		.binding = {.home_address = v4(10, 1, id >> 8, id & 255),
			.care_of_address = v4(198, 51, 100, 23),
			.care_of_field = v4(198, 51, 100, 23),
			.agent_address = v4(192, 0, 2, 1),
			.expires_ns = CLOCK_NEVER,
			.binding_id = id,
			.home_port = PORT_NONE,
			.encapsulation = ENCAPSULATION_IPIP}};
}

static char *report_read(void)
{
	static char text[8192];
	FILE *in = fopen(report_path, "r");

	assert_non_null(in);
	text[fread(text, 1, sizeof(text) - 1, in)] = '\0';
	fclose(in);
	return text;
}

// HA4-REG-21: applied means every worker has passed; HA4-OPS-19: control may die and come again
static void commands_are_applied_and_control_may_die(void **state)
{
	struct attachment control, second;
	struct event event;

	configuration_write("{ name = \"a\"; device = \"net_ring0\"; }, { name = \"b\"; device = "
			    "\"net_ring1\"; }");
	process = binary_start("--exit-report");
	attach(&control);
	assert_int_equal(control.limits.bindings, 20000);
	assert_int_equal(control.limits.ports, 2);
	assert_int_equal(attach_connect(&second, socket_path, 1000), -EBUSY);
	put(&control, (struct command){.type = COMMAND_SYNC_BEGIN});
	put(&control, agent());
	for (uint32_t id = 0; id < 10000; id++)
		put(&control, binding(id));
	put(&control, (struct command){.type = COMMAND_SYNC_END});
	assert_int_equal(applied_wait(&control, 10003), 10003);
	assert_int_equal(ring_used_count(&control.event), 0);
	struct command bad = binding(0);
	bad.binding.binding_id = 20000;
	put(&control, bad);
	applied_wait(&control, 10004);
	assert_true(ring_get(&control.event, &event));
	assert_int_equal(event.type, EVENT_REFUSED);
	assert_int_equal(event.sequence, 10004);
	assert_int_equal(event.error, EINVAL);
	attach_close(&control);

	attach(&control); // the next one, at once
	assert_int_equal(atomic_load(&control.header->applied_sequence), 0);
	put(&control, agent()); // the old state is still there: same id, another address is refused
	struct command other = binding(5);
	other.binding.home_address = v4(10, 2, 0, 0);
	put(&control, other);
	applied_wait(&control, 2);
	assert_true(ring_get(&control.event, &event));
	assert_int_equal(event.error, EEXIST);
	attach_close(&control);
	kill(process, SIGTERM);
	assert_int_equal(binary_status(process), 0);
	process = 0;
	assert_non_null(strstr(report_read(), "{\"conservation\":0,"));
}

// Injected frames come back through the ring device as received ones: the whole loop once.
static void injected_frame_is_sent(void **state)
{
	struct attachment control;
	struct inject_record record = {.kind = INJECT_FRAME, .port = 0, .length = 60};
	uint64_t deadline = now_ms() + DEADLINE_MS;

	configuration_write("{ name = \"a\"; device = \"net_ring0\"; }, { name = \"b\"; device = "
			    "\"net_ring1\"; }");
	process = binary_start("--exit-report");
	attach(&control);
	memset(record.data, 0xff, 6); // to all, unknown EtherType
	record.data[6] = 2;
	record.data[12] = 0x88;
	record.data[13] = 0xb5;
	assert_true(ring_put(&control.inject, &record));
	record.kind = 77;
	assert_true(ring_put(&control.inject, &record));
	doorbell_ring(control.command_doorbell);
	while (control.worker_counters[0].received_inject < 2 ||
		control.worker_counters[0].received_port < 1 ||
		control.worker_counters[0].sent_port < 1) {
		if (now_ms() > deadline)
			fail_msg("the injected frame was not sent");
		poll(NULL, 0, 5);
	}
	assert_int_equal(control.worker_counters[0].drops[DROP_inject_bad], 1);
	attach_close(&control);
	kill(process, SIGTERM);
	assert_int_equal(binary_status(process), 0);
	process = 0;
	assert_non_null(strstr(report_read(), "{\"conservation\":0,"));
}

/* One's complement sum, carries folded in; `from` is a sum to go on from. */
static uint32_t sum_add(uint32_t from, const void *octets, size_t length)
{
	const uint8_t *at = octets;

	for (size_t i = 0; i < length; i++)
		from += i & 1 ? at[i] : (uint32_t)at[i] << 8;
	while (from >> 16)
		from = (from & 0xffff) + (from >> 16);
	return from;
}

static int packet_socket_open(const char *interface)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_NONBLOCK, htons(ETH_P_IP));

	assert_true(fd >= 0);
	while ((address.sll_ifindex = (int)if_nametoindex(interface)) == 0) {
		if (now_ms() > deadline)
			fail_msg("no interface %s", interface);
		poll(NULL, 0, 10);
	}
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* The tunnel's outer datagram, as the device sent it, into `datagram`; its length. */
static size_t tunnelled_wait(int fd, uint8_t *datagram, size_t size)
{
	uint64_t deadline = now_ms() + DEADLINE_MS;
	const struct iphdr *ip = (const struct iphdr *)datagram;

	for (;;) {
		struct pollfd in = {.fd = fd, .events = POLLIN};
		ssize_t length = poll(&in, 1, 10) > 0 ? recv(fd, datagram, size, 0) : -1;
		if (length > 28 && ip->protocol == IPPROTO_UDP && ip->daddr == htonl(0xc6336417))
			return (size_t)length;
		if (now_ms() > deadline)
			fail_msg("nothing was sent");
	}
}

static void tap_configure(struct attachment *control)
{
	struct command command = agent();

	command.agent.flags = AGENT_UDP | AGENT_UDP_CHECKSUM;
	put(control, command);
	command = binding(5);
	command.binding.flags = BINDING_UDP;
	command.binding.care_of_port = htons(40007);
	command.binding.agent_port = htons(434);
	put(control, command);
	put(control, (struct command){.type = COMMAND_ROUTE_SET,
			     .route = {.prefix = {.address = v4(198, 51, 100, 0), .length = 120}}});
	put(control, (struct command){.type = COMMAND_NEIGHBOR_SET,
			     .neighbor = {.address = v4(198, 51, 100, 23), .mac = {2, 9}}});
	applied_wait(control, 4);
}

// HA4-NAT-25: net_tap offers to finish checksums; what it sends is right. In a namespace of its
// own, which this process then stays in.
static void a_device_finishes_checksums(void **state)
{
	struct attachment control;
	struct inject_record record = {.kind = INJECT_DATAGRAM, .port = PORT_NONE, .length = 51};
	static const uint8_t inner[20] = {
		0x45, 0, 0, 51, 0, 1, 0, 0, 64, 253, 0, 0, 192, 0, 2, 1, 10, 1, 0, 5};
	uint8_t datagram[2048];
	const struct iphdr *ip = (const struct iphdr *)datagram;
	const struct udphdr *udp = (const struct udphdr *)(datagram + 20);

	if (access("/dev/net/tun", R_OK | W_OK) != 0 || unshare(CLONE_NEWNET) != 0) {
		print_message("# no TAP device here\n");
		skip();
	}
	configuration_write("{ name = \"a\"; device = \"net_tap0,iface=hp-device\"; }");
	process = binary_start("--exit-report");
	attach(&control);
	tap_configure(&control);
	int fd = packet_socket_open("hp-device");
	memcpy(record.data, inner, sizeof(inner));
	uint16_t sum = htons((uint16_t)~sum_add(0, record.data, sizeof(inner)));
	memcpy(record.data + 10, &sum, 2);
	assert_true(ring_put(&control.inject, &record));
	doorbell_ring(control.command_doorbell);
	size_t length = tunnelled_wait(fd, datagram, sizeof(datagram));
	assert_int_equal(length, 20 + 8 + 4 + 51);
	assert_int_equal(sum_add(0, datagram, 20), 0xffff);
	assert_int_not_equal(udp->check, 0);
	uint32_t pseudo = sum_add(IPPROTO_UDP + ntohs(udp->len), &ip->saddr, 8);
	assert_int_equal(sum_add(pseudo, udp, length - 20), 0xffff);
	close(fd);
	attach_close(&control);
	kill(process, SIGTERM);
	assert_int_equal(binary_status(process), 0);
	process = 0;
	assert_non_null(strstr(report_read(), "{\"conservation\":0,"));
}

/* CPU time of the thread that DPDK calls rte-worker-1. */
static struct timespec worker_cpu_time(pid_t pid)
{
	struct timespec time = {0};
	char path[64], name[32] = "";
	unsigned long long ns = 0;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	DIR *tasks = opendir(path);
	assert_non_null(tasks);
	for (struct dirent *task;
		strncmp(name, "rte-worker", 10) != 0 && (task = readdir(tasks));) {
		char file[sizeof(task->d_name) + 80];
		snprintf(file, sizeof(file), "/proc/%d/task/%s/comm", pid, task->d_name);
		FILE *in = fopen(file, "r");
		if (!in)
			continue;
		if (!fgets(name, sizeof(name), in))
			name[0] = '\0';
		fclose(in);
		snprintf(file, sizeof(file), "/proc/%d/task/%s/schedstat", pid, task->d_name);
		in = fopen(file, "r");
		if (in && fscanf(in, "%llu", &ns) != 1)
			ns = 0;
		if (in)
			fclose(in);
	}
	closedir(tasks);
	assert_int_equal(strncmp(name, "rte-worker", 10), 0);
	time.tv_sec = (time_t)(ns / CLOCK_NS_PER_S);
	time.tv_nsec = (long)(ns % CLOCK_NS_PER_S);
	return time;
}

/* All three of the same moment: this thread may be taken off between two of them. */
static void rest_read(const volatile struct worker_counters *worker, uint64_t *sleeps,
	uint64_t *bursts, uint64_t *slept_ns)
{
	do {
		*sleeps = worker->sleeps;
		*bursts = worker->bursts;
		*slept_ns = worker->slept_ns;
	} while (*sleeps != worker->sleeps);
}

static void a_worker_without_traffic_sleeps(void **state)
{
	struct attachment control;
	uint64_t deadline = now_ms() + DEADLINE_MS;

	configuration_write("{ name = \"a\"; device = \"net_ring0\"; }");
	process = binary_start("--exit-report");
	attach(&control);
	while (control.worker_counters[0].sleeps < 200) {
		if (now_ms() > deadline)
			fail_msg("the worker does not sleep");
		poll(NULL, 0, 5);
	}
	// Nothing comes in, so by now it makes one turn a sleep, and every sleep is the longest.
	const volatile struct worker_counters *worker = control.worker_counters;
	struct timespec before = worker_cpu_time(process), after;
	uint64_t sleeps, bursts, slept_ns;
	rest_read(worker, &sleeps, &bursts, &slept_ns);
	uint64_t start_ms = now_ms();
	while (worker->sleeps < sleeps + 500) {
		if (now_ms() > deadline)
			fail_msg("the worker does not sleep any more");
		poll(NULL, 0, 5);
	}
	after = worker_cpu_time(process);
	uint64_t took_ms = now_ms() - start_ms, sleeps_after, turns_after, slept_after_ns;
	rest_read(worker, &sleeps_after, &turns_after, &slept_after_ns);
	uint64_t turns = turns_after - bursts;
	slept_ns = slept_after_ns - slept_ns;
	sleeps = sleeps_after - sleeps;
	assert_in_range(turns, sleeps - 2, sleeps + 2);
	assert_in_range(slept_ns / 2000000, sleeps - 2, sleeps + 2);
	// The very figure, generously: a slow machine's wake-ups cost more, but take as much
	// longer.
	double used_ms = (double)(after.tv_sec - before.tv_sec) * 1e3 +
			 (double)(after.tv_nsec - before.tv_nsec) / 1e6;
	print_message("# an idle worker used %.2f %% of a core\n", 100 * used_ms / (double)took_ms);
	assert_true(used_ms < 0.05 * (double)took_ms);
	attach_close(&control);
	kill(process, SIGTERM);
	assert_int_equal(binary_status(process), 0);
	process = 0;
}

static void bad_settings_exit_78(void **state)
{
	FILE *out = fopen(configuration, "w");

	fputs("dataplane = { workrs = 1; };\n", out);
	fclose(out);
	process = binary_start(NULL);
	assert_int_equal(binary_status(process), 78);
	configuration_write("{ name = \"a\"; device = \"net_nonsense0\"; }");
	process = binary_start(NULL);
	assert_int_equal(binary_status(process), 71);
	process = 0;
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(bad_settings_exit_78), T(commands_are_applied_and_control_may_die),
		T(injected_frame_is_sent), T(a_worker_without_traffic_sleeps),
		T(a_device_finishes_checksums), // last: it moves to another namespace
	};
	assert_int_equal(argc, 2);
	binary = argv[1];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
