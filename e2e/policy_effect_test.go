package e2e

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestAPolicyThatExcludesEveryTargetSaysSoForAsLongAsThatIsSo(t *testing.T) { // not in parallel: others have the spare target too
	s := givenNamespace(t, source, burst)
	policy := s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly, TargetSelector: targetsNamed(spare.name)})
	s.expectEffect(policy, metav1.ConditionFalse, "NoTargetMatches")

	target := s.givenSpare(priced("30m", "120"))
	s.expectEffect(policy, metav1.ConditionTrue, "TargetsMatch")

	grams := resource.MustParse("100")
	policy.Spec.Limits = &v1alpha1.Limits{GramsPerKWh: &grams}
	require.NoError(t, s.client.Update(t.Context(), policy))
	s.expectEffect(policy, metav1.ConditionFalse, "LimitsExcludeAll")

	s.changeTarget(target, priced("30m", "90"))
	s.expectEffect(policy, metav1.ConditionTrue, "TargetsMatch")

	require.NoError(t, s.client.Delete(t.Context(), target))
	expectEventually(t, late, "Target to be gone", func(ctx context.Context) error { return s.isGone(ctx, target) })
	s.expectEffect(policy, metav1.ConditionFalse, "NoTargetMatches")
}

func (s *space) expectEffect(policy *v1alpha1.PlacementPolicy, status metav1.ConditionStatus, reason string) {
	s.t.Helper()
	expectEventually(s.t, soon, "the policy to be Effective="+string(status)+", "+reason, func(ctx context.Context) error {
		return s.conditionOf(ctx, policy, func() []metav1.Condition { return policy.Status.Conditions }, v1alpha1.ConditionEffective, status, reason)
	})
}

// Sequential: every scenario sees the source's own price.
func TestLocalNodesCompeteAtTheSourcesOwnPrice(t *testing.T) {
	s := givenNamespace(t, source, burst)
	self := s.self()
	was := *self.Spec.Price
	t.Cleanup(func() {
		lasting := &space{cluster: s.cluster, t: t, name: s.name}
		require.NoError(t, lasting.setPrice(context.Background(), self, &was))
	})
	s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeAny, Weights: byCost})
	s.createElected("before", requesting("1", ""))
	s.expectRunningOn("before", heata.name)

	s.changeTarget(self, func(spec *v1alpha1.TargetSpec) { spec.Price.CPUCoreHour = resource.MustParse("10m") })
	s.createElected("after", requesting("1", ""))

	s.expectRunningLocally("after")
}

// self is the Target that describes the source cluster.
func (s *space) self() *v1alpha1.Target {
	s.t.Helper()
	var list v1alpha1.TargetList
	require.NoError(s.t, s.client.List(s.t.Context(), &list))
	for i := range list.Items {
		if list.Items[i].Spec.Self {
			return &list.Items[i]
		}
	}
	require.Fail(s.t, "no Target describes the source")
	return nil
}

func (s *space) setPrice(ctx context.Context, target *v1alpha1.Target, price *v1alpha1.Price) error {
	if err := s.client.Get(ctx, client.ObjectKeyFromObject(target), target); err != nil {
		return err
	}
	target.Spec.Price = price
	return s.client.Update(ctx, target)
}
