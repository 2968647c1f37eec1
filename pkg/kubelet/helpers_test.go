package kubelet

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/pem"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/client-go/rest"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

const (
	nodeName    = "spillway-heata"
	targetToken = "token-for-the-target"
	deadline    = 10 * time.Second
)

// fakeAuth knows callers by their bearer token and allows admin everything.
type fakeAuth struct {
	mu    sync.Mutex
	asked []authorizer.Attributes
}

func (f *fakeAuth) AuthenticateRequest(r *http.Request) (*authenticator.Response, bool, error) {
	switch name := r.Header.Get("Authorization"); name {
	case "":
		return nil, false, nil
	case "Bearer broken":
		return &authenticator.Response{User: &user.DefaultInfo{Name: "admin"}}, true, io.ErrUnexpectedEOF
	default:
		return &authenticator.Response{User: &user.DefaultInfo{Name: name[len("Bearer "):]}}, true, nil
	}
}

func (f *fakeAuth) Authorize(_ context.Context, a authorizer.Attributes) (authorizer.Decision, string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, a)
	switch {
	case a.GetUser().GetName() == "admin", a.GetUser().GetName() == "only-"+a.GetSubresource():
		return authorizer.DecisionAllow, "", nil
	case a.GetUser().GetName() == "unlucky":
		return authorizer.DecisionNoOpinion, "", io.ErrUnexpectedEOF
	default:
		return authorizer.DecisionNoOpinion, "", nil
	}
}

// fakeLocator knows the pod shop/web, and gives errors by the name of the pod.
type fakeLocator struct {
	location Location
	errors   map[string]error
	pods     []*corev1.Pod
	// confirm is what the target says of the delegate; that all is well when nil.
	confirm func() (bool, error)
}

func (f fakeLocator) Confirm(context.Context, Location) (bool, error) {
	if f.confirm == nil {
		return true, nil
	}
	return f.confirm()
}

func (f fakeLocator) Pods(string) []*corev1.Pod { return f.pods }

func (f fakeLocator) Locate(_ context.Context, node, namespace, pod string) (Location, error) {
	if pod == "panics" {
		panic("a locator's mistake")
	}
	if err := f.errors[pod]; err != nil {
		return Location{}, err
	}
	if node != nodeName || namespace != "shop" || pod != "web" {
		return Location{}, apierrors.NewNotFound(corev1.Resource("pods"), pod)
	}
	return f.location, nil
}

// fakeUsage tells the same figures whenever it is asked.
type fakeUsage struct {
	summary stats.Summary
	err     error
}

func (f fakeUsage) Summary(context.Context, bool) (*stats.Summary, error) { return &f.summary, f.err }

// newTarget is an API server of a target that answers with handle, and the location of a delegate in it.
func newTarget(t *testing.T, handle http.HandlerFunc) Location {
	t.Helper()
	server := httptest.NewUnstartedServer(handle)
	server.EnableHTTP2 = true // as a real API server
	server.StartTLS()
	t.Cleanup(func() {
		server.CloseClientConnections() // a failing test must not wait for a handler that nobody ends
		server.Close()
	})
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	config := &rest.Config{Host: server.URL + "/clusters/c1", BearerToken: targetToken,
		TLSClientConfig: rest.TLSClientConfig{CAData: ca}}
	return Location{Target: "heata", Config: config, Namespace: "burst-shop", Pod: "web-1a2b3c",
		UID: "delegate-uid", SourceUID: "source-uid"}
}

// started serves the API of nodeName until the test ends or ctx is done, and returns its host and port.
func started(ctx context.Context, t *testing.T, locator Locator) string {
	t.Helper()
	return serve(ctx, t, newServer(ctx, t, locator))
}

func newServer(ctx context.Context, t *testing.T, locator Locator) *Server {
	t.Helper()
	serving, err := NewServing(ctx, ServingOptions{NodeName: nodeName})
	require.NoError(t, err)
	server, err := New(Options{NodeName: nodeName, Address: "127.0.0.1", Certificates: serving.Certificate,
		Auth: &fakeAuth{}, Locator: locator, Usage: fakeUsage{}})
	require.NoError(t, err)
	return server
}

func serve(ctx context.Context, t *testing.T, server *Server) string {
	t.Helper()
	address, err := server.Listen()
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-served)
	})
	return address.String()
}

// do sends a request of the user, or of nobody when user is empty. It fails the test when there is no answer.
func do(t *testing.T, user, method, url string) *http.Response {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	t.Cleanup(cancel)
	response, err := send(ctx, user, method, url)
	require.NoError(t, err)
	t.Cleanup(func() { _ = response.Body.Close() })
	return response
}

func send(ctx context.Context, user, method, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, method, url, nil)
	if err != nil {
		return nil, err
	}
	if user != "" {
		request.Header.Set("Authorization", "Bearer "+user)
	}
	return insecureClient(true).Do(request)
}

// sendUpgrade sends admin's request for an upgrade.
func sendUpgrade(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return nil, err
	}
	request.Header = http.Header{"Authorization": {"Bearer admin"}, "Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}
	return insecureClient(false).Do(request)
}

func insecureClient(http2 bool) *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, ForceAttemptHTTP2: http2,
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
}

func bodyOf(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return string(body)
}

// upgraded sends a raw request as admin and returns the answer and the connection.
func upgraded(t *testing.T, address, method, path string, header http.Header) (
	*http.Response, *bufio.ReadWriter, *tls.Conn) {
	t.Helper()
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"http/1.1"}})
	require.NoError(t, err)
	t.Cleanup(func() { _ = connection.Close() })
	require.NoError(t, connection.SetDeadline(time.Now().Add(deadline)))
	request := httptest.NewRequest(method, "https://"+address+path, nil)
	request.Header = header
	request.Header.Set("Authorization", "Bearer admin")
	require.NoError(t, request.Write(connection))
	stream := bufio.NewReadWriter(bufio.NewReader(connection), bufio.NewWriter(connection))
	response, err := http.ReadResponse(stream.Reader, request)
	require.NoError(t, err)
	return response, stream, connection
}

// answerOf is what the handler says to a GET of admin.
func answerOf(t *testing.T, handler http.Handler, path string) (code int, body string) {
	t.Helper()
	request := httptest.NewRequest(http.MethodGet, path, nil)
	request.Header.Set("Authorization", "Bearer admin")
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, request)
	return answer.Code, answer.Body.String()
}
