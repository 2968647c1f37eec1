package target

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// silentServer lists no pods, and keeps watches open without ever saying anything, or with a bookmark now and then.
func silentServer(t *testing.T, bookmarks time.Duration) (config *rest.Config, watches *atomic.Int32) {
	t.Helper()
	watches = &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("watch") == "" {
			_, _ = fmt.Fprint(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`)
			return
		}
		if r.URL.Query().Get("sendInitialEvents") != "" {
			http.Error(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Invalid","code":422}`, http.StatusUnprocessableEntity)
			return
		}
		watches.Add(1)
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		for {
			select {
			case <-r.Context().Done():
				return
			case <-time.After(bookmarks):
				_, _ = fmt.Fprint(w, `{"type":"BOOKMARK","object":{"kind":"Pod","apiVersion":"v1","metadata":{"resourceVersion":"2"}}}`)
				w.(http.Flusher).Flush()
			}
		}
	}))
	t.Cleanup(server.Close)
	return &rest.Config{Host: server.URL}, watches
}

func TestASilentWatchIsAskedForAnew(t *testing.T) {
	tests := map[string]struct {
		bookmarks time.Duration
		want      bool // more than one watch
	}{
		"a watch that brings nothing at all is dead": {time.Hour, true},
		"one that brings bookmarks lives":            {50 * time.Millisecond, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			config, watches := silentServer(t, test.bookmarks)
			config.Wrap(endSilentWatches(300 * time.Millisecond))
			client, err := kubernetes.NewForConfig(config)
			require.NoError(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel() // before the server's Close, which waits for its connections
			factory := informers.NewSharedInformerFactory(client, 0)
			factory.Core().V1().Pods().Informer()
			factory.Start(ctx.Done())
			if test.want {
				require.Eventually(t, func() bool { return watches.Load() > 1 }, 20*time.Second, 10*time.Millisecond)
				return
			}
			time.Sleep(time.Second)
			assert.EqualValues(t, 1, watches.Load())
		})
	}
}

func TestOnlyWatchesAreBrokenOff(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		time.Sleep(300 * time.Millisecond)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"kind":"PodList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[]}`)
	}))
	defer server.Close()
	config := &rest.Config{Host: server.URL}
	config.Wrap(endSilentWatches(50 * time.Millisecond))
	client, err := kubernetes.NewForConfig(config)
	require.NoError(t, err)
	_, err = client.CoreV1().Pods("").List(t.Context(), metav1.ListOptions{})
	assert.NoError(t, err)
}
