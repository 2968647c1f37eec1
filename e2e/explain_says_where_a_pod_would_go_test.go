package e2e

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const webManifest = `
apiVersion: v1
kind: ConfigMap
metadata: {name: web}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 1
  selector: {matchLabels: {app: web}}
  template:
    metadata:
      labels: {app: web}
      annotations: {%s}
    spec:
      terminationGracePeriodSeconds: 1
      containers: [{name: main, image: "busybox:1.37", resources: {limits: {cpu: "1", memory: 1Gi}}}]
`

func TestDescribeOfAPendingPodReadsLikeKubernetesInEventAndCondition(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)

	s.createElected("waits", requesting("10", ""))

	// Other scenarios' Targets come and go.
	const want = `^0/\d+ places fit: ([^;]+; )*cloud, heata: 4 Insufficient cpu; ([^;]+; )*local: 2 Insufficient cpu$`
	pod := s.expectUnschedulable("waits", "places fit")
	assert.Regexp(t, want, podCondition(pod, corev1.PodScheduled).Message)
	expectEventually(t, soon, "an event that says the same", func(ctx context.Context) error {
		found, err := s.kube.EventsV1().Events(s.name).List(ctx, metav1.ListOptions{FieldSelector: "reason=FailedScheduling"})
		if err != nil {
			return err
		}
		if len(found.Items) == 0 {
			return errors.New("no event")
		}
		assert.Regexp(t, want, found.Items[0].Note)
		return nil
	})
}

func TestAPendingPodIsExplainedLive(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.createElected("waits", requesting("10", ""))
	s.expectUnschedulable("waits", "places fit")

	e := s.explain("", "pod", "waits")

	assert.True(t, e.Live, e.NotLive)
	assert.Empty(t, e.Winner)
	assert.Equal(t, "4 Insufficient cpu", placeIn(e, "heata").Reason)
	assert.Equal(t, "2 Insufficient cpu", placeIn(e, "local").Reason)
	assert.Equal(t, "0.2", placeIn(e, "heata").CostPerHour)
	assert.NotEmpty(t, e.Hints)
	text, err := s.spillway("", "explain", "pod", "waits", "-n", s.name)
	require.NoError(t, err, text)
	assert.Contains(t, text, "No place takes it now: 0/")
}

func TestAManifestIsExplainedBeforeItIsSubmitted(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name, cloud.name))
	manifest := fmt.Sprintf(webManifest, `spillway.dev/elect: ""`)

	e := s.explain(manifest, "-f", "-")
	assert.Equal(t, "heata", e.Winner)
	assert.Equal(t, "Deployment", e.Kind)
	assert.Equal(t, "0.023", placeIn(e, "heata").CostPerHour, "its requests are its limits, as the API server has it")
	assert.Equal(t, "cloud", s.explain(manifest, "-f", "-", "--target-down", "heata").Winner)
	assert.Empty(t, s.explain(manifest, "-f", "-", "--target-down", "heata", "--target-down", "cloud").Winner)

	notElected := s.explain(fmt.Sprintf(webManifest, ""), "-f", "-")
	assert.False(t, notElected.Elected)
	require.Len(t, notElected.Missing, 1)
	assert.Contains(t, notElected.Missing[0], "spillway.dev/elect")

	pods, err := s.list(t.Context())
	require.NoError(t, err)
	assert.Empty(t, pods, "nothing was submitted")
	s.expectNoDelegates()
}

func TestANamespaceThatDoesNotAllowBurstingIsToldSoAndNothingOfTargets(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, nil)

	e := s.explain(fmt.Sprintf(webManifest, `spillway.dev/elect: ""`), "-f", "-")
	assert.False(t, e.Elected)
	require.Len(t, e.Missing, 1)
	assert.Contains(t, e.Missing[0], "kubectl label namespace "+s.name)

	review := &v1alpha1.PlacementReview{ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: "by-hand"}}
	review.Spec.Template = templateOf(t, podTemplate(elected))
	answered := s.review(review)
	assert.Equal(t, "NotElected", answered.Reason)
	assert.Contains(t, answered.Message, "does not allow bursting")
	assert.Nil(t, review.Status.Placement)
}

func TestAPlacedPodIsExplainedAsIfItsTargetWereDown(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenPolicy(remoteOnly(heata.name, cloud.name))
	s.createElected("placed", requesting("1", "1Gi"))
	s.expectRunningOn("placed", heata.name)

	recorded := s.explain("", "pod", "placed")
	assert.False(t, recorded.Live, "without what-if the record answers")
	assert.Equal(t, "heata", recorded.Place)

	e := s.explain("", "pod", "placed", "--target-down", "heata")
	assert.True(t, e.Live)
	assert.Equal(t, "heata", e.Place)
	assert.Equal(t, "cloud", e.Winner)
	assert.Equal(t, "down, as asked", placeIn(e, "heata").Reason)

	output, err := s.spillway("", "explain", "pod", "placed", "-n", s.name, "--target-down", "mars")
	require.Error(t, err)
	assert.Regexp(t, "there is no Target mars to suppose down: there are .*cloud, heata", output)
	output, err = s.spillway("", "explain", "pod", "missing", "-n", s.name, "--target-down", "heata")
	require.Error(t, err)
	assert.Contains(t, output, "there is no pod missing in namespace "+s.name)
}

func TestOtherWeightsAndPoliciesAreTriedWithoutChangingAny(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenSpare(priced("1m", "900")) // the cheapest, and the dirtiest
	greenest := s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly, Weights: byCarbon, PodSelector: &metav1.LabelSelector{
		MatchLabels: map[string]string{"nobody": "has"}}})
	policy := s.givenPolicy(v1alpha1.PlacementPolicySpec{Mode: v1alpha1.ModeRemoteOnly, Weights: byCost})
	manifest := fmt.Sprintf(webManifest, `spillway.dev/elect: "", spillway.dev/policy: `+policy.Name)

	assert.Equal(t, "spare", s.explain(manifest, "-f", "-").Winner)
	assert.Equal(t, "heata", s.explain(manifest, "-f", "-", "--weights", "carbon=1").Winner)
	e := s.explain(manifest, "-f", "-", "--policy", greenest.Name)
	assert.Equal(t, "heata", e.Winner)
	assert.Equal(t, s.name+"/"+greenest.Name, e.Record.Policy)
	output, err := s.spillway(manifest, "explain", "-n", s.name, "-f", "-", "--policy", "missing")
	require.Error(t, err)
	assert.Contains(t, output, "neither a PlacementPolicy missing in namespace "+s.name)
}
