package target

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// signals is what the registry keeps of the source cluster's own price and carbon.
type signals = placement.Signals

// statusInterval bounds how often figures that change with every pod are written to a Target's status.
const statusInterval = 10 * time.Second

// SignalReader reads the signals in force for a target; an error names what is missing, and what is not is returned.
type SignalReader interface {
	Read(spec *v1alpha1.TargetSpec, now time.Time) (placement.Signals, v1alpha1.SignalStatus, error)
}

// ElectedPods are the source pods as the drain of a target needs them.
type ElectedPods interface {
	// OnNode returns the pods bound to a node. None may be changed.
	OnNode(node string) []*corev1.Pod
	// Synced tells whether they have been read: until then OnNode may miss some.
	Synced() bool
}

// Sends tells what is on its way to a target.
type Sends interface {
	// Unsettled tells whether pods that are not bound may have delegates there, and do not say so themselves.
	Unsettled(t *Target) bool
}

// NodeLister lists the source's nodes from a cache, as client-go's does.
type NodeLister interface {
	List(selector labels.Selector) ([]*corev1.Node, error)
}

// PodLister lists the source's pods from a cache, as client-go's does.
type PodLister interface {
	List(selector labels.Selector) ([]*corev1.Pod, error)
}

// ControllerOptions of the Target controller.
type ControllerOptions struct {
	Client        client.Client        // cached reads of Targets, writes of their status
	Source        kubernetes.Interface // Secrets and evictions
	SourceNodes   NodeLister
	SourcePods    PodLister
	SourceCluster string
	Registry      *Registry
	Signals       SignalReader
	Elected       ElectedPods
	Recorder      events.EventRecorder // of what happens to Targets
	Sends         Sends
	Clock         clock.PassiveClock
	ProbeInterval time.Duration // 5 s when zero
}

// Controller keeps the registry equal to the Target objects, and their status equal to what is seen.
type Controller struct {
	ControllerOptions
	ctx     context.Context // of the manager: connections outlive the reconcile that made them
	changed chan event.GenericEvent

	// Only the one reconcile worker uses these, by target name.
	hashes   map[string]string         // of what a connection was made from
	secrets  map[string]kubeconfigRead // kubeconfigs as last read
	drains   map[string]drain          // of targets that are being emptied
	closed   map[string]bool           // status.sending was written as false, which the cache may not show yet
	outlooks map[string]outlook        // as last told to listeners
}

// NewController returns a controller that does nothing until it is set up with a manager.
func NewController(o ControllerOptions) *Controller {
	if o.ProbeInterval == 0 {
		o.ProbeInterval = 5 * time.Second
	}
	return &Controller{ControllerOptions: o, changed: make(chan event.GenericEvent, 1024), hashes: map[string]string{}, secrets: map[string]kubeconfigRead{},
		drains: map[string]drain{}, closed: map[string]bool{}, outlooks: map[string]outlook{}}
}

var _ reconcile.Reconciler = (*Controller)(nil)

// Reconcile connects, empties or disconnects one target and writes its status.
func (c *Controller) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	object := &v1alpha1.Target{}
	if err := c.Client.Get(ctx, req.NamespacedName, object); err != nil {
		if apierrors.IsNotFound(err) {
			c.disconnect(ctx, req.Name)
			return ctrl.Result{}, nil
		}
		return ctrl.Result{}, fmt.Errorf("reading Target: %w", err)
	}
	object = object.DeepCopy()
	object.ManagedFields = nil
	if object.DeletionTimestamp.IsZero() && !object.Spec.Self {
		if controllerutil.AddFinalizer(object, v1alpha1.FinalizerDrain) {
			return ctrl.Result{}, ignoreConflict(c.Client.Update(ctx, object)) // its own update event comes back
		}
	}
	if !object.DeletionTimestamp.IsZero() && !controllerutil.ContainsFinalizer(object, v1alpha1.FinalizerDrain) {
		return ctrl.Result{}, nil // drained; the next event says that it is gone
	}
	f := facts{object: object}
	if object.Spec.Self {
		f.room = c.selfRoom(ctx)
	} else {
		f.connected = c.connect(ctx, object)
		f.drain, f.cordoned = c.evict(ctx, object), c.cordoned(object.Name)
	}
	c.readSignals(object, &f)
	c.tellOutlook(object, f)
	status := decide(f)
	c.tellDrain(object, status.Conditions)
	if err := c.writeStatus(ctx, object, status); err != nil {
		return ctrl.Result{}, err
	}
	switch {
	case !object.DeletionTimestamp.IsZero():
		return c.letGo(ctx, object, f.drain)
	case f.drain.wanted && (!f.drain.known || f.drain.left > 0):
		return ctrl.Result{RequeueAfter: max(drainPause, f.drain.next.Sub(c.Clock.Now()))}, nil
	}
	return ctrl.Result{RequeueAfter: statusInterval}, nil
}

// connect makes the registry hold a connection that fits the object, and gathers what it sees.
func (c *Controller) connect(ctx context.Context, object *v1alpha1.Target) error {
	data, err := c.kubeconfig(ctx, object.Name, *object.Spec.KubeconfigSecretRef)
	var config *rest.Config
	if err == nil {
		config, err = ParseKubeconfig(data, object.Spec.KubeconfigSecretRef.Context, c.Clock.Now())
	}
	if err != nil {
		if IsKubeconfigError(err) {
			c.disconnect(ctx, object.Name)
		}
		return err
	}
	hash := connectionHash(data, object)
	live := c.Registry.Get(object.Name)
	if live != nil && c.hashes[object.Name] == hash {
		live.SetObject(object)
		return nil
	}
	c.disconnect(ctx, object.Name)
	live, err = New(Options{Object: object, SourceCluster: c.SourceCluster, Config: config, Notify: c.notify})
	if err != nil {
		return err
	}
	c.hashes[object.Name] = hash
	c.Registry.Add(live)
	live.Start(c.ctx, c.ProbeInterval)
	ctrllog.FromContext(ctx).Info("connected target", "target", object.Name, "server", config.Host)
	return nil
}

func (c *Controller) disconnect(ctx context.Context, name string) {
	delete(c.hashes, name)
	delete(c.secrets, name)
	delete(c.outlooks, name)
	if self := c.Registry.Self(); self != nil && self.Object.Name == name {
		c.Registry.setSelf(nil)
	}
	if live := c.Registry.Get(name); live != nil {
		c.Registry.Remove(live)
		ctrllog.FromContext(ctx).Info("disconnected target", "target", name)
	}
}

func (c *Controller) readSignals(object *v1alpha1.Target, f *facts) {
	var read placement.Signals
	read, f.signals, f.signalErr = c.Signals.Read(&object.Spec, c.Clock.Now())
	if object.Spec.Self || f.connected == nil {
		c.Registry.setSignals(object, read)
	}
	if live := c.Registry.Get(object.Name); live != nil && f.connected == nil {
		f.health, f.synced = live.Health(), live.Synced()
		if f.synced {
			f.room = live.Room()
			f.unsettled = c.Sends.Unsettled(live)
		}
	}
}

func (c *Controller) writeStatus(ctx context.Context, object *v1alpha1.Target, status v1alpha1.TargetStatus) error {
	live := c.Registry.Get(object.Name)
	if live != nil && !status.Sending {
		live.SetOpen(false) // first; then nothing is sent that the second look does not see
		status.Sending = live.Synced() && c.Sends.Unsettled(live)
	}
	was := object.DeepCopy()
	if c.closed[object.Name] {
		was.Status.Sending = false
	}
	if !equality.Semantic.DeepEqual(was.Status, status) {
		patched := was.DeepCopy()
		patched.Status = status
		if err := client.IgnoreNotFound(c.Client.Status().Patch(ctx, patched, client.MergeFrom(was))); err != nil {
			return fmt.Errorf("writing Target status: %w", err)
		}
		object.ResourceVersion = patched.ResourceVersion // or the finalizer's removal, in the same pass, would always conflict
	}
	c.closed[object.Name] = !status.Sending
	if live != nil && status.Sending {
		live.SetOpen(true)
	}
	return nil
}

// SetupWithManager registers the controller.
func (c *Controller) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	c.ctx = ctx
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.Target{}).Named("target").
		WatchesRawSource(source.Channel(c.changed, &handler.EnqueueRequestForObject{})).Complete(c)
}

// notify asks for a reconcile. When very many are waiting it drops one: the periodic reconcile makes up for it.
func (c *Controller) notify(name string) {
	select {
	case c.changed <- event.GenericEvent{Object: &v1alpha1.Target{ObjectMeta: metav1.ObjectMeta{Name: name}}}:
	default:
	}
}

func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}
