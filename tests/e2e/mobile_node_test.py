#!/usr/bin/python3
"""homeport-mobile-node against an independent home agent, in network namespaces (kernel stacks on both sides).

    mobile node --- router (NAT for 192.168.1.0/24) --- home agent 192.0.2.1
       198.51.100.23/24  access network A, public
       192.168.1.23/24   access network B, behind the NAT
       10.1.0.200/16     home network

usage: mobile_node_test.py PATH/homeport-mobile-node        speaks TAP; exit 77 = skipped
"""
import json
import os
import queue
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TAG = "hp-wire-%d" % os.getpid()
MN, ROUTER, AGENT = TAG + "-m", TAG + "-r", TAG + "-a"
KEY = "0123456789abcdeffedcba9876543210"
DEADLINE = 90


def sh(command, check=True):
    done = subprocess.run(command, shell=True, capture_output=True, text=True)
    if check and done.returncode:
        raise RuntimeError("%s: %s" % (command, done.stderr.strip()))
    return done


def inside(namespace, command, check=True):
    return sh("ip netns exec %s %s" % (namespace, command), check)


class Lines:
    """A process whose stdout is JSON lines; wait_for waits for one with a deadline and remembers what it read."""

    def __init__(self, namespace, arguments):
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", namespace] + arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.queue = queue.Queue()
        self.seen = []
        threading.Thread(target=self.pump, daemon=True).start()

    def pump(self):
        for line in self.process.stdout:
            self.queue.put(json.loads(line))
        self.queue.put(None)

    def wait_for(self, **wanted):
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                item = self.queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                item = None
            if item is None:
                raise AssertionError("no %s; last seen %s" % (wanted, self.seen[-4:]))
            self.seen.append(item)
            if all(item.get(k) == v for k, v in wanted.items()):
                return item

    def stop(self, how=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout=DEADLINE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()


def network_make():
    for namespace in (MN, ROUTER, AGENT):
        sh("ip netns add " + namespace)
        inside(namespace, "ip link set lo up")
    sh("ip -n %s link add access type veth peer name mn netns %s" % (MN, ROUTER))
    sh("ip -n %s link add wan type veth peer name r netns %s" % (AGENT, ROUTER))
    for namespace, device in ((MN, "access"), (ROUTER, "mn"), (ROUTER, "r"), (AGENT, "wan")):
        sh("ip -n %s link set dev %s up" % (namespace, device))
        inside(namespace, "sysctl -qw net.ipv4.conf.%s.rp_filter=0" % device)
    inside(MN, "sysctl -qw net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0")
    inside(ROUTER, "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0")
    for address in ("198.51.100.1/24", "192.168.1.1/24", "10.1.0.1/16"):
        sh("ip -n %s addr add %s dev mn" % (ROUTER, address))
    sh("ip -n %s addr add 192.0.2.254/24 dev r" % ROUTER)
    sh("ip -n %s addr add 192.0.2.1/24 dev wan" % AGENT)
    sh("ip -n %s route add default via 192.0.2.254" % AGENT)
    inside(ROUTER, "nft add table ip nat")
    inside(ROUTER, "nft add chain ip nat post '{ type nat hook postrouting priority 100 ; }'")
    inside(ROUTER, "nft add rule ip nat post ip saddr 192.168.1.0/24 oif r masquerade random")


def network_remove():
    for namespace in (MN, ROUTER, AGENT):
        sh("ip netns del " + namespace, check=False)


def move(address, gateway):
    sh("ip -n %s addr flush dev access" % MN)
    sh("ip -n %s addr add %s dev access" % (MN, address))
    sh("ip -n %s route add default via %s dev access" % (MN, gateway))


def ping(size=56, options=""):
    return inside(MN, "ping -n -c 3 -i 0.2 -W 2 -s %d %s 10.2.0.5" % (size, options), check=False).returncode == 0


class Test:
    def __init__(self, binary):
        self.binary = binary
        self.directory = tempfile.mkdtemp(prefix="hp-wire-")
        self.key = os.path.join(self.directory, "key")
        with open(self.key, "w") as file:
            file.write(KEY + "\n")
        self.running = []

    def agent(self, *options):
        agent = Lines(AGENT, ["/usr/bin/python3", os.path.join(HERE, "mobile_node_home_agent.py"), *options])
        self.running.append(agent)
        agent.wait_for(saw="ready")
        return agent

    def node(self, *options):
        node = Lines(
            MN,
            [self.binary, "--json", "--access", "access", "--home-agent", "192.0.2.1", "--home-address", "10.1.0.10",
             "--home-prefix", "10.1.0.0/16", "--key-file", self.key, *options],
        )
        self.running.append(node)
        return node

    def clean(self):
        for process in self.running:
            process.stop(signal.SIGKILL)
        self.running = []
        sh("ip -n %s addr flush dev access" % MN, check=False)

    # HA4-REG-05, HA4-NAT-03, HA4-NAT-07, HA4-NAT-20: one node's day
    def test_roams_between_public_nat_and_home(self):
        agent = self.agent()
        move("198.51.100.23/24", "198.51.100.1")
        node = self.node()
        event = node.wait_for(event="registered")
        assert event["care_of"] == "198.51.100.23" and event["udp"] is False and event["lifetime"] == 60, event
        assert agent.wait_for(saw="request")["valid"], "the home agent refused the authenticator"
        assert ping(), "no ping through IP-in-IP"
        agent.wait_for(saw="echo", form="ipip", to="10.2.0.5")

        move("192.168.1.23/24", "192.168.1.1")
        event = node.wait_for(event="registered")
        assert event["care_of"] == "192.168.1.23" and event["udp"] is True and event["keepalive"] == 30, event
        agent.wait_for(saw="echo", form="udp", to="192.0.2.1")  # the first keepalive
        node.wait_for(event="path", care_of="192.168.1.23")
        assert ping(), "no ping through UDP"
        assert ping(1440, "-M do"), "a full inner packet (1468) does not pass with DF"
        assert not ping(1441, "-M do"), "the TUN MTU is not 1468"

        node.process.send_signal(signal.SIGUSR1)
        node.wait_for(event="refreshed", udp=True)

        move("10.1.0.200/16", "10.1.0.1")
        node.wait_for(event="arrived_home")
        node.wait_for(event="home", care_of="10.1.0.200")
        event = agent.wait_for(saw="request", lifetime=0)
        assert event["source"] == "10.1.0.10" and event["coa"] == "10.1.0.10" and event["tunnel"] is False, event
        assert "10.1.0.10" not in inside(MN, "ip addr show dev hp-mn0").stdout, "TUN keeps the home address at home"
        assert "10.1.0.10/16" in inside(MN, "ip addr show dev access").stdout, "home address not on the home link"
        assert "hp-mn0" not in inside(MN, "ip route").stdout, "routes into the TUN at home"

        move("198.51.100.23/24", "198.51.100.1")
        node.wait_for(event="registered", udp=False)
        assert "10.1.0.10" not in inside(MN, "ip addr show dev access").stdout
        assert ping(), "no ping after leaving home"
        node.process.send_signal(signal.SIGTERM)
        node.wait_for(event="stopped", reason="deregistered")
        assert agent.wait_for(saw="request", lifetime=0)["coa"] == "198.51.100.23"
        assert node.process.wait(timeout=DEADLINE) == 0

    # HA4-RPL-07: the home agent's clock is one hour ahead; HA4-AUTH-09: forged acceptances before the true reply
    def test_takes_over_the_clock_and_ignores_forgeries(self):
        self.agent("--clock-offset", "3600", "--forge")
        move("198.51.100.23/24", "198.51.100.1")
        node = self.node("--tunnel", "udp")
        node.wait_for(event="ignored", reason="bad_authenticator")
        node.wait_for(event="resync", code=133)
        assert node.wait_for(event="registered")["udp"] is True
        assert ping()

    # HA4-TNC-05, HA4-TNC-06
    def test_tells_a_trusted_network(self):
        self.agent("--trusted")
        move("198.51.100.23/24", "198.51.100.1")
        node = self.node()
        assert node.wait_for(event="registered")["trusted"] is True
        assert node.wait_for(event="network")["trusted"] is True

    # RFC 5944 3.6.3: the second request follows the first by a second or more
    def test_asks_again_when_nobody_answers(self):
        agent = self.agent("--drop", "1")
        move("198.51.100.23/24", "198.51.100.1")
        started = time.monotonic()
        node = self.node()
        node.wait_for(event="request", attempt=2)
        assert time.monotonic() - started >= 1.0
        assert node.wait_for(event="registered")["took_ms"] >= 1000
        assert agent.process.poll() is None

    def test_refreshes_before_the_lifetime_ends(self):
        self.agent("--lifetime", "3")
        move("198.51.100.23/24", "198.51.100.1")
        node = self.node()
        node.wait_for(event="registered", lifetime=3)
        for _ in range(3):
            node.wait_for(event="refreshed", lifetime=3)
        assert not [e for e in node.seen if e["event"] == "expired"]

    # RFC 3519 4.10: the NAT forgets the mapping; keepalives stay unanswered; the node registers again
    def test_heals_a_lost_nat_mapping(self):
        agent = self.agent("--keepalive", "10")
        move("192.168.1.23/24", "192.168.1.1")
        node = self.node()
        node.wait_for(event="path")
        agent.wait_for(saw="request")
        # Another source address of the NAT: the old mapping's tunnel is a stranger to the home agent.
        sh("ip -n %s addr add 192.0.2.253/24 dev r" % ROUTER)
        try:
            inside(ROUTER, "nft flush chain ip nat post")
            inside(ROUTER, "nft add rule ip nat post ip saddr 192.168.1.0/24 oif r snat to 192.0.2.253")
            sh("ip -n %s link set r down" % ROUTER)  # masquerade mappings die with their interface
            sh("ip -n %s link set r up" % ROUTER)
            agent.wait_for(saw="stray", form="udp")
            node.wait_for(event="keepalive_lost")
            node.wait_for(event="refreshed", udp=True)
            assert agent.wait_for(saw="request")["source"] == "192.0.2.253"
            assert ping()
        finally:
            inside(ROUTER, "nft flush chain ip nat post")
            inside(ROUTER, "nft add rule ip nat post ip saddr 192.168.1.0/24 oif r masquerade random")
            sh("ip -n %s addr del 192.0.2.253/24 dev r" % ROUTER)

    def test_needs_no_more_than_net_admin(self):
        self.agent()
        move("198.51.100.23/24", "198.51.100.1")
        node = self.node("--tunnel", "udp")
        node.wait_for(event="registered")
        pid = subprocess.check_output(["ip", "netns", "pids", MN], text=True).split()[0]
        with open("/proc/%s/status" % pid) as file:
            status = dict(line.split(":\t", 1) for line in file.read().splitlines() if ":\t" in line)
        assert int(status["CapEff"], 16) == 1 << 12, status["CapEff"]  # CAP_NET_ADMIN
        assert int(status["CapPrm"], 16) == 1 << 12, status["CapPrm"]

    def run_once(self, *options):
        return subprocess.run(
            ["ip", "netns", "exec", MN, self.binary, *options], capture_output=True, text=True, timeout=120
        )

    def test_once_and_exit_codes(self):
        agent = self.agent()
        move("198.51.100.23/24", "198.51.100.1")
        who = ["--access", "access", "--home-agent", "192.0.2.1", "--home-address", "10.1.0.10"]
        done = self.run_once(*who, "--key-file", self.key, "--once")
        assert done.returncode == 0, done.stdout + done.stderr
        assert "event=registered code=0 lifetime=60 home_address=10.1.0.10 care_of=198.51.100.23" in done.stdout, done.stdout
        wrong = os.path.join(self.directory, "wrong")
        with open(wrong, "w") as file:
            file.write("ff" * 16)
        assert self.run_once(*who, "--key-file", wrong, "--once").returncode == 1
        assert agent.process.poll() is None
        with open(wrong, "w") as file:
            file.write("not hex")
        assert self.run_once(*who, "--key-file", wrong).returncode == 65
        assert self.run_once(*who, "--key-file", "/nonexistent").returncode == 66
        assert self.run_once("--access", "no-such-if", *who[2:], "--key-file", self.key).returncode == 69
        assert self.run_once(*who, "--key-file", self.key, "--lifetime", "0").returncode == 64
        done = self.run_once(*who)
        assert done.returncode == 64 and "--key-file or --key-fd is missing" in done.stderr, done.stderr
        os.chmod(self.directory, 0o755)
        done = subprocess.run(
            ["ip", "netns", "exec", MN, "setpriv", "--reuid", "65534", "--clear-groups", "--bounding-set=-all",
             self.binary, *who, "--key-file", self.key],
            capture_output=True, text=True, timeout=120,
        )
        assert done.returncode == 77 and "CAP_NET_ADMIN" in done.stderr, (done.returncode, done.stderr)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    if os.geteuid() != 0:
        print("1..0 # SKIP needs root for network namespaces")
        sys.exit(77)
    for tool in ("ip", "nft", "ping", "setpriv"):
        if not shutil.which(tool):
            print("1..0 # SKIP needs %s" % tool)
            sys.exit(77)
    if not os.path.exists("/dev/net/tun"):
        print("1..0 # SKIP needs /dev/net/tun")
        sys.exit(77)
    test = Test(os.path.abspath(sys.argv[1]))
    names = [n for n in dir(Test) if n.startswith("test_")]
    failed = 0
    print("1..%d" % len(names))
    try:
        network_make()
        for number, name in enumerate(names, 1):
            try:
                getattr(test, name)()
                print("ok %d - %s" % (number, name[5:]), flush=True)
            except Exception as error:
                failed += 1
                print("not ok %d - %s\n# %s: %s" % (number, name[5:], type(error).__name__, error), flush=True)
                for process in test.running:
                    if process.process.poll() not in (None, 0):
                        print("# stderr: %s" % process.process.stderr.read())
            finally:
                test.clean()
    finally:
        network_remove()
        shutil.rmtree(test.directory, ignore_errors=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
