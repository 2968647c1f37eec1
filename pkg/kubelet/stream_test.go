package kubelet

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

const execPath = "/exec/shop/web/app"

// switching is a target's API server that upgrades every request, tells what was asked and hands the connection over.
func switching(t *testing.T) (Location, <-chan *http.Request, <-chan net.Conn) {
	t.Helper()
	asked, connections := make(chan *http.Request, 1), make(chan net.Conn, 1)
	return newTarget(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "Upgrade")
		w.Header().Set("Upgrade", r.Header.Get("Upgrade"))
		w.WriteHeader(http.StatusSwitchingProtocols)
		connection, _, err := http.NewResponseController(w).Hijack()
		if assert.NoError(t, err) {
			t.Cleanup(func() { _ = connection.Close() })
			asked <- r
			connections <- connection
		}
	}), asked, connections
}

func TestAStreamRequestBecomesTheTargets(t *testing.T) {
	token := tokenProtocol + base64.RawURLEncoding.EncodeToString([]byte("admin"))
	spdy := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"},
		"X-Stream-Protocol-Version": {"v5.channel.k8s.io", "v4.channel.k8s.io"}}
	webSocket := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Key":     {"dGhlIHNhbXBsZSBub25jZQ=="},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Protocol": {"v5.channel.k8s.io, " + token}}
	passed := webSocket.Clone()
	passed.Set("Sec-Websocket-Protocol", "v5.channel.k8s.io")
	tests := map[string]struct {
		method, path     string
		header           http.Header
		wantSub          string
		wantQuery        url.Values
		wantOtherHeaders http.Header
	}{
		"exec over SPDY with a terminal": {
			"POST", execPath + "?command=sh&command=-c&command=a%26b%3Dc&input=1&output=1&tty=1", spdy, "exec",
			url.Values{"container": {"app"}, "command": {"sh", "-c", "a&b=c"}, "stdin": {"true"}, "stdout": {"true"}, "tty": {"true"}}, spdy,
		},
		"exec with a UID": {
			"POST", "/exec/shop/web/source-uid/app?command=ls&output=1&error=1", spdy, "exec",
			url.Values{"container": {"app"}, "command": {"ls"}, "stdout": {"true"}, "stderr": {"true"}}, spdy,
		},
		"what is not asked with 1 is not asked": {
			"POST", execPath + "?command=ls&input=0&output=true", spdy, "exec",
			url.Values{"container": {"app"}, "command": {"ls"}}, spdy,
		},
		"exec over WebSocket, without the caller's token": {
			"GET", execPath + "?command=ls&output=1", webSocket, "exec",
			url.Values{"container": {"app"}, "command": {"ls"}, "stdout": {"true"}}, passed,
		},
		"attach": {
			"POST", "/attach/shop/web/app?input=1&output=1", spdy, "attach",
			url.Values{"container": {"app"}, "stdin": {"true"}, "stdout": {"true"}}, spdy,
		},
		"port-forward over SPDY": {
			"POST", "/portForward/shop/web", spdy, "portforward", url.Values{}, spdy,
		},
		"port-forward over WebSocket, with ports and a UID": {
			"GET", "/portForward/shop/web/source-uid?port=80,443", webSocket, "portforward",
			url.Values{"ports": {"80,443"}}, passed,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			located, asked, _ := switching(t)
			address := started(t.Context(), t, fakeLocator{location: located})
			header := test.header.Clone()
			header.Set("Impersonate-User", "root")
			header.Set("Cookie", "session=source")
			header.Set("X-Forwarded-For", "10.0.0.1")
			response, _, _ := upgraded(t, address, test.method, test.path, header)
			assert.Equal(t, http.StatusSwitchingProtocols, response.StatusCode)
			got := <-asked
			assert.Equal(t, test.method, got.Method)
			assert.Equal(t, "/clusters/c1/api/v1/namespaces/burst-shop/pods/web-1a2b3c/"+test.wantSub, got.URL.Path)
			assert.Equal(t, test.wantQuery, got.URL.Query())
			want := test.wantOtherHeaders.Clone()
			want.Set("Authorization", "Bearer "+targetToken)
			got.Header.Del("User-Agent")
			got.Header.Del("Content-Length")
			assert.Equal(t, want, got.Header, "and nothing else of the caller's")
		})
	}
}

// execing is an exec that is running: the user's end and the target's.
func execing(ctx context.Context, t *testing.T) (*bufio.ReadWriter, net.Conn, net.Conn) {
	t.Helper()
	located, _, connections := switching(t)
	address := started(ctx, t, fakeLocator{location: located})
	header := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}
	return begin(t, address, header, connections)
}

func begin(t *testing.T, address string, header http.Header, connections <-chan net.Conn) (*bufio.ReadWriter, net.Conn, net.Conn) {
	t.Helper()
	_, stream, user := upgraded(t, address, http.MethodPost, execPath+"?command=sh&input=1&output=1", header)
	return stream, user, <-connections
}

// passes fails the test unless what is written on one side is read on the other.
func passes(t *testing.T, from io.Writer, to io.Reader) {
	t.Helper()
	const frame = "\x80\x03\x00some bytes"
	_, err := io.WriteString(from, frame)
	require.NoError(t, err)
	got := make([]byte, len(frame))
	_, err = io.ReadFull(to, got)
	require.NoError(t, err)
	assert.Equal(t, frame, string(got))
}

func TestBytesPassBothWays(t *testing.T) {
	stream, user, target := execing(t.Context(), t)
	passes(t, user, target)
	passes(t, target, stream)
}

func TestWhenOneSideEndsBothDo(t *testing.T) {
	tests := map[string]struct {
		end func(user, target net.Conn, stop func())
	}{
		"the user leaves: no process stays behind in the target": {func(user, _ net.Conn, _ func()) { _ = user.Close() }},
		"the command ends: the user's stream ends":               {func(_, target net.Conn, _ func()) { _ = target.Close() }},
		"the controller stops: nothing is left open":             {func(_, _ net.Conn, stop func()) { stop() }},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			stream, user, target := execing(ctx, t)
			ended := make(chan struct{}, 2)
			for _, side := range []io.Reader{stream, target} {
				go func() {
					_, _ = io.Copy(io.Discard, side)
					ended <- struct{}{}
				}()
			}
			test.end(user, target, stop)
			within(t, ended, "neither side ended")
			within(t, ended, "one side was left open")
		})
	}
}

func TestAClientThatLeavesASilentTargetLeavesNothing(t *testing.T) {
	asked, left := make(chan struct{}), make(chan struct{})
	located := newTarget(t, func(_ http.ResponseWriter, r *http.Request) {
		close(asked)
		<-r.Context().Done()
		close(left)
	})
	address := started(t.Context(), t, fakeLocator{location: located})
	ctx, leave := context.WithCancel(t.Context())
	go func() {
		response, err := sendUpgrade(ctx, "https://"+address+execPath)
		if err == nil {
			_ = response.Body.Close()
		}
	}()
	within(t, asked, "the target was not asked")
	leave()
	within(t, left, "the target's connection was left open")
}

func TestTheTargetsRefusalOfAStreamIsPassedOn(t *testing.T) {
	const status = `{"kind":"Status","apiVersion":"v1","metadata":{},"message":"container not found in web-1a2b3c","code":404}`
	const inWords = `{"kind":"Status","apiVersion":"v1","metadata":{},"message":"container not found in web (target \"heata\")","code":404}`
	tests := map[string]struct {
		code, wantCode int
		body, wantText string
	}{
		"a Status goes to kubectl as one, in the source's words": {404, 404, status, inWords},
		"a text keeps its words":                                 {500, 500, "container not found (\"app\")\n", `container not found ("app") (target "heata")`},
		"a 401 would tell the user to log in":                    {401, 502, "Unauthorized", fmt.Sprintf(textCredentials, "heata")},
		"an endless text is cut": {
			500, 500, strings.Repeat("x", 3*maxErrorBytes), "xxx (target \"heata\")",
		},
		"an answer that is no upgrade is ours": {200, 502, "ok", "see `kubectl describe target heata`, and try again when it is Ready"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			located := newTarget(t, func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(test.code)
				_, _ = io.WriteString(w, test.body)
			})
			address := started(t.Context(), t, fakeLocator{location: located})
			header := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}
			response, _, _ := upgraded(t, address, http.MethodPost, execPath+"?command=ls&output=1", header)
			assert.Equal(t, test.wantCode, response.StatusCode)
			body := bodyOf(t, response)
			assert.True(t, strings.HasSuffix(body, test.wantText), body)
			assert.Less(t, len(body), 2*maxErrorBytes)
		})
	}
}

func TestAStreamNeverBeginsWithAnotherPodInTheDelegatesPlace(t *testing.T) {
	tests := map[string]struct {
		confirm  func() (bool, error)
		wantCode int
		wantText string
	}{
		"another pod of its name is not connected to": {
			func() (bool, error) { return false, nil }, 404, fmt.Sprintf(textReplaced, "web", "heata"),
		},
		"neither is one of which nothing is known": {
			func() (bool, error) { return false, io.ErrUnexpectedEOF }, 502, "see `kubectl describe target heata`",
		},
		"the target's own refusal is passed on": {
			func() (bool, error) { return false, apierrors.NewForbidden(corev1.Resource("pods"), "web", nil) }, 403, "forbidden",
		},
	}
	for name, test := range tests {
		for _, path := range []string{execPath, "/attach/shop/web/app", "/portForward/shop/web"} {
			t.Run(name+": "+path, func(t *testing.T) {
				located := newTarget(t, func(http.ResponseWriter, *http.Request) { t.Error("the target was connected to") })
				address := started(t.Context(), t, fakeLocator{location: located, confirm: test.confirm})
				header := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}
				response, _, _ := upgraded(t, address, http.MethodPost, path, header)
				assert.Equal(t, test.wantCode, response.StatusCode)
				assert.Contains(t, bodyOf(t, response), test.wantText)
			})
		}
	}
}

func TestAnIdleStreamOutlivesEveryLimitOfAServer(t *testing.T) {
	assert.GreaterOrEqual(t, requestTimeout, time.Hour, "of a log, which is not upgraded")
	located, _, connections := switching(t)
	server := newServer(t.Context(), t, fakeLocator{location: located})
	server.limits = limits{header: 50 * time.Millisecond, request: 50 * time.Millisecond, idle: 50 * time.Millisecond}
	header := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}
	stream, user, target := begin(t, serve(t.Context(), t, server), header, connections)

	time.Sleep(10 * server.limits.request)

	passes(t, user, target)
	passes(t, target, stream)
}
