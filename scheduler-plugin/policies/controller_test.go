package policies

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

func TestDecide(t *testing.T) {
	cloud := []placement.Place{{Name: placement.LocalName, Local: true}, {Name: "cloud", Labels: map[string]string{"region": "uk"}}}
	everywhere, err := placement.Compile("p", v1alpha1.PlacementPolicySpec{})
	require.NoError(t, err)
	moon, err := placement.Compile("p", v1alpha1.PlacementPolicySpec{TargetSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"region": "moon"}}})
	require.NoError(t, err)
	was := metav1.Condition{Type: v1alpha1.ConditionEffective, Status: metav1.ConditionFalse, Reason: "NoTargets", Message: "as last said"}
	tests := map[string]struct {
		policy  *placement.Policy
		invalid error
		known   bool
		want    map[string]string // + true, - false, and the reason, by type
	}{
		"a policy that lets pods burst": {
			policy: everywhere, known: true, want: map[string]string{"Valid": "+Compiled", "Effective": "+TargetsMatch"}},
		"a policy that selects no target": {
			policy: moon, known: true, want: map[string]string{"Valid": "+Compiled", "Effective": "-NoTargetMatches"}},
		"while targets are being connected, what was last said holds": {
			policy: everywhere, want: map[string]string{"Valid": "+Compiled", "Effective": "-NoTargets"}},
		"a policy that cannot be read has no effect to speak of": {
			invalid: errors.New("no"), known: true, want: map[string]string{"Valid": "-Invalid"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			status := &v1alpha1.PlacementPolicyStatus{Conditions: []metav1.Condition{was}}
			decide(status, 7, test.policy, test.invalid, cloud, test.known)
			got := map[string]string{}
			for _, c := range status.Conditions {
				got[c.Type] = map[metav1.ConditionStatus]string{metav1.ConditionTrue: "+", metav1.ConditionFalse: "-"}[c.Status] + c.Reason
				assert.NotEmpty(t, c.Message)
			}
			assert.Empty(t, cmp.Diff(test.want, got))
			assert.EqualValues(t, 7, status.ObservedGeneration)
		})
	}
}

// counting counts the writes of statuses.
type counting struct {
	client.Client
	writes int
}

func (c *counting) Status() client.SubResourceWriter {
	c.writes++
	return c.Client.Status()
}

func TestAPolicysStatusIsWrittenWhenItChangesOnly(t *testing.T) {
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	for name, policy := range map[string]client.Object{
		"a PlacementPolicy":        &v1alpha1.PlacementPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "p", Generation: 1}, Spec: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly}},
		"a ClusterPlacementPolicy": &v1alpha1.ClusterPlacementPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p", Generation: 1}, Spec: v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly}},
	} {
		t.Run(name, func(t *testing.T) {
			c := &counting{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(policy).WithStatusSubresource(policy).Build()}
			var places []placement.Place
			known := false
			r := (&reconciler{store: NewStore(), client: c, places: func() ([]placement.Place, bool) { return places, known }}).
				of(func() client.Object { return policy.DeepCopyObject().(client.Object) })
			key := client.ObjectKeyFromObject(policy)
			reconcile := func() (time float64, effective *metav1.Condition) {
				t.Helper()
				result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
				require.NoError(t, err)
				now := policy.DeepCopyObject().(client.Object)
				require.NoError(t, c.Get(t.Context(), key, now))
				_, status := parts(now)
				return result.RequeueAfter.Seconds(), meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionEffective)
			}

			again, effective := reconcile()
			assert.Equal(t, settling.Seconds(), again, "while the targets are not all known")
			assert.Nil(t, effective)
			assert.Equal(t, 1, c.writes)

			known = true
			again, effective = reconcile()
			assert.Equal(t, recheck.Seconds(), again)
			assert.Equal(t, "NoTargets", effective.Reason)
			assert.Equal(t, 2, c.writes)
			reconcile()
			assert.Equal(t, 2, c.writes, "nothing changed")

			places = []placement.Place{{Name: "cloud"}}
			_, effective = reconcile()
			assert.Equal(t, "TargetsMatch", effective.Reason)
			assert.Equal(t, 3, c.writes)
		})
	}
}

func TestWhatOfATargetMattersToPolicies(t *testing.T) {
	at := func(change func(*v1alpha1.Target)) *v1alpha1.Target {
		target := &v1alpha1.Target{Status: v1alpha1.TargetStatus{ObservedGeneration: 1}}
		change(target)
		return target
	}
	tests := map[string]struct {
		now  *v1alpha1.Target
		want bool
	}{
		"figures do not":                  {at(func(t *v1alpha1.Target) { t.Status.Pods = 7 }), false},
		"a spec not yet acted on neither": {at(func(t *v1alpha1.Target) { t.Generation = 2 }), false},
		"a spec that was acted on":        {at(func(t *v1alpha1.Target) { t.Status.ObservedGeneration = 2 }), true},
		"a price":                         {at(func(t *v1alpha1.Target) { t.Status.Signals.Price = "GBP 1" }), true},
		"a condition":                     {at(func(t *v1alpha1.Target) { t.Status.Conditions = []metav1.Condition{{Type: "Ready"}} }), true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, test.want, mattersToPolicies(event.UpdateEvent{ObjectOld: at(func(*v1alpha1.Target) {}), ObjectNew: test.now}))
		})
	}
}

func TestATargetConcernsAllPoliciesOfAKind(t *testing.T) {
	store := NewStore()
	for _, key := range []types.NamespacedName{{Namespace: "shop", Name: "a"}, {Namespace: "bank", Name: "a"}, {Name: "default"}} {
		_, err := store.Set(key, v1alpha1.PlacementPolicySpec{})
		require.NoError(t, err)
	}
	sorted := cmpopts.SortSlices(func(a, b ctrl.Request) bool { return a.String() < b.String() })
	request := func(namespace, name string) ctrl.Request {
		return ctrl.Request{NamespacedName: types.NamespacedName{Namespace: namespace, Name: name}}
	}
	assert.Empty(t, cmp.Diff([]ctrl.Request{request("bank", "a"), request("shop", "a")}, store.requests(true), sorted))
	assert.Empty(t, cmp.Diff([]ctrl.Request{request("", "default")}, store.requests(false), sorted))
}
