"""The gateway on vhost-user ports, as a virtual switch has them; the generators are behind virtio-user, as in a container or a guest."""
from ports_bed import *  # noqa: F403


class VirtioBed(PortsBed):
	def gateway_devices(self):
		# vhost listens: generators may come and go.
		return {name: f"net_vhost{i},iface={self.path(f'vhost{i}.sock')}" for i, name in enumerate(("left", "right"))}

	def tester_devices(self):
		return [f"--vdev=net_virtio_user{i},path={self.path(f'vhost{i}.sock')},queue_size=1024" for i in range(2)]


main(VirtioBed)
