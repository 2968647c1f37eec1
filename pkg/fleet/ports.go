package fleet

import (
	"fmt"
	"net"
	"strconv"
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

// freePorts returns n different ports that nobody listens on. All are held until the last is found: the kernel may hand
// out again what was just given back.
func freePorts(n int) ([]int, error) {
	free := make([]int, 0, n)
	for range n {
		l, err := net.Listen("tcp", address(0))
		if err != nil {
			return nil, fmt.Errorf("finding a free port: %w", err)
		}
		defer func() { _ = l.Close() }()
		free = append(free, l.Addr().(*net.TCPAddr).Port)
	}
	return free, nil
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
