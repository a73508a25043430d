/* What the node may do once its sockets and its TUN device are open. */
#ifndef PKTGEN_MOBILE_NODE_PRIVILEGES_H
#define PKTGEN_MOBILE_NODE_PRIVILEGES_H

/* From here on the process can configure its interfaces and nothing else that root could. 0 or
 * -errno. */
int privileges_drop(void);

#endif
