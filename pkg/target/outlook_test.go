package target

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// listening records what it is told.
type listening struct{ changes []Change }

func (*listening) TargetAdded(*Target) {}

func (*listening) TargetRemoved(*Target) {}

func (l *listening) TargetChanged(c Change) { l.changes = append(l.changes, c) }

func TestTellOutlook(t *testing.T) {
	tests := map[string]struct {
		change func(c *Controller, live *Target, object *v1alpha1.Target, f *facts)
		want   []Change
	}{
		"nothing has changed":  {func(*Controller, *Target, *v1alpha1.Target, *facts) {}, nil},
		"figures have changed": {func(_ *Controller, _ *Target, o *v1alpha1.Target, _ *facts) { o.Status.Pods = 7 }, nil},
		"another spec": {func(_ *Controller, live *Target, o *v1alpha1.Target, _ *facts) {
			o.Generation++
			live.SetObject(o)
		}, []Change{{Name: "cloud", Spec: true}}},
		"its node is cordoned": {func(_ *Controller, _ *Target, _ *v1alpha1.Target, f *facts) { f.cordoned = true },
			[]Change{{Name: "cloud"}}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			listener := &listening{}
			c := NewController(ControllerOptions{Registry: &Registry{}})
			c.Registry.AddListener(listener)
			live := newTarget(t, v1alpha1.TargetSpec{})
			c.Registry.Add(live)
			object, f := live.Object().DeepCopy(), facts{}
			c.tellOutlook(object, f)
			assert.Empty(t, listener.changes, "what is new is not changed")
			test.change(c, live, object, &f)
			c.tellOutlook(object, f)
			c.tellOutlook(object, f)
			assert.Equal(t, test.want, listener.changes, "it is told once")
		})
	}
}
