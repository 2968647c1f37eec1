package virtualnode

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/virtual-kubelet/virtual-kubelet/node"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const (
	// leaseSeconds without renewal make the node NotReady: a dead controller is noticed in 40 s, as a dead kubelet is.
	leaseSeconds = 40
	// statusInterval is a kubelet's: each status write is an event for every scheduler.
	statusInterval = 5 * time.Minute
	restartPause   = 2 * time.Second
)

// Endpoints starts a node's kubelet API, until the context ends, and says where it listens.
type Endpoints func(ctx context.Context, nodeName string) (Endpoint, error)

// Options of the controller.
type Options struct {
	Client    client.Client        // cached reads of Targets
	Source    kubernetes.Interface // writes of Nodes and leases
	Endpoints Endpoints
}

// Controller keeps the Node objects equal to the Targets.
type Controller struct {
	Options
	ctx context.Context // of the manager: a node outlives the reconcile that started it

	mu    sync.Mutex
	nodes map[string]*running // by target name
}

// running is one node controller and its provider.
type running struct {
	cancel   context.CancelFunc
	done     chan struct{}
	endpoint Endpoint
	provider *provider
}

// NewController returns a controller that does nothing until it is set up with a manager.
func NewController(o Options) *Controller {
	return &Controller{Options: o, nodes: map[string]*running{}}
}

var _ reconcile.Reconciler = (*Controller)(nil)

// Reconcile starts, updates or removes the node of one target.
func (c *Controller) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	t := &v1alpha1.Target{}
	err := c.Client.Get(ctx, req.NamespacedName, t)
	switch {
	case apierrors.IsNotFound(err):
		return ctrl.Result{}, c.remove(ctx, req.Name)
	case err != nil:
		return ctrl.Result{}, fmt.Errorf("reading Target: %w", err)
	case t.Spec.Self:
		return ctrl.Result{}, nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.nodes[t.Name]; r != nil {
		r.provider.update(forge(t, r.endpoint))
		return ctrl.Result{}, c.reconcileSpec(ctx, t)
	}
	return ctrl.Result{}, c.start(ctx, t)
}

func (c *Controller) start(ctx context.Context, t *v1alpha1.Target) error {
	nodeCtx, cancel := context.WithCancel(c.ctx)
	name := v1alpha1.VirtualNodeName(t.Name)
	endpoint, err := c.Endpoints(nodeCtx, name)
	if err != nil {
		cancel()
		return fmt.Errorf("starting the kubelet API of %s: %w", name, err)
	}
	r := &running{cancel: cancel, done: make(chan struct{}), endpoint: endpoint, provider: newProvider(forge(t, endpoint))}
	c.nodes[t.Name] = r
	go func() {
		defer close(r.done)
		wait.UntilWithContext(nodeCtx, func(ctx context.Context) { c.run(ctx, r.provider) }, restartPause)
	}()
	ctrllog.FromContext(ctx).Info("started virtual node", "node", name, "kubeletPort", endpoint.Port)
	return nil
}

// run serves one life of a node controller; it ends with the context, or when the node was deleted under it.
func (c *Controller) run(ctx context.Context, p *provider) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	controller, err := node.NewNodeController(p, p.node(), c.Source.CoreV1().Nodes(),
		node.WithNodeEnableLeaseV1(c.Source.CoordinationV1().Leases(corev1.NamespaceNodeLease), leaseSeconds),
		node.WithNodeStatusUpdateInterval(statusInterval),
		// Without it a deleted node would never come back.
		node.WithNodeStatusUpdateErrorHandler(func(_ context.Context, err error) error {
			if apierrors.IsNotFound(err) {
				cancel()
			}
			return err
		}))
	if err == nil {
		err = controller.Run(ctx)
	}
	if err != nil && ctx.Err() == nil {
		ctrllog.FromContext(ctx).Error(err, "virtual node stopped, starting again", "node", p.node().Name)
	}
}

// reconcileSpec keeps our taints as they should be: the node controller writes them only when it creates the node, and
// without the provider's every pod of the cluster could land there. Others' taints are left alone.
func (c *Controller) reconcileSpec(ctx context.Context, t *v1alpha1.Target) error {
	have := &corev1.Node{}
	if err := c.Client.Get(ctx, client.ObjectKey{Name: v1alpha1.VirtualNodeName(t.Name)}, have); err != nil {
		return client.IgnoreNotFound(err)
	}
	tainted := have.DeepCopy()
	tainted.Spec.Taints = withOurs(have.Spec.Taints, forge(t, Endpoint{}).Spec.Taints)
	if equality.Semantic.DeepEqual(have.Spec.Taints, tainted.Spec.Taints) {
		return nil
	}
	if err := c.Client.Patch(ctx, tainted, client.MergeFrom(have)); err != nil {
		return fmt.Errorf("tainting node %s: %w", have.Name, err)
	}
	return nil
}

// remove ends the node of a Target that is gone. Its pods were drained before the Target could go.
func (c *Controller) remove(ctx context.Context, name string) error {
	c.mu.Lock()
	r := c.nodes[name]
	delete(c.nodes, name)
	c.mu.Unlock()
	if r != nil {
		r.cancel()
		<-r.done
	}
	node := v1alpha1.VirtualNodeName(name)
	if err := c.Source.CoreV1().Nodes().Delete(ctx, node, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("deleting node %s: %w", node, err)
	}
	ctrllog.FromContext(ctx).Info("removed virtual node", "node", node)
	return nil
}

// SetupWithManager registers the controller.
func (c *Controller) SetupWithManager(ctx context.Context, mgr ctrl.Manager) error {
	c.ctx = ctx
	return ctrl.NewControllerManagedBy(mgr).For(&v1alpha1.Target{}).Named("virtualnode").Complete(c)
}

// provider hands the newest Node object to the node controller.
type provider struct {
	mu      sync.Mutex
	current *corev1.Node
	changed chan struct{}
}

var _ node.NodeProvider = (*provider)(nil)

func newProvider(n *corev1.Node) *provider {
	return &provider{current: n, changed: make(chan struct{}, 1)}
}

// Ping always succeeds: a failed one would stop the lease and never say why. An unreachable target is told by the Ready
// condition, with its reason.
func (p *provider) Ping(ctx context.Context) error { return ctx.Err() }

// NotifyNodeStatus calls notify for each change until the context ends. The call itself blocks for ever when the node
// controller has stopped, so it gets a goroutine that may be left behind then.
func (p *provider) NotifyNodeStatus(ctx context.Context, notify func(*corev1.Node)) {
	go func() {
		for {
			select {
			case <-ctx.Done():
				return
			case <-p.changed:
				notify(p.node())
			}
		}
	}()
}

func (p *provider) node() *corev1.Node {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current.DeepCopy()
}

// update takes a new Node object, and says so only if it differs: each notification costs a GET and a PATCH.
func (p *provider) update(n *corev1.Node) {
	p.mu.Lock()
	same := equality.Semantic.DeepEqual(p.current.Status, n.Status) && equality.Semantic.DeepEqual(p.current.Labels, n.Labels)
	p.current = n
	p.mu.Unlock()
	if same {
		return
	}
	select {
	case p.changed <- struct{}{}:
	default:
	}
}
