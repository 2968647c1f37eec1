package target

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func TestParseKubeconfig(t *testing.T) {
	type parts struct {
		user    *clientcmdapi.AuthInfo
		cluster *clientcmdapi.Cluster
		config  *clientcmdapi.Config
	}
	certificate, key := clientCertificate(t, noon)
	tests := map[string]struct {
		change     func(p parts)
		raw        *string
		context    string
		now        time.Time
		wantReason string
		wantWords  []string // what is wrong, and the remedy
	}{
		"a token is good":               {},
		"a context that it has is good": {context: "other"},
		"a client certificate is good until it expires": {
			change: func(p parts) { p.user.Token, p.user.ClientCertificateData, p.user.ClientKeyData = "", certificate, key },
			now:    noon.Add(-time.Second)},
		"an expired client certificate": {
			change:     func(p parts) { p.user.Token, p.user.ClientCertificateData, p.user.ClientKeyData = "", certificate, key },
			wantReason: ReasonKubeconfigExpired, wantWords: []string{"expired at 2026-05-01T12:00:00Z", "put a new kubeconfig into the Secret"}},
		"an empty one": {raw: new(string), wantReason: ReasonKubeconfigMissing, wantWords: []string{"is empty", "put one into the Secret's key"}},
		"one that is no YAML": {raw: text("apiVersion: [v1"), wantReason: ReasonKubeconfigMalformed,
			wantWords: []string{"cannot be parsed", "kubectl config view --raw --minify --flatten"}},
		"one of another kind": {raw: text("apiVersion: v1\nkind: Secret\n"), wantReason: ReasonKubeconfigMalformed,
			wantWords: []string{"cannot be parsed", "--flatten"}},
		"one without current context": {
			change:     func(p parts) { p.config.CurrentContext = "" },
			wantReason: ReasonKubeconfigMalformed, wantWords: []string{`no context ""`, "set its current-context"}},
		"one without the context that the Target names": {
			context: "gone", wantReason: ReasonKubeconfigMalformed, wantWords: []string{`no context "gone"`, "set spec.kubeconfigSecretRef.context"}},
		"one without server": {
			change:     func(p parts) { p.cluster.Server = "" },
			wantReason: ReasonKubeconfigMalformed, wantWords: []string{`cluster "cluster" has no server`, "add its API server's URL"}},
		"one without user": {
			change:     func(p parts) { delete(p.config.AuthInfos, "user") },
			wantReason: ReasonKubeconfigMalformed, wantWords: []string{`no user "user"`, "add one with a token or a client certificate"}},
		"one that runs a program": {
			change: func(p parts) {
				p.user.Exec = &clientcmdapi.ExecConfig{Command: "aws", APIVersion: "client.authentication.k8s.io/v1", InteractiveMode: "Never"}
			},
			wantReason: ReasonKubeconfigUnsafe, wantWords: []string{`runs the program "aws"`, "use a service account's token or a client certificate"}},
		"one with an auth provider": {
			change:     func(p parts) { p.user.AuthProvider = &clientcmdapi.AuthProviderConfig{Name: "gcp"} },
			wantReason: ReasonKubeconfigUnsafe, wantWords: []string{`auth provider "gcp"`, "use a service account's token or a client certificate"}},
		"one whose token is in a file": {
			change:     func(p parts) { p.user.TokenFile = "/var/run/secrets/token" },
			wantReason: ReasonKubeconfigUnsafe, wantWords: []string{"refers to files", "--flatten"}},
		"one whose certificate is in a file": {
			change:     func(p parts) { p.user.ClientCertificate = "/etc/cert" },
			wantReason: ReasonKubeconfigUnsafe, wantWords: []string{"refers to files", "--flatten"}},
		"one whose key is in a file": {
			change:     func(p parts) { p.user.ClientKey = "/etc/key" },
			wantReason: ReasonKubeconfigUnsafe, wantWords: []string{"refers to files", "--flatten"}},
		"one whose CA is in a file": {
			change:     func(p parts) { p.cluster.CertificateAuthority = "/etc/ca" },
			wantReason: ReasonKubeconfigUnsafe, wantWords: []string{"refers to files", "--flatten"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := parts{user: &clientcmdapi.AuthInfo{Token: "secret"}, cluster: &clientcmdapi.Cluster{Server: "https://cloud.example:6443"}}
			p.config = &clientcmdapi.Config{
				Clusters:       map[string]*clientcmdapi.Cluster{"cluster": p.cluster},
				AuthInfos:      map[string]*clientcmdapi.AuthInfo{"user": p.user},
				Contexts:       map[string]*clientcmdapi.Context{"current": {Cluster: "cluster", AuthInfo: "user"}, "other": {Cluster: "cluster", AuthInfo: "user"}},
				CurrentContext: "current",
			}
			if test.change != nil {
				test.change(p)
			}
			data, err := clientcmd.Write(*p.config)
			require.NoError(t, err)
			if test.raw != nil {
				data = []byte(*test.raw)
			}
			if test.now.IsZero() {
				test.now = noon
			}
			got, err := ParseKubeconfig(data, test.context, test.now)
			if test.wantReason == "" {
				require.NoError(t, err)
				assert.Equal(t, "https://cloud.example:6443", got.Host)
				assert.Negative(t, got.QPS, "no client-side rate limit")
				return
			}
			require.True(t, IsKubeconfigError(err), "got %v", err)
			var k *KubeconfigError
			require.ErrorAs(t, err, &k)
			assert.Equal(t, test.wantReason, k.Reason)
			for _, words := range test.wantWords {
				assert.Contains(t, k.Message, words)
			}
		})
	}
}

func TestOnlyTheKubeconfigsOwnErrorsArePointlessToRetry(t *testing.T) {
	assert.True(t, IsKubeconfigError(fmt.Errorf("connecting: %w", &KubeconfigError{})))
	assert.False(t, IsKubeconfigError(errors.New("reading Secret: timeout")))
	assert.False(t, IsKubeconfigError(nil))
}

func text(s string) *string { return &s }

func clientCertificate(t *testing.T, notAfter time.Time) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: notAfter.Add(-time.Hour), NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	require.NoError(t, err)
	encoded, err := x509.MarshalECPrivateKey(private)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: encoded})
}
