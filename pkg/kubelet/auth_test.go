package kubelet

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientfeatures "k8s.io/client-go/features"
	clientfeaturestesting "k8s.io/client-go/features/testing"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
)

// newSource is an API server of the source that publishes the CA, knows the token "valid" as agent, and allows who is in
// allowed to read the pods of nodeName.
func newSource(t *testing.T, ca testCA, allowed ...string) kubernetes.Interface {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /api/v1/namespaces/kube-system/configmaps", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("watch") != "" {
			<-r.Context().Done()
			return
		}
		reply(w, corev1.ConfigMapList{Items: []corev1.ConfigMap{{
			ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: "extension-apiserver-authentication"},
			Data:       map[string]string{"client-ca-file": string(ca.pem())},
		}}})
	})
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/tokenreviews", func(w http.ResponseWriter, r *http.Request) {
		var review authenticationv1.TokenReview
		_ = json.NewDecoder(r.Body).Decode(&review)
		review.Status.Authenticated = review.Spec.Token == "valid"
		review.Status.User.Username = "agent"
		reply(w, review)
	})
	mux.HandleFunc("POST /apis/authorization.k8s.io/v1/subjectaccessreviews", func(w http.ResponseWriter, r *http.Request) {
		var review authorizationv1.SubjectAccessReview
		_ = json.NewDecoder(r.Body).Decode(&review)
		wanted := authorizationv1.ResourceAttributes{
			Verb: "get", Version: "v1", Resource: "nodes", Subresource: "pods", Name: nodeName}
		for _, user := range allowed {
			review.Status.Allowed = review.Status.Allowed || review.Spec.User == user && *review.Spec.ResourceAttributes == wanted
		}
		reply(w, review)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	client, err := kubernetes.NewForConfig(&rest.Config{Host: server.URL, QPS: -1})
	require.NoError(t, err)
	return client
}

func reply(w http.ResponseWriter, object any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(object)
}

func TestNewAuthAsksTheSourcesAPIServer(t *testing.T) {
	clientfeaturestesting.SetFeatureDuringTest(t, clientfeatures.WatchListClient, false)
	ca, other := newCA(t), newCA(t)
	auth, err := NewAuth(t.Context(), newSource(t, ca, "apiserver", "agent"))
	require.NoError(t, err)
	serving, err := NewServing(t.Context(), ServingOptions{NodeName: nodeName})
	require.NoError(t, err)
	server, err := New(Options{NodeName: nodeName, Address: "127.0.0.1", Certificates: serving.Certificate, Auth: auth,
		Locator: fakeLocator{}, Usage: fakeUsage{}})
	require.NoError(t, err)
	address, err := server.Listen()
	require.NoError(t, err)
	go func() { _ = server.Serve(t.Context()) }()

	apiserver, stranger, forged := ca.client(t, "apiserver"), ca.client(t, "stranger"), other.client(t, "apiserver")
	chain := forged
	chain.Certificate = append(chain.Certificate[:1:1], apiserver.Certificate[0])
	tests := map[string]struct {
		certificate *tls.Certificate
		token       string
		path        string
		want        int
	}{
		"the API server's client certificate is enough":      {certificate: &apiserver, path: "/pods", want: 200},
		"a token of somebody with the right is enough":       {token: "valid", path: "/pods", want: 200},
		"somebody known without the right is forbidden":      {certificate: &stranger, path: "/pods", want: 403},
		"the right to pods is none to the logs":              {token: "valid", path: "/containerLogs/shop/web/app", want: 403},
		"a certificate of another CA is nobody's":            {certificate: &forged, path: "/pods", want: 401},
		"a token that is not valid is nobody's":              {token: "forged", path: "/pods", want: 401},
		"without credentials there is no anonymous":          {path: "/pods", want: 401},
		"and not for the health either":                      {path: "/healthz", want: 401},
		"a chain that only ends in a known name is nobody's": {certificate: &chain, path: "/pods", want: 401},
		"a certificate counts before a token":                {certificate: &stranger, token: "forged", path: "/pods", want: 403},
	}
	call := func(certificate *tls.Certificate, token, path string) int {
		config := &tls.Config{InsecureSkipVerify: true}
		if certificate != nil {
			config.Certificates = []tls.Certificate{*certificate}
		}
		request, err := http.NewRequest(http.MethodGet, "https://"+address.String()+path, nil)
		require.NoError(t, err)
		if token != "" {
			request.Header.Set("Authorization", "Bearer "+token)
		}
		client := http.Client{Timeout: deadline, Transport: &http.Transport{TLSClientConfig: config, DisableKeepAlives: true}}
		response, err := client.Do(request)
		require.NoError(t, err)
		defer response.Body.Close()
		return response.StatusCode
	}
	read := func() bool { return call(&apiserver, "", "/pods") == http.StatusOK }
	require.Eventually(t, read, deadline, 10*time.Millisecond, "the CA was not read")
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, call(test.certificate, test.token, test.path))
		})
	}
}
