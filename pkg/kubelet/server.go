package kubelet

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

// Options of a Server; all but Address and Ports are needed.
type Options struct {
	// NodeName is the virtual node's: one server serves one node, because the paths of the kubelet API do not name it.
	NodeName string
	// Address to listen on; every address of the machine when empty.
	Address string
	// Ports of which the first free one is taken; any free one when there are none.
	Ports utilnet.PortRange
	// Certificates gives the serving certificate; see Serving.
	Certificates func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	Auth         Auth
	Locator      Locator
	Usage        Usage
}

// Server serves the kubelet API of one virtual node.
type Server struct {
	options  Options
	limits   limits
	listener net.Listener
}

// limits are a real kubelet's, but for that of a header, which it lacks. Upgraded streams have none here: the target's
// kubelet ends those that are idle, after four hours unless it is told otherwise.
type limits struct{ header, request, idle time.Duration }

const (
	headerTimeout  = 10 * time.Second // also bounds the TLS handshake
	requestTimeout = 4 * time.Hour    // of a log, too
	idleTimeout    = 90 * time.Second // between two requests
	maxHeaderBytes = 1 << 20
)

// New returns a server that does not listen yet. It fails when a needed option is missing.
func New(o Options) (*Server, error) {
	if o.NodeName == "" || o.Certificates == nil || o.Auth == nil || o.Locator == nil || o.Usage == nil {
		return nil, errors.New("a kubelet API needs NodeName, Certificates, Auth, Locator and Usage")
	}
	return &Server{options: o, limits: limits{headerTimeout, requestTimeout, idleTimeout}}, nil
}

// Listen takes a port, so that the Node object can carry it before Serve is called. Its errors are those of net.Listen.
func (s *Server) Listen() (net.Addr, error) {
	ports := s.options.Ports
	for port := ports.Base; ; port++ {
		listener, err := net.Listen("tcp", net.JoinHostPort(s.options.Address, strconv.Itoa(port)))
		switch {
		case err == nil:
			s.listener = listener
			return listener.Addr(), nil
		case !errors.Is(err, syscall.EADDRINUSE):
			return nil, fmt.Errorf("listening for the kubelet API of %s: %w", s.options.NodeName, err)
		case !ports.Contains(port + 1):
			return nil, fmt.Errorf("listening for the kubelet API of %s: none of the ports %s is free: give more of them: %w", s.options.NodeName, ports, err)
		}
	}
}

// Serve answers requests until ctx is done; then it ends every stream and returns nil. Call Listen first.
func (s *Server) Serve(ctx context.Context) error {
	if s.listener == nil {
		return fmt.Errorf("serving the kubelet API of %s: Listen was not called", s.options.NodeName)
	}
	log := logr.FromContextOrDiscard(ctx).WithValues("node", s.options.NodeName)
	server := s.httpServer(logr.NewContext(ctx, log))
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	log.Info("Started the kubelet API", "address", s.listener.Addr().String())
	if err := server.ServeTLS(s.listener, "", ""); ctx.Err() == nil {
		return fmt.Errorf("serving the kubelet API of %s: %w", s.options.NodeName, err)
	}
	return nil
}

func (s *Server) httpServer(ctx context.Context) *http.Server {
	return &http.Server{
		Handler:     s.handler(),
		BaseContext: func(net.Listener) context.Context { return ctx }, // ends logs and upgraded streams with Serve
		TLSConfig: &tls.Config{
			MinVersion:     tls.VersionTLS12,
			GetCertificate: s.options.Certificates,
			ClientAuth:     tls.RequestClientCert, // verified by Auth: bearer tokens come without one
		},
		ErrorLog:          quietLog(logr.FromContextOrDiscard(ctx)),
		ReadHeaderTimeout: s.limits.header,
		ReadTimeout:       s.limits.request,
		WriteTimeout:      s.limits.request,
		IdleTimeout:       s.limits.idle,
		MaxHeaderBytes:    maxHeaderBytes,
		// net/http would answer "OPTIONS *" by itself, before authentication.
		DisableGeneralOptionsHandler: true,
	}
}
