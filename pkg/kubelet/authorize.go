package kubelet

import (
	"net/http"
	"strings"

	"github.com/go-logr/logr"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// verbs by method, as a real kubelet names them; other methods have none, and so only a rule for every verb allows them.
var verbs = map[string]string{
	http.MethodPost: "create", http.MethodGet: "get", http.MethodPut: "update", http.MethodPatch: "patch",
	http.MethodDelete: "delete",
}

// subresources of nodes by path, any one of which allows it, as a real kubelet asks for them: including its fine-grained
// ones, so that a monitoring agent needs no nodes/proxy, which would let it exec into every pod. All other paths ask for
// proxy. Paths that are not served are listed too: who may not use them learns nothing about them.
var subresources = []struct {
	path string
	any  []string
}{
	{"/allocatedPods", []string{"pods", "proxy"}},
	{"/pods", []string{"pods", "proxy"}},
	{"/runningpods", []string{"pods", "proxy"}},
	{"/healthz", []string{"healthz", "proxy"}},
	{"/configz", []string{"configz", "proxy"}},
	{"/stats", []string{"stats"}},
	{"/metrics", []string{"metrics"}},
	{"/logs", []string{"log"}},
	{"/checkpoint", []string{"checkpoint"}},
	{"/statusz", []string{"statusz"}},
	{"/flagz", []string{"configz"}},
}

// authorized lets through who is known and has one of the rights, and answers the others: 401, 403.
func (s *Server) authorized(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, known, err := s.options.Auth.AuthenticateRequest(r)
		if err != nil {
			logr.FromContextOrDiscard(r.Context()).V(1).Info("Refused a caller", "reason", err.Error())
		}
		if err != nil || !known {
			writeText(w, http.StatusUnauthorized, textUnauthorized)
			return
		}
		if s.allowed(w, r, who.User) {
			next.ServeHTTP(w, r)
		}
	})
}

// allowed tells whether the user may do what the request asks, or answers the request.
func (s *Server) allowed(w http.ResponseWriter, r *http.Request, who user.Info) bool {
	verb, wanted := verbs[r.Method], subresourcesOf(r.URL.Path)
	for _, subresource := range wanted {
		decision, _, err := s.options.Auth.Authorize(r.Context(), s.attributes(r, who, verb, subresource))
		if err != nil {
			logr.FromContextOrDiscard(r.Context()).Error(err, "Failed to authorize", "user", who.GetName(), "path", r.URL.Path)
			writeText(w, http.StatusInternalServerError, textAuthorization, who.GetName(), verb, subresource)
			return false
		}
		if decision == authorizer.DecisionAllow {
			return true
		}
	}
	writeText(w, http.StatusForbidden, textForbidden, who.GetName(), verb, wanted)
	return false
}

func (s *Server) attributes(r *http.Request, who user.Info, verb, subresource string) authorizer.Attributes {
	return authorizer.AttributesRecord{
		User: who, Verb: verb, APIVersion: "v1", Resource: "nodes", Subresource: subresource,
		Name: s.options.NodeName, ResourceRequest: true, Path: r.URL.Path,
	}
}

func subresourcesOf(path string) []string {
	for _, s := range subresources {
		if path == s.path || strings.HasPrefix(path, s.path+"/") {
			return s.any
		}
	}
	return []string{"proxy"}
}
