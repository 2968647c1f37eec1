package target

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// kubeconfigRead is a kubeconfig and when it was read.
type kubeconfigRead struct {
	ref  v1alpha1.KubeconfigSecretRef
	data []byte
	at   time.Time
}

// secretAge bounds how old a kubeconfig that works may be before its Secret is read again. It is read, not watched,
// because a watch would need rights to all Secrets of the namespace.
const secretAge = 30 * time.Second

// kubeconfig is the one in the Secret, or, for a target that answers, the one that was there a moment ago.
func (c *Controller) kubeconfig(ctx context.Context, name string, ref v1alpha1.KubeconfigSecretRef) ([]byte, error) {
	live, last := c.Registry.Get(name), c.secrets[name]
	if live != nil && live.Health().Reachable && last.ref == ref && c.Clock.Since(last.at) < secretAge {
		return last.data, nil
	}
	secret, err := c.Source.CoreV1().Secrets(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, &KubeconfigError{ReasonKubeconfigMissing, fmt.Sprintf(
			"Secret %s/%s does not exist: create it with the target's kubeconfig under key %q", ref.Namespace, ref.Name, ref.Key)}
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	data, ok := secret.Data[ref.Key]
	if !ok {
		return nil, &KubeconfigError{ReasonKubeconfigMissing, fmt.Sprintf(
			"Secret %s/%s has no key %q: add it, or set spec.kubeconfigSecretRef.key", ref.Namespace, ref.Name, ref.Key)}
	}
	c.secrets[name] = kubeconfigRead{ref: ref, data: data, at: c.Clock.Now()}
	return data, nil
}

// connectionHash tells whether a change of the object needs a new connection: only what the watches depend on.
func connectionHash(kubeconfig []byte, object *v1alpha1.Target) string {
	sum := sha256.New()
	sum.Write(kubeconfig)
	shape, _ := json.Marshal([]any{object.UID, object.Spec.KubeconfigSecretRef, object.Spec.Capacity.From,
		object.Spec.Namespaces.Mapping, object.Spec.Namespaces.Name}) // plain structs always marshal
	sum.Write(shape)
	return hex.EncodeToString(sum.Sum(nil))
}
