package fleet

import (
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"sync"
)

const loopback = "127.0.0.1"

// ports of one cluster, all on 127.0.0.1.
type ports struct {
	Etcd              int `json:"etcd"`
	EtcdPeer          int `json:"etcdPeer"`
	APIServer         int `json:"apiServer"`
	ControllerManager int `json:"controllerManager"`
	Scheduler         int `json:"scheduler"`
	Kwok              int `json:"kwok"`
}

func pickPorts() (ports, error) {
	free, err := freePorts(6)
	if err != nil {
		return ports{}, err
	}
	return ports{
		Etcd: free[0], EtcdPeer: free[1], APIServer: free[2],
		ControllerManager: free[3], Scheduler: free[4], Kwok: free[5],
	}, nil
}

// Ports are taken from below the range out of which systems give ports to outgoing connections: one of those may take a
// port between the moment it is found free and the moment a component listens on it.
const (
	lowestPort  = 20000
	highestPort = 32000
)

// given are the ports that this process has handed out: several clusters are prepared before the first one listens.
var given sync.Map

// freePorts returns n different ports that nobody listens on.
func freePorts(n int) ([]int, error) {
	free := make([]int, 0, n)
	for range highestPort - lowestPort {
		if len(free) == n {
			return free, nil
		}
		port := lowestPort + rand.IntN(highestPort-lowestPort)
		if _, taken := given.LoadOrStore(port, true); taken {
			continue
		}
		if l, err := net.Listen("tcp", address(port)); err == nil {
			_ = l.Close()
			free = append(free, port)
		}
	}
	return nil, fmt.Errorf("finding a free port: none of %d to %d is", lowestPort, highestPort)
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
