package follow

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
)

// using starts a test in which pod "p" uses ConfigMap "app", with value 1, in target heata.
func using(t *testing.T, test func(t *testing.T, f *Follower, source *fake.Clientset, heata *target)) {
	t.Helper()
	inBubble(t, []runtime.Object{configMap("app", "1")}, func(t *testing.T, f *Follower, source *fake.Clientset) {
		heata := newTarget("heata")
		require.NoError(t, f.Ensure(t.Context(), heata, targetSpace, pod("p", usesConfigMap("app", false))))
		synctest.Wait()
		heata.calls()
		test(t, f, source, heata)
	})
}

func update(t *testing.T, source *fake.Clientset, to *corev1.ConfigMap) {
	t.Helper()
	_, err := source.CoreV1().ConfigMaps("default").Update(t.Context(), to, metav1.UpdateOptions{})
	require.NoError(t, err)
	synctest.Wait()
}

// passes lets time pass, and then all that was due happen.
func passes(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestAChangeInTheSourceArrivesInEveryTarget(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, source *fake.Clientset, heata *target) {
		cloud := newTarget("cloud")
		require.NoError(t, f.Ensure(t.Context(), cloud, targetSpace, pod("q", usesConfigMap("app", false))))
		cloud.calls()
		update(t, source, configMap("app", "2"))
		for _, target := range []*target{heata, cloud} {
			assert.Equal(t, map[string]string{"key": "2"}, target.configMap(t, "app").Data)
			assert.Equal(t, []string{"get", "update"}, target.calls())
		}
	})
}

func TestAnImmutableCopyIsReplaced(t *testing.T) {
	inBubble(t, []runtime.Object{immutable(configMap("app", "1"))}, func(t *testing.T, f *Follower, source *fake.Clientset) {
		heata := newTarget("heata")
		require.NoError(t, f.Ensure(t.Context(), heata, targetSpace, pod("p", usesConfigMap("app", false))))
		synctest.Wait()
		first := heata.configMap(t, "app").UID
		heata.calls()
		update(t, source, immutable(configMap("app", "2"))) // as by deletion and creation, which a watch may show as one

		assert.Equal(t, first, deletedUID(heata))
		assert.Equal(t, []string{"get", "delete", "create"}, heata.calls())
		assert.Equal(t, map[string]string{"key": "2"}, heata.configMap(t, "app").Data)
	})
}

func TestAConflictIsReadAgain(t *testing.T) {
	using(t, func(t *testing.T, _ *Follower, source *fake.Clientset, heata *target) {
		conflicts := 1
		heata.fails("update", func() error {
			if conflicts--; conflicts >= 0 {
				return apierrors.NewConflict(schema.GroupResource{Resource: "configmaps"}, "app", errors.New("changed"))
			}
			return nil
		})
		update(t, source, configMap("app", "2"))
		passes(time.Second)
		assert.Equal(t, []string{"get", "update", "get", "update"}, heata.calls())
		assert.Equal(t, map[string]string{"key": "2"}, heata.configMap(t, "app").Data)
	})
}

func TestATargetThatIsDownIsRetriedEverSlowerAndHoldsUpNoOther(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, source *fake.Clientset, heata *target) {
		cloud := newTarget("cloud")
		require.NoError(t, f.Ensure(t.Context(), cloud, targetSpace, pod("q", usesConfigMap("app", false))))
		up := heata.down("get")
		update(t, source, configMap("app", "2"))
		assert.Equal(t, map[string]string{"key": "2"}, cloud.configMap(t, "app").Data)

		passes(time.Hour)
		attempts := len(heata.calls())
		assert.Greater(t, attempts, 10)
		assert.Less(t, attempts, 25)

		up()
		passes(lastRetry)
		assert.Equal(t, map[string]string{"key": "2"}, heata.configMap(t, "app").Data)
	})
}

func TestAFailedEnsureHoldsAndGoesOnTrying(t *testing.T) {
	inBubble(t, []runtime.Object{configMap("app", "1")}, func(t *testing.T, f *Follower, _ *fake.Clientset) {
		heata := newTarget("heata")
		up := heata.down("get")
		err := f.Ensure(t.Context(), heata, targetSpace, pod("p", usesConfigMap("app", false)))
		require.ErrorIs(t, err, errDown)
		assert.ErrorContains(t, err, "of ConfigMap default/app in target heata: connection refused")
		up()
		passes(time.Minute)
		assert.Equal(t, map[string]string{"key": "1"}, heata.configMap(t, "app").Data)
	})
}

func TestAnOptionalObjectIsShippedWhenItAppears(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *Follower, source *fake.Clientset) {
		heata := newTarget("heata")
		require.NoError(t, f.Ensure(t.Context(), heata, targetSpace, pod("p", usesConfigMap("app", true))))
		synctest.Wait()
		_, err := source.CoreV1().ConfigMaps("default").Create(t.Context(), configMap("app", "1"), metav1.CreateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, map[string]string{"key": "1"}, heata.configMap(t, "app").Data)
	})
}

func TestDeletionInTheSourceKeepsTheCopyWhilePodsUseIt(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, source *fake.Clientset, heata *target) {
		require.NoError(t, source.CoreV1().ConfigMaps("default").Delete(t.Context(), "app", metav1.DeleteOptions{}))
		passes(time.Hour)
		assert.Empty(t, heata.calls())
		assert.True(t, IsMissing(f.Ensure(t.Context(), heata, targetSpace, pod("q", usesConfigMap("app", false)))))

		f.Release(t.Context(), heata, targetSpace, "q")
		f.Release(t.Context(), heata, targetSpace, "p")
		passes(time.Minute)
		assert.True(t, heata.isEmpty())
	})
}

func TestDeletionInTheSourceDeletesACopyThatIsOptionalForAll(t *testing.T) {
	inBubble(t, []runtime.Object{configMap("app", "1")}, func(t *testing.T, f *Follower, source *fake.Clientset) {
		heata := newTarget("heata")
		require.NoError(t, f.Ensure(t.Context(), heata, targetSpace, pod("p", usesConfigMap("app", true))))
		require.NoError(t, f.Ensure(t.Context(), heata, targetSpace, pod("q", usesConfigMap("app", false))))
		synctest.Wait()
		heata.calls()
		require.NoError(t, source.CoreV1().ConfigMaps("default").Delete(t.Context(), "app", metav1.DeleteOptions{}))
		synctest.Wait()
		assert.Empty(t, heata.calls(), "q needs it")

		f.Release(t.Context(), heata, targetSpace, "q")
		synctest.Wait()
		assert.Equal(t, []string{"delete"}, heata.calls())
		passes(time.Minute)
		assert.Empty(t, heata.calls(), "once")

		_, err := source.CoreV1().ConfigMaps("default").Create(t.Context(), configMap("app", "3"), metav1.CreateOptions{})
		require.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, map[string]string{"key": "3"}, heata.configMap(t, "app").Data)
	})
}

func TestACopyThatSomebodyDeletedComesBack(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, _ *fake.Clientset, heata *target) {
		gone := heata.configMap(t, "app")
		require.NoError(t, heata.CoreV1().ConfigMaps(targetSpace).Delete(t.Context(), gone.Name, metav1.DeleteOptions{}))
		heata.calls()
		passes(f.options.Recheck)
		assert.Equal(t, []string{"get", "create"}, heata.calls())
		passes(f.options.Recheck)
		assert.Equal(t, []string{"get"}, heata.calls())
	})
}

func TestAnotherClientIsAnotherCluster(t *testing.T) {
	using(t, func(t *testing.T, f *Follower, _ *fake.Clientset, _ *target) {
		moved := newTarget("heata")
		require.NoError(t, f.Ensure(t.Context(), moved, targetSpace, pod("q", usesConfigMap("app", false))))
		assert.Equal(t, map[string]string{"key": "1"}, moved.configMap(t, "app").Data)
	})
}

func deletedUID(from *target) any {
	for _, action := range from.Actions() {
		if d, ok := action.(clienttesting.DeleteActionImpl); ok && d.DeleteOptions.Preconditions != nil {
			return *d.DeleteOptions.Preconditions.UID
		}
	}
	return "no deletion with a UID"
}
