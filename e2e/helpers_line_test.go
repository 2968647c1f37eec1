package e2e

import (
	"errors"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// line is the network between the source's controller and a cluster, which a scenario can disturb without touching either.
type line struct {
	of       *cluster
	listener net.Listener
	to       string

	gate  sync.RWMutex // held for writing while the line is frozen
	mu    sync.Mutex
	isCut bool
	conns []net.Conn
}

// givenLine lies between the controller and a cluster for whoever uses its kubeconfig.
func givenLine(t *testing.T, of *cluster) *line {
	t.Helper()
	server, err := url.Parse(of.config.Host)
	require.NoError(t, err)
	l := &line{of: of, to: server.Host}
	l.listener, err = net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	go l.accept()
	t.Cleanup(func() {
		_ = l.listener.Close()
		l.hangUp()
	})
	return l
}

// asKubeconfig lets a Target reach its cluster by the line.
func (l *line) asKubeconfig(s *space) func(spec *v1alpha1.TargetSpec) {
	s.t.Helper()
	config, err := clientcmd.Load(l.of.kubeconfig(s.t))
	require.NoError(s.t, err)
	for _, c := range config.Clusters {
		c.Server = "https://" + l.listener.Addr().String()
	}
	data, err := clientcmd.Write(*config)
	require.NoError(s.t, err)
	return func(spec *v1alpha1.TargetSpec) { spec.KubeconfigSecretRef = s.givenKubeconfig(data) }
}

// cut ends all connections and refuses new ones, as when the other side's machine is gone.
func (l *line) cut() {
	l.mu.Lock()
	l.isCut = true
	l.mu.Unlock()
	l.hangUp()
}

// mend ends cut.
func (l *line) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isCut = false
}

// freeze keeps all connections and lets nothing through, as when packets are dropped; thaw lets what waited through.
func (l *line) freeze() { l.gate.Lock() }
func (l *line) thaw()   { l.gate.Unlock() }

func (l *line) hangUp() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	l.conns = nil
}

func (l *line) accept() {
	for {
		near, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		l.connect(near)
	}
}

func (l *line) connect(near net.Conn) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.isCut {
		_ = near.Close()
		return
	}
	far, err := net.Dial("tcp", l.to)
	if err != nil {
		_ = near.Close()
		return
	}
	l.conns = append(l.conns, near, far)
	go l.pass(far, near)
	go l.pass(near, far)
}

func (l *line) pass(to, from net.Conn) {
	_, _ = io.Copy(&gated{to, &l.gate}, from) // either end may go
	_ = to.Close()
	_ = from.Close()
}

// gated writes only while the gate is open.
type gated struct {
	io.Writer
	gate *sync.RWMutex
}

func (g *gated) Write(p []byte) (int, error) {
	g.gate.RLock()
	defer g.gate.RUnlock()
	return g.Writer.Write(p)
}
