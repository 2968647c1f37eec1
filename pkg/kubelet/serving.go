package kubelet

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"time"

	"github.com/go-logr/logr"
	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/util/certificate"
)

// ServingOptions of one virtual node.
type ServingOptions struct {
	NodeName string
	// Addresses that the Node object publishes: an API server with --kubelet-certificate-authority checks them.
	Addresses []net.IP
	// Client asks the source's signer kubernetes.io/kubelet-serving. It needs: create, get, list and watch on
	// certificatesigningrequests; update on certificatesigningrequests/approval; approve on that signer. Without a client
	// the certificate stays self-signed.
	Client kubernetes.Interface
}

// Serving is the serving certificate of a virtual node: the signer's once there is one, renewed in time; a self-signed
// one until then, which is all that an API server without --kubelet-certificate-authority asks for.
type Serving struct {
	selfSigned *tls.Certificate
	signed     certificate.Manager
}

// selfSignedLife outlives any controller process: nobody checks the date of a certificate that nobody can verify.
const selfSignedLife = 10 * 365 * 24 * time.Hour

// NewServing starts to ask for the certificate in the background, until ctx is done.
func NewServing(ctx context.Context, o ServingOptions) (*Serving, error) {
	selfSigned, err := selfSign(o, time.Now())
	if err != nil {
		return nil, fmt.Errorf("signing a serving certificate for %s: %w", o.NodeName, err)
	}
	serving := &Serving{selfSigned: selfSigned}
	logr.FromContextOrDiscard(ctx).Info("Started with a self-signed serving certificate",
		"node", o.NodeName, "asksSigner", o.Client != nil)
	if o.Client == nil {
		return serving, nil
	}
	if len(o.Addresses) == 0 {
		return nil, fmt.Errorf("asking for a serving certificate for %s: the signer needs an address", o.NodeName)
	}
	if serving.signed, err = newManager(ctx, o); err != nil {
		return nil, fmt.Errorf("asking for a serving certificate for %s: %w", o.NodeName, err)
	}
	serving.signed.Start()
	return serving, nil
}

// Certificate is for tls.Config and Options.
func (s *Serving) Certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if s.signed != nil {
		if current := s.signed.Current(); current != nil {
			return current, nil
		}
	}
	return s.selfSigned, nil
}

func newManager(ctx context.Context, o ServingOptions) (certificate.Manager, error) {
	log := logr.FromContextOrDiscard(ctx).WithValues("node", o.NodeName)
	ctx, stop := context.WithCancel(logr.NewContext(ctx, log))
	template := servingTemplate(o)
	client := approvingClient{o.Client, approver{log: log, template: template, giveUp: stop}}
	return certificate.NewManager(&certificate.Config{
		Ctx:              &ctx,
		Name:             o.NodeName,
		ClientsetFn:      func(*tls.Certificate) (kubernetes.Interface, error) { return client, nil },
		Template:         template,
		SignerName:       certificatesv1.KubeletServingSignerName,
		GetUsages:        certificate.DefaultKubeletServingGetUsages,
		CertificateStore: &memoryStore{log: log},
	})
}

// servingTemplate is what the signer kubernetes.io/kubelet-serving accepts.
func servingTemplate(o ServingOptions) *x509.CertificateRequest {
	return &x509.CertificateRequest{Subject: servingSubject(o), IPAddresses: o.Addresses}
}

func servingSubject(o ServingOptions) pkix.Name {
	return pkix.Name{CommonName: "system:node:" + o.NodeName, Organization: []string{"system:nodes"}}
}

func selfSign(o ServingOptions, now time.Time) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: servingSubject(o), IPAddresses: o.Addresses,
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(selfSignedLife), // clocks differ
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// memoryStore keeps the certificate in memory only: a new process asks for a new one, and no key lies on a disk.
type memoryStore struct {
	log     logr.Logger
	current *tls.Certificate
}

var _ certificate.Store = (*memoryStore)(nil)

func (m *memoryStore) Current() (*tls.Certificate, error) {
	if m.current == nil {
		none := certificate.NoCertKeyError("no serving certificate yet")
		return nil, &none
	}
	return m.current, nil
}

// Update is only called by the manager, one call at a time.
func (m *memoryStore) Update(cert, key []byte) (*tls.Certificate, error) {
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("reading the signed serving certificate: %w", err)
	}
	m.current = &pair
	m.log.Info("Received a signed serving certificate", "until", pair.Leaf.NotAfter)
	return m.current, nil
}
