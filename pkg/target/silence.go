package target

import (
	"context"
	"io"
	"net/http"
	"time"

	"k8s.io/client-go/transport"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
)

// silentAfter is when a watch that brings nothing counts as dead: API servers send a bookmark every minute. A proxy on the
// way that keeps the connection but has lost the other end would else stop the news until the watch's own end, which it
// swallows as well, while the probe is still answered.
const silentAfter = 3 * time.Minute

// endSilentWatches breaks off watches that bring nothing for so long; the informers then go on from where they were.
func endSilentWatches(after time.Duration) transport.WrapperFunc {
	return func(next http.RoundTripper) http.RoundTripper { return &watchdog{next: next, after: after} }
}

type watchdog struct {
	next  http.RoundTripper
	after time.Duration
}

// RoundTrip passes everything but watches on as it is.
func (w *watchdog) RoundTrip(request *http.Request) (*http.Response, error) {
	if watch := request.URL.Query().Get("watch"); watch != "true" && watch != "1" {
		return w.next.RoundTrip(request)
	}
	ctx, cancel := context.WithCancel(request.Context())
	timer := time.AfterFunc(w.after, func() {
		ctrllog.FromContext(ctx).Info("watch was silent for too long, asking anew", "server", request.URL.Host, "path", request.URL.Path, "silent", w.after.String())
		cancel()
	})
	response, err := w.next.RoundTrip(request.WithContext(ctx))
	if err != nil {
		timer.Stop()
		cancel()
		return nil, err
	}
	response.Body = &watchBody{ReadCloser: response.Body, heard: func() { timer.Reset(w.after) }, close: func() { timer.Stop(); cancel() }}
	return response, nil
}

// watchBody tells when something was read, and when reading is over.
type watchBody struct {
	io.ReadCloser
	heard, close func()
}

func (b *watchBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if n > 0 {
		b.heard()
	}
	return n, err
}

func (b *watchBody) Close() error {
	err := b.ReadCloser.Close()
	b.close()
	return err
}
