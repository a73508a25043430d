"""The gateway on memif ports, driven by homeport-pktgen and by testpmd: shared memory and a UNIX socket, no kernel in between."""
from ports_bed import *  # noqa: F403


class MemifBed(PortsBed):
	def device(self, index, role):
		return f"net_memif{index},role={role},id={index},socket={self.path('memif.sock')},socket-abstract=no"

	def gateway_devices(self):
		return {"left": self.device(0, "server"), "right": self.device(1, "server")}

	def tester_devices(self):
		return [f"--vdev={self.device(0, 'client')}", f"--vdev={self.device(1, 'client')}"]


main(MemifBed)
