package kubelet

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/proxy"
	"k8s.io/client-go/rest"
)

// Location says where a source pod really runs.
type Location struct {
	// Target is the Target's name, for messages.
	Target string
	// Config connects to the target's API server; it is only read.
	Config *rest.Config
	// Namespace and Pod are the delegate's.
	Namespace, Pod string
	// UID is the delegate's.
	UID types.UID
	// SourceUID is the source pod's; kubelet paths may name it.
	SourceUID types.UID
}

// Locator finds the delegates of source pods from what is cached: it never waits on the network.
type Locator interface {
	// Locate returns where the source pod's delegate runs. It is an API error NotFound when the pod is not on the node or
	// has no delegate yet, and also when the delegate of this name no longer has the UID that is mirrored: a target's API
	// takes no UID precondition for logs and exec, so this check keeps us away from a stranger's pod. Any other
	// API error gives its own code, other errors 500; their text is what the user reads.
	Locate(ctx context.Context, nodeName, namespace, pod string) (Location, error)
	// Confirm asks the target whether the delegate still is the pod of that name: what is cached may be a moment old, and
	// whoever may write there could have put another pod in its place.
	Confirm(ctx context.Context, at Location) (bool, error)
	// Pods returns the source pods on the node. They are only read.
	Pods(nodeName string) []*corev1.Pod
}

const (
	connectTimeout   = 10 * time.Second
	handshakeTimeout = 10 * time.Second
)

// url is the address of the delegate's subresource.
func (l Location) url(subresource string, query url.Values) (*url.URL, error) {
	server, _, err := rest.DefaultServerUrlFor(l.Config)
	if err != nil {
		return nil, fmt.Errorf("reading the server URL of target %s: %w", l.Target, err)
	}
	// JoinPath keeps a path in the server's URL: gateways serve many clusters behind one host.
	address := server.JoinPath("api/v1/namespaces", l.Namespace, "pods", l.Pod, subresource)
	address.RawQuery = query.Encode()
	return address, nil
}

// roundTripper authenticates to the target and connects for one request.
func (l Location) roundTripper(ctx context.Context) (http.RoundTripper, error) {
	connection, err := l.connection(ctx)
	if err != nil {
		return nil, err
	}
	return rest.HTTPWrappersForConfig(l.Config, connection)
}

// upgrader is roundTripper for a request that takes its connection over.
func (l Location) upgrader(ctx context.Context) (proxy.UpgradeRequestRoundTripper, error) {
	connection, err := l.connection(ctx)
	if err != nil {
		return nil, err
	}
	// The proxy writes the request onto the connection by itself, so the wrappers only get to set their headers.
	headers, err := rest.HTTPWrappersForConfig(l.Config, proxy.MirrorRequest)
	if err != nil {
		return nil, fmt.Errorf("authenticating to target %s: %w", l.Target, err)
	}
	return proxy.NewUpgradeRequestRoundTripper(connection, headers), nil
}

// connection is a transport for one request, whose connection is closed when ctx is done. It is not shared with the
// target's watches: in one HTTP/2 connection a user's log would hold them up.
func (l Location) connection(ctx context.Context) (*http.Transport, error) {
	config, err := rest.TLSConfigFor(l.Config)
	if err != nil {
		return nil, fmt.Errorf("reading the TLS settings of target %s: %w", l.Target, err)
	}
	if config == nil { // never nil: the upgrade would take nil for "do not verify"
		config = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	config.NextProtos = []string{"http/1.1"}
	return &http.Transport{
		TLSClientConfig:     config,
		DialContext:         closedWith(ctx, l.dialer()),
		Proxy:               l.proxy(),
		TLSHandshakeTimeout: handshakeTimeout,
		DisableKeepAlives:   true,
		DisableCompression:  true, // a compressing gateway would hold back the last lines of a followed log
	}, nil
}

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

func (l Location) dialer() dialFunc {
	if l.Config.Dial != nil {
		return l.Config.Dial
	}
	return (&net.Dialer{Timeout: connectTimeout}).DialContext
}

func (l Location) proxy() func(*http.Request) (*url.URL, error) {
	if l.Config.Proxy != nil {
		return l.Config.Proxy
	}
	return http.ProxyFromEnvironment
}

// closedWith closes what it dialled when ctx is done. Without it a client that leaves while the target is silent, or a
// shutdown, would leave a stream and its process in the target behind.
func closedWith(ctx context.Context, dial dialFunc) dialFunc {
	return func(dialing context.Context, network, address string) (net.Conn, error) {
		connection, err := dial(dialing, network, address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = connection.Close() })
		}
		return connection, err
	}
}
