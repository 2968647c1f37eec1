package kubelet

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	utilnet "k8s.io/apimachinery/pkg/util/net"
)

func TestNewNeedsEveryOption(t *testing.T) {
	_, err := New(Options{NodeName: nodeName, Locator: fakeLocator{}})
	require.Error(t, err, "a server without Auth would be open to everybody")
}

func TestListenTakesTheFirstFreePort(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer func() { _ = taken.Close() }()
	base := taken.Addr().(*net.TCPAddr).Port
	listening := func(ports string) (net.Addr, error) {
		server := &Server{options: Options{NodeName: nodeName, Address: "127.0.0.1", Ports: *utilnet.ParsePortRangeOrDie(ports)}}
		address, err := server.Listen()
		if err == nil {
			t.Cleanup(func() { _ = server.listener.Close() })
		} else {
			require.ErrorContains(t, server.Serve(t.Context()), "Listen was not called")
		}
		return address, err
	}

	first, err := listening(fmt.Sprintf("%d-%d", base, base+50))
	require.NoError(t, err)
	assert.Greater(t, first.(*net.TCPAddr).Port, base)
	assert.LessOrEqual(t, first.(*net.TCPAddr).Port, base+50)

	_, err = listening(strconv.Itoa(base))
	require.ErrorContains(t, err, fmt.Sprintf("none of the ports %d-%d is free", base, base))

	_, err = listening("")
	require.NoError(t, err, "any port will do")
}

func TestListenNamesAnAddressThatIsNotThisMachines(t *testing.T) {
	server := &Server{options: Options{NodeName: nodeName, Address: "192.0.2.77", Ports: *utilnet.ParsePortRangeOrDie("10250-10499")}}
	_, err := server.Listen()
	require.ErrorContains(t, err, "192.0.2.77:10250", "it is not tried 250 times")
}

func TestPodsListsTheSourcePodsOnTheNode(t *testing.T) {
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "source-uid"}}
	tests := map[string]struct {
		pods []*corev1.Pod
		want []corev1.Pod
	}{
		"a node with a pod lists it":                {pods: []*corev1.Pod{pod}, want: []corev1.Pod{*pod}},
		"a node without pods has an empty list too": {want: []corev1.Pod{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			address := started(t.Context(), t, fakeLocator{pods: test.pods})
			response := do(t, "only-pods", http.MethodGet, "https://"+address+"/pods")
			require.Equal(t, http.StatusOK, response.StatusCode)
			var got corev1.PodList
			require.NoError(t, json.NewDecoder(response.Body).Decode(&got))
			assert.Equal(t, corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: test.want}, got)
			assert.Equal(t, "application/json", response.Header.Get("Content-Type"))
		})
	}
}

func TestHealthzSaysOK(t *testing.T) {
	address := started(t.Context(), t, fakeLocator{})
	assert.Equal(t, "ok", bodyOf(t, do(t, "only-healthz", http.MethodGet, "https://"+address+"/healthz")))
}

func TestPodsThatCannotBeLocated(t *testing.T) {
	located := newTarget(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("connected")) })
	locator := fakeLocator{location: located, errors: map[string]error{
		"waits":  apierrors.NewServiceUnavailable("target \"heata\" is disconnected"),
		"broken": errors.New("the cache is not filled"),
	}}
	address := started(t.Context(), t, locator)
	tests := map[string]struct {
		path     string
		wantCode int
		wantText string
	}{
		"a pod that is not on the node has the kubelet's answer": {
			"/containerLogs/shop/other/app", 404, `pod "other" does not exist`,
		},
		"so it has for exec": {
			"/exec/shop/other/app", 404, `pod "other" does not exist`,
		},
		"and for port-forward": {
			"/portForward/shop/other", 404, `pod "other" does not exist`,
		},
		"a pod of another namespace is not found either": {
			"/containerLogs/bank/web/app", 404, `pod "web" does not exist`,
		},
		"a UID of an earlier pod of this name is not found": {
			"/exec/shop/web/earlier-uid/app", 404, `pod "web" does not exist`,
		},
		"nor is the delegate's UID: the path names the source pod": {
			"/attach/shop/web/delegate-uid/app", 404, `pod "web" does not exist`,
		},
		"port-forward checks the UID too": {
			"/portForward/shop/web/earlier-uid", 404, `pod "web" does not exist`,
		},
		"an API error keeps its code and text": {
			"/containerLogs/shop/waits/app", 503, `target "heata" is disconnected`,
		},
		"any other error is ours": {
			"/containerLogs/shop/broken/app", 500, "the cache is not filled",
		},
		"the UID of the source pod is let through to the upgrade": {
			"/exec/shop/web/source-uid/app", 400, "Upgrade request required",
		},
		"a request without a UID is let through, too": {
			"/exec/shop/web/app", 400, "Upgrade request required",
		},
		"a node's own metrics are not served, which is said to who may see them": {
			"/metrics", 404, "404 page not found\n",
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			response := do(t, "admin", http.MethodGet, "https://"+address+test.path)
			assert.Equal(t, test.wantCode, response.StatusCode)
			assert.Equal(t, test.wantText, bodyOf(t, response))
		})
	}
}

func TestAPanicCutsItsOwnConnectionOnly(t *testing.T) {
	log := &logLines{}
	address := started(log.context(t.Context()), t, fakeLocator{})
	_, err := send(t.Context(), "admin", http.MethodGet, "https://"+address+"/containerLogs/shop/panics/app")
	require.Error(t, err)
	assert.Equal(t, 1, log.count("a locator's mistake"))
	assert.Equal(t, http.StatusOK, do(t, "admin", http.MethodGet, "https://"+address+"/healthz").StatusCode)
}

func TestGarbageIsClosedAndLoggedOnce(t *testing.T) {
	tests := map[string]string{
		"bytes that are no TLS are closed":                  "\x00\x01garbage\n\n",
		"plain HTTP is closed":                              "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
		"a TLS record that lies about its length is closed": "\x16\x03\x01\xff\xff" + strings.Repeat("x", 70_000),
	}
	for name, garbage := range tests {
		t.Run(name, func(t *testing.T) {
			log, details := &logLines{}, &logLines{}
			address := started(log.at(t.Context(), 0), t, fakeLocator{})
			detailed := started(details.context(t.Context()), t, fakeLocator{})
			throw(t, address, garbage)
			throw(t, detailed, garbage)
			before := runtime.NumGoroutine()
			for range 19 {
				throw(t, address, garbage)
				throw(t, detailed, garbage)
			}
			require.Eventually(t, func() bool { return details.count("TLS handshake error") == 20 }, deadline, time.Millisecond)
			assert.Equal(t, 1, log.count("TLS handshake error"), "a port scanner must not fill the log")
			for end := time.Now().Add(3 * deadline); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
				require.True(t, time.Now().Before(end), "something was left") // not Eventually, which runs goroutines
			}
			assert.Equal(t, http.StatusOK, do(t, "admin", http.MethodGet, "https://"+address+"/healthz").StatusCode)
		})
	}
}

// throw sends garbage and waits until the connection is closed.
func throw(t *testing.T, address, garbage string) {
	t.Helper()
	connection, err := net.Dial("tcp", address)
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(deadline)))
	_, _ = connection.Write([]byte(garbage)) // may be closed before all of it is taken
	for err == nil {
		_, err = connection.Read(make([]byte, 1024))
	}
	var timeout net.Error
	require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the connection stayed open")
}

func TestOldTLSIsRefused(t *testing.T) {
	address := started(t.Context(), t, fakeLocator{})
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	_, err := tls.Dial("tcp", address, old)
	require.ErrorContains(t, err, "protocol version")
}

func TestOptionsStarIsNotAnsweredToStrangers(t *testing.T) {
	address := started(t.Context(), t, fakeLocator{})
	connection, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true})
	require.NoError(t, err)
	defer connection.Close()
	require.NoError(t, connection.SetDeadline(time.Now().Add(deadline)))
	_, err = fmt.Fprintf(connection, "OPTIONS * HTTP/1.1\r\nHost: %s\r\n\r\n", address)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, response.StatusCode)
}

// logLines collects what is logged, at every level.
type logLines struct {
	mu    sync.Mutex
	lines []string
}

func (l *logLines) context(ctx context.Context) context.Context { return l.at(ctx, 1) }

func (l *logLines) at(ctx context.Context, verbosity int) context.Context {
	return logr.NewContext(ctx, funcr.New(func(_, line string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.lines = append(l.lines, line)
	}, funcr.Options{Verbosity: verbosity}))
}

func (l *logLines) count(part string) (n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.lines {
		if strings.Contains(line, part) {
			n++
		}
	}
	return n
}
