package schedulerplugin

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"github.com/spillway-dev/spillway/pkg/target"
)

// actionPlace is the action of events about where pods are placed.
const actionPlace = "Placing"

// DelegateLost is told of a delegate that its target deleted, or lost, without being asked to.
func (p *Plugin) DelegateLost(t *target.Target, source types.UID) {
	pause, lost := p.losses.lose(t.Name(), source)
	if pause == 0 {
		return
	}
	message := fmt.Sprintf(messageDeletes, lost, pause)
	klog.Background().Info("target deletes what it is sent", "target", t.Name(), "lost", lost, "pause", pause)
	if p.Recorder != nil {
		p.Recorder.Eventf(t.Object(), nil, corev1.EventTypeWarning, reasonDeletesDelegates, actionPlace, "%s", message)
	}
	p.wakeIn(t.Name(), pause)
}

// DelegateEnded is told of a delegate that has ended by itself, however it did.
func (p *Plugin) DelegateEnded(t *target.Target, source types.UID) {
	if p.losses.end(t.Name(), source) {
		p.waiting.tell(t.Name(), changed)
	}
}

// bound wakes the others when a pod that is on trial has lived long enough.
func (p *Plugin) bound(target string, pod types.UID) {
	if p.losses.keep(target, pod) {
		p.wakeIn(target, lossSoon)
	}
}

func (p *Plugin) wakeIn(target string, pause time.Duration) {
	time.AfterFunc(pause, func() { p.waiting.tell(target, changed) })
}
