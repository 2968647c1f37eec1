package schedulerplugin

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"
	"k8s.io/kubernetes/pkg/scheduler/framework"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

func TestBind(t *testing.T) {
	patience := bindBackoff.Duration
	bindBackoff.Duration = time.Millisecond
	t.Cleanup(func() { bindBackoff.Duration = patience })
	pods := schema.GroupResource{Resource: "pods"}
	lost := apierrors.NewInternalError(assert.AnError)
	conflict := apierrors.NewConflict(pods, "web", assert.AnError)
	on := func(node string) *corev1.Pod { return electedPod(func(p *corev1.Pod) { p.Spec.NodeName = node }) }
	replaced := on("spillway-cloud")
	replaced.UID = "uid-2"
	tests := map[string]struct {
		answers   []error
		now       *corev1.Pod // as the API server has it
		wantTries int
		wantError bool
		wantMaybe bool // bound
	}{
		"a binding is posted once":                                       {answers: []error{nil}, wantTries: 1},
		"a lost answer is asked for again":                               {answers: []error{lost, nil}, wantTries: 2},
		"a conflict after a lost answer was that binding":                {answers: []error{lost, conflict}, now: on("spillway-cloud"), wantTries: 2},
		"a conflict after a lost answer with a pod bound elsewhere":      {answers: []error{lost, conflict}, now: on("worker-a"), wantTries: 2, wantError: true},
		"a conflict after a lost answer with another pod of that name":   {answers: []error{lost, conflict}, now: replaced, wantTries: 2, wantError: true},
		"a conflict at once with a pod bound there is another process's": {answers: []error{conflict}, now: on("spillway-cloud"), wantTries: 1},
		"a conflict at once is somebody else's binding":                  {answers: []error{conflict}, now: on("worker-a"), wantTries: 1, wantError: true},
		"answers that are lost to the end leave it open":                 {answers: []error{lost, lost, lost, lost, lost, lost, lost}, wantTries: 7, wantError: true, wantMaybe: true},
		"an answer is final":                                             {answers: []error{apierrors.NewForbidden(pods, "web", assert.AnError)}, wantTries: 1, wantError: true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			client, tries := fake.NewClientset(), 0
			var bound *corev1.Binding
			client.PrependReactor("create", "pods", func(a clienttesting.Action) (bool, runtime.Object, error) {
				tries++
				bound = a.(clienttesting.CreateAction).GetObject().(*corev1.Binding)
				return true, nil, test.answers[tries-1]
			})
			client.PrependReactor("get", "pods", func(clienttesting.Action) (bool, runtime.Object, error) { return true, test.now, nil })
			p, _ := newPlugin(t, nil)
			p.handle.(*handle).client = client
			state := framework.NewCycleState()
			c := &cycle{policy: placement.BuiltIn(), places: map[string]*place{"spillway-cloud": {Place: placement.Place{Name: "cloud"}}}}
			state.Write(cycleKey, c)
			p.sends.begin(electedPod().UID, "cloud")

			status := p.Bind(t.Context(), state, electedPod(), "spillway-cloud")
			assert.Equal(t, test.wantTries, tries)
			require.Equal(t, test.wantError, !status.IsSuccess(), "%v", status)
			assert.Equal(t, test.wantMaybe, c.mayBeBound)
			assert.Equal(t, test.wantError, p.Unsettled("cloud"), "until it is bound, or taken back")
			if test.wantError {
				return
			}
			assert.Equal(t, corev1.ObjectReference{Kind: "Node", Name: "spillway-cloud"}, bound.Target)
			assert.Equal(t, electedPod().UID, bound.UID, "never another pod of that name")
			record, err := placement.Decode(bound.Annotations[v1alpha1.AnnotationPlacement])
			require.NoError(t, err)
			assert.Equal(t, "cloud", record.Target)
			assert.True(t, record.At.Equal(&metav1.Time{Time: noon}))
		})
	}
}
