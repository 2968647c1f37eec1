package target

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// bound are source pods on a virtual node.
type bound struct {
	pods   []*corev1.Pod
	unread bool
}

func (b bound) OnNode(string) []*corev1.Pod { return b.pods }
func (b bound) Synced() bool                { return !b.unread }

// drainWorld is a controller whose source refuses evictions by pod name.
type drainWorld struct {
	*Controller
	asked    []string
	refusals map[string]error
	clock    *clocktesting.FakeClock
}

func newDrainWorld(pods ...*corev1.Pod) *drainWorld {
	w := &drainWorld{refusals: map[string]error{}, clock: clocktesting.NewFakeClock(noon)}
	client := fake.NewClientset()
	client.PrependReactor("create", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
		eviction := a.(clienttesting.CreateAction).GetObject().(*policyv1.Eviction)
		w.asked = append(w.asked, eviction.Name)
		return true, nil, w.refusals[eviction.Name]
	})
	w.Controller = NewController(ControllerOptions{Source: client, SourceCluster: "here", Registry: &Registry{}, Elected: bound{pods: pods},
		Recorder: events.NewFakeRecorder(10), Clock: w.clock})
	return w
}

func unschedulable() *v1alpha1.Target {
	return &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud"}, Spec: v1alpha1.TargetSpec{Unschedulable: true}}
}

func deleted() *v1alpha1.Target {
	now := metav1.NewTime(noon)
	return &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud", DeletionTimestamp: &now}}
}

func replica(name, owner string, change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name)}}
	if owner != "" {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: "ReplicaSet", Name: owner, UID: types.UID(owner), Controller: ptr.To(true)}}
	}
	for _, do := range change {
		do(p)
	}
	return p
}

func isReady(p *corev1.Pod) {
	p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
}

func ending(p *corev1.Pod) { p.DeletionTimestamp = ptr.To(metav1.NewTime(noon)) }

func overBudget() error {
	err := apierrors.NewTooManyRequests("Cannot evict pod as it would violate the pod's disruption budget.", 0)
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{
		Type: policyv1.DisruptionBudgetCause, Message: "The disruption budget web needs 3 healthy pods and has 3 currently"})
	return err
}

func TestEvict(t *testing.T) {
	tests := map[string]struct {
		object    *v1alpha1.Target
		pods      []*corev1.Pod
		refusals  map[string]error
		wantAsked []string
		wantLeft  int
		wantHeld  string // part of it
	}{
		"a target that takes pods keeps them": {
			object: &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud"}}, pods: []*corev1.Pod{replica("a", "web")}},
		"an unschedulable one lets its pods go": {
			object: unschedulable(), pods: []*corev1.Pod{replica("a", "web"), replica("b", "web")}, wantAsked: []string{"a", "b"}, wantLeft: 2},
		"what is going is not asked again": {
			object: unschedulable(), pods: []*corev1.Pod{replica("a", "web", ending)}, wantLeft: 1},
		"what has ended stays for its log": {
			object: unschedulable(), pods: []*corev1.Pod{inPhase(replica("a", "web"), corev1.PodSucceeded)}},
		"but not when the Target goes": {
			object: deleted(), pods: []*corev1.Pod{inPhase(replica("a", "web"), corev1.PodSucceeded)}, wantAsked: []string{"a"}, wantLeft: 1},
		"a pod that nobody would make anew stays, and is named": {
			object: unschedulable(), pods: []*corev1.Pod{replica("bare", "")}, wantLeft: 1, wantHeld: "shop/bare has no controller"},
		"but not when the Target goes, because its node goes too": {
			object: deleted(), pods: []*corev1.Pod{replica("bare", "")}, wantAsked: []string{"bare"}, wantLeft: 1},
		"a budget holds back in its own words; one refusal speaks for all pods of a controller": {
			object: unschedulable(), pods: []*corev1.Pod{replica("a", "web"), replica("b", "web"), replica("c", "db")},
			refusals: map[string]error{"a": overBudget()}, wantAsked: []string{"a", "c"}, wantLeft: 3,
			wantHeld: "shop/a cannot be evicted now: The disruption budget web needs 3 healthy pods and has 3 currently"},
		"pods that are not ready go first: a budget may let them": {
			object: unschedulable(), pods: []*corev1.Pod{replica("a", "web", isReady), replica("b", "web")}, wantAsked: []string{"b", "a"}, wantLeft: 2},
		"a pod that is gone or replaced is no refusal": {
			object: unschedulable(), pods: []*corev1.Pod{replica("a", "web"), replica("b", "web")}, refusals: map[string]error{
				"a": apierrors.NewNotFound(corev1.Resource("pods"), "a"), "b": apierrors.NewConflict(corev1.Resource("pods"), "b", errors.New("UID"))},
			wantAsked: []string{"a", "b"}, wantLeft: 2},
		"any other error is told and does not stop the rest": {
			object: unschedulable(), pods: []*corev1.Pod{replica("a", "web"), replica("c", "db")}, refusals: map[string]error{"a": errors.New("no route")},
			wantAsked: []string{"a", "c"}, wantLeft: 2, wantHeld: "no route"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newDrainWorld(test.pods...)
			w.refusals = test.refusals
			got := w.evict(t.Context(), test.object)
			assert.Equal(t, test.wantAsked, w.asked)
			assert.Equal(t, test.wantLeft, got.left)
			if test.wantHeld == "" {
				assert.Empty(t, got.held)
			} else {
				assert.Contains(t, got.held, test.wantHeld)
			}
		})
	}
}

func TestABlockedDrainIsNoHotLoop(t *testing.T) {
	w := newDrainWorld(replica("a", "web"))
	w.refusals["a"] = overBudget()
	for range 100 {
		assert.NotEmpty(t, w.evict(t.Context(), unschedulable()).held, "why is still known")
	}
	assert.Len(t, w.asked, 1)
	w.clock.Step(evictPause)
	w.evict(t.Context(), unschedulable())
	assert.Len(t, w.asked, 2)

	schedulable := unschedulable()
	schedulable.Spec.Unschedulable = false
	w.clock.Step(evictPause)
	assert.Zero(t, w.evict(t.Context(), schedulable).left)
	assert.Len(t, w.asked, 2, "it may keep them")
	w.evict(t.Context(), unschedulable())
	assert.Len(t, w.asked, 3, "a new drain begins at once")
}

func TestADrainDoesNotHoldUpOtherTargets(t *testing.T) {
	var pods []*corev1.Pod
	for i := range 3 * evictBatch {
		pods = append(pods, replica(fmt.Sprint(i), "web"))
	}
	w := newDrainWorld(pods...)
	w.evict(t.Context(), unschedulable())
	assert.Len(t, w.asked, evictBatch)
}

// After a restart of the controller nothing is known of the pods for a moment: they must not count as gone.
func TestADrainWaitsUntilThePodsHaveBeenRead(t *testing.T) {
	w := newDrainWorld()
	w.Elected = bound{unread: true}
	d := w.evict(t.Context(), deleted())
	assert.False(t, d.known)
	result, err := w.letGo(t.Context(), deleted(), d)
	require.NoError(t, err)
	assert.NotZero(t, result.RequeueAfter)
}

func TestSetDrained(t *testing.T) {
	tests := map[string]struct {
		drain       drain
		want        string // reason; "" for no condition
		wantMessage string
	}{
		"a target that takes pods has no such condition": {drain{}, "", ""},
		"while pods leave":                               {drain{wanted: true, known: true, left: 3}, ReasonDraining, "3 pods have to go"},
		"when none is left":                              {drain{wanted: true, known: true}, ReasonDrained, "no pod of this cluster"},
		"when a budget holds one back":                   {drain{wanted: true, known: true, left: 1, held: "shop/a cannot"}, ReasonDrainHeld, "1 pods have to go: shop/a cannot"},
		"when the target is away":                        {drain{wanted: true, known: true, left: 2, away: true, held: "x"}, ReasonDrainAway, "kubectl delete pod --force"},
		"before the pods were read what was known holds": {drain{wanted: true}, "Old", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			conditions := []metav1.Condition{{Type: v1alpha1.ConditionDrained, Reason: "Old", Status: metav1.ConditionFalse}}
			setDrained(&conditions, test.drain, 1)
			got := meta.FindStatusCondition(conditions, v1alpha1.ConditionDrained)
			if test.want == "" {
				assert.Nil(t, got)
				return
			}
			require.NotNil(t, got)
			assert.Equal(t, test.want, got.Reason)
			assert.Contains(t, got.Message, test.wantMessage)
			assert.Equal(t, got.Reason == ReasonDrained, got.Status == metav1.ConditionTrue)
		})
	}
}

func TestEachChangeOfADrainIsToldOnce(t *testing.T) {
	w := newDrainWorld()
	recorder := events.NewFakeRecorder(10)
	w.Recorder = recorder
	object := unschedulable()
	held := []metav1.Condition{{Type: v1alpha1.ConditionDrained, Reason: ReasonDrainHeld, Message: "over budget"}}
	w.tellDrain(object, held)
	object.Status.Conditions = held
	w.tellDrain(object, held)
	w.tellDrain(object, nil)
	assert.Equal(t, "Warning DrainHeld over budget", <-recorder.Events)
	assert.Empty(t, recorder.Events)
}

func TestWhenATargetMayGo(t *testing.T) {
	away := Health{Reason: ReasonUnreachable, Since: noon.Add(-10 * time.Second)}
	long := Health{Reason: ReasonUnreachable, Since: noon.Add(-2 * time.Minute)}
	tests := map[string]struct {
		health    *Health // nil: not connected
		delegates int
		synced    bool
		want      bool
	}{
		"one without usable kubeconfig may":                                  {want: true},
		"one that was read and is empty may":                                 {health: &Health{Reachable: true}, synced: true, want: true},
		"one that has delegates may not":                                     {health: &Health{Reachable: true}, synced: true, delegates: 1},
		"one that is still being read may not":                               {health: &Health{Reachable: true}},
		"one that has not answered yet may not":                              {health: &Health{Reason: ReasonConnecting}},
		"one that cannot be read for lack of rights may":                     {health: &Health{Reachable: true, Rights: &Rights{Missing: []string{"list pods"}}}, want: true},
		"one that never answered may":                                        {health: &away, want: true},
		"one that is away for a moment may not, while it has delegates":      {health: &away, synced: true, delegates: 1},
		"one that is away for long may, though delegates may be left behind": {health: &long, synced: true, delegates: 1, want: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			w := newDrainWorld()
			if test.health != nil {
				live := newTarget(t, v1alpha1.TargetSpec{})
				informer := &storedInformer{SharedIndexInformer: live.watches.pods, synced: test.synced}
				live.watches.pods, live.watches.nodes = informer, nil
				for range test.delegates {
					require.NoError(t, informer.GetIndexer().Add(delegateOn("node-1", "1")))
				}
				live.health.Store(test.health)
				w.Registry.Add(live)
			}
			assert.Equal(t, test.want, w.empty("cloud"))
		})
	}
}

// storedInformer has been filled, or not, without any API server.
type storedInformer struct {
	cache.SharedIndexInformer
	synced bool
}

func (i *storedInformer) HasSynced() bool { return i.synced }
