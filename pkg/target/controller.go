package target

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
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

// SourcePods are the source pods as the drain of a target needs them.
type SourcePods interface {
	// OnNode returns the pods bound to a node. None may be changed.
	OnNode(node string) []*corev1.Pod
}

// ControllerOptions of the Target controller.
type ControllerOptions struct {
	Client        client.Client        // cached reads of Targets, writes of their status
	Source        kubernetes.Interface // Secrets, evictions, the source's nodes
	SourceCluster string
	Registry      *Registry
	Signals       SignalReader
	Pods          SourcePods
	Clock         clock.PassiveClock
	ProbeInterval time.Duration // 5 s when zero
}

// Controller keeps the registry equal to the Target objects, and their status equal to what is seen.
type Controller struct {
	ControllerOptions
	ctx     context.Context // of the manager: connections outlive the reconcile that made them
	changed chan event.GenericEvent
	hashes  map[string]string // of what a connection was made from; only the one reconcile worker uses it
}

// NewController returns a controller that does nothing until it is set up with a manager.
func NewController(o ControllerOptions) *Controller {
	if o.ProbeInterval == 0 {
		o.ProbeInterval = 5 * time.Second
	}
	return &Controller{ControllerOptions: o, changed: make(chan event.GenericEvent, 1024), hashes: map[string]string{}}
}

var _ reconcile.Reconciler = (*Controller)(nil)

// Reconcile connects, drains or disconnects one target and writes its status.
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
	f := facts{object: object}
	if object.Spec.Self {
		f.room = c.selfRoom(ctx)
	} else {
		f.connected = c.connect(ctx, object)
	}
	c.readSignals(object, &f)
	if err := c.writeStatus(ctx, object, decide(f)); err != nil {
		return ctrl.Result{}, err
	}
	if !object.DeletionTimestamp.IsZero() {
		return c.drain(ctx, object)
	}
	return ctrl.Result{RequeueAfter: statusInterval}, nil
}

// connect makes the registry hold a connection that fits the object, and gathers what it sees.
func (c *Controller) connect(ctx context.Context, object *v1alpha1.Target) error {
	data, err := c.kubeconfig(ctx, object.Spec.KubeconfigSecretRef)
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
	c.Registry.add(live)
	live.Start(c.ctx, c.ProbeInterval)
	ctrllog.FromContext(ctx).Info("connected target", "target", object.Name, "server", config.Host)
	return nil
}

func (c *Controller) disconnect(ctx context.Context, name string) {
	delete(c.hashes, name)
	if self := c.Registry.Self(); self != nil && self.Object.Name == name {
		c.Registry.setSelf(nil)
	}
	if live := c.Registry.Get(name); live != nil {
		c.Registry.remove(live)
		ctrllog.FromContext(ctx).Info("disconnected target", "target", name)
	}
}

// kubeconfig reads the Secret at each reconcile: a watch of Secrets would need rights to all of them.
func (c *Controller) kubeconfig(ctx context.Context, ref *v1alpha1.KubeconfigSecretRef) ([]byte, error) {
	secret, err := c.Source.CoreV1().Secrets(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, &KubeconfigError{ReasonKubeconfigMissing, fmt.Sprintf(
			"Secret %s/%s does not exist: create it with the target's kubeconfig under key %q", ref.Namespace, ref.Name, ref.Key)}
	}
	if err != nil {
		return nil, fmt.Errorf("reading Secret %s/%s: %w", ref.Namespace, ref.Name, err)
	}
	data, ok := secret.Data[ref.Key]
	if !ok {
		return nil, &KubeconfigError{ReasonKubeconfigMissing, fmt.Sprintf(
			"Secret %s/%s has no key %q: add it, or set spec.kubeconfigSecretRef.key", ref.Namespace, ref.Name, ref.Key)}
	}
	return data, nil
}

func (c *Controller) readSignals(object *v1alpha1.Target, f *facts) {
	var read placement.Signals
	read, f.signals, f.signalErr = c.Signals.Read(&object.Spec, c.Clock.Now())
	if object.Spec.Self {
		c.Registry.setSelf(&Self{Object: object, Signals: read})
		return
	}
	if live := c.Registry.Get(object.Name); live != nil && f.connected == nil {
		live.SetSignals(read)
		f.health, f.synced = live.Health(), live.Synced()
		if f.synced {
			f.room = live.Room()
		}
	}
}

func (c *Controller) writeStatus(ctx context.Context, object *v1alpha1.Target, status v1alpha1.TargetStatus) error {
	if equality.Semantic.DeepEqual(object.Status, status) {
		return nil
	}
	patched := object.DeepCopy()
	patched.Status = status
	if err := c.Client.Status().Patch(ctx, patched, client.MergeFrom(object)); err != nil {
		return fmt.Errorf("writing Target status: %w", client.IgnoreNotFound(err))
	}
	return nil
}

// drain evicts the source pods of a Target that is being deleted and lets the object go when no delegate is left.
func (c *Controller) drain(ctx context.Context, object *v1alpha1.Target) (ctrl.Result, error) {
	if !controllerutil.ContainsFinalizer(object, v1alpha1.FinalizerDrain) {
		return ctrl.Result{}, nil
	}
	pods := c.Pods.OnNode(v1alpha1.VirtualNodeName(object.Name))
	for _, pod := range pods {
		if pod.DeletionTimestamp == nil {
			eviction := &policyv1.Eviction{ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
				DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &pod.UID}}}
			err := c.Source.PolicyV1().Evictions(pod.Namespace).Evict(ctx, eviction)
			if err != nil && !apierrors.IsTooManyRequests(err) && !apierrors.IsNotFound(err) {
				return ctrl.Result{}, fmt.Errorf("evicting %s/%s for the drain of target %s: %w", pod.Namespace, pod.Name, object.Name, err)
			}
		}
	}
	live := c.Registry.Get(object.Name)
	if len(pods) > 0 || (live != nil && live.Synced() && len(live.DelegateUIDs()) > 0) {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	c.disconnect(ctx, object.Name)
	controllerutil.RemoveFinalizer(object, v1alpha1.FinalizerDrain)
	return ctrl.Result{}, ignoreConflict(client.IgnoreNotFound(c.Client.Update(ctx, object)))
}

// selfRoom counts the source's own nodes for people to see; the scheduler knows them by itself.
func (c *Controller) selfRoom(ctx context.Context) Room {
	room := Room{Allocatable: corev1.ResourceList{}}
	nodes, err := c.Source.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0", LabelSelector: "!" + v1alpha1.LabelTarget})
	if err != nil {
		ctrllog.FromContext(ctx).Error(err, "listing the source's nodes failed")
		return room
	}
	for _, node := range nodes.Items {
		room.Nodes++
		for name, q := range node.Status.Allocatable {
			add(room.Allocatable, name, q)
		}
	}
	return room
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

// connectionHash tells whether a change of the object needs a new connection: only what the watches depend on.
func connectionHash(kubeconfig []byte, object *v1alpha1.Target) string {
	sum := sha256.New()
	sum.Write(kubeconfig)
	shape, _ := json.Marshal([]any{object.UID, object.Spec.KubeconfigSecretRef, object.Spec.Capacity.From,
		object.Spec.Namespaces.Mapping, object.Spec.Namespaces.Name}) // plain structs always marshal
	sum.Write(shape)
	return hex.EncodeToString(sum.Sum(nil))
}

func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}
