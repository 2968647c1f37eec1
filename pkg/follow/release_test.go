package follow

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
)

func TestTheLastPodsReleaseDeletesTheCopyAndEndsTheWatch(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, _ *fake.Clientset, heata *target) {
		require.NoError(t, f.Ensure(t.Context(), heata, targetSpace, pod("q", usesConfigMap("app", false))))
		uid := heata.configMap(t, "app").UID

		f.Release(t.Context(), heata, targetSpace, "p")
		passes(time.Minute)
		assert.False(t, heata.isEmpty(), "q still uses it")

		f.Release(t.Context(), heata, targetSpace, "q")
		passes(f.options.Linger - time.Second)
		assert.Empty(t, heata.calls(), "it lingers")
		passes(time.Second)
		assert.Equal(t, uid, deletedUID(heata))
		assert.Equal(t, []string{"delete"}, heata.calls())
		assert.True(t, heata.isEmpty())
		assert.Empty(t, f.sources)

		passes(time.Hour)
		assert.Empty(t, heata.calls())
	})
}

func TestReleaseOfAnUnknownPodDoesNothing(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, _ *fake.Clientset, heata *target) {
		f.Release(t.Context(), heata, targetSpace, "stranger")
		f.Release(t.Context(), newTarget("cloud"), targetSpace, "p")
		passes(time.Minute)
		assert.Empty(t, heata.calls())
	})
}

func TestPodsThatFollowOneAnotherKeepTheCopy(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, _ *fake.Clientset, heata *target) {
		f.Release(t.Context(), heata, targetSpace, "p")
		passes(10 * time.Second)
		require.NoError(t, f.Ensure(t.Context(), heata, targetSpace, pod("q", usesConfigMap("app", false))))
		passes(time.Minute)
		assert.Empty(t, heata.calls())
		passes(f.options.Recheck)
		assert.Equal(t, []string{"get"}, heata.calls(), "it is looked at again")
	})
}

func TestAPodThatComesDuringTheDeletionHasItsCopy(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, _ *fake.Clientset, heata *target) {
		first := heata.configMap(t, "app").UID
		heata.fails("delete", func() error { time.Sleep(2 * time.Second); return nil })
		f.Release(t.Context(), heata, targetSpace, "p")
		passes(f.options.Linger + time.Second)
		require.NoError(t, f.Ensure(t.Context(), heata, targetSpace, pod("q", usesConfigMap("app", false))))
		assert.NotEqual(t, first, heata.configMap(t, "app").UID, "the one that is being deleted does not count")
		passes(time.Minute)
		assert.False(t, heata.isEmpty())
	})
}

func TestADeletionIsTriedUntilItSucceeds(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, _ *fake.Clientset, heata *target) {
		up := heata.down("delete")
		f.Release(t.Context(), heata, targetSpace, "p")
		passes(time.Hour)
		assert.Less(t, len(heata.calls()), 25)
		up()
		passes(lastRetry)
		assert.True(t, heata.isEmpty())
	})
}

func TestADeletionOfWhatIsOptionalIsTriedUntilItSucceeds(t *testing.T) {
	inBubble(t, []runtime.Object{configMap("app", "1")}, func(t *testing.T, f *Follower, source *fake.Clientset) {
		heata := newTarget("heata")
		require.NoError(t, f.Ensure(t.Context(), heata, targetSpace, pod("p", usesConfigMap("app", true))))
		synctest.Wait()
		up := heata.down("delete")
		require.NoError(t, source.CoreV1().ConfigMaps("default").Delete(t.Context(), "app", metav1.DeleteOptions{}))
		passes(time.Hour)
		assert.False(t, heata.isEmpty())
		up()
		passes(lastRetry)
		assert.True(t, heata.isEmpty())
	})
}

func TestACopyThatSomebodyReplacedIsTheirs(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, _ *fake.Clientset, heata *target) {
		heata.fails("delete", func() error {
			return apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, "app", errors.New("the UID differs"))
		})
		f.Release(t.Context(), heata, targetSpace, "p")
		passes(time.Hour)
		assert.Equal(t, []string{"delete"}, heata.calls())
	})
}

func TestARefusedPodLeavesNothingBehind(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *Follower, _ *fake.Clientset) {
		heata := newTarget("heata")
		require.True(t, IsMissing(f.Ensure(t.Context(), heata, targetSpace, pod("p", usesConfigMap("app", false)))))
		f.Release(t.Context(), heata, targetSpace, "p")
		passes(time.Minute)
		assert.Equal(t, []string{"get"}, heata.calls(), "an earlier process may have shipped it")
		assert.Empty(t, f.sources)
	})
}

func TestAForgottenTargetIsLeftAlone(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, source *fake.Clientset, heata *target) {
		f.Forget("heata")
		f.Forget("heata")
		f.Release(t.Context(), heata, targetSpace, "p")
		update(t, source, configMap("app", "2"))
		passes(time.Hour)
		assert.Empty(t, heata.calls())
		assert.Empty(t, f.sources)
	})
}

func TestATargetThatIsForgottenWhileAPodWaitsForItHasNotSucceeded(t *testing.T) {
	inBubble(t, []runtime.Object{configMap("app", "1")}, func(t *testing.T, f *Follower, _ *fake.Clientset) {
		heata := newTarget("heata")
		heata.fails("create", func() error { time.Sleep(2 * time.Second); return nil })
		time.AfterFunc(time.Second, func() { f.Forget("heata") })
		err := f.Ensure(t.Context(), heata, targetSpace, pod("p", usesConfigMap("app", false)))
		assert.ErrorContains(t, err, "shipping ConfigMap default/app to target heata")
	})
}

func TestAFollowerThatHasEndedTakesNoMorePods(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := New(Options{Source: fake.NewClientset()})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.NoError(t, f.Run(ctx))
		err := f.Ensure(t.Context(), newTarget("heata"), targetSpace, pod("p", usesConfigMap("app", false)))
		assert.ErrorContains(t, err, "shipping references while shutting down")
	})
}
