package kubelet

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/go-logr/logr"
)

// logParameters have the same name in the kubelet's query and in the API server's. No other is passed on.
var logParameters = []string{
	"follow", "tailLines", "sinceSeconds", "sinceTime", "previous", "timestamps", "limitBytes", "stream",
}

// streamAll is the default of the parameter stream. It is left out, because targets without the feature refuse any value.
const streamAll = "All"

// logs streams the log of a delegate's container until it ends or the client goes.
func (s *Server) logs(w http.ResponseWriter, r *http.Request) {
	at, ok := s.locate(w, r)
	if !ok {
		return
	}
	response, err := at.get(r.Context(), "log", logQuery(r))
	if err != nil {
		writeTargetError(w, at.Target, err)
		return
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		refused := refusalOf(at, r.PathValue("pod"), response)
		writeText(w, refused.code, "%s", refused.text) // the source's API server quotes the text in a Status of its own
		return
	}
	w.Header().Set("Content-Type", "text/plain")
	if err := copyFlushing(w, response.Body); err != nil {
		if r.Context().Err() == nil {
			logr.FromContextOrDiscard(r.Context()).Info("Lost a log", "path", r.URL.Path, "target", at.Target, "reason", err.Error())
			// The source's API server ends the log in good order, whatever happened: only the log can tell its reader.
			_, _ = fmt.Fprintf(w, textLost, at.Target, err)
			_ = http.NewResponseController(w).Flush()
		}
		panic(http.ErrAbortHandler) // a clean end would tell the client that this was the whole log
	}
}

func logQuery(r *http.Request) url.Values {
	asked, query := r.URL.Query(), url.Values{"container": {r.PathValue("container")}}
	for _, name := range logParameters {
		if asked.Has(name) {
			query[name] = asked[name]
		}
	}
	if query.Get("stream") == streamAll {
		query.Del("stream")
	}
	return query
}

// get asks the target. Nothing of the caller's request is in it, least of all its credentials.
func (l Location) get(ctx context.Context, subresource string, query url.Values) (*http.Response, error) {
	address, err := l.url(subresource, query)
	if err != nil {
		return nil, err
	}
	target, err := l.roundTripper(ctx)
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("asking for the %s of %s: %w", subresource, l.Pod, err)
	}
	return target.RoundTrip(request) // not a client: a redirect of the target's choice must not be followed
}

// copyFlushing copies each piece as it comes: the header before the first line, so that a follower of a silent container
// sees that it is connected.
func copyFlushing(w http.ResponseWriter, body io.Reader) error {
	w.WriteHeader(http.StatusOK)
	to := flushing{w, http.NewResponseController(w)}
	if err := to.Flush(); err != nil {
		return err
	}
	_, err := io.Copy(to, body)
	return err
}

type flushing struct {
	io.Writer
	*http.ResponseController
}

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	if err != nil {
		return n, err
	}
	return n, f.Flush()
}
