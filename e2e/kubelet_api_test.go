package e2e

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestTheKubeletAPIAnswersOnlyThoseWhomTheSourceAllows(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("talker")
	s.expectRunningOn("talker", cloud.name)
	stranger, reader := s.givenAccount(t), s.givenAccount(t)
	s.allowNodesProxy(t, reader)
	path := "/containerLogs/" + s.name + "/talker/main"

	tests := map[string]struct {
		token string
		path  string
		want  int
	}{
		"nobody":                               {"", path, http.StatusUnauthorized},
		"a token that nobody knows":            {"guess", path, http.StatusUnauthorized},
		"nobody, on a path that is not served": {"", "/nowhere", http.StatusUnauthorized},
		"somebody without rights":              {s.token(t, stranger), path, http.StatusForbidden},
		"somebody without rights, to exec":     {s.token(t, stranger), "/exec/" + s.name + "/talker/main?command=id", http.StatusForbidden},
		"somebody without rights, to list":     {s.token(t, stranger), "/pods", http.StatusForbidden},
		"somebody with rights":                 {s.token(t, reader), path, http.StatusOK},
		"somebody with rights, of no pod":      {s.token(t, reader), "/containerLogs/" + s.name + "/nobody/main", http.StatusNotFound},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			expectEventually(t, soon, "the answer", func(context.Context) error {
				code, body := s.askNode(t, cloud.name, test.path, test.token)
				if code != test.want {
					return fmt.Errorf("%d: %s", code, body)
				}
				assert.Equal(t, code == http.StatusOK, containsAll(body, "hello from cluster cloud") == nil, body)
				return nil
			})
		})
	}
}

func TestAPodOfOneTargetIsNotFoundOnAnothersNode(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(cloud.name))
	s.createElected("talker")
	s.expectRunningOn("talker", cloud.name)
	reader := s.givenAccount(t)
	s.allowNodesProxy(t, reader)

	expectEventually(t, soon, "the answer", func(context.Context) error {
		code, body := s.askNode(t, heata.name, "/containerLogs/"+s.name+"/talker/main", s.token(t, reader))
		if code != http.StatusNotFound {
			return fmt.Errorf("%d: %s", code, body)
		}
		return nil
	})
}

// askNode sends a request to the port of a target's virtual node, past the API server.
func (s *space) askNode(t *testing.T, target, path, token string) (code int, body string) {
	t.Helper()
	node, err := s.kube.CoreV1().Nodes().Get(t.Context(), v1alpha1.VirtualNodeName(target), metav1.GetOptions{})
	require.NoError(t, err)
	address := net.JoinHostPort(node.Status.Addresses[0].Address, strconv.Itoa(int(node.Status.DaemonEndpoints.KubeletEndpoint.Port)))
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+address+path, nil)
	require.NoError(t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	// The API server, too, does not verify a kubelet's certificate unless it is told to.
	anyServer := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	response, err := anyServer.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(data)
}

// allowNodesProxy gives an account what a kubelet asks for before it shows logs.
func (s *space) allowNodesProxy(t *testing.T, account *corev1.ServiceAccount) {
	t.Helper()
	s.allow(t, account, "nodes/proxy")
}

// allow gives an account the right to get a resource of the whole cluster, for the time of the test.
func (s *space) allow(t *testing.T, account *corev1.ServiceAccount, resource string) {
	t.Helper()
	meta := metav1.ObjectMeta{Name: account.Name}
	_, err := s.kube.RbacV1().ClusterRoles().Create(t.Context(), &rbacv1.ClusterRole{ObjectMeta: meta, Rules: []rbacv1.PolicyRule{
		{APIGroups: []string{""}, Resources: []string{resource}, Verbs: []string{"get"}}}}, metav1.CreateOptions{})
	require.NoError(t, err)
	_, err = s.kube.RbacV1().ClusterRoleBindings().Create(t.Context(), &rbacv1.ClusterRoleBinding{
		ObjectMeta: meta,
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: account.Name},
		Subjects:   []rbacv1.Subject{{Kind: rbacv1.ServiceAccountKind, Namespace: account.Namespace, Name: account.Name}},
	}, metav1.CreateOptions{})
	require.NoError(t, err)
	t.Cleanup(func() {
		_ = s.kube.RbacV1().ClusterRoleBindings().Delete(context.Background(), account.Name, metav1.DeleteOptions{})
		_ = s.kube.RbacV1().ClusterRoles().Delete(context.Background(), account.Name, metav1.DeleteOptions{})
	})
}
