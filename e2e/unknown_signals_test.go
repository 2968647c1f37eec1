package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestAPlaceOfUnknownPriceIsNeverTheBest(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	target := s.givenSpare(nil)
	s.givenPolicy(v1alpha1.PlacementPolicySpec{
		Mode: v1alpha1.ModeRemoteOnly, Weights: byCost, TargetSelector: targetsNamed(heata.name, target.Name),
	})

	s.createElected("careful", requesting("1", ""))

	s.expectRunningOn("careful", heata.name)
}

func TestAPolicyThatExcludesUnknownSignalsSaysWhichIsMissingAndPodsRunOnceItIsKnown(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	target := s.givenSpare(nil)
	s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly, Weights: byCost,
		TargetSelector: targetsNamed(target.Name), UnknownSignals: v1alpha1.UnknownExclude})
	s.createElected("strict", requesting("1", ""))
	s.expectUnschedulable("strict", "spare: price unknown, and the policy excludes what is unknown: give the Target a price")

	s.changeTarget(target, priced("30m", "120"))

	s.expectRunningOn("strict", target.Name)
}

func TestAStalePriceIsUnknownUntilItIsRenewed(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	price := func(until time.Time) map[string]string {
		return map[string]string{"price": fmt.Sprintf("currency: GBP\ncpuCoreHour: 30m\nvalidUntil: %s\n", until.UTC().Format(time.RFC3339))}
	}
	feed := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "prices"}, Data: price(time.Now().Add(-time.Minute))}
	feed, err := s.kube.CoreV1().ConfigMaps(s.name).Create(t.Context(), feed, metav1.CreateOptions{})
	require.NoError(t, err)
	target := s.givenSpare(func(spec *v1alpha1.TargetSpec) {
		spec.PriceFrom = &v1alpha1.SignalSource{ConfigMap: v1alpha1.ConfigMapSignal{Namespace: s.name, Name: feed.Name, Key: "price"}}
	})
	s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly, Weights: byCost,
		TargetSelector: targetsNamed(target.Name), UnknownSignals: v1alpha1.UnknownExclude})
	s.createElected("strict", requesting("1", ""))
	s.expectUnschedulable("strict", "spare: price unknown", "ConfigMap "+s.name+"/prices", "is stale since", "let its writer set a new value")

	feed.Data = price(time.Now().Add(time.Hour))
	_, err = s.kube.CoreV1().ConfigMaps(s.name).Update(t.Context(), feed, metav1.UpdateOptions{})
	require.NoError(t, err)

	s.expectRunningOn("strict", target.Name)
}
