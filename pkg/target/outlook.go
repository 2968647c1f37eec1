package target

import (
	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

// Change is a change of a Target by which pods that it refused may be taken.
type Change struct {
	// Name of the Target.
	Name string
	// Spec: somebody wrote another spec. Otherwise its state has changed.
	Spec bool
}

// ChangeListener is a Listener that learns of changes as well. The target already goes by what has changed, which cannot
// be said of the time at which a watch of Target objects brings the change.
type ChangeListener interface {
	TargetChanged(c Change)
}

// outlook is what decides, beside its room and its signals, whether a pod may go to a target.
type outlook struct {
	generation int64
	usable     bool
	cordoned   bool
}

// tellOutlook tells listeners when a target's outlook is another than at its last reconcile. Only the one reconcile worker
// calls it.
func (c *Controller) tellOutlook(object *v1alpha1.Target, f facts) {
	now := outlook{generation: object.Generation, cordoned: f.cordoned}
	if live := c.Registry.Get(object.Name); live != nil {
		_, now.usable = live.Usable()
	}
	was, known := c.outlooks[object.Name]
	c.outlooks[object.Name] = now
	if !known || was == now {
		return // what is new is told by TargetAdded
	}
	c.Registry.tellChanged(Change{Name: object.Name, Spec: was.generation != now.generation})
}

// tellChanged tells those listeners who want to know.
func (r *Registry) tellChanged(c Change) {
	for _, l := range r.listeners {
		if listener, ok := l.(ChangeListener); ok {
			listener.TargetChanged(c)
		}
	}
}
