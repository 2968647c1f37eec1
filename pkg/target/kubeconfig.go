package target

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
)

// KubeconfigError says why a kubeconfig cannot be used and what to do; Reason is a condition reason.
type KubeconfigError struct {
	Reason  string
	Message string
}

func (e *KubeconfigError) Error() string { return e.Message }

// IsKubeconfigError tells whether err is about the kubeconfig itself, so that retrying is pointless until it changes.
func IsKubeconfigError(err error) bool {
	var k *KubeconfigError
	return errors.As(err, &k)
}

// ParseKubeconfig turns a kubeconfig into a client configuration without client-side rate limit. It refuses whatever
// would run a program or read a file of the kubeconfig's choice inside the controller.
func ParseKubeconfig(data []byte, contextName string, now time.Time) (*rest.Config, error) {
	if len(data) == 0 {
		return nil, &KubeconfigError{ReasonKubeconfigMissing, "the kubeconfig is empty: put one into the Secret's key"}
	}
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, &KubeconfigError{ReasonKubeconfigMalformed,
			fmt.Sprintf("the kubeconfig cannot be parsed (%v): replace it by the output of `kubectl config view --raw --minify --flatten`", err)}
	}
	if contextName != "" {
		config.CurrentContext = contextName
	}
	user, cluster, err := resolve(config)
	if err != nil {
		return nil, err
	}
	if err := refuseUnsafe(user, cluster); err != nil {
		return nil, err
	}
	if err := refuseExpired(user, now); err != nil {
		return nil, err
	}
	restConfig, err := clientcmd.NewDefaultClientConfig(*config, &clientcmd.ConfigOverrides{}).ClientConfig()
	if err != nil {
		return nil, &KubeconfigError{ReasonKubeconfigMalformed, fmt.Sprintf("the kubeconfig is not complete: %v", err)}
	}
	restConfig.QPS = -1 // API priority and fairness of the target bounds us; a client-side limit would only add latency
	restConfig.ContentType = "application/vnd.kubernetes.protobuf"
	restConfig.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	restConfig.UserAgent = "spillway-controller"
	return restConfig, nil
}

// resolve finds the user and cluster of the current context.
func resolve(config *clientcmdapi.Config) (*clientcmdapi.AuthInfo, *clientcmdapi.Cluster, error) {
	current, ok := config.Contexts[config.CurrentContext]
	if !ok {
		return nil, nil, &KubeconfigError{ReasonKubeconfigMalformed, fmt.Sprintf(
			"the kubeconfig has no context %q: set spec.kubeconfigSecretRef.context to one it has, or set its current-context", config.CurrentContext)}
	}
	cluster, ok := config.Clusters[current.Cluster]
	if !ok || cluster.Server == "" {
		return nil, nil, &KubeconfigError{ReasonKubeconfigMalformed, fmt.Sprintf(
			"the kubeconfig's cluster %q has no server: add its API server's URL", current.Cluster)}
	}
	user, ok := config.AuthInfos[current.AuthInfo]
	if !ok {
		return nil, nil, &KubeconfigError{ReasonKubeconfigMalformed, fmt.Sprintf(
			"the kubeconfig has no user %q: add one with a token or a client certificate", current.AuthInfo)}
	}
	return user, cluster, nil
}

func refuseUnsafe(user *clientcmdapi.AuthInfo, cluster *clientcmdapi.Cluster) error {
	const remedy = "use a service account's token or a client certificate, embedded"
	switch {
	case user.Exec != nil:
		return &KubeconfigError{ReasonKubeconfigUnsafe, fmt.Sprintf(
			"the kubeconfig runs the program %q to log in, which Spillway refuses to do in its controller: %s", user.Exec.Command, remedy)}
	case user.AuthProvider != nil:
		return &KubeconfigError{ReasonKubeconfigUnsafe, fmt.Sprintf(
			"the kubeconfig uses the auth provider %q, which Spillway refuses: %s", user.AuthProvider.Name, remedy)}
	case user.TokenFile != "" || user.ClientCertificate != "" || user.ClientKey != "" || cluster.CertificateAuthority != "":
		return &KubeconfigError{ReasonKubeconfigUnsafe,
			"the kubeconfig refers to files, which the controller does not have: embed them with `kubectl config view --raw --minify --flatten`"}
	}
	return nil
}

func refuseExpired(user *clientcmdapi.AuthInfo, now time.Time) error {
	block, _ := pem.Decode(user.ClientCertificateData)
	if block == nil {
		return nil // no certificate, or one that the TLS set-up will complain about in better words
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil || now.Before(certificate.NotAfter) {
		return nil
	}
	return &KubeconfigError{ReasonKubeconfigExpired, fmt.Sprintf(
		"the kubeconfig's client certificate expired at %s: put a new kubeconfig into the Secret", certificate.NotAfter.UTC().Format(time.RFC3339))}
}
