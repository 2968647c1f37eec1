package kubelet

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"runtime/debug"

	"github.com/go-logr/logr"
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
	mux.HandleFunc("GET /healthz", healthz)
	mux.HandleFunc("GET /pods", s.pods)
	mux.HandleFunc("GET /stats/summary", s.summary)
	mux.HandleFunc("GET /metrics/resource", s.resourceMetrics)
	mux.HandleFunc("GET /containerLogs"+containerPath, s.logs)
	for _, method := range []string{"GET", "POST"} {
		for _, command := range []string{"exec", "attach"} {
			mux.HandleFunc(method+" /"+command+containerPath, s.stream(command, commandQuery))
			mux.HandleFunc(method+" /"+command+podPath+"/{uid}/{container}", s.stream(command, commandQuery))
		}
		mux.HandleFunc(method+" /portForward"+podPath, s.stream("portforward", portForwardQuery))
		mux.HandleFunc(method+" /portForward"+podPath+"/{uid}", s.stream("portforward", portForwardQuery))
	}
	return recovered(s.authorized(mux))
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

// debugLog takes net/http's own lines, one per broken connection: port scanners must not fill the log.
func debugLog(to logr.Logger) *log.Logger {
	return slog.NewLogLogger(logr.ToSlogHandler(to.V(1)), slog.LevelInfo)
}
