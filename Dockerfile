# homeport on Debian 12, by the same scripts that a clone uses.
#   docker build -t homeport .
#   docker run --rm --privileged homeport scripts/demo       namespaces and TAPs need --privileged
#   docker run --rm --privileged homeport scripts/check
FROM debian:bookworm
WORKDIR /homeport
COPY scripts/lib/install scripts/lib/install
RUN apt-get update && bash scripts/lib/install build check demo bench && rm -rf /var/lib/apt/lists/*
COPY . .
RUN scripts/lib/build build -Dbuildtype=release -Dtests=disabled
ENV PATH=/homeport/build/dataplane:/homeport/build/control:/homeport/build/control/ctl:/homeport/build/pktgen/mobile_node:$PATH
CMD ["scripts/demo"]
