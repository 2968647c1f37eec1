package mirror

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	clocktesting "k8s.io/utils/clock/testing"
)

const changeWeb = "PATCH /api/v1/namespaces/shop/pods/web-x"

// changedPair is a pod whose image, resources and ephemeral containers have changed since its delegate was sent.
func changedPair() pair {
	source, delegate := sourcePod(), delegatePod()
	source.Spec.Containers[0].Image = "web:2"
	source.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}
	source.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{Name: "debug"}}}
	return pair{source: source, delegate: delegate}
}

func TestEachChangeIsSentOnceUntilItsEchoArrives(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		again, err := w.apply(t, changedPair())
		require.NoError(t, err)
		assert.Equal(t, sendPause, again, "and then it is looked whether it got there")
	}
	assert.Equal(t, []string{changeWeb, changeWeb + "/resize", changeWeb + "/ephemeralcontainers"}, calls(w.cloud.take()))

	w.mirror.Clock.(*clocktesting.FakePassiveClock).SetTime(w.mirror.Clock.Now().Add(sendPause))
	again, err := w.apply(t, changedPair())
	require.NoError(t, err)
	assert.Equal(t, 2*sendPause, again)
	assert.Len(t, w.cloud.take(), 3, "it was lost, or undone")

	newer := changedPair()
	newer.source.Spec.Containers[0].Image = "web:3"
	_, err = w.apply(t, newer)
	require.NoError(t, err)
	assert.Equal(t, []string{changeWeb}, calls(w.cloud.take()), "what is new waits for nothing")
	assert.Empty(t, w.events)
}

func TestARefusedChangeIsToldOnceAndTriedAgainLater(t *testing.T) {
	w := newWorld(t)
	w.cloud.answerWith(http.StatusForbidden)
	clock := w.mirror.Clock.(*clocktesting.FakePassiveClock)
	var pauses []time.Duration
	for range 10 {
		pair := changedPair()
		pair.source.Spec.EphemeralContainers, pair.source.Spec.Containers[0].Resources.Requests = nil, nil
		again, err := w.apply(t, pair)
		require.NoError(t, err, "the status is mirrored all the same")
		pauses = append(pauses, again)
		clock.SetTime(clock.Now().Add(again))
	}
	assert.Len(t, w.cloud.take(), 10)
	assert.Equal(t, sendPause, pauses[0])
	assert.Equal(t, sendPauseMax, pauses[9])
	require.Len(t, w.events, 1)
	assert.Contains(t, <-w.events, "Warning ChangeRefused target cloud refused a change of this pod's metadata or spec")

	w.cloud.answerWith(http.StatusOK)
	_, err := w.apply(t, changedPair())
	require.NoError(t, err)
	assert.NotEmpty(t, w.cloud.take(), "nothing is lost")
}

func TestADebuggerThatMayNotLeaveIsToldOnce(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		yes := true
		pair := pair{source: sourcePod(), delegate: delegatePod()}
		pair.source.Spec.EphemeralContainers = []corev1.EphemeralContainer{{EphemeralContainerCommon: corev1.EphemeralContainerCommon{
			Name: "debug", SecurityContext: &corev1.SecurityContext{Privileged: &yes}}}}
		_, err := w.apply(t, pair)
		require.NoError(t, err)
	}
	assert.Empty(t, w.cloud.take())
	require.Len(t, w.events, 1)
	assert.Contains(t, <-w.events, "not sent to target cloud: container debug is privileged")
}

func TestAChangeThatDoesNotArriveIsAnError(t *testing.T) {
	w := newWorld(t)
	w.cloud.answerWith(http.StatusUnauthorized)
	for range 2 {
		_, err := w.apply(t, changedPair())
		require.ErrorContains(t, err, "changing delegate shop/web-x in cloud")
	}
	assert.Equal(t, []string{changeWeb, changeWeb}, calls(w.cloud.take()), "the queue's pauses do")
	assert.Empty(t, w.events)
}

func TestNothingIsSentToADelegateThatHasEnded(t *testing.T) {
	w := newWorld(t)
	pair := changedPair()
	pair.delegate.Status.Phase = corev1.PodSucceeded
	_, err := w.apply(t, pair)
	require.NoError(t, err)
	assert.Empty(t, w.cloud.take())
}
