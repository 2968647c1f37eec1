package e2e

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

// kubeconfigChange makes a good kubeconfig a bad one.
type kubeconfigChange func(t *testing.T, config *clientcmdapi.Config, user *clientcmdapi.AuthInfo, server *clientcmdapi.Cluster)

func TestABadKubeconfigIsSaidToBeOneWithItsRemedyAndOthersGoOn(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		kubeconfig []byte
		change     kubeconfigChange
		ref        func(ref *v1alpha1.KubeconfigSecretRef)
		reason     string
		says       []string
	}{
		"a Secret that does not exist": {
			ref:    func(ref *v1alpha1.KubeconfigSecretRef) { ref.Name = "nobody" },
			reason: target.ReasonKubeconfigMissing, says: []string{"/nobody does not exist", "create it", `"kubeconfig"`},
		},
		"a key that the Secret does not have": {
			ref:    func(ref *v1alpha1.KubeconfigSecretRef) { ref.Key = "config" },
			reason: target.ReasonKubeconfigMissing, says: []string{`has no key "config"`, "add it, or set spec.kubeconfigSecretRef.key"},
		},
		"an empty kubeconfig": {
			kubeconfig: []byte{},
			reason:     target.ReasonKubeconfigMissing, says: []string{"is empty", "put one into"},
		},
		"text that is no kubeconfig": {
			kubeconfig: []byte("{not: [a, kubeconfig"),
			reason:     target.ReasonKubeconfigMalformed, says: []string{"cannot be parsed", "kubectl config view --raw --minify --flatten"},
		},
		"a context that it does not have": {
			ref:    func(ref *v1alpha1.KubeconfigSecretRef) { ref.Context = "moon" },
			reason: target.ReasonKubeconfigMalformed, says: []string{`no context "moon"`, "set spec.kubeconfigSecretRef.context"},
		},
		"a client certificate that expired": {
			change: expire,
			reason: target.ReasonKubeconfigExpired, says: []string{"expired at 2020-01-02T00:00:00Z", "put a new kubeconfig into the Secret"},
		},
		"a server that is not there": {
			change: func(_ *testing.T, _ *clientcmdapi.Config, _ *clientcmdapi.AuthInfo, server *clientcmdapi.Cluster) {
				server.Server = "https://127.0.0.1:1"
			},
			reason: target.ReasonUnreachable, says: []string{"https://127.0.0.1:1 does not answer", "check the kubeconfig's server"},
		},
		"a token that nobody knows": {
			change: func(_ *testing.T, _ *clientcmdapi.Config, user *clientcmdapi.AuthInfo, _ *clientcmdapi.Cluster) {
				*user = clientcmdapi.AuthInfo{Token: "guess"}
			},
			reason: target.ReasonUnauthorized, says: []string{"does not accept the kubeconfig's credentials", "put a new kubeconfig into the Secret"},
		},
		"a program to log in": {
			change: func(_ *testing.T, _ *clientcmdapi.Config, user *clientcmdapi.AuthInfo, _ *clientcmdapi.Cluster) {
				*user = clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
					Command: "touch", Args: []string{"owned"}, APIVersion: "client.authentication.k8s.io/v1",
					InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
				}}
			},
			reason: target.ReasonKubeconfigUnsafe, says: []string{`the program "touch"`, "use a service account's token or a client certificate"},
		},
		"files of the controller": {
			change: func(_ *testing.T, _ *clientcmdapi.Config, user *clientcmdapi.AuthInfo, _ *clientcmdapi.Cluster) {
				*user = clientcmdapi.AuthInfo{TokenFile: "/var/run/secrets/kubernetes.io/serviceaccount/token"}
			},
			reason: target.ReasonKubeconfigUnsafe, says: []string{"refers to files", "kubectl config view --raw --minify --flatten"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := givenNamespace(t, source, burst)
			s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly})
			if test.kubeconfig == nil {
				test.kubeconfig = spoil(t, test.change)
			}
			ref := s.givenKubeconfig(test.kubeconfig)
			if test.ref != nil {
				test.ref(ref)
			}

			bad := s.givenTarget(uniqueName("bad"), v1alpha1.TargetSpec{
				KubeconfigSecretRef: ref, Namespaces: v1alpha1.NamespaceMapping{Selector: s.selector()},
			})

			s.expectTarget(bad, v1alpha1.ConditionReachable, metav1.ConditionFalse, test.reason)
			condition := meta.FindStatusCondition(bad.Status.Conditions, v1alpha1.ConditionReachable)
			assert.NoError(t, containsAll(condition.Message, test.says...))
			s.expectTarget(bad, v1alpha1.ConditionReady, metav1.ConditionFalse, test.reason)
			s.createElected("goes-on")
			pod := s.expectRunning("goes-on")
			assert.False(t, onTarget(pod, bad.Name))
		})
	}
}

func TestABadKubeconfigThatIsMendedMakesTheTargetReady(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	spareInUse.Lock()
	t.Cleanup(spareInUse.Unlock)
	ref := s.givenKubeconfig([]byte("spoilt"))
	bad := s.givenTarget(uniqueName("bad"), v1alpha1.TargetSpec{
		KubeconfigSecretRef: ref, Namespaces: v1alpha1.NamespaceMapping{Create: true, Selector: s.selector()},
	})
	s.expectTarget(bad, v1alpha1.ConditionReachable, metav1.ConditionFalse, target.ReasonKubeconfigMalformed)

	secret, err := s.kube.CoreV1().Secrets(s.name).Get(t.Context(), ref.Name, metav1.GetOptions{})
	require.NoError(t, err)
	secret.Data[secretKey] = spare.kubeconfig(t)
	_, err = s.kube.CoreV1().Secrets(s.name).Update(t.Context(), secret, metav1.UpdateOptions{})
	require.NoError(t, err)

	s.expectOpen(bad)
	s.createElected("mended", targeting(bad.Name))
	s.expectRunningOn("mended", bad.Name)
}

// spoil returns an administrator's kubeconfig of cloud with one change.
func spoil(t *testing.T, change kubeconfigChange) []byte {
	t.Helper()
	config, err := clientcmd.Load(cloud.kubeconfig(t))
	require.NoError(t, err)
	current := config.Contexts[config.CurrentContext]
	if change != nil {
		change(t, config, config.AuthInfos[current.AuthInfo], config.Clusters[current.Cluster])
	}
	data, err := clientcmd.Write(*config)
	require.NoError(t, err)
	return data
}

// expire replaces the client certificate by one that was good until the second day of 2020. Nobody's authority signed it:
// that it expired must be found without asking.
func expire(t *testing.T, _ *clientcmdapi.Config, user *clientcmdapi.AuthInfo, _ *clientcmdapi.Cluster) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "yesterday"},
		NotBefore: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2020, 1, 2, 0, 0, 0, 0, time.UTC),
	}
	certificate, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	private, err := x509.MarshalECPrivateKey(key)
	require.NoError(t, err)
	*user = clientcmdapi.AuthInfo{
		ClientCertificateData: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate}),
		ClientKeyData:         pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: private}),
	}
}
