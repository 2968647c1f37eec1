package kubelet

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/apiserver/pkg/authentication/authenticator"
	"k8s.io/apiserver/pkg/authentication/authenticatorfactory"
	"k8s.io/apiserver/pkg/authorization/authorizer"
	"k8s.io/apiserver/pkg/authorization/authorizerfactory"
	"k8s.io/apiserver/pkg/server/dynamiccertificates"
	"k8s.io/client-go/kubernetes"
)

// Auth says who calls and what they may. It knows no node: the attributes it is asked about name it.
type Auth interface {
	authenticator.Request
	authorizer.UnconditionalAuthorizer
}

// Where every API server publishes the CA of its own client certificate.
const (
	clientCAConfigMap = "extension-apiserver-authentication"
	clientCAKey       = "client-ca-file"
)

// A real kubelet's caches.
const (
	tokenTTL      = 2 * time.Minute
	allowTTL      = 5 * time.Minute
	denyTTL       = 30 * time.Second
	reviewTimeout = 10 * time.Second
)

// reviewBackoff bounds a review to a few seconds: kubectl waits for it.
var reviewBackoff = wait.Backoff{Duration: 500 * time.Millisecond, Factor: 1.5, Jitter: 0.2, Steps: 5}

type delegatingAuth struct {
	authenticator.Request
	authorizer.UnconditionalAuthorizer
}

var _ Auth = delegatingAuth{}

// NewAuth asks the source's API server, as a real kubelet does: callers are known by a client certificate of the API
// server's client CA, else by a token review; what they may is decided by a subject access review. Nobody is anonymous.
// It serves all virtual nodes and watches the CA until ctx is done; until the CA has been read, certificates are
// refused. The client needs: get, list and watch on ConfigMap kube-system/extension-apiserver-authentication; create on
// tokenreviews and subjectaccessreviews.
func NewAuth(ctx context.Context, client kubernetes.Interface) (Auth, error) {
	clientCA, err := dynamiccertificates.NewDynamicCAFromConfigMapController("client-ca",
		metav1.NamespaceSystem, clientCAConfigMap, clientCAKey, client)
	if err != nil {
		return nil, fmt.Errorf("watching the API server's client CA: %w", err)
	}
	authentication, _, err := authenticatorfactory.DelegatingAuthenticatorConfig{
		TokenAccessReviewClient:            client.AuthenticationV1(),
		TokenAccessReviewTimeout:           reviewTimeout,
		WebhookRetryBackoff:                &reviewBackoff,
		CacheTTL:                           tokenTTL,
		ClientCertificateCAContentProvider: clientCA,
	}.New()
	if err != nil {
		return nil, fmt.Errorf("creating the authentication of the kubelet API: %w", err)
	}
	authorization, err := authorizerfactory.DelegatingAuthorizerConfig{
		SubjectAccessReviewClient: client.AuthorizationV1(),
		AllowCacheTTL:             allowTTL,
		DenyCacheTTL:              denyTTL,
		WebhookRetryBackoff:       &reviewBackoff,
	}.New()
	if err != nil {
		return nil, fmt.Errorf("creating the authorization of the kubelet API: %w", err)
	}
	go clientCA.Run(ctx, 1)
	return delegatingAuth{authentication, authorization}, nil
}
