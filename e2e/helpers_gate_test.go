package e2e

import (
	"context"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// gate stands before a cluster's API server. Who comes through it can be stopped at a chosen request: before it arrives,
// after it was done but not answered, or right after the answer. It can also be shut, as if the cluster were unreachable.
type gate struct {
	server *httptest.Server
	proxy  *httputil.ReverseProxy

	mu   sync.Mutex
	stop *stop
	shut bool
}

// stop is what happens at one request, once.
type stop struct {
	method, path string // parts of the request
	when         moment
	do           func()
}

type moment int

const (
	beforeArrival moment = iota // the request is lost
	beforeAnswer                // the answer is lost
	afterAnswer                 // nothing is lost
	whileUnderWay               // nothing is lost, but it takes longer
)

func givenGate(t *testing.T, to *cluster) *gate {
	t.Helper()
	transport, err := rest.TransportFor(to.config)
	require.NoError(t, err)
	backend, err := url.Parse(to.config.Host)
	require.NoError(t, err)
	g := &gate{proxy: &httputil.ReverseProxy{
		Transport: transport, FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(backend)
			r.Out.Header.Del("Authorization") // the administrator's certificate counts
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}}
	g.server = httptest.NewUnstartedServer(g)
	g.server.EnableHTTP2 = true
	g.server.Config.ErrorLog = log.New(io.Discard, "", 0) // each stop is one
	g.server.StartTLS()
	t.Cleanup(func() {
		g.server.CloseClientConnections()
		g.server.Close()
	})
	return g
}

// ServeHTTP passes a request on, unless the gate is shut or the request is the one to stop at.
func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	at, shut := g.take(r)
	if shut {
		panic(http.ErrAbortHandler)
	}
	if at == nil {
		g.proxy.ServeHTTP(w, r)
		return
	}
	switch at.when {
	case beforeArrival:
		at.do()
		panic(http.ErrAbortHandler)
	case beforeAnswer:
		g.proxy.ServeHTTP(httptest.NewRecorder(), r.WithContext(context.WithoutCancel(r.Context())))
		at.do()
		panic(http.ErrAbortHandler)
	case whileUnderWay:
		at.do()
		g.proxy.ServeHTTP(w, r)
	default:
		g.proxy.ServeHTTP(w, r)
		_ = http.NewResponseController(w).Flush() // the controller may be gone already
		at.do()
	}
}

func (g *gate) take(r *http.Request) (*stop, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	at := g.stop
	if at == nil || r.Method != at.method || !strings.Contains(r.URL.Path, at.path) {
		return nil, g.shut
	}
	g.stop = nil
	return at, g.shut
}

// stopAt arms the gate for one request.
func (g *gate) stopAt(at stop) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.stop = &at
}

// setShut shuts the gate, also for what has come through it, or opens it.
func (g *gate) setShut(shut bool) {
	g.mu.Lock()
	g.shut = shut
	g.mu.Unlock()
	if shut {
		g.server.CloseClientConnections()
	}
}

// kubeconfig leads through the gate.
func (g *gate) kubeconfig(t *testing.T) []byte {
	t.Helper()
	config := clientcmdapi.NewConfig()
	config.Clusters["gate"] = &clientcmdapi.Cluster{Server: g.server.URL,
		CertificateAuthorityData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: g.server.Certificate().Raw})}
	config.AuthInfos["anybody"] = &clientcmdapi.AuthInfo{Token: "anybody"}
	config.Contexts["gate"] = &clientcmdapi.Context{Cluster: "gate", AuthInfo: "anybody"}
	config.CurrentContext = "gate"
	data, err := clientcmd.Write(*config)
	require.NoError(t, err)
	return data
}

// kubeconfigFile is the kubeconfig in a file.
func (g *gate) kubeconfigFile(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "kubeconfig")
	require.NoError(t, os.WriteFile(file, g.kubeconfig(t), 0o600))
	return file
}
