package schedulerplugin

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/klog/v2"
	fwk "k8s.io/kube-scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

func TestMayLeave(t *testing.T) {
	open := map[string]labels.Set{"shop": {v1alpha1.LabelBurst: v1alpha1.BurstEnabled}}
	alias := func(p *corev1.Pod) { p.Annotations = map[string]string{"multicluster.admiralty.io/elect": ""} }
	tests := map[string]struct {
		pod        *corev1.Pod
		namespaces map[string]labels.Set
		noAliases  bool
		want       string // part of the reason; "" when it may leave
	}{
		"an elected pod in an open namespace may":   {pod: electedPod(), namespaces: open},
		"the value of the annotation is free":       {pod: electedPod(func(p *corev1.Pod) { p.Annotations[v1alpha1.AnnotationElect] = "false" }), namespaces: open},
		"Admiralty's annotation elects as well":     {pod: electedPod(alias), namespaces: open},
		"but not with aliases switched off":         {pod: electedPod(alias), namespaces: open, noAliases: true, want: "not elected"},
		"Liqo's namespace label opens as well":      {pod: electedPod(), namespaces: map[string]labels.Set{"shop": {"liqo.io/scheduling-enabled": "true"}}},
		"Liqo's label does not with aliases off":    {pod: electedPod(), namespaces: map[string]labels.Set{"shop": {"liqo.io/scheduling-enabled": "true"}}, noAliases: true, want: "label it spillway.dev/burst=enabled"},
		"a pod that is not elected may not":         {pod: electedPod(func(p *corev1.Pod) { p.Annotations = nil }), namespaces: open, want: "not elected"},
		"a pod that admission has not seen may not": {pod: electedPod(func(p *corev1.Pod) { p.Labels = nil }), namespaces: open, want: "lacks the label spillway.dev/elected"},
		"a closed namespace lets nothing out":       {pod: electedPod(), namespaces: map[string]labels.Set{"shop": {}}, want: "namespace shop does not allow bursting"},
		"a label with another value opens nothing":  {pod: electedPod(), namespaces: map[string]labels.Set{"shop": {v1alpha1.LabelBurst: "disabled"}}, want: "namespace shop does not allow bursting"},
		"a namespace that is not known is closed":   {pod: electedPod(), want: "namespace shop does not allow bursting"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, _ := newPlugin(t, test.namespaces)
			p.Aliases = !test.noAliases
			got := p.mayLeave(test.pod)
			if test.want == "" {
				assert.Empty(t, got)
			} else {
				assert.Contains(t, got, test.want)
			}
		})
	}
}

func TestAPodWithoutUsablePolicyWaits(t *testing.T) {
	p, _ := newPlugin(t, nil)
	p.Policies = policySource{err: errors.New(`policy "a" is broken`)}
	_, status := p.PreFilter(t.Context(), framework.NewCycleState(), electedPod(), nil)
	assert.Equal(t, fwk.UnschedulableAndUnresolvable, status.Code())
	assert.Contains(t, status.Message(), `policy "a" is broken`)
	assert.Contains(t, p.waiting.byPod, electedPod().UID)
}

func TestAVirtualNodeWithoutTargetTakesNothing(t *testing.T) {
	p, _ := newPlugin(t, map[string]labels.Set{"shop": {v1alpha1.LabelBurst: v1alpha1.BurstEnabled}})
	state := framework.NewCycleState()
	_, status := p.PreFilter(t.Context(), state, electedPod(), nil)
	require.True(t, status.IsSuccess(), "%v", status)
	info := framework.NewNodeInfo()
	info.SetNode(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "spillway-cloud", Labels: map[string]string{v1alpha1.LabelTarget: "cloud"}}})
	refused := p.Filter(t.Context(), state, electedPod(), info)
	assert.Equal(t, fwk.UnschedulableAndUnresolvable, refused.Code(), "preempting source pods would make no room there")
	assert.Equal(t, "cloud: its Target does not exist any more", refused.Message())
}

func TestAPodThatFitsNowhereIsKeptToBeWoken(t *testing.T) {
	p, _ := newPlugin(t, nil)
	remote := func(name, reason string, forRoom bool) *place {
		return &place{Place: placement.Place{Name: name}, reason: reason, forRoom: forRoom}
	}
	state := framework.NewCycleState()
	state.Write(cycleKey, &cycle{shape: web, places: map[string]*place{
		"spillway-cloud": remote("cloud", "4 Insufficient cpu", true), "spillway-heata": remote("heata", "cordoned", false), "spillway-moon": remote("moon", "", false)}})
	_, status := p.PostFilter(t.Context(), state, electedPod(), nil)
	assert.Equal(t, fwk.Unschedulable, status.Code())
	assert.Empty(t, status.Message(), "Filter has said it all")
	require.Contains(t, p.waiting.lines, web)
	assert.Equal(t, refusers{"cloud": true, "heata": false}, p.waiting.lines[web].refusers)

	hint, err := p.callLine(klog.Background(), electedPod(), nil, nil)
	require.NoError(t, err)
	assert.Equal(t, fwk.QueueSkip, hint, "its line is called instead")
	stranger := electedPod(func(p *corev1.Pod) { p.UID = "uid-2" })
	hint, err = p.callLine(klog.Background(), stranger, nil, nil)
	require.NoError(t, err)
	assert.Equal(t, fwk.Queue, hint)
}

func TestOnlyAPolicyThatIsReadAnewWakesPods(t *testing.T) {
	at := func(generation, observed int64) *unstructured.Unstructured {
		return &unstructured.Unstructured{Object: map[string]any{
			"metadata": map[string]any{"generation": generation}, "status": map[string]any{"observedGeneration": observed}}}
	}
	tests := map[string]struct {
		old, now any
		want     fwk.QueueingHint
	}{
		"a new policy":                 {nil, at(1, 0), fwk.Queue},
		"its first status":             {at(1, 0), at(1, 1), fwk.Queue},
		"a changed spec":               {at(1, 1), at(2, 1), fwk.Queue},
		"a changed spec that was read": {at(2, 1), at(2, 2), fwk.Queue},
		"what it says of targets":      {at(2, 2), at(2, 2), fwk.QueueSkip},
		"a policy that is gone":        {at(2, 2), nil, fwk.Queue},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			hint, err := whenPolicyChanged(klog.Background(), electedPod(), test.old, test.now)
			require.NoError(t, err)
			assert.Equal(t, test.want, hint)
		})
	}
}
