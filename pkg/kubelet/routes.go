package kubelet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"runtime/debug"
	"strings"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/time/rate"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

const (
	podPath       = "/{namespace}/{pod}"
	containerPath = "/{namespace}/{pod}/{container}"
)

// handler authorises before it routes, so that a stranger cannot even learn which paths exist.
func (s *Server) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, handle := range s.routes() {
		mux.HandleFunc(pattern, handle)
	}
	return recovered(s.authorized(mux))
}

// routes are all that is served. Streams begin with POST over SPDY and with GET over WebSocket.
func (s *Server) routes() map[string]http.HandlerFunc {
	routes := map[string]http.HandlerFunc{
		"GET /healthz":                       healthz,
		"GET /pods":                          s.pods,
		"GET /stats/summary":                 s.summary,
		"GET /metrics/resource":              s.resourceMetrics,
		"GET /containerLogs" + containerPath: s.logs,
	}
	for _, method := range []string{"GET", "POST"} {
		for _, command := range []string{"exec", "attach"} {
			routes[method+" /"+command+containerPath] = s.stream(command, commandQuery)
			routes[method+" /"+command+podPath+"/{uid}/{container}"] = s.stream(command, commandQuery)
		}
		routes[method+" /portForward"+podPath] = s.stream("portforward", portForwardQuery)
		routes[method+" /portForward"+podPath+"/{uid}"] = s.stream("portforward", portForwardQuery)
	}
	return routes
}

func healthz(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

// pods lists the source pods on the node, as a real kubelet lists its pods.
func (s *Server) pods(w http.ResponseWriter, r *http.Request) {
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}, Items: []corev1.Pod{}}
	for _, pod := range s.options.Locator.Pods(s.options.NodeName) {
		list.Items = append(list.Items, *pod)
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(list); err != nil {
		logr.FromContextOrDiscard(r.Context()).V(1).Info("Stopped listing the pods", "reason", err.Error())
	}
}

// locate finds the delegate that a request is about, or answers the request and returns false.
func (s *Server) locate(w http.ResponseWriter, r *http.Request) (Location, bool) {
	namespace, pod := r.PathValue("namespace"), r.PathValue("pod")
	at, err := s.options.Locator.Locate(r.Context(), s.options.NodeName, namespace, pod)
	uid := types.UID(r.PathValue("uid"))
	switch {
	case apierrors.IsNotFound(err), err == nil && uid != "" && uid != at.SourceUID:
		writeText(w, http.StatusNotFound, textPodNotFound, pod)
		return Location{}, false
	case err != nil:
		writeText(w, cmp.Or(codeOf(err), http.StatusInternalServerError), "%s", err.Error())
		return Location{}, false
	}
	logr.FromContextOrDiscard(r.Context()).V(1).Info("Found the delegate", "path", r.URL.Path,
		"target", at.Target, "delegate", at.Namespace+"/"+at.Pod, "uid", at.UID)
	return at, true
}

// recovered logs a panic and cuts the connection: after half an answer nothing else tells the client that it failed.
func recovered(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			switch reason := recover(); reason {
			case nil:
			case http.ErrAbortHandler:
				panic(reason)
			default:
				logr.FromContextOrDiscard(r.Context()).Error(fmt.Errorf("%v", reason), "Recovered from a panic",
					"path", r.URL.Path, "stack", string(debug.Stack()))
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// garbageLogged is how often a connection that brought garbage is logged.
const garbageLogged = time.Minute

// quietLog takes net/http's own lines, one for each broken connection. One is logged, and the next of the same minute only
// with the details: port scanners must not fill the log.
func quietLog(to logr.Logger) *log.Logger {
	return log.New(&quiet{to: to, seldom: rate.Sometimes{First: 1, Interval: garbageLogged}}, "", 0)
}

type quiet struct {
	to     logr.Logger
	seldom rate.Sometimes
}

func (q *quiet) Write(line []byte) (int, error) {
	log := q.to.V(1)
	q.seldom.Do(func() { log = q.to })
	log.Info("Closed a connection", "reason", strings.TrimSpace(string(line)))
	return len(line), nil
}
