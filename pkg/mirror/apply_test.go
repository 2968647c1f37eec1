package mirror

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const patchWeb = "PATCH /api/v1/namespaces/shop/pods/web/status"

func TestAStatusIsWrittenOnceUntilItsEchoArrives(t *testing.T) {
	w := newWorld(t)
	source, delegate := sourcePod(), delegatePod()
	for range 3 {
		_, err := w.apply(t, pair{source: source, delegate: delegate})
		require.NoError(t, err)
	}
	written := w.source.take()
	require.Equal(t, []string{patchWeb}, calls(written))
	assert.Equal(t, "uid-1", written[0].Body["metadata"].(map[string]any)["uid"], "never another pod of that name")
	assert.Equal(t, "Running", written[0].Body["status"].(map[string]any)["phase"])

	newer := source.DeepCopy()
	newer.ResourceVersion = "8" // somebody else's write, which left the phase as it was
	_, err := w.apply(t, pair{source: newer, delegate: delegate})
	require.NoError(t, err)
	assert.Equal(t, []string{patchWeb}, calls(w.source.take()), "the status still differs in a newer version")

	delegate.Status.Phase = corev1.PodSucceeded
	_, err = w.apply(t, pair{source: newer, delegate: delegate})
	require.NoError(t, err)
	assert.Equal(t, []string{patchWeb}, calls(w.source.take()), "there is news over the same version")
	assert.Empty(t, w.cloud.take(), "mirroring asks the target nothing")
}

func TestAStatusThatIsRightIsNotWritten(t *testing.T) {
	w := newWorld(t)
	source := sourcePod()
	require.NoError(t, w.mirror.patchStatus(t.Context(), source, *source.Status.DeepCopy()))
	assert.Empty(t, w.source.take())
}

func TestAFailedStatusWriteIsTriedAgain(t *testing.T) {
	w := newWorld(t)
	w.source.answerWith(http.StatusForbidden)
	_, err := w.apply(t, pair{source: sourcePod(), delegate: delegatePod()})
	require.ErrorContains(t, err, "mirroring the status of shop/web")
	w.source.answerWith(http.StatusOK)
	_, err = w.apply(t, pair{source: sourcePod(), delegate: delegatePod()})
	require.NoError(t, err)
	assert.Equal(t, []string{patchWeb, patchWeb}, calls(w.source.take()))
}

func TestAStatusOfAPodThatIsGoneOrReplacedIsNoError(t *testing.T) {
	for _, code := range []int{http.StatusNotFound, http.StatusConflict} {
		w := newWorld(t)
		w.source.answerWith(code)
		_, err := w.apply(t, pair{source: sourcePod(), delegate: delegatePod()})
		assert.NoError(t, err, "%d", code)
	}
}

func TestAPodThatOnlyLostItsLabelGetsItBackAndKeepsItsDelegate(t *testing.T) {
	w := newWorld(t)
	unlabelled := sourcePod()
	unlabelled.Labels = nil
	w.source.pods = []corev1.Pod{*unlabelled}
	again, err := w.apply(t, pair{departed: unlabelled, delegate: delegatePod()})
	require.NoError(t, err)
	assert.Equal(t, collectAfter, again)
	assert.Empty(t, w.cloud.take(), "the delegate lives on")
	want := []request{
		{Call: "GET /api/v1/namespaces/shop/pods/web"},
		{Call: "PATCH /api/v1/namespaces/shop/pods/web", Body: map[string]any{"metadata": map[string]any{
			"uid": "uid-1", "labels": map[string]any{v1alpha1.LabelElected: v1alpha1.ElectedTrue}}}},
	}
	assert.Empty(t, cmp.Diff(want, w.source.take()))
}

func TestASourceThatWasNeverSeenGetsTimeBeforeItIsAskedFor(t *testing.T) {
	for name, created := range map[string]time.Duration{"the target's clock is ahead": time.Hour, "it is behind": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			clock := w.mirror.Clock.(*clocktesting.FakePassiveClock)
			young := delegatePod()
			young.CreationTimestamp = metav1.NewTime(clock.Now().Add(created))
			again, err := w.apply(t, pair{delegate: young})
			require.NoError(t, err)
			assert.Equal(t, collectAfter, again)
			clock.SetTime(clock.Now().Add(5 * time.Second))
			again, err = w.apply(t, pair{delegate: young})
			require.NoError(t, err)
			assert.Equal(t, collectAfter-5*time.Second, again)
			assert.Empty(t, w.source.take(), "the watch that brings it may be late")
			assert.Empty(t, w.cloud.take())

			clock.SetTime(clock.Now().Add(again))
			_, err = w.apply(t, pair{delegate: young})
			require.NoError(t, err)
			assert.Equal(t, []string{"GET /api/v1/namespaces/shop/pods/web"}, calls(w.source.take()))
		})
	}
}

func TestASourceWithALongNameIsFoundAmongAll(t *testing.T) {
	w := newWorld(t)
	long := sourcePod()
	long.Name = strings.Repeat("w", 70)
	w.source.pods = []corev1.Pod{*long}
	of := delegatePod()
	of.Labels[v1alpha1.LabelSourceName] = long.Name[:63]
	w.mirror.orphans[of.UID] = time.Time{} // long ago
	_, err := w.apply(t, pair{delegate: of})
	require.NoError(t, err)
	assert.Empty(t, w.cloud.take(), "its source lives")
}

func TestADelegateIsCollected(t *testing.T) {
	namesake := sourcePod()
	namesake.UID = "uid-2"
	tests := map[string]struct {
		found  []corev1.Pod
		answer int
		want   []string
	}{
		"when its source is gone":                              {nil, http.StatusOK, []string{"DELETE /api/v1/namespaces/shop/pods/web-x"}},
		"when another pod has the name":                        {[]corev1.Pod{*namesake}, http.StatusOK, []string{"DELETE /api/v1/namespaces/shop/pods/web-x"}},
		"but not when the source's API server does not answer": {nil, http.StatusForbidden, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.source.pods = test.found
			w.source.answerWith(test.answer)
			w.mirror.orphans[delegatePod().UID] = time.Time{} // long ago
			_, err := w.apply(t, pair{delegate: delegatePod()})
			assert.Equal(t, test.answer != http.StatusOK, err != nil, "got %v", err)
			deleted := w.cloud.take()
			require.Equal(t, test.want, calls(deleted))
			for _, d := range deleted {
				assert.Equal(t, map[string]any{"uid": "remote-1"}, d.Body["preconditions"])
				assert.NotContains(t, d.Body, "gracePeriodSeconds", "the delegate ends with its own grace")
			}
		})
	}
}

func TestADeletionIsPassedOnOncePerGrace(t *testing.T) {
	w := newWorld(t)
	for _, grace := range []int64{30, 30, 5, 5} {
		_, err := w.apply(t, pair{source: ending(sourcePod(), grace), delegate: delegatePod()})
		require.NoError(t, err)
	}
	var graces []any
	for _, d := range w.cloud.take() {
		assert.Equal(t, "DELETE /api/v1/namespaces/shop/pods/web-x", d.Call)
		graces = append(graces, d.Body["gracePeriodSeconds"])
	}
	assert.Equal(t, []any{30.0, 5.0}, graces)
}

func TestADeletionThatFailedIsPassedOnAgain(t *testing.T) {
	w := newWorld(t)
	w.cloud.answerWith(http.StatusForbidden)
	_, err := w.apply(t, pair{source: ending(sourcePod(), 30), delegate: delegatePod()})
	require.ErrorContains(t, err, "deleting delegate shop/web-x in cloud")
	w.cloud.answerWith(http.StatusOK)
	_, err = w.apply(t, pair{source: ending(sourcePod(), 30), delegate: delegatePod()})
	require.NoError(t, err)
	assert.Len(t, w.cloud.take(), 2)
}

func TestASourceEndsWhenItsDelegateIsGone(t *testing.T) {
	w := newWorld(t)
	_, err := w.apply(t, pair{source: ending(sourcePod(), 30)})
	require.NoError(t, err)
	written := w.source.take()
	require.Equal(t, []string{"DELETE /api/v1/namespaces/shop/pods/web"}, calls(written))
	assert.Equal(t, 0.0, written[0].Body["gracePeriodSeconds"])
	assert.Equal(t, map[string]any{"uid": "uid-1"}, written[0].Body["preconditions"])

	_, err = w.apply(t, pair{source: ending(sourcePod(), 0)})
	require.NoError(t, err)
	assert.Empty(t, w.source.take(), "asked for already; a finalizer keeps it")
}

func TestALostSourceFailsAndSaysWhoLostIt(t *testing.T) {
	w := newWorld(t)
	_, err := w.apply(t, pair{source: sourcePod()})
	require.NoError(t, err)
	written := w.source.take()
	require.Equal(t, []string{patchWeb}, calls(written))
	status := written[0].Body["status"].(map[string]any)
	assert.Equal(t, "Failed", status["phase"])
	assert.Contains(t, status["message"], "target cloud deleted the delegate")
	require.Len(t, w.events, 1)
	assert.Contains(t, <-w.events, "Warning DelegateDeleted target cloud")
}

func TestReferencesOfARunningPodAreTakenUpOnce(t *testing.T) {
	w := newWorld(t)
	source := sourcePod()
	source.Spec.Containers[0].EnvFrom = []corev1.EnvFromSource{{ConfigMapRef: &corev1.ConfigMapEnvSource{
		LocalObjectReference: corev1.LocalObjectReference{Name: "settings"}}}}
	mirror := func() {
		_, err := w.apply(t, pair{source: source, delegate: delegatePod()})
		require.NoError(t, err, "a pod whose Secret cannot be shipped anew still tells its status")
	}
	w.follower.fail = true
	mirror()
	require.Len(t, w.events, 1)
	assert.Contains(t, <-w.events, "Warning FollowFailed cloud: secrets is forbidden")
	w.follower.fail = false
	mirror()
	mirror()
	assert.Equal(t, []string{"cloud shop/web", "cloud shop/web"}, w.follower.ensured, "once failed, once done")

	w.mirror.delegateDeleted(w.target, delegatePod())
	w.mirror.delegateDeleted(w.target, delegatePod())
	assert.Len(t, w.follower.released, 1)
}

func TestAPodWithoutReferencesIsNotFollowed(t *testing.T) {
	w := newWorld(t)
	_, err := w.apply(t, pair{source: sourcePod(), delegate: delegatePod()})
	require.NoError(t, err)
	assert.Empty(t, w.follower.ensured)
}

func TestADeletedSourceIsRememberedUntilItsDelegateIsGone(t *testing.T) {
	w := newWorld(t)
	w.mirror.sourceDeleted(cache.DeletedFinalStateUnknown{Key: "shop/web", Obj: sourcePod()})
	assert.Contains(t, w.mirror.departed, sourcePod().UID)
	_, err := w.mirror.reconcile(t.Context(), sourcePod().UID) // no target holds a delegate
	require.NoError(t, err)
	assert.Empty(t, w.mirror.departed)
}

func TestADelegateThatEndsAndGoesAtOnceIsMirroredAsItEnded(t *testing.T) {
	w := newWorld(t)
	require.NoError(t, w.mirror.pods.GetIndexer().Add(sourcePod()))
	gone := delegatePod()
	gone.Status.Phase = corev1.PodSucceeded
	w.mirror.delegateDeleted(w.target, gone)
	_, err := w.apply(t, pair{source: sourcePod(), last: w.mirror.last[sourcePod().UID], bound: true, synced: true})
	require.NoError(t, err)
	written := w.source.take()
	require.Equal(t, []string{patchWeb}, calls(written))
	assert.Equal(t, "Succeeded", written[0].Body["status"].(map[string]any)["phase"])
	assert.Equal(t, []string{"cloud ended uid-1"}, w.outcomes.heard)
	assert.Empty(t, w.mirror.followed, "nothing is shipped for what is gone")

	w.mirror.sourceDeleted(sourcePod())
	assert.Empty(t, w.mirror.last)
}

func TestPodsAreFoundByNodeAndByName(t *testing.T) {
	w := newWorld(t)
	bound, waiting := sourcePod(), sourcePod()
	waiting.ObjectMeta = metav1.ObjectMeta{Namespace: "shop", Name: "next", UID: "uid-3"}
	waiting.Spec.NodeName = ""
	for _, pod := range []*corev1.Pod{bound, waiting} {
		require.NoError(t, w.mirror.pods.GetIndexer().Add(pod))
	}
	assert.Equal(t, []*corev1.Pod{bound}, w.mirror.OnNode("spillway-cloud"))
	assert.Empty(t, w.mirror.OnNode(""))
	assert.Same(t, waiting, w.mirror.Find("shop", "next"))
	assert.Nil(t, w.mirror.Find("shop", "gone"))
}

func TestWhatWasLostIsDecidedFromWhatWasWritten(t *testing.T) {
	w := newWorld(t)
	_, err := w.apply(t, pair{source: sourcePod(), delegate: delegatePod()})
	require.NoError(t, err)
	require.Equal(t, []string{patchWeb}, calls(w.source.take()))

	again, err := w.apply(t, pair{source: sourcePod()}) // the cache does not show yet that the pod ran
	require.NoError(t, err)
	assert.Equal(t, echoPause, again)
	assert.Empty(t, w.source.take())

	echoed := sourcePod()
	echoed.ResourceVersion = "8"
	_, err = w.apply(t, pair{source: echoed})
	require.NoError(t, err)
	assert.Equal(t, []string{patchWeb}, calls(w.source.take()))
}

func TestAPodThatFinalizersKeepEndsWhenItsDelegateIsGone(t *testing.T) {
	w := newWorld(t)
	kept := ending(sourcePod(), 0)
	kept.Finalizers, kept.Status.Phase = []string{"example.com/hold"}, corev1.PodRunning

	_, err := w.apply(t, pair{source: kept})
	require.NoError(t, err)
	written := w.source.take()
	require.Equal(t, []string{patchWeb}, calls(written))
	assert.Equal(t, "Failed", written[0].Body["status"].(map[string]any)["phase"])
	assert.Empty(t, w.outcomes.heard, "that is no loss")
	assert.Empty(t, w.events)

	again, err := w.apply(t, pair{source: kept}) // the cache does not show it yet
	require.NoError(t, err)
	assert.Equal(t, echoPause, again)
	assert.Empty(t, w.source.take())
}

func TestAPodThatFinalizersKeepLeavesItsDelegateASecond(t *testing.T) {
	w := newWorld(t)
	kept := ending(sourcePod(), 0)
	kept.Finalizers = []string{"example.com/hold"}

	_, err := w.apply(t, pair{source: kept, delegate: delegatePod()})

	require.NoError(t, err)
	deleted := w.cloud.take()
	require.Len(t, deleted, 1)
	assert.EqualValues(t, 1, deleted[0].Body["gracePeriodSeconds"])
}

func TestHowDelegatesEndIsTold(t *testing.T) {
	ended := delegatePod()
	ended.Status.Phase = corev1.PodSucceeded
	tests := map[string]struct {
		p    pair
		want []string
	}{
		"a delegate that runs":                       {pair{source: sourcePod(), delegate: delegatePod()}, nil},
		"one that has ended":                         {pair{source: sourcePod(), delegate: ended}, []string{"cloud ended uid-1"}},
		"one that its target deleted":                {pair{source: sourcePod()}, []string{"cloud lost uid-1"}},
		"one that is gone because its user wants so": {pair{source: ending(sourcePod(), 0)}, nil},
		"one that ends because its user wants so":    {pair{source: ending(sourcePod(), 1), delegate: ending(ended.DeepCopy(), 1)}, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.apply(t, test.p)
			require.NoError(t, err)
			assert.Equal(t, test.want, w.outcomes.heard)
		})
	}
}
