package fleet

import (
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
)

// network is a real node's: a /22 of addresses that nothing else on this machine uses. Of its four /24 the first joins the
// machine and the node, the second is the pods', and the third and fourth are the Services'. The zero network is that of
// clusters without a real node: everything listens on 127.0.0.1.
type network struct {
	Prefix netip.Prefix `json:"prefix,omitzero"`
}

const (
	networks        = 64
	defaultServices = "10.96.0.0/16"
)

// pickNetwork returns a network that no interface of this machine is in. It is claimed when the node's interface is made.
func pickNetwork() (network, error) {
	taken, err := net.InterfaceAddrs()
	if err != nil {
		return network{}, fmt.Errorf("reading this machine's addresses: %w", err)
	}
	for _, i := range rand.Perm(networks) {
		prefix := netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 201, byte(4 * i), 0}), 22)
		if isFree(prefix, taken) {
			if _, given := given.LoadOrStore(prefix, true); !given {
				return network{prefix}, nil
			}
		}
	}
	return network{}, fmt.Errorf("finding a free network: this machine has addresses in all of 10.201.0.0/16")
}

func isFree(prefix netip.Prefix, taken []net.Addr) bool {
	for _, addr := range taken {
		if other, err := netip.ParsePrefix(addr.String()); err == nil && prefix.Overlaps(other.Masked()) {
			return false
		}
	}
	return true
}

// host is the machine's address, which the cluster's API server listens on; pods reach it.
func (n network) host() string {
	if !n.Prefix.IsValid() {
		return loopback
	}
	return n.address(0, 1).String()
}

func (n network) nodeIP() string { return n.address(0, 2).String() }
func (n network) pods() string   { return netip.PrefixFrom(n.address(1, 0), 24).String() }

func (n network) services() string {
	if !n.Prefix.IsValid() {
		return defaultServices
	}
	return netip.PrefixFrom(n.address(2, 0), 23).String()
}

// serviceIP is the first of the Services' addresses: the API server's own.
func (n network) serviceIP() string { return n.service(1) }

// dns is where a cluster's DNS server is by custom; a fleet has none.
func (n network) dns() string { return n.service(10) }

func (n network) service(i byte) string {
	ip := netip.MustParsePrefix(n.services()).Addr().As4()
	ip[3] = i
	return netip.AddrFrom4(ip).String()
}

// at is where a port of the API server is.
func (n network) at(port int) string { return net.JoinHostPort(n.host(), strconv.Itoa(port)) }

func (n network) address(part, i byte) netip.Addr {
	ip := n.Prefix.Addr().As4()
	ip[2] += part
	ip[3] = i
	return netip.AddrFrom4(ip)
}
