package target

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/version"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Rights is what the user of a kubeconfig lacks.
type Rights struct{ Missing []string }

// Message says what is missing and what to do; "" when nothing is.
func (r *Rights) Message() string {
	if r == nil || len(r.Missing) == 0 {
		return ""
	}
	return "the kubeconfig's user may not " + strings.Join(r.Missing, ", ") +
		": apply deploy/target-rbac in the target, or choose another capacity.from"
}

// right is one thing that Spillway does in a target.
type right struct{ verb, resource, subresource, namespace string }

func (r right) String() string {
	resource := r.resource
	if r.subresource != "" {
		resource += "/" + r.subresource
	}
	if r.namespace != "" {
		return fmt.Sprintf("%s %s in namespace %s", r.verb, resource, r.namespace)
	}
	return fmt.Sprintf("%s %s", r.verb, resource)
}

// requiredRights are those without which no pod can run there. Rights that only some pods need (ConfigMaps, Secrets,
// exec) are left to the moment of their use, whose error names them.
func requiredRights(spec *v1alpha1.TargetSpec) []right {
	namespace := ""
	if spec.Namespaces.Mapping == v1alpha1.MappingFixed {
		namespace = spec.Namespaces.Name
	}
	watchNamespace := namespace
	if spec.Capacity.From == v1alpha1.CapacityNodes {
		watchNamespace = ""
	}
	rights := []right{
		{"create", "pods", "", namespace},
		{"delete", "pods", "", namespace},
		{"list", "pods", "", watchNamespace},
		{"watch", "pods", "", watchNamespace},
		{"get", "pods", "log", namespace},
	}
	switch spec.Capacity.From {
	case v1alpha1.CapacityQuota:
		rights = append(rights, right{"list", "resourcequotas", "", namespace}, right{"watch", "resourcequotas", "", namespace})
	case v1alpha1.CapacityStatic:
	default:
		rights = append(rights, right{"list", "nodes", "", ""}, right{"watch", "nodes", "", ""})
	}
	return rights
}

// askRights asks the target for each right; nil when it could not be asked.
func (t *Target) askRights(ctx context.Context) *Rights {
	rights := &Rights{}
	for _, r := range requiredRights(t.Spec()) {
		review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorizationv1.ResourceAttributes{
				Verb: r.verb, Resource: r.resource, Subresource: r.subresource, Namespace: r.namespace},
		}}
		answer, err := t.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
		if err != nil {
			ctrllog.FromContext(ctx).Error(err, "asking for rights failed", "target", t.name)
			return t.Health().Rights
		}
		if !answer.Status.Allowed {
			rights.Missing = append(rights.Missing, r.String())
		}
	}
	return rights
}

func parseVersion(body []byte) string {
	var v version.Info
	if json.Unmarshal(body, &v) != nil {
		return ""
	}
	return v.GitVersion
}
