package kubelet

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apiserver/pkg/authentication/user"
	"k8s.io/apiserver/pkg/authorization/authorizer"
)

// everyPath is each route in each form, what a real kubelet has and we have not, and what nobody has.
var everyPath = []string{
	"/healthz", "/pods", "/containerLogs/shop/web/app",
	"/exec/shop/web/app", "/exec/shop/web/source-uid/app", "/attach/shop/web/app", "/attach/shop/web/source-uid/app",
	"/portForward/shop/web", "/portForward/shop/web/source-uid",
	"/run/shop/web/app", "/runningpods/", "/allocatedPods", "/configz", "/stats/summary", "/metrics", "/metrics/resource",
	"/metrics/cadvisor", "/metrics/probes", "/logs/", "/checkpoint/shop/web/app", "/debug/pprof/", "/statusz", "/flagz",
	"/", "/nothing", "//exec/shop/web/app", "/metrics/../exec/shop/web/app", "/%65xec/shop/web/app", "/metrics%2F..%2Fpods",
}

var everyMethod = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND"}

// TestEveryRouteIsInTheTable keeps a new route from being forgotten below.
func TestEveryRouteIsInTheTable(t *testing.T) {
	values := strings.NewReplacer("{namespace}", "shop", "{pod}", "web", "{container}", "app", "{uid}", "source-uid")
	for pattern := range (&Server{}).routes() {
		method, path, _ := strings.Cut(values.Replace(pattern), " ")
		assert.Contains(t, everyPath, path)
		assert.Contains(t, everyMethod, method)
	}
}

func TestEveryPathAndMethodIsClosed(t *testing.T) {
	server := &Server{options: Options{NodeName: nodeName, Auth: &fakeAuth{}, Locator: fakeLocator{}, Usage: fakeUsage{}}}
	handler := server.handler()
	tests := map[string]struct {
		user string
		want int
	}{
		"nobody is told who they are":                           {"", http.StatusUnauthorized},
		"credentials that cannot be checked are nobody's":       {"broken", http.StatusUnauthorized},
		"who is known and has no rights is forbidden":           {"stranger", http.StatusForbidden},
		"who has the right to another subresource is forbidden": {"only-attach", http.StatusForbidden},
		"when nobody can decide it is an error, not a yes":      {"unlucky", http.StatusInternalServerError},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, path := range everyPath {
				for _, method := range everyMethod {
					request := httptest.NewRequest(method, path, nil)
					if test.user != "" {
						request.Header.Set("Authorization", "Bearer "+test.user)
					}
					answer := httptest.NewRecorder()
					handler.ServeHTTP(answer, request)
					assert.Equal(t, test.want, answer.Code, "%s %s", method, path)
				}
			}
		})
	}
}

func TestWhoMayIsLetThrough(t *testing.T) {
	server := &Server{options: Options{NodeName: nodeName, Auth: &fakeAuth{}, Locator: fakeLocator{}, Usage: fakeUsage{}}}
	handler := server.handler()
	tests := map[string]struct {
		method, path, user string
		want               int
	}{
		"nodes/pods is enough for the pods":              {"GET", "/pods", "only-pods", 200},
		"nodes/proxy is, too":                            {"GET", "/pods", "only-proxy", 200},
		"nodes/healthz is enough for the health":         {"GET", "/healthz", "only-healthz", 200},
		"nodes/metrics is not enough for the pods":       {"GET", "/pods", "only-metrics", 403},
		"nodes/pods is not enough for a shell":           {"POST", "/exec/shop/web/app", "only-pods", 403},
		"nodes/log is the node's own logs, not a pod's":  {"GET", "/containerLogs/shop/web/app", "only-log", 403},
		"an encoded path needs the right it decodes to":  {"GET", "/%65xec/shop/web/app", "only-metrics", 403},
		"nodes/stats is enough for the summary":          {"GET", "/stats/summary", "only-stats", 200},
		"nodes/metrics is enough for the metrics":        {"GET", "/metrics/resource", "only-metrics", 200},
		"nodes/proxy is not: a real kubelet's is not":    {"GET", "/metrics/resource", "only-proxy", 403},
		"what is not there is not found with the right":  {"GET", "/metrics/cadvisor", "only-metrics", 404},
		"what is not there is not found for proxy":       {"GET", "/nothing", "only-proxy", 404},
		"the pods cannot be written":                     {"POST", "/pods", "admin", 405},
		"logs cannot be written":                         {"POST", "/containerLogs/shop/web/app", "admin", 405},
		"a shell takes GET and POST, but no other verbs": {"PUT", "/exec/shop/web/app", "admin", 405},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequest(test.method, test.path, nil)
			request.Header.Set("Authorization", "Bearer "+test.user)
			answer := httptest.NewRecorder()
			handler.ServeHTTP(answer, request)
			assert.Equal(t, test.want, answer.Code)
		})
	}
}

func TestTheAttributesAreARealKubelets(t *testing.T) {
	tests := map[string]struct {
		method, path string
		verb         string
		subresources []string
	}{
		"reading is get":                         {"GET", "/containerLogs/a/b/c", "get", []string{"proxy"}},
		"POST is create":                         {"POST", "/exec/a/b/c", "create", []string{"proxy"}},
		"PUT is update":                          {"PUT", "/exec/a/b/c", "update", []string{"proxy"}},
		"PATCH is patch":                         {"PATCH", "/", "patch", []string{"proxy"}},
		"DELETE is delete":                       {"DELETE", "/", "delete", []string{"proxy"}},
		"any other method has no verb":           {"OPTIONS", "/", "", []string{"proxy"}},
		"attach is proxy":                        {"GET", "/attach/a/b/c", "get", []string{"proxy"}},
		"port-forward is proxy":                  {"POST", "/portForward/a/b", "create", []string{"proxy"}},
		"pods have their own, or proxy":          {"GET", "/pods", "get", []string{"pods", "proxy"}},
		"what only begins like pods is proxy":    {"GET", "/podsandmore", "get", []string{"proxy"}},
		"below pods is pods":                     {"GET", "/pods/", "get", []string{"pods", "proxy"}},
		"running pods are pods":                  {"GET", "/runningpods/", "get", []string{"pods", "proxy"}},
		"allocated pods are pods":                {"GET", "/allocatedPods/a/b", "get", []string{"pods", "proxy"}},
		"healthz has its own, or proxy":          {"GET", "/healthz/ping", "get", []string{"healthz", "proxy"}},
		"configz has its own, or proxy":          {"GET", "/configz", "get", []string{"configz", "proxy"}},
		"stats are stats only":                   {"GET", "/stats/summary", "get", []string{"stats"}},
		"metrics are metrics only":               {"GET", "/metrics/resource", "get", []string{"metrics"}},
		"the node's logs are log only":           {"GET", "/logs/kubelet.log", "get", []string{"log"}},
		"checkpoint is checkpoint only":          {"POST", "/checkpoint/a/b/c", "create", []string{"checkpoint"}},
		"statusz is statusz only":                {"GET", "/statusz", "get", []string{"statusz"}},
		"flagz counts as configz":                {"GET", "/flagz", "get", []string{"configz"}},
		"debugging is proxy, as all that is new": {"GET", "/debug/pprof/", "get", []string{"proxy"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			auth := &fakeAuth{}
			server := &Server{options: Options{NodeName: nodeName, Auth: auth, Locator: fakeLocator{}, Usage: fakeUsage{}}}
			request := httptest.NewRequest(test.method, test.path, nil)
			request.Header.Set("Authorization", "Bearer stranger")
			server.handler().ServeHTTP(httptest.NewRecorder(), request)
			var want []authorizer.Attributes
			for _, subresource := range test.subresources {
				want = append(want, authorizer.AttributesRecord{User: &user.DefaultInfo{Name: "stranger"}, Verb: test.verb,
					APIVersion: "v1", Resource: "nodes", Subresource: subresource, Name: nodeName, ResourceRequest: true, Path: test.path})
			}
			assert.Equal(t, want, auth.asked)
		})
	}
}
