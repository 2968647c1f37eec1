package target

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

var fixed = v1alpha1.NamespaceMapping{Mapping: v1alpha1.MappingFixed, Name: "burst"}

func tryTarget(spec v1alpha1.TargetSpec) (*Target, error) {
	return New(Options{Object: &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: "cloud"}, Spec: spec}, SourceCluster: "here",
		Config: &rest.Config{Host: "https://cloud.example:6443"}, Notify: func(string) {}})
}

// newTarget is connected to nothing: nothing in it is started.
func newTarget(t *testing.T, spec v1alpha1.TargetSpec) *Target {
	t.Helper()
	made, err := tryTarget(spec)
	require.NoError(t, err)
	return made
}

func stranger(name, node, cpu string) *corev1.Pod {
	return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "theirs", Name: name},
		Spec: corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "main", Resources: corev1.ResourceRequirements{Requests: list("cpu", cpu)}}}}}
}

func delegateOn(node, cpu string) *corev1.Pod {
	p := stranger("web-x", node, cpu)
	p.Namespace = "ours"
	p.Labels = map[string]string{v1alpha1.LabelSourceCluster: "here", v1alpha1.LabelTarget: "cloud", v1alpha1.LabelSourceUID: "uid-1"}
	return p
}

func inPhase(p *corev1.Pod, phase corev1.PodPhase) *corev1.Pod {
	p.Status.Phase = phase
	return p
}

func TestUsable(t *testing.T) {
	now := metav1.NewTime(noon)
	good := Health{Reachable: true, Rights: &Rights{}}
	tests := map[string]struct {
		change func(*v1alpha1.Target)
		health Health
		want   string // part of the reason
	}{
		"one that is being deleted":    {func(o *v1alpha1.Target) { o.DeletionTimestamp = &now }, good, "target is being deleted"},
		"a cordoned one":               {func(o *v1alpha1.Target) { o.Spec.Unschedulable = true }, good, "target is cordoned (spec.unschedulable)"},
		"an unreachable one, with why": {nil, Health{Message: "no route"}, "target unreachable: no route"},
		"one of unknown rights":        {nil, Health{Reachable: true}, "target's rights are not known yet"},
		"one that lacks rights":        {nil, Health{Reachable: true, Rights: &Rights{Missing: []string{"create pods"}}}, "target not authorized: the kubeconfig's user may not create pods"},
		"one that is still read":       {nil, good, "target's nodes and pods are still being read"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			live := newTarget(t, v1alpha1.TargetSpec{})
			object := live.Object().DeepCopy()
			if test.change != nil {
				test.change(object)
			}
			live.SetObject(object)
			live.health.Store(&test.health)
			reason, ok := live.Usable()
			assert.False(t, ok)
			assert.Contains(t, reason, test.want)
		})
	}
}

func TestAHealthThatChangedIsToldOnce(t *testing.T) {
	told := 0
	live := newTarget(t, v1alpha1.TargetSpec{})
	live.notify = func(string) { told++ }
	live.setHealth(t.Context(), Health{Reachable: true, Reason: ReasonReachable, Version: "v1.37.1", Rights: &Rights{}})
	live.setHealth(t.Context(), Health{Reachable: true, Reason: ReasonReachable, RoundTrip: time.Second, Rights: &Rights{}})
	assert.Equal(t, 1, told, "a probe without news is told to nobody")
	live.setHealth(t.Context(), Health{Reason: ReasonUnreachable})
	assert.Equal(t, 2, told)
	assert.Equal(t, "v1.37.1", live.Health().Version, "the last version known is kept")
	live.setHealth(t.Context(), Health{Reason: ReasonUnreachable, Rights: &Rights{Missing: []string{"list nodes"}}})
	assert.Equal(t, 3, told)
}

func TestWaiters(t *testing.T) {
	handlers := &informer{}
	w := &waiters{}
	w.watch(handlers, owner{sourceCluster: "here", target: "cloud"}.of)
	pod := func(version string) *corev1.Pod {
		p := delegateOn("", "1")
		p.ResourceVersion = version
		return p
	}
	states, done := w.add("uid-1")

	for _, version := range []string{"1", "2", "3"} { // nobody reads: none of them may block
		handlers.handler.OnUpdate(nil, pod(version))
	}
	assert.Equal(t, "3", (<-states).Pod.ResourceVersion, "the newest state wins")
	assert.Empty(t, states)

	handlers.handler.OnAdd(stranger("x", "", "1"), false)
	otherTargets := pod("4")
	otherTargets.Labels[v1alpha1.LabelTarget] = "heata"
	handlers.handler.OnAdd(otherTargets, false)
	otherPods := pod("4")
	otherPods.Labels[v1alpha1.LabelSourceUID] = "uid-2"
	handlers.handler.OnAdd(otherPods, false)
	assert.Empty(t, states, "only its own delegate is told")

	handlers.handler.OnUpdate(nil, pod("5"))
	handlers.handler.OnDelete(cache.DeletedFinalStateUnknown{Key: "ours/web-x", Obj: pod("5")})
	assert.Nil(t, (<-states).Pod, "a deletion gives nil")

	done()
	handlers.handler.OnAdd(pod("6"), false)
	assert.Empty(t, states)
	assert.Empty(t, w.channels, "whoever ended is forgotten")
}

func TestAWaiterThatEndsLateDoesNotEndItsSuccessor(t *testing.T) {
	w := &waiters{}
	_, doneFirst := w.add("uid-1")
	second, _ := w.add("uid-1")
	doneFirst()
	w.tell("uid-1", Delegate{})
	assert.Len(t, second, 1)
}

func TestTrimKeepsDelegatesWholeAndOfStrangersWhatSchedulingLooksAt(t *testing.T) {
	full := func(p *corev1.Pod) *corev1.Pod {
		p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: "kubelet"}}
		p.Annotations = map[string]string{"note": "long"}
		p.Spec.Volumes = []corev1.Volume{{Name: "data"}}
		p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{}}
		always := corev1.ContainerRestartPolicyAlways
		p.Spec.InitContainers = []corev1.Container{{Name: "sidecar", RestartPolicy: &always, Env: []corev1.EnvVar{{Name: "A"}}}}
		p.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PASSWORD", Value: "secret"}}
		p.Spec.Containers[0].Ports = []corev1.ContainerPort{{HostPort: 80}}
		p.Status = corev1.PodStatus{Phase: corev1.PodRunning, PodIP: "10.0.0.1"}
		return p
	}
	trimmed := func(p *corev1.Pod) *corev1.Pod {
		got, err := trim(owner{sourceCluster: "here", target: "cloud"})(p.DeepCopy())
		require.NoError(t, err)
		return got.(*corev1.Pod)
	}
	ours := full(delegateOn("a", "1"))
	want := ours.DeepCopy()
	want.ManagedFields = nil
	assert.Empty(t, cmp.Diff(want, trimmed(ours)))

	theirs := full(stranger("x", "a", "1"))
	always := corev1.ContainerRestartPolicyAlways
	assert.Empty(t, cmp.Diff(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "theirs", Name: "x"},
		Spec: corev1.PodSpec{NodeName: "a", Affinity: theirs.Spec.Affinity,
			InitContainers: []corev1.Container{{Name: "sidecar", RestartPolicy: &always}},
			Containers:     []corev1.Container{{Name: "main", Resources: theirs.Spec.Containers[0].Resources, Ports: theirs.Spec.Containers[0].Ports}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning}}, trimmed(theirs)))
}

func TestDelegatesAreFoundByTheirSource(t *testing.T) {
	live := newTarget(t, v1alpha1.TargetSpec{})
	heatas := delegateOn("a", "1")
	heatas.Name, heatas.Labels[v1alpha1.LabelTarget], heatas.Labels[v1alpha1.LabelSourceUID] = "theirs", "heata", "uid-2"
	for _, p := range []*corev1.Pod{delegateOn("a", "1"), stranger("x", "a", "1"), heatas} {
		require.NoError(t, live.Pods().GetIndexer().Add(p))
	}
	assert.Equal(t, []types.UID{"uid-1"}, live.DelegateUIDs())
	assert.Equal(t, "web-x", live.DelegateOf("uid-1").Name)
	assert.Nil(t, live.DelegateOf("uid-2"), "another Target's delegate in the same cluster is not ours")
}

// recorder is a listener that notes what it heard and whether the registry knew the target then.
type recorder struct {
	name     string
	registry *Registry
	heard    *[]string
}

func (r recorder) TargetAdded(t *Target)   { r.note("added", t) }
func (r recorder) TargetRemoved(t *Target) { r.note("removed", t) }

func (r recorder) note(what string, t *Target) {
	known := "unknown"
	if r.registry.Get(t.Name()) == t {
		known = "known"
	}
	*r.heard = append(*r.heard, r.name+" "+what+" "+t.Name()+" "+known)
}

func TestRegistryTellsItsListenersInOrder(t *testing.T) {
	registry, heard := &Registry{}, []string{}
	registry.AddListener(recorder{"first", registry, &heard})
	registry.AddListener(recorder{"second", registry, &heard})
	cloud := newTarget(t, v1alpha1.TargetSpec{})
	registry.Add(cloud)
	assert.Same(t, cloud, registry.Get("cloud"))
	assert.Same(t, cloud, registry.ByNode("spillway-cloud"))
	assert.Nil(t, registry.ByNode("cloud"), "a real node of that name is not the virtual one")
	registry.Remove(cloud)
	assert.Empty(t, cmp.Diff([]string{"first added cloud known", "second added cloud known",
		"first removed cloud unknown", "second removed cloud unknown"}, heard))
}

func TestRegistryListsByName(t *testing.T) {
	registry := &Registry{}
	for _, name := range []string{"spot", "cloud", "heata"} {
		made := newTarget(t, v1alpha1.TargetSpec{})
		made.name = name
		registry.Add(made)
	}
	var names []string
	for _, made := range registry.List() {
		names = append(names, made.Name())
	}
	assert.Equal(t, []string{"cloud", "heata", "spot"}, names)
}

func TestAStaleConnectionDoesNotRemoveItsSuccessor(t *testing.T) {
	registry, old, fresh := &Registry{}, newTarget(t, v1alpha1.TargetSpec{}), newTarget(t, v1alpha1.TargetSpec{})
	registry.Add(old)
	registry.Add(fresh)
	registry.Remove(old)
	assert.Same(t, fresh, registry.Get("cloud"))
}

// informer hands its handler to the test.
type informer struct {
	cache.SharedIndexInformer
	handler cache.ResourceEventHandler
}

func (i *informer) AddEventHandler(h cache.ResourceEventHandler) (cache.ResourceEventHandlerRegistration, error) {
	i.handler = h
	return nil, nil
}
