package events

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/delegate"
	"github.com/spillway-dev/spillway/pkg/target"
)

// pods are source pods by UID.
type pods map[types.UID]*corev1.Pod

func (p pods) Source(uid types.UID) *corev1.Pod { return p[uid] }

// world is a teller between a source that records and a target whose watch has one delegate.
type world struct {
	teller   *Teller
	client   *fake.Clientset
	target   *target.Target
	source   *corev1.Pod
	delegate *corev1.Pod
	clock    *clocktesting.FakePassiveClock
}

func newWorld(t *testing.T) *world {
	w := &world{client: fake.NewClientset(), clock: clocktesting.NewFakePassiveClock(time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC))}
	object := &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud"}}
	var err error
	w.target, err = target.New(target.Options{Object: object, SourceCluster: "here", Config: &rest.Config{Host: "cloud.example.com"}, Notify: func(string) {}})
	require.NoError(t, err)
	w.source = &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-1"}, Spec: corev1.PodSpec{NodeName: "spillway-cloud"}}
	w.delegate, err = delegate.New(w.source, delegate.Options{SourceCluster: "here", TargetName: "cloud", Target: &object.Spec})
	require.NoError(t, err)
	w.delegate.UID = "remote-1"
	require.NoError(t, w.target.Pods().GetStore().Add(w.delegate))
	w.teller = New(Options{Client: w.client, Pods: pods{"uid-1": w.source}, Clock: w.clock})
	w.teller.TargetAdded(w.target)
	w.teller.recalled(w.target, counts{})
	return w
}

func (w *world) event(uid types.UID, count int32) *corev1.Event {
	return &corev1.Event{ObjectMeta: metav1.ObjectMeta{UID: uid}, Count: count, Reason: "BackOff",
		InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: w.delegate.Namespace, Name: w.delegate.Name, UID: w.delegate.UID}}
}

// happens has the target say something, and lets the teller work until nothing is left to be done at once.
func (w *world) happens(t *testing.T, event *corev1.Event) {
	t.Helper()
	w.teller.seen(w.target, event)
	for w.teller.queue.Len() > 0 {
		k, _ := w.teller.queue.Get()
		w.teller.tell(t.Context(), k)
		w.teller.queue.Done(k)
	}
}

// writes are the requests since the last time.
func (w *world) writes() []string {
	var list []string
	for _, action := range w.client.Actions() {
		list = append(list, action.GetVerb())
	}
	w.client.ClearActions()
	return list
}

func TestEachEventIsOneWriteAndEachCountAnother(t *testing.T) {
	w := newWorld(t)

	w.happens(t, w.event("e-1", 1))
	w.happens(t, w.event("e-1", 1))
	assert.Equal(t, []string{"create"}, w.writes(), "a relist says it again")
	w.happens(t, w.event("e-1", 4))
	assert.Equal(t, []string{"patch"}, w.writes())
	w.happens(t, w.event("e-2", 1))
	assert.Equal(t, []string{"create"}, w.writes())

	list, err := w.client.CoreV1().Events("shop").List(t.Context(), metav1.ListOptions{})
	require.NoError(t, err)
	require.Len(t, list.Items, 2)
	for _, told := range list.Items {
		if told.Name == "web."+delegate.EventID("cloud", "e-1") {
			assert.EqualValues(t, 4, told.Count)
			assert.Equal(t, types.UID("uid-1"), told.InvolvedObject.UID)
		}
	}
}

func TestWhatIsNotAboutADelegateIsDroppedBeforeItIsKept(t *testing.T) {
	w := newWorld(t)
	foreign := w.delegate.DeepCopy()
	foreign.Labels[v1alpha1.LabelSourceCluster] = "elsewhere"
	foreign.Name = "theirs-bcdfghjklm"
	require.NoError(t, w.target.Pods().GetStore().Add(foreign))
	tests := map[string]func(event *corev1.Event){
		"a pod of the target's own":               func(e *corev1.Event) { e.InvolvedObject.Name = "coredns" },
		"another source's delegate":               func(e *corev1.Event) { e.InvolvedObject.Name = foreign.Name },
		"that it has a node, as its binding says": func(e *corev1.Event) { e.Reason = "Scheduled" },
	}
	for name, change := range tests {
		t.Run(name, func(t *testing.T) {
			event := w.event("e-1", 1)
			change(event)

			w.happens(t, event)

			assert.Empty(t, w.teller.pending)
			assert.Empty(t, w.writes())
		})
	}
}

func TestAnEventGoesToThePodWhoseDelegateItIsAbout(t *testing.T) {
	w := newWorld(t)
	elsewhere, waiting := w.source.DeepCopy(), w.source.DeepCopy()
	elsewhere.Spec.NodeName, waiting.Spec.NodeName = "spillway-heata", ""
	replaced := w.event("e-1", 1)
	replaced.InvolvedObject.UID = "remote-0"
	tests := map[string]struct {
		event       *corev1.Event
		told        int32
		pod, source *corev1.Pod
		want        verdict
	}{
		"news of a pod that is bound there":       {w.event("e-1", 1), 0, w.delegate, w.source, write},
		"news of a pod that waits to be bound":    {w.event("e-1", 1), 0, w.delegate, waiting, write},
		"a higher count":                          {w.event("e-1", 2), 1, w.delegate, w.source, write},
		"a count that was told":                   {w.event("e-1", 2), 2, w.delegate, w.source, drop},
		"a pod that went elsewhere":               {w.event("e-1", 1), 0, w.delegate, elsewhere, drop},
		"another pod that once had its name":      {replaced, 0, w.delegate, w.source, drop},
		"a delegate that is on its way here":      {w.event("e-1", 1), 0, nil, nil, await},
		"a source pod that is not known here yet": {w.event("e-1", 1), 0, w.delegate, nil, await},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, tt.want, decide(w.target, tt.event, tt.told, tt.pod, tt.source))
		})
	}
}

func TestAPodThatNeverStopsIsToldOfOnlyNowAndThen(t *testing.T) {
	w := newWorld(t)
	for i := range 100 {
		w.happens(t, w.event(types.UID(fmt.Sprint("e-", i)), 1))
	}
	assert.Len(t, w.writes(), podBurst)
	w.clock.SetTime(w.clock.Now().Add(30 * time.Second))
	w.happens(t, w.event("e-later", 1))
	w.happens(t, w.event("e-last", 1))
	assert.Len(t, w.writes(), 1)
	assert.Empty(t, w.teller.pending)
}

func TestARestartTellsOnlyWhatIsMissing(t *testing.T) {
	w := newWorld(t)
	w.teller.recalled(w.target, counts{delegate.EventID("cloud", "e-1"): 2})

	w.happens(t, w.event("e-1", 2))
	assert.Empty(t, w.writes())
	w.happens(t, w.event("e-1", 3))
	assert.Equal(t, []string{"patch", "create"}, w.writes(), "it has expired here meanwhile")
}

func TestAnEventThatIsThereAlreadyIsCounted(t *testing.T) {
	w := newWorld(t)
	told := delegate.Event(w.source, w.event("e-1", 1), delegate.StatusOptions{Target: "cloud"})
	require.NoError(t, w.client.Tracker().Add(told))

	w.happens(t, w.event("e-1", 3))

	assert.Equal(t, []string{"create", "patch"}, w.writes())
}

func TestAnEventThatCannotBeWrittenIsTriedAgainOrDropped(t *testing.T) {
	forbidden := apierrors.NewForbidden(schema.GroupResource{Resource: "events"}, "", errors.New("the namespace is being terminated"))
	tests := map[string]struct {
		err      error
		wantKept bool
	}{
		"a namespace that ends":     {forbidden, false},
		"a server that is too busy": {apierrors.NewTooManyRequestsError("busy"), true},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.client.PrependReactor("create", "events", func(clienttesting.Action) (bool, runtime.Object, error) { return true, nil, tt.err })

			w.happens(t, w.event("e-1", 1))

			assert.Equal(t, tt.wantKept, len(w.teller.pending) == 1)
		})
	}
}

func TestWhatATargetForgetsIsForgotten(t *testing.T) {
	w := newWorld(t)
	w.happens(t, w.event("e-1", 1))
	require.NotEmpty(t, w.teller.told["cloud"])

	w.teller.forget(w.target, w.event("e-1", 1))
	assert.Empty(t, w.teller.told["cloud"])
	w.teller.TargetRemoved(w.target)
	assert.Empty(t, w.teller.told)
}

func TestTooManyEventsAreDropped(t *testing.T) {
	w := newWorld(t)
	for i := range maxPending + 10 {
		w.teller.seen(w.target, w.event(types.UID(fmt.Sprint("e-", i)), 1))
	}
	assert.Len(t, w.teller.pending, maxPending)
}
