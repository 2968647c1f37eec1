package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

func TestReviewsAskNoTargetAndChangeNoPod(t *testing.T) {
	t.Parallel()
	s := givenNamespace(t, source, burst)
	s.givenSpare(priced("100m", "100"))
	dear := resource.MustParse("1m")
	spec := remoteOnly(spare.name)
	spec.Limits = &v1alpha1.Limits{PricePerHour: &dear, Currency: "GBP"}
	policy := s.givenPolicy(spec)
	s.createElected("waits", requesting("1", ""))
	before := s.expectUnschedulable("waits", "spare: price 0.1 GBP/h over the policy's limit 0.001")
	asked := requestsAbout(t, spare, "pods")

	const reviews = 50
	for i := range reviews {
		review := &v1alpha1.PlacementReview{ObjectMeta: metav1.ObjectMeta{Namespace: s.name, Name: fmt.Sprintf("asks-%d", i)}}
		if review.Spec.PodName = before.Name; i%2 == 1 {
			review.Spec.PodName, review.Spec.Template = "", templateOf(t, podTemplate(elected, requesting("1", "")))
		}
		answered := s.review(review)
		assert.Equal(t, "NoPlaceFits", answered.Reason, answered.Message)
	}

	// The cluster's own components ask now and then; each review would.
	assert.Less(t, requestsAbout(t, spare, "pods")-asked, reviews/2, "requests but watches")
	assert.Empty(t, cmp.Diff(withoutCondition(before), withoutCondition(s.getPod("waits"))), "the pod is as it was")
	require.NoError(t, s.client.Get(t.Context(), client.ObjectKeyFromObject(policy), policy))
	policy.Spec.Limits = nil
	require.NoError(t, s.client.Update(t.Context(), policy))
	s.expectRunningOn("waits", spare.name)
}

// withoutCondition leaves out what is written whenever the scheduler tries the pod again: other Targets come and go.
func withoutCondition(pod *corev1.Pod) *corev1.Pod {
	pod = pod.DeepCopy()
	pod.ResourceVersion, pod.ManagedFields, pod.Status.Conditions = "", nil, nil
	return pod
}

// review asks, and returns the condition that answers; the review is read back with its status.
func (s *space) review(review *v1alpha1.PlacementReview) metav1.Condition {
	s.t.Helper()
	require.NoError(s.t, s.client.Create(s.t.Context(), review))
	var answered metav1.Condition
	expectEventually(s.t, soon, "an answer", func(ctx context.Context) error {
		if err := s.client.Get(ctx, client.ObjectKeyFromObject(review), review); err != nil {
			return err
		}
		found := meta.FindStatusCondition(review.Status.Conditions, v1alpha1.ConditionAnswered)
		if found == nil {
			return fmt.Errorf("no condition yet: %+v", review.Status)
		}
		answered = *found
		return nil
	})
	return answered
}

func templateOf(t *testing.T, template corev1.PodTemplateSpec) *runtime.RawExtension {
	t.Helper()
	raw, err := json.Marshal(template)
	require.NoError(t, err)
	return &runtime.RawExtension{Raw: raw}
}

// requestsAbout counts an API server's requests for a resource, but watches.
func requestsAbout(t *testing.T, in *cluster, resource string) int {
	t.Helper()
	metrics, err := in.kube.CoreV1().RESTClient().Get().AbsPath("/metrics").DoRaw(t.Context())
	require.NoError(t, err)
	total := 0
	lines := bufio.NewScanner(bytes.NewReader(metrics))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		if !strings.HasPrefix(line, "apiserver_request_total{") || !strings.Contains(line, `resource="`+resource+`"`) || strings.Contains(line, `verb="WATCH"`) {
			continue
		}
		count, err := strconv.ParseFloat(line[strings.LastIndex(line, " ")+1:], 64)
		require.NoError(t, err)
		total += int(count)
	}
	return total
}
