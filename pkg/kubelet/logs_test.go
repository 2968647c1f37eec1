package kubelet

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/rest"
)

const logPath = "/containerLogs/shop/web/app"

func TestALogRequestBecomesTheTargets(t *testing.T) {
	tests := map[string]struct {
		query string
		want  url.Values
	}{
		"the container of the path goes into the query": {"", url.Values{}},
		"every parameter goes on": {
			"follow=true&tailLines=0&sinceSeconds=5&previous=true&timestamps=true&limitBytes=7&stream=Stderr",
			url.Values{"follow": {"true"}, "tailLines": {"0"}, "sinceSeconds": {"5"}, "previous": {"true"},
				"timestamps": {"true"}, "limitBytes": {"7"}, "stream": {"Stderr"}},
		},
		"a point in time goes on": {
			"sinceTime=2026-01-02T03:04:05Z", url.Values{"sinceTime": {"2026-01-02T03:04:05Z"}},
		},
		"both streams are the default, which old targets refuse": {"stream=All", url.Values{}},
		"another container of the query does not":                {"container=other", url.Values{}},
		"what the target's API server alone knows does not":      {"insecureSkipTLSVerifyBackend=true", url.Values{}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			asked := make(chan *http.Request, 1)
			located := newTarget(t, func(w http.ResponseWriter, r *http.Request) {
				asked <- r
				_, _ = io.WriteString(w, "line 1\nline 2\n")
			})
			address := started(t.Context(), t, fakeLocator{location: located})
			response := do(t, "admin", http.MethodGet, "https://"+address+logPath+"?"+test.query)
			assert.Equal(t, http.StatusOK, response.StatusCode)
			assert.Equal(t, "line 1\nline 2\n", bodyOf(t, response))
			assert.Equal(t, "text/plain", response.Header.Get("Content-Type"))
			got := <-asked
			test.want.Set("container", "app")
			assert.Equal(t, test.want, got.URL.Query())
			assert.Equal(t, "/clusters/c1/api/v1/namespaces/burst-shop/pods/web-1a2b3c/log", got.URL.Path)
			assert.Equal(t, []string{"Bearer " + targetToken}, got.Header.Values("Authorization"))
			assert.Empty(t, got.Header.Get("X-Forwarded-For"))
		})
	}
}

func TestAFollowedLogComesLineByLineAndEndsWithTheClient(t *testing.T) {
	next, left := make(chan string), make(chan struct{})
	located := newTarget(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		controller := http.NewResponseController(w)
		_ = controller.Flush() // the header, before any line
		for {
			select {
			case line := <-next:
				_, _ = io.WriteString(w, line)
				_ = controller.Flush()
			case <-r.Context().Done():
				return
			}
		}
	})
	address := started(t.Context(), t, fakeLocator{location: located})
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	response, err := send(ctx, "admin", http.MethodGet, "https://"+address+logPath+"?follow=true")
	require.NoError(t, err, "the header comes before the first line")
	defer response.Body.Close()
	lines := bufio.NewReader(response.Body)
	for _, line := range []string{"one\n", "two\n"} {
		next <- line
		got, err := lines.ReadString('\n') // would wait for ever if it were buffered
		require.NoError(t, err)
		assert.Equal(t, line, got)
	}
	cancel()
	within(t, left, "the target was left following")
}

func TestEndOfServeEndsAFollowedLog(t *testing.T) {
	left := make(chan struct{})
	located := newTarget(t, func(w http.ResponseWriter, r *http.Request) {
		defer close(left)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	})
	ctx, stop := context.WithCancel(t.Context())
	address := started(ctx, t, fakeLocator{location: located})
	response := do(t, "admin", http.MethodGet, "https://"+address+logPath+"?follow=true")
	stop()
	within(t, left, "the target was left following")
	_, err := io.ReadAll(response.Body)
	assert.Error(t, err)
}

func TestALogThatBreaksOffDoesNotLookWhole(t *testing.T) {
	log := &logLines{}
	located := newTarget(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half a log")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	address := started(log.context(t.Context()), t, fakeLocator{location: located})
	response := do(t, "admin", http.MethodGet, "https://"+address+logPath)
	got, err := io.ReadAll(response.Body)
	require.Error(t, err)
	assert.Equal(t, "half a log"+fmt.Sprintf(textLost, "heata", io.ErrUnexpectedEOF), string(got))
	assert.Equal(t, 1, log.count("Lost a log"))
}

func TestABigLogLosesNoByte(t *testing.T) {
	const lines = 200_000
	located := newTarget(t, func(w http.ResponseWriter, _ *http.Request) {
		for i := range lines {
			_, _ = fmt.Fprintf(w, "line %d of a log that is long enough to be cut anywhere\n", i)
		}
	})
	address := started(t.Context(), t, fakeLocator{location: located})
	scanner := bufio.NewScanner(do(t, "admin", http.MethodGet, "https://"+address+logPath).Body)
	got := 0
	for scanner.Scan() {
		require.Equal(t, fmt.Sprintf("line %d of a log that is long enough to be cut anywhere", got), scanner.Text())
		got++
	}
	require.NoError(t, scanner.Err())
	assert.Equal(t, lines, got)
}

func TestTheTargetsRefusalIsTheUsers(t *testing.T) {
	const status = `{"kind":"Status","status":"Failure","message":"container \"app\" in pod \"web-1a2b3c\" is waiting to start"}`
	tests := map[string]struct {
		code     int
		body     string
		wantCode int
		wantText string
	}{
		"a Status keeps its code, and its message names the source pod": {
			400, status, 400, `container "app" in pod "web" is waiting to start (target "heata")`,
		},
		"a text keeps its words":                        {500, "dial tcp: connection refused\n", 500, `dial tcp: connection refused (target "heata")`},
		"what only looks like a Status keeps its words": {422, `{"kind":"Other"}`, 422, `{"kind":"Other"} (target "heata")`},
		"a missing delegate stays missing":              {404, "pod not found", 404, `pod not found (target "heata")`},
		"a missing right is the target's":               {403, "pods is forbidden", 403, `pods is forbidden (target "heata")`},
		"an endless text is cut": {
			500, strings.Repeat("x", 2*maxErrorBytes), 500, strings.Repeat("x", maxErrorBytes) + ` (target "heata")`,
		},
		"a 401 would tell the user to log in, so it is explained": {401, "Unauthorized", 502,
			fmt.Sprintf(textCredentials, "heata")},
		"a redirect is not followed and not passed on": {302, "", 502, fmt.Sprintf(textUnexpected, "heata", "302 Found")},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			located := newTarget(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Location", "https://169.254.169.254/")
				w.WriteHeader(test.code)
				_, _ = io.WriteString(w, test.body)
			})
			address := started(t.Context(), t, fakeLocator{location: located})
			response := do(t, "admin", http.MethodGet, "https://"+address+logPath)
			assert.Equal(t, test.wantCode, response.StatusCode)
			assert.Equal(t, test.wantText, bodyOf(t, response))
			assert.Empty(t, response.Header.Get("Location"))
		})
	}
}

func TestAnUnreachableTargetIsNamed(t *testing.T) {
	tests := map[string]*rest.Config{
		"nobody listens":                  {Host: "https://127.0.0.1:1"},
		"the certificate is not verified": {Host: newTarget(t, http.NotFound).Config.Host},
		"the server URL is none":          {Host: "https://[::1"},
		"the CA is none":                  {Host: "https://127.0.0.1:1", TLSClientConfig: rest.TLSClientConfig{CAData: []byte("none")}},
	}
	upgrade := http.Header{"Connection": {"Upgrade"}, "Upgrade": {"SPDY/3.1"}}
	for name, config := range tests {
		t.Run(name, func(t *testing.T) {
			address := started(t.Context(), t, fakeLocator{location: Location{Target: "heata", Config: config}})
			logs := do(t, "admin", http.MethodGet, "https://"+address+logPath)
			assert.Equal(t, http.StatusBadGateway, logs.StatusCode)
			assert.Contains(t, bodyOf(t, logs), "see `kubectl describe target heata`")
			exec, _, _ := upgraded(t, address, http.MethodPost, execPath, upgrade.Clone())
			assert.Equal(t, http.StatusBadGateway, exec.StatusCode)
			assert.Contains(t, bodyOf(t, exec), "see `kubectl describe target heata`")
		})
	}
}

func within(t *testing.T, done <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(deadline):
		t.Fatal(otherwise)
	}
}
