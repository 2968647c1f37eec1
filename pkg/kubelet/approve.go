package kubelet

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"slices"

	"github.com/go-logr/logr"
	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	certificatesclient "k8s.io/client-go/kubernetes/typed/certificates/v1"
)

const (
	approvalReason  = "SpillwayVirtualNode"
	approvalMessage = "Spillway asked for the serving certificate of its own virtual node."

	adviceCreate = "grant create, get, list and watch on certificatesigningrequests and restart, or switch the " +
		"kubelet-serving signer off; the certificate stays self-signed"
	adviceApprove = "grant update on certificatesigningrequests/approval and approve on the signer " +
		"kubernetes.io/kubelet-serving, or approve the request by hand; until then the certificate is self-signed"
)

var errNotAsAsked = errors.New("the stored request is not what was asked for")

// approver approves one node's requests in the moment it creates them. It never looks for requests: whatever it did not
// create itself, and whatever an admission plugin changed on the way, is never approved by it.
type approver struct {
	log      logr.Logger
	template *x509.CertificateRequest
	giveUp   func()
}

// approvingClient is what the certificate manager gets for a client.
type approvingClient struct {
	kubernetes.Interface
	approver
}

func (c approvingClient) CertificatesV1() certificatesclient.CertificatesV1Interface {
	return approvingGroup{c.Interface.CertificatesV1(), c.approver}
}

type approvingGroup struct {
	certificatesclient.CertificatesV1Interface
	approver
}

func (g approvingGroup) CertificateSigningRequests() certificatesclient.CertificateSigningRequestInterface {
	return approvingRequests{g.CertificatesV1Interface.CertificateSigningRequests(), g.approver}
}

type approvingRequests struct {
	certificatesclient.CertificateSigningRequestInterface
	approver
}

// Create asks and approves. A missing right to approve is no error: a person may approve while the manager waits. A
// missing right to ask ends the asking, which the manager would otherwise repeat, and log, every half minute.
func (r approvingRequests) Create(ctx context.Context, asked *certificatesv1.CertificateSigningRequest,
	options metav1.CreateOptions) (*certificatesv1.CertificateSigningRequest, error) {
	created, err := r.CertificateSigningRequestInterface.Create(ctx, asked, options)
	if apierrors.IsForbidden(err) {
		r.log.Info("Gave up on a signed serving certificate", "reason", err.Error(), "advice", adviceCreate)
		r.giveUp()
	}
	if err != nil {
		return nil, err
	}
	if err := r.approve(ctx, asked, created); err != nil {
		r.log.Info("Left a certificate request unapproved", "request", created.Name, "reason", err.Error(),
			"advice", adviceApprove)
	}
	return created, nil
}

func (r approvingRequests) approve(ctx context.Context, asked, created *certificatesv1.CertificateSigningRequest) error {
	if err := r.check(asked, created); err != nil {
		return err
	}
	approved := created.DeepCopy()
	approved.Status.Conditions = append(approved.Status.Conditions, certificatesv1.CertificateSigningRequestCondition{
		Type: certificatesv1.CertificateApproved, Status: corev1.ConditionTrue,
		Reason: approvalReason, Message: approvalMessage,
	})
	if _, err := r.UpdateApproval(ctx, approved.Name, approved, metav1.UpdateOptions{}); err != nil {
		return fmt.Errorf("approving certificate request %s: %w", approved.Name, err)
	}
	return nil
}

// check compares what is stored with what was asked, and that with the node's own name and addresses.
func (a approver) check(asked, created *certificatesv1.CertificateSigningRequest) error {
	if created.Spec.SignerName != certificatesv1.KubeletServingSignerName ||
		!bytes.Equal(created.Spec.Request, asked.Spec.Request) || !slices.Equal(created.Spec.Usages, asked.Spec.Usages) {
		return errNotAsAsked
	}
	block, _ := pem.Decode(created.Spec.Request)
	if block == nil {
		return errNotAsAsked
	}
	request, err := x509.ParseCertificateRequest(block.Bytes)
	if err != nil {
		return fmt.Errorf("reading the certificate request: %w", err)
	}
	if !a.isOurs(request) {
		return errNotAsAsked
	}
	return nil
}

func (a approver) isOurs(request *x509.CertificateRequest) bool {
	return request.Subject.CommonName == a.template.Subject.CommonName &&
		slices.Equal(request.Subject.Organization, a.template.Subject.Organization) &&
		slices.EqualFunc(request.IPAddresses, a.template.IPAddresses, net.IP.Equal) &&
		len(request.DNSNames)+len(request.EmailAddresses)+len(request.URIs) == 0
}
