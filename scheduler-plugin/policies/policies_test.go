package policies_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	"github.com/spillway-dev/spillway/scheduler-plugin/policies"
)

func TestFor(t *testing.T) {
	all := v1alpha1.PlacementPolicySpec{}
	web := v1alpha1.PlacementPolicySpec{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}}
	batch := v1alpha1.PlacementPolicySpec{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "batch"}}}
	broken := v1alpha1.PlacementPolicySpec{Mode: "Sideways"}
	brokenForBatch := v1alpha1.PlacementPolicySpec{Mode: "Sideways", PodSelector: batch.PodSelector}
	type known map[types.NamespacedName]v1alpha1.PlacementPolicySpec
	ours := func(name string) types.NamespacedName { return types.NamespacedName{Namespace: "shop", Name: name} }
	cluster := func(name string) types.NamespacedName { return types.NamespacedName{Name: name} }
	tests := map[string]struct {
		known      known
		annotation string
		want       string
		wantError  string
	}{
		"without any policy the built-in one holds": {
			want: placement.BuiltIn().Name},
		"the cluster's default stands in for the built-in one": {
			known: known{cluster("default"): all}, want: "default"},
		"a cluster policy that selects the pod comes before the default": {
			known: known{cluster("default"): all, cluster("z-web"): web}, want: "z-web"},
		"a cluster policy that selects other pods does not": {
			known: known{cluster("default"): all, cluster("batch"): batch}, want: "default"},
		"a namespace's policy that selects the pod comes before the cluster's": {
			known: known{cluster("a-web"): web, ours("web"): web}, want: "shop/web"},
		"a namespace's policy that selects other pods leaves it to the cluster's": {
			known: known{cluster("web"): web, ours("batch"): batch}, want: "web"},
		"another namespace's policy does not count": {
			known: known{{Namespace: "bank", Name: "web"}: web}, want: placement.BuiltIn().Name},
		"a namespace may call its policy default": {
			known: known{ours("default"): all, cluster("default"): all}, want: "shop/default"},
		"of several the first by name": {
			known: known{ours("b"): web, ours("a"): web, ours("c"): all}, want: "shop/a"},
		"the annotation comes before the selectors": {
			known: known{ours("a"): web, ours("batch"): batch}, annotation: "batch", want: "shop/batch"},
		"an annotation that names no policy is an error, not a pass to the next": {
			known: known{ours("a"): web}, annotation: "gone", wantError: "PlacementPolicy shop/gone, which the pod's annotation spillway.dev/policy names, does not exist"},
		"an annotation does not reach into the cluster's policies": {
			known: known{cluster("web"): web}, annotation: "web", wantError: "does not exist"},
		"a broken policy that the annotation names is an error": {
			known: known{ours("broken"): broken}, annotation: "broken", wantError: `policy "shop/broken"`},
		"a broken policy of the namespace is never passed over": {
			known: known{ours("a"): broken, ours("b"): all, cluster("default"): all}, wantError: `policy "shop/a"`},
		"not even when it might have selected other pods": {
			known: known{ours("a"): brokenForBatch, cluster("default"): all}, wantError: `policy "shop/a"`},
		"a broken policy after one that selects the pod does no harm": {
			known: known{ours("a"): web, ours("b"): broken}, want: "shop/a"},
		"a broken cluster policy is never passed over": {
			known: known{cluster("a"): broken, cluster("default"): all}, wantError: `policy "a"`},
		"a broken default is not replaced by the built-in one": {
			known: known{cluster("default"): broken}, wantError: `policy "default"`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			store := policies.NewStore()
			for key, spec := range test.known {
				_, _ = store.Set(key, spec) // what is broken stays known as such
			}
			pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", Labels: map[string]string{"app": "web"}}}
			if test.annotation != "" {
				pod.Annotations = map[string]string{v1alpha1.AnnotationPolicy: test.annotation}
			}
			policy, err := store.For(pod)
			if test.wantError != "" {
				require.ErrorContains(t, err, test.wantError)
				assert.Nil(t, policy)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, test.want, policy.Name)
		})
	}
}

func TestAPolicyThatIsCorrectedOrDeletedIsForgotten(t *testing.T) {
	store, key := policies.NewStore(), types.NamespacedName{Namespace: "shop", Name: "a"}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop"}}
	_, err := store.Set(key, v1alpha1.PlacementPolicySpec{Mode: "Sideways"})
	require.Error(t, err)
	_, err = store.Set(key, v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny})
	require.NoError(t, err)
	policy, err := store.For(pod)
	require.NoError(t, err)
	assert.Equal(t, v1alpha1.ModeAny, policy.Mode)
	deletions := 0
	store.OnDelete(func() {
		_, err := store.For(pod)
		require.NoError(t, err, "who is told may ask at once")
		deletions++
	})
	store.Delete(key)
	store.Delete(key)
	assert.Equal(t, 1, deletions)
	policy, err = store.For(pod)
	require.NoError(t, err)
	assert.Equal(t, placement.BuiltIn().Name, policy.Name)
}
