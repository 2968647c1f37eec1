package target

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestRequiredRights(t *testing.T) {
	tests := map[string]struct {
		spec v1alpha1.TargetSpec
		want []string
	}{
		"nodes are watched, pods everywhere": {
			v1alpha1.TargetSpec{Capacity: v1alpha1.Capacity{From: v1alpha1.CapacityNodes}},
			[]string{"create pods", "delete pods", "list pods", "watch pods", "get pods/log", "list nodes", "watch nodes"}},
		"nodes with one fixed namespace: writes there, watches everywhere": {
			v1alpha1.TargetSpec{Capacity: v1alpha1.Capacity{From: v1alpha1.CapacityNodes}, Namespaces: fixed},
			[]string{"create pods in namespace burst", "delete pods in namespace burst", "list pods", "watch pods",
				"get pods/log in namespace burst", "list nodes", "watch nodes"}},
		"a quota needs rights in its namespace only": {
			v1alpha1.TargetSpec{Capacity: v1alpha1.Capacity{From: v1alpha1.CapacityQuota}, Namespaces: fixed},
			[]string{"create pods in namespace burst", "delete pods in namespace burst", "list pods in namespace burst", "watch pods in namespace burst",
				"get pods/log in namespace burst", "list resourcequotas in namespace burst", "watch resourcequotas in namespace burst"}},
		"declared room needs to see pods only": {
			v1alpha1.TargetSpec{Capacity: v1alpha1.Capacity{From: v1alpha1.CapacityStatic}},
			[]string{"create pods", "delete pods", "list pods", "watch pods", "get pods/log"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, r := range requiredRights(&test.spec) {
				got = append(got, r.String())
			}
			assert.Empty(t, cmp.Diff(test.want, got))
		})
	}
}

// allowing answers access reviews as an API server does that allows all but these.
func allowing(t *testing.T, all *Target, but ...string) {
	t.Helper()
	client := fake.NewClientset()
	client.PrependReactor("create", "selfsubjectaccessreviews", func(action clienttesting.Action) (bool, runtime.Object, error) {
		review := action.(clienttesting.CreateAction).GetObject().(*authorizationv1.SelfSubjectAccessReview)
		a := review.Spec.ResourceAttributes
		asked := right{verb: a.Verb, group: a.Group, resource: a.Resource, subresource: a.Subresource, namespace: a.Namespace}
		for _, refused := range but {
			if asked.String() == refused {
				return true, review, nil
			}
		}
		review.Status.Allowed = true
		return true, review, nil
	})
	all.client = client
}

func TestWhatTheUserMayNotIsNamed(t *testing.T) {
	tests := map[string]struct {
		but  []string
		want Rights
	}{
		"nothing":                   {},
		"what no pod runs without":  {[]string{"create pods", "get pods/log"}, Rights{Missing: []string{"create pods", "get pods/log"}}},
		"what makes changes arrive": {[]string{"patch pods/resize"}, Rights{Lacking: []string{"patch pods/resize"}}},
		"what tells of use in neither way": {[]string{"list pods.metrics.k8s.io", "get nodes/proxy"},
			Rights{Lacking: []string{"list pods.metrics.k8s.io"}}},
		"what tells of use in one way, as long as there is the other": {but: []string{"list pods.metrics.k8s.io"}},
		"a right that is wide, and asked for in place of another":     {but: []string{"get nodes/proxy"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			live := newTarget(t, v1alpha1.TargetSpec{Capacity: v1alpha1.Capacity{From: v1alpha1.CapacityNodes}})
			allowing(t, live, test.but...)
			assert.Equal(t, &test.want, live.askRights(t.Context()))
		})
	}
}

func TestRightsThatCannotBeAskedForAreAsLastKnown(t *testing.T) {
	live := newTarget(t, v1alpha1.TargetSpec{})
	client := fake.NewClientset()
	client.PrependReactor("create", "selfsubjectaccessreviews", func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, errors.New("busy")
	})
	live.client = client
	require.Equal(t, live.Health().Rights, live.askRights(t.Context()))
}
