package target

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// Target is the live side of a Target object: one connection to one cluster. Its methods may be called from any
// goroutine; none of them calls the network but through Client.
type Target struct {
	name          string
	sourceCluster string
	restConfig    *rest.Config
	client        kubernetes.Interface
	watches       *watches
	waiters       waiters

	object  atomic.Pointer[v1alpha1.Target]
	signals atomic.Pointer[placement.Signals]
	health  atomic.Pointer[Health]
	open    atomic.Bool // the Target's status says that pods may be sent
	opened  []func()

	cancel context.CancelFunc
	wg     sync.WaitGroup
	notify func(name string)
}

// Health is what the probe last saw.
type Health struct {
	// Reachable: the API server answered the last probe, or has not missed enough of them to be given up.
	Reachable bool
	// Reason and Message are those of the condition Reachable.
	Reason, Message string
	// Version of the API server; RoundTrip of the last probe that was answered.
	Version   string
	RoundTrip time.Duration
	// Rights: what the user of the kubeconfig may not do; nil until asked.
	Rights *Rights
	// Since is when Reachable last changed.
	Since time.Time
}

// Options of a connection.
type Options struct {
	// Object is the Target object.
	Object *v1alpha1.Target
	// SourceCluster is the UID of the source's kube-system namespace.
	SourceCluster string
	// Config is the kubeconfig's, from ParseKubeconfig.
	Config *rest.Config
	// Notify is called with the target's name when its health or capacity may have changed; it must not block.
	Notify func(name string)
}

// New connects lazily: it does no network call, Start does.
func New(o Options) (*Target, error) {
	config := rest.CopyConfig(o.Config)
	config.Wrap(endSilentWatches(silentAfter))
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, &KubeconfigError{ReasonKubeconfigMalformed, fmt.Sprintf("the kubeconfig cannot be used: %v", err)}
	}
	t := &Target{
		name:          o.Object.Name,
		sourceCluster: o.SourceCluster,
		restConfig:    o.Config,
		client:        client,
		notify:        o.Notify,
	}
	t.object.Store(o.Object)
	t.health.Store(&Health{Reason: ReasonConnecting, Message: "waiting for the first answer of " + o.Config.Host})
	t.watches, err = newWatches(client, o.Object, o.SourceCluster)
	if err != nil {
		return nil, err
	}
	t.waiters.watch(t.watches.pods, t.IsDelegate)
	return t, nil
}

// Start begins to probe and to watch, until Stop.
func (t *Target) Start(ctx context.Context, probeInterval time.Duration) {
	ctx, t.cancel = context.WithCancel(ctx)
	t.wg.Go(func() { t.probe(ctx, probeInterval) })
	t.watches.run(ctx, &t.wg)
	t.wg.Go(func() { t.announceChanges(ctx) })
}

// Stop ends probes and watches and waits for them.
func (t *Target) Stop() {
	if t.cancel != nil {
		t.cancel()
		t.wg.Wait()
	}
}

// Name of the Target object.
func (t *Target) Name() string { return t.name }

// NodeName is the virtual node's.
func (t *Target) NodeName() string { return v1alpha1.VirtualNodeName(t.name) }

// SourceCluster is the UID that marks this source's delegates.
func (t *Target) SourceCluster() string { return t.sourceCluster }

// Client of the target's API server, without client-side rate limit.
func (t *Target) Client() kubernetes.Interface { return t.client }

// RESTConfig of the target's API server. It must not be changed.
func (t *Target) RESTConfig() *rest.Config { return t.restConfig }

// Object is the Target object as last seen. It must not be changed.
func (t *Target) Object() *v1alpha1.Target { return t.object.Load() }

// Spec is the Target object's. It must not be changed.
func (t *Target) Spec() *v1alpha1.TargetSpec { return &t.object.Load().Spec }

// SetObject replaces the Target object, after a change that needs no new connection.
func (t *Target) SetObject(o *v1alpha1.Target) { t.object.Store(o) }

// Signals in force; the zero value before any were read.
func (t *Target) Signals() placement.Signals {
	if s := t.signals.Load(); s != nil {
		return *s
	}
	return placement.Signals{Energy: placement.EnergyFrom(nil)}
}

// SetSignals replaces the signals in force.
func (t *Target) SetSignals(s placement.Signals) { t.signals.Store(&s) }

// Health as last probed. It must not be changed.
func (t *Target) Health() Health { return *t.health.Load() }

// Synced tells whether the caches have been filled once.
func (t *Target) Synced() bool { return t.watches.synced() }

// SetOpen tells whether the Target's status says that pods may be sent. A crash after a delegate was sent must not leave
// a status that denies it, so what opens a target is written first, and what closes it last.
func (t *Target) SetOpen(open bool) {
	if t.open.Swap(open) || !open {
		return
	}
	for _, tell := range t.opened {
		tell()
	}
}

// OnOpen has a function called whenever the target opens; for a Listener's TargetAdded.
func (t *Target) OnOpen(tell func()) { t.opened = append(t.opened, tell) }

// Usable tells whether new pods may be sent there now; if not, reason says why, in words for the pod's condition.
func (t *Target) Usable() (reason string, ok bool) {
	object := t.object.Load()
	switch {
	case !object.DeletionTimestamp.IsZero():
		return "target is being deleted", false
	case object.Spec.Unschedulable:
		return "target is cordoned (spec.unschedulable)", false
	}
	if reason, ok := t.Answers(); !ok {
		return reason, false
	}
	if !t.open.Load() {
		return "its Target's status does not say yet that pods are sent there", false
	}
	return "", true
}

// Answers tells whether the target can be worked with at all; if not, reason says why.
func (t *Target) Answers() (reason string, ok bool) {
	h := t.health.Load()
	switch {
	case !h.Reachable:
		return "target unreachable: " + h.Message, false
	case h.Rights == nil:
		return "target's rights are not known yet", false
	case len(h.Rights.Missing) > 0:
		return "target not authorized: " + h.Rights.Message(), false
	case !t.Synced():
		return "target's nodes and pods are still being read", false
	}
	return "", true
}

// Await returns a channel that receives each new state of the delegate of the source pod of this UID (nil when it is
// deleted), and a function to end it. Only the newest state is kept for a slow reader.
func (t *Target) Await(sourceUID types.UID) (<-chan Delegate, func()) {
	return t.waiters.add(sourceUID)
}
