package kubelet

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"net"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	clientfeatures "k8s.io/client-go/features"
	clientfeaturestesting "k8s.io/client-go/features/testing"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

var servingAddresses = []net.IP{net.ParseIP("10.1.2.3")}

// leafOf is the certificate that clients are shown.
func leafOf(t *testing.T, s *Serving) *x509.Certificate {
	t.Helper()
	shown, err := s.Certificate(nil)
	require.NoError(t, err)
	leaf, err := x509.ParseCertificate(shown.Certificate[0])
	require.NoError(t, err)
	return leaf
}

func TestWithoutASignerTheCertificateIsSelfSigned(t *testing.T) {
	serving, err := NewServing(t.Context(), ServingOptions{NodeName: nodeName, Addresses: servingAddresses})
	require.NoError(t, err)
	leaf := leafOf(t, serving)
	assert.Equal(t, "system:node:"+nodeName, leaf.Subject.CommonName)
	assert.Equal(t, leaf.Subject, leaf.Issuer)
	require.NoError(t, leaf.VerifyHostname("10.1.2.3"))
	assert.Equal(t, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, leaf.ExtKeyUsage)
	assert.Greater(t, time.Until(leaf.NotAfter), 5*365*24*time.Hour, "nothing renews it")
}

func TestASignerWithoutAddressesIsAMistake(t *testing.T) {
	_, err := NewServing(t.Context(), ServingOptions{NodeName: nodeName, Client: fake.NewClientset()})
	require.ErrorContains(t, err, "the signer needs an address")
}

// newSigner is a source cluster that names requests and signs the approved ones. Whatever admit changes is stored.
func newSigner(t *testing.T, ca testCA, admit func(*certificatesv1.CertificateSigningRequest)) *fake.Clientset {
	t.Helper()
	clientfeaturestesting.SetFeatureDuringTest(t, clientfeatures.WatchListClient, false)
	client := fake.NewClientset()
	client.PrependReactor("create", "certificatesigningrequests", func(a clienttesting.Action) (bool, runtime.Object, error) {
		request := a.(clienttesting.CreateAction).GetObject().(*certificatesv1.CertificateSigningRequest).DeepCopy()
		request.Name, request.UID = "csr-1", "csr-uid"
		admit(request)
		return true, request, client.Tracker().Create(a.GetResource(), request, "")
	})
	client.PrependReactor("update", "certificatesigningrequests", func(a clienttesting.Action) (bool, runtime.Object, error) {
		request := a.(clienttesting.UpdateAction).GetObject().(*certificatesv1.CertificateSigningRequest)
		block, _ := pem.Decode(request.Spec.Request)
		asked, err := x509.ParseCertificateRequest(block.Bytes)
		if assert.NoError(t, err) && a.GetSubresource() == "approval" {
			der := ca.sign(t, asked, x509.ExtKeyUsageServerAuth)
			request.Status.Certificate = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
		}
		return false, nil, nil
	})
	return client
}

func TestTheSignersCertificateReplacesTheSelfSignedOne(t *testing.T) {
	ca := newCA(t)
	client := newSigner(t, ca, func(*certificatesv1.CertificateSigningRequest) {})
	serving, err := NewServing(t.Context(), ServingOptions{NodeName: nodeName, Addresses: servingAddresses, Client: client})
	require.NoError(t, err)
	require.Eventually(t, func() bool { return leafOf(t, serving).Issuer.CommonName == "ca" }, deadline, 10*time.Millisecond)
	leaf := leafOf(t, serving)
	assert.Equal(t, "system:node:"+nodeName, leaf.Subject.CommonName)
	assert.Equal(t, []string{"system:nodes"}, leaf.Subject.Organization)
	require.NoError(t, leaf.VerifyHostname("10.1.2.3"))

	request, err := client.CertificatesV1().CertificateSigningRequests().Get(t.Context(), "csr-1", metav1.GetOptions{})
	require.NoError(t, err)
	assert.Equal(t, certificatesv1.KubeletServingSignerName, request.Spec.SignerName)
	usages := []certificatesv1.KeyUsage{"digital signature", "server auth"}
	assert.Equal(t, usages, request.Spec.Usages, "the signer refuses any other for ECDSA")
	require.Len(t, request.Status.Conditions, 1)
	assert.Equal(t, certificatesv1.CertificateApproved, request.Status.Conditions[0].Type)
}

func TestOnlyOurOwnRequestIsApproved(t *testing.T) {
	other := func(name string, address string) []byte {
		return requestFor(t, ServingOptions{NodeName: name, Addresses: []net.IP{net.ParseIP(address)}})
	}
	type request = certificatesv1.CertificateSigningRequest
	tests := map[string]func(*request){
		"another signer is not approved": func(r *certificatesv1.CertificateSigningRequest) {
			r.Spec.SignerName = "kubernetes.io/kube-apiserver-client"
		},
		"another usage is not approved": func(r *certificatesv1.CertificateSigningRequest) {
			r.Spec.Usages = append(r.Spec.Usages, "client auth")
		},
		"another request of ours is not approved": func(r *request) {
			r.Spec.Request = other(nodeName, "10.1.2.3")
		},
		"a request that is none is not approved": func(r *request) {
			r.Spec.Request = []byte("none")
		},
		"another node's request is not approved": func(r *request) {
			r.Spec.Request = other("worker-1", "10.1.2.3")
		},
	}
	for name, admit := range tests {
		t.Run(name, func(t *testing.T) {
			log := &logLines{}
			client := newSigner(t, newCA(t), admit)
			serving, err := NewServing(log.context(t.Context()),
				ServingOptions{NodeName: nodeName, Addresses: servingAddresses, Client: client})
			require.NoError(t, err)
			left := func() bool { return log.count("Left a certificate request unapproved") == 1 }
			require.Eventually(t, left, deadline, 10*time.Millisecond)
			for _, action := range client.Actions() {
				assert.NotEqual(t, "update", action.GetVerb())
			}
			assert.Equal(t, leafOf(t, serving).Subject, leafOf(t, serving).Issuer, "still self-signed")
		})
	}
}

func TestARequestForAnotherNameOrAddressIsNotOurs(t *testing.T) {
	ours := approver{template: servingTemplate(ServingOptions{NodeName: nodeName, Addresses: servingAddresses})}
	tests := map[string]struct {
		options ServingOptions
		want    bool
	}{
		"our name and address are ours": {
			ServingOptions{NodeName: nodeName, Addresses: servingAddresses}, true,
		},
		"another name is not": {
			ServingOptions{NodeName: "worker-1", Addresses: servingAddresses}, false,
		},
		"another address is not": {
			ServingOptions{NodeName: nodeName, Addresses: []net.IP{net.ParseIP("10.9.9.9")}}, false,
		},
		"one more address is not": {
			ServingOptions{NodeName: nodeName, Addresses: append(servingAddresses[:1:1], net.ParseIP("10.9.9.9"))}, false,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			request := &certificatesv1.CertificateSigningRequest{Spec: certificatesv1.CertificateSigningRequestSpec{
				SignerName: certificatesv1.KubeletServingSignerName, Request: requestFor(t, test.options)}}
			assert.Equal(t, test.want, ours.check(request, request) == nil)
		})
	}
}

func TestWithoutTheRightToAskItIsSaidOnce(t *testing.T) {
	log := &logLines{}
	client := fake.NewClientset()
	client.PrependReactor("create", "certificatesigningrequests", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(certificatesv1.Resource("certificatesigningrequests"), "", nil)
	})
	serving, err := NewServing(log.context(t.Context()),
		ServingOptions{NodeName: nodeName, Addresses: servingAddresses, Client: client})
	require.NoError(t, err)
	gaveUp := func() bool { return log.count("Gave up on a signed serving certificate") == 1 }
	require.Eventually(t, gaveUp, deadline, 10*time.Millisecond)
	again := func() bool { return len(client.Actions()) > 1 }
	require.Never(t, again, 3*time.Second, 100*time.Millisecond, "the manager would ask again after 2 s")
	assert.Equal(t, "system:node:"+nodeName, leafOf(t, serving).Subject.CommonName)
}

func requestFor(t *testing.T, o ServingOptions) []byte {
	t.Helper()
	pair, err := selfSign(o, time.Now())
	require.NoError(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, servingTemplate(o), pair.PrivateKey)
	require.NoError(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})
}
