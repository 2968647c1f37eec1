package kubelet

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/util/proxy"
)

// upgradeHeaders are what a stream needs of the caller's headers. Everything else stays here: an Authorization of the
// source has no business in a target.
var upgradeHeaders = []string{
	"Connection", "Upgrade", "X-Stream-Protocol-Version",
	"Sec-Websocket-Key", "Sec-Websocket-Version", "Sec-Websocket-Extensions",
}

// A WebSocket client may carry its bearer token as a subprotocol.
const (
	webSocketProtocol = "Sec-Websocket-Protocol"
	tokenProtocol     = "base64url.bearer.authorization.k8s.io."
)

// streamParameters by the name in the kubelet's query, to that in the API server's.
var streamParameters = map[string]string{"input": "stdin", "output": "stdout", "error": "stderr", "tty": "tty"}

// stream joins the caller's connection with one to the delegate's subresource. The bytes are not looked at; when either
// side ends, both do.
func (s *Server) stream(subresource string, query func(*http.Request) url.Values) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		at, ok := s.locate(w, r)
		if !ok {
			return
		}
		if !s.confirmed(w, r, at) {
			return
		}
		address, err := at.url(subresource, query(r))
		if err != nil {
			writeTargetError(w, at.Target, err)
			return
		}
		upgrader, err := at.upgrader(r.Context())
		if err != nil {
			writeTargetError(w, at.Target, err)
			return
		}
		handler := proxy.NewUpgradeAwareHandler(address, nil, false, true, responder{at.Target})
		handler.UpgradeTransport = upgrader
		handler.ServeHTTP(refusing{w, at, r.PathValue("pod")}, upgradeRequest(r, address))
	}
}

// confirmed tells that the delegate still is what it was, or answers the request: a shell in the wrong pod is worse than none.
func (s *Server) confirmed(w http.ResponseWriter, r *http.Request, at Location) bool {
	same, err := s.options.Locator.Confirm(r.Context(), at)
	switch {
	case err != nil:
		writeTargetError(w, at.Target, err)
	case !same:
		logr.FromContextOrDiscard(r.Context()).Info("Refused a stream to another pod in a delegate's place",
			"target", at.Target, "delegate", at.Namespace+"/"+at.Pod, "uid", at.UID)
		writeText(w, http.StatusNotFound, textReplaced, r.PathValue("pod"), at.Target)
	}
	return err == nil && same
}

// commandQuery is the query for pods/exec and pods/attach.
func commandQuery(r *http.Request) url.Values {
	asked := r.URL.Query()
	query := url.Values{"container": {r.PathValue("container")}}
	if asked.Has("command") {
		query["command"] = asked["command"]
	}
	for from, to := range streamParameters {
		if asked.Get(from) == "1" {
			query.Set(to, "true")
		}
	}
	return query
}

// portForwardQuery is the query for pods/portforward: ports are only in it for WebSocket, SPDY names them in the stream.
func portForwardQuery(r *http.Request) url.Values {
	query := url.Values{}
	if asked := r.URL.Query(); asked.Has("port") {
		query["ports"] = asked["port"]
	}
	return query
}

// upgradeRequest is a new request with the caller's method and upgradeHeaders. It has no remote address, so that the
// proxy does not tell the target the source's addresses.
func upgradeRequest(r *http.Request, address *url.URL) *http.Request {
	request := (&http.Request{Method: r.Method, URL: address, Header: http.Header{}}).WithContext(r.Context())
	for _, name := range upgradeHeaders {
		if values := r.Header.Values(name); len(values) > 0 {
			request.Header[name] = values
		}
	}
	if protocols := withoutToken(r.Header.Values(webSocketProtocol)); len(protocols) > 0 {
		request.Header.Set(webSocketProtocol, strings.Join(protocols, ","))
	}
	return request
}

func withoutToken(values []string) []string {
	protocols := strings.Split(strings.Join(values, ","), ",")
	for i := range protocols {
		protocols[i] = strings.TrimSpace(protocols[i])
	}
	return slices.DeleteFunc(protocols, func(p string) bool { return p == "" || strings.HasPrefix(p, tokenProtocol) })
}

// responder answers what failed before the target answered.
type responder struct{ target string }

var _ proxy.ErrorResponder = responder{}

func (p responder) Error(w http.ResponseWriter, _ *http.Request, err error) {
	writeTargetError(w, p.target, err)
}
