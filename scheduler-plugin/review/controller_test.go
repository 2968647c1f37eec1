package review

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	corelisters "k8s.io/client-go/listers/core/v1"
	"k8s.io/client-go/tools/cache"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
	schedulerplugin "github.com/spillway-dev/spillway/scheduler-plugin"
)

var (
	noon          = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	errNotRunning = errors.New("not running")
	key           = client.ObjectKey{Namespace: "shop", Name: "explain-1"}
)

// asked records what it was asked and answers as the test says.
type asked struct {
	pods     []*corev1.Pod
	whatIfs  []schedulerplugin.WhatIf
	record   placement.Record
	refused  string
	err      error
	mayLeave string
}

func (a *asked) Review(_ context.Context, pod *corev1.Pod, w schedulerplugin.WhatIf) (placement.Record, string, error) {
	a.pods, a.whatIfs = append(a.pods, pod), append(a.whatIfs, w)
	return a.record, a.refused, a.err
}
func (a *asked) Places() []string            { return []string{"cloud", "heata", "local"} }
func (a *asked) MayLeave(*corev1.Pod) string { return a.mayLeave }

type policies struct{}

func (policies) Named(_, name string) (*placement.Policy, error) {
	if name != "greenest" {
		return nil, errors.New("there is no policy " + name)
	}
	return &placement.Policy{Name: "shop/greenest"}, nil
}

func wins(target string) placement.Record {
	return placement.Record{Target: target, Node: "spillway-" + target, Places: []placement.RecordPlace{
		{Name: "local", Local: true, Reason: "2 Insufficient cpu"}, {Name: target, Feasible: true}}}
}

// run reconciles one review, and returns what became of it.
func run(t *testing.T, a *asked, spec v1alpha1.PlacementReviewSpec, pods ...*corev1.Pod) (*v1alpha1.PlacementReview, *Controller) {
	t.Helper()
	scheme := runtime.NewScheme()
	require.NoError(t, v1alpha1.AddToScheme(scheme))
	review := &v1alpha1.PlacementReview{ObjectMeta: metav1.ObjectMeta{Namespace: key.Namespace, Name: key.Name, UID: "asks", Generation: 1,
		CreationTimestamp: metav1.NewTime(noon)}, Spec: spec}
	indexer := cache.NewIndexer(cache.MetaNamespaceKeyFunc, cache.Indexers{cache.NamespaceIndex: cache.MetaNamespaceIndexFunc})
	for _, pod := range pods {
		require.NoError(t, indexer.Add(pod))
	}
	c := New(Options{Client: fake.NewClientBuilder().WithScheme(scheme).WithObjects(review).WithStatusSubresource(review).Build(),
		Asked: a, ErrNotRunning: errNotRunning, Pods: corelisters.NewPodLister(indexer), Policies: policies{},
		Clock: clocktesting.NewFakePassiveClock(noon.Add(time.Second))})
	_, err := c.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
	require.NoError(t, err)
	require.NoError(t, c.Client.Get(t.Context(), key, review))
	return review, c
}

func pod(change ...func(*corev1.Pod)) *corev1.Pod {
	p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "web-uid"},
		Spec: corev1.PodSpec{SchedulerName: v1alpha1.SchedulerName}}
	for _, do := range change {
		do(p)
	}
	return p
}

func template(t *testing.T, spec corev1.PodSpec) *runtime.RawExtension {
	t.Helper()
	raw, err := json.Marshal(corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{v1alpha1.AnnotationElect: ""}}, Spec: spec})
	require.NoError(t, err)
	return &runtime.RawExtension{Raw: raw}
}

func TestAnswers(t *testing.T) {
	withImage := corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "busybox"}}}
	byName := v1alpha1.PlacementReviewSpec{PodName: "web"}
	supposing := func(w v1alpha1.WhatIf) v1alpha1.PlacementReviewSpec {
		return v1alpha1.PlacementReviewSpec{PodName: "web", WhatIf: &w}
	}
	tests := map[string]struct {
		spec        v1alpha1.PlacementReviewSpec
		pods        []*corev1.Pod
		asked       asked
		wantReason  string
		wantWinner  string
		wantMessage string
	}{
		"a pending pod that fits": {spec: byName, pods: []*corev1.Pod{pod()}, asked: asked{record: wins("heata")},
			wantReason: ReasonPlaceFound, wantWinner: "heata", wantMessage: "heata would take it"},
		"a pending pod that stays": {spec: byName, pods: []*corev1.Pod{pod()}, asked: asked{record: placement.Record{Node: "source-1"}},
			wantReason: ReasonPlaceFound, wantWinner: "local"},
		"a pending pod that fits nowhere": {spec: byName, pods: []*corev1.Pod{pod()},
			asked:      asked{record: placement.Record{Places: []placement.RecordPlace{{Name: "heata", Reason: "full"}}}},
			wantReason: ReasonNoPlaceFits, wantMessage: "0/1 places fit"},
		"a pod refused as such": {spec: byName, pods: []*corev1.Pod{pod()}, asked: asked{refused: "PlacementPolicy a does not exist"},
			wantReason: ReasonPodRefused, wantMessage: "PlacementPolicy a does not exist"},
		"a plugin that fails": {spec: byName, pods: []*corev1.Pod{pod()}, asked: asked{err: errors.New("boom")},
			wantReason: ReasonFailed, wantMessage: "boom"},
		"a pod that does not exist": {spec: byName, wantReason: ReasonPodNotFound, wantMessage: "no pod web in namespace shop"},
		"a pod of another namespace": {spec: byName, pods: []*corev1.Pod{pod(func(p *corev1.Pod) { p.Namespace = "bank" })},
			wantReason: ReasonPodNotFound},
		"a pod of another scheduler": {spec: byName, pods: []*corev1.Pod{pod(func(p *corev1.Pod) { p.Spec.SchedulerName = "volcano" })},
			wantReason: ReasonNotElected, wantMessage: "another scheduler, volcano"},
		"a target that does not exist": {spec: supposing(v1alpha1.WhatIf{TargetsDown: []string{"mars"}}), pods: []*corev1.Pod{pod()},
			wantReason: ReasonTargetUnknown, wantMessage: "no Target mars to suppose down: there are cloud, heata, local"},
		"a policy that does not exist": {spec: supposing(v1alpha1.WhatIf{Policy: "dirtiest"}), pods: []*corev1.Pod{pod()},
			wantReason: ReasonPolicyUnusable, wantMessage: "no policy dirtiest"},
		"a template": {spec: v1alpha1.PlacementReviewSpec{Template: template(t, withImage)}, asked: asked{record: wins("cloud")},
			wantReason: ReasonPlaceFound, wantWinner: "cloud"},
		"a template in a namespace that does not allow bursting": {spec: v1alpha1.PlacementReviewSpec{Template: template(t, withImage)},
			asked: asked{mayLeave: "namespace shop does not allow bursting"}, wantReason: ReasonNotElected, wantMessage: "namespace shop"},
		"a template without containers": {spec: v1alpha1.PlacementReviewSpec{Template: template(t, corev1.PodSpec{})},
			wantReason: ReasonTemplateInvalid, wantMessage: "no containers"},
		"a template that is none": {spec: v1alpha1.PlacementReviewSpec{Template: &runtime.RawExtension{Raw: []byte(`{"spec":{"containers":"many"}}`)}},
			wantReason: ReasonTemplateInvalid, wantMessage: "cannot be read"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			review, _ := run(t, &test.asked, test.spec, test.pods...)
			answered := meta.FindStatusCondition(review.Status.Conditions, v1alpha1.ConditionAnswered)
			require.NotNil(t, answered)
			assert.Equal(t, test.wantReason, answered.Reason)
			assert.Contains(t, answered.Message, test.wantMessage)
			assert.Equal(t, test.wantWinner, review.Status.Winner)
			assert.EqualValues(t, 1, review.Status.ObservedGeneration)
		})
	}
}

func TestAPlacedPodIsAskedAboutAsIfItWerePlacedAnew(t *testing.T) {
	placed := pod(func(p *corev1.Pod) { p.Spec.NodeName = "spillway-heata" })
	a := &asked{record: wins("cloud")}
	review, _ := run(t, a, v1alpha1.PlacementReviewSpec{PodName: "web", WhatIf: &v1alpha1.WhatIf{
		TargetsDown: []string{"heata"}, Weights: &v1alpha1.Weights{Cost: 1}, Policy: "greenest"}}, placed)

	require.Len(t, a.pods, 1)
	assert.Empty(t, a.pods[0].Spec.NodeName)
	assert.Equal(t, placed.UID, a.pods[0].UID)
	assert.Equal(t, "spillway-heata", placed.Spec.NodeName, "what the lister holds is not changed")
	assert.Equal(t, schedulerplugin.WhatIf{Down: []string{"heata"}, Weights: &v1alpha1.Weights{Cost: 1},
		Policy: &placement.Policy{Name: "shop/greenest"}, Anew: true}, a.whatIfs[0])
	assert.Equal(t, []string{"it is placed anew, and leaves the room that it takes on spillway-heata", "heata is down",
		"the policy is shop/greenest", "the weights are cost=1, carbon=0, capacity=0"}, review.Status.Supposed)
	record, err := placement.Decode(string(review.Status.Placement.Raw))
	require.NoError(t, err)
	assert.Equal(t, "cloud", record.Places[0].Name, "the winner comes first")
}

func TestATemplateIsMadeAPodAsTheAPIServerWould(t *testing.T) {
	a := &asked{record: wins("cloud")}
	run(t, a, v1alpha1.PlacementReviewSpec{Template: template(t, corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "busybox",
		Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}}}}})})

	require.Len(t, a.pods, 1)
	made := a.pods[0]
	assert.Equal(t, v1alpha1.SchedulerName, made.Spec.SchedulerName)
	assert.Equal(t, v1alpha1.ElectedTrue, made.Labels[v1alpha1.LabelElected])
	assert.Equal(t, "shop", made.Namespace)
	assert.EqualValues(t, "asks", made.UID)
	assert.Equal(t, "2", made.Spec.Containers[0].Resources.Requests.Cpu().String(), "requests are what is limited")
}

func TestAReviewIsAnsweredOnceAndDeletedWhenOld(t *testing.T) {
	a := &asked{record: wins("heata")}
	_, c := run(t, a, v1alpha1.PlacementReviewSpec{PodName: "web"}, pod())

	result, err := c.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
	require.NoError(t, err)
	assert.Len(t, a.pods, 1)
	assert.Equal(t, lifetime-time.Second, result.RequeueAfter)

	c.Clock = clocktesting.NewFakePassiveClock(noon.Add(lifetime))
	_, err = c.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
	require.NoError(t, err)
	assert.True(t, apierrors.IsNotFound(c.Client.Get(t.Context(), key, &v1alpha1.PlacementReview{})))
}

func TestAReviewWaitsForTheScheduler(t *testing.T) {
	a := &asked{err: errNotRunning}
	review, c := run(t, a, v1alpha1.PlacementReviewSpec{PodName: "web"}, pod())
	assert.Empty(t, review.Status.Conditions)

	a.err, a.record = nil, wins("heata")
	_, err := c.Reconcile(t.Context(), ctrl.Request{NamespacedName: key})
	require.NoError(t, err)
	require.NoError(t, c.Client.Get(t.Context(), key, review))
	assert.Equal(t, "heata", review.Status.Winner)
}
