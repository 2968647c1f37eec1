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
type Rights struct {
	Missing []string // without these no pod can run there
	Lacking []string // without these some things do not work, and pods run all the same
}

// Message says what is missing and what to do; "" when nothing is.
func (r *Rights) Message() string {
	if r == nil || len(r.Missing) == 0 {
		return ""
	}
	return "the kubeconfig's user may not " + strings.Join(r.Missing, ", ") +
		": apply deploy/target-rbac in the target, or choose another capacity.from"
}

// Note says what does not work for want of rights, although pods run there; "" when nothing.
func (r *Rights) Note() string {
	if r == nil || len(r.Lacking) == 0 {
		return ""
	}
	return "; what needs the right to " + strings.Join(r.Lacking, ", ") + " does not work: apply deploy/target-rbac in the target"
}

// right is one thing that Spillway does in a target.
type right struct {
	verb, group, resource, subresource, namespace string

	instead *right // which does as well
}

func (r right) String() string {
	resource := r.resource
	if r.group != "" {
		resource += "." + r.group
	}
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
	namespace := delegateNamespace(spec)
	watchNamespace := namespace
	if spec.Capacity.From == v1alpha1.CapacityNodes {
		watchNamespace = ""
	}
	rights := []right{
		{verb: "create", resource: "pods", namespace: namespace},
		{verb: "delete", resource: "pods", namespace: namespace},
		{verb: "list", resource: "pods", namespace: watchNamespace},
		{verb: "watch", resource: "pods", namespace: watchNamespace},
		{verb: "get", resource: "pods", subresource: "log", namespace: namespace},
	}
	switch spec.Capacity.From {
	case v1alpha1.CapacityQuota:
		rights = append(rights, right{verb: "list", resource: "resourcequotas", namespace: namespace}, right{verb: "watch", resource: "resourcequotas", namespace: namespace})
	case v1alpha1.CapacityStatic:
	default:
		rights = append(rights, right{verb: "list", resource: "nodes"}, right{verb: "watch", resource: "nodes"})
	}
	return rights
}

// usefulRights are those by which changes reach a running delegate, and its events and what it uses are seen. Older targets
// may not have granted them: pods run without.
func usefulRights(spec *v1alpha1.TargetSpec) []right {
	namespace := delegateNamespace(spec)
	return []right{
		{verb: "patch", resource: "pods", namespace: namespace},
		{verb: "patch", resource: "pods", subresource: "resize", namespace: namespace},
		{verb: "patch", resource: "pods", subresource: "ephemeralcontainers", namespace: namespace},
		{verb: "list", resource: "events", namespace: namespace},
		{verb: "watch", resource: "events", namespace: namespace},
		{verb: "list", group: "metrics.k8s.io", resource: "pods", namespace: namespace, instead: &right{verb: "get", resource: "nodes", subresource: "proxy"}},
	}
}

// DelegateNamespace is the only one that delegates go to; "" when there may be several.
func (t *Target) DelegateNamespace() string { return delegateNamespace(t.Spec()) }

func delegateNamespace(spec *v1alpha1.TargetSpec) string {
	if spec.Namespaces.Mapping == v1alpha1.MappingFixed {
		return spec.Namespaces.Name
	}
	return ""
}

// askRights asks the target for each right; nil when it could not be asked.
func (t *Target) askRights(ctx context.Context) *Rights {
	missing, err := t.lacking(ctx, requiredRights(t.Spec()))
	var lacking []string
	if err == nil {
		lacking, err = t.lacking(ctx, usefulRights(t.Spec()))
	}
	if err != nil {
		ctrllog.FromContext(ctx).Error(err, "asking for rights failed", "target", t.name)
		return t.Health().Rights
	}
	return &Rights{Missing: missing, Lacking: lacking}
}

func (t *Target) lacking(ctx context.Context, rights []right) ([]string, error) {
	var lacking []string
	for _, r := range rights {
		allowed, err := t.may(ctx, r)
		if err == nil && !allowed && r.instead != nil {
			allowed, err = t.may(ctx, *r.instead)
		}
		if err != nil {
			return nil, err
		}
		if !allowed {
			lacking = append(lacking, r.String())
		}
	}
	return lacking, nil
}

func (t *Target) may(ctx context.Context, r right) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: r.verb, Group: r.group, Resource: r.resource, Subresource: r.subresource, Namespace: r.namespace},
	}}
	answer, err := t.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, err
	}
	return answer.Status.Allowed, nil
}

func parseVersion(body []byte) string {
	var v version.Info
	if json.Unmarshal(body, &v) != nil {
		return ""
	}
	return v.GitVersion
}
