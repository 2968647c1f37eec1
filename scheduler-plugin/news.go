package schedulerplugin

import (
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/cache"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
	"github.com/spillway-dev/spillway/scheduler-plugin/dryrun"
)

// listen notices what in a target may end a refusal. The scheduler's own events only tell of the source cluster.
func (p *Plugin) listen(t *target.Target, d *dryrun.Cluster) {
	name := t.Name()
	d.Tell(dryrun.Listener{
		Grew:   func() { p.waiting.tell(name, grew) },
		Joined: func() { p.waiting.tell(name, joined) },
	})
	ends := func(obj any) {
		if pod, ok := obj.(*corev1.Pod); ok && t.IsDelegate(pod) {
			p.waiting.callPod(types.UID(pod.Labels[v1alpha1.LabelSourceUID])) // it may have waited for just that
		}
	}
	_, _ = t.Pods().AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only on a stopped informer
		UpdateFunc: func(old, obj any) {
			if old.(*corev1.Pod).Spec.NodeName != obj.(*corev1.Pod).Spec.NodeName {
				ends(obj)
			}
		},
		DeleteFunc: func(obj any) { ends(target.Untomb(obj)) },
	})
	if quotas := t.Quotas(); quotas != nil {
		_, _ = quotas.AddEventHandler(cache.ResourceEventHandlerFuncs{
			UpdateFunc: func(old, obj any) {
				if target.RoomChanged(old, obj) {
					p.waiting.tell(name, grew)
				}
			},
			DeleteFunc: func(any) { p.waiting.tell(name, grew) },
		})
	}
}

// relent ends the target's refusals for want of room, those that are too young a little later.
func (p *Plugin) relent(target string) {
	for shape, pause := range p.refusals.grown(target) {
		time.AfterFunc(pause, func() { p.waiting.callShape(shape) })
	}
}

// TargetChanged wakes whom the target refused. What it said itself is forgotten when somebody has changed its Target.
func (p *Plugin) TargetChanged(c target.Change) {
	if c.Spec {
		p.refusals.dropTarget(c.Name)
		p.gates.dropTarget(c.Name)
		p.losses.forget(c.Name)
	}
	p.waiting.tell(c.Name, changed)
}

// Reconsider wakes a pod of each shape that waits, because something that a place was judged by has changed: a price, a
// policy.
func (p *Plugin) Reconsider() { p.waiting.tell(anyTarget, changed) }
