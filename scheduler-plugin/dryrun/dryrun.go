// Package dryrun answers "does this delegate really fit there, and on which node?" without asking the target: it runs
// Kubernetes' own filter plugins over a cache of the target's nodes and pods.
//
// The target's watches come in; out come a node for a pod, or the reasons why no node takes it, counted as the target's
// own scheduler would count them. Nothing here touches the network, so a scheduling cycle may call it.
package dryrun

import (
	"context"
	"fmt"
	"sync"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/klog/v2"
	schedulercache "k8s.io/kubernetes/pkg/scheduler/backend/cache"
	"k8s.io/kubernetes/pkg/scheduler/framework"
	"k8s.io/kubernetes/pkg/scheduler/metrics"
	"k8s.io/utils/lru"
)

// Source is a target as its dry run needs it: what its watches hold, and how its nodes are counted.
type Source interface {
	// Name of the target.
	Name() string
	// Client is handed to the filter plugins, which do not call it.
	Client() kubernetes.Interface
	// Pods that take room there.
	Pods() cache.SharedIndexInformer
	// Nodes is nil where nodes are not watched: then the first of UsableNodes is made up.
	Nodes() cache.SharedIndexInformer
	// UsableNodes are the nodes that delegates may run on. None may be changed.
	UsableNodes() []*corev1.Node
	// NodeOf is the name of the node whose room a pod takes; "" when it takes none.
	NodeOf(pod *corev1.Pod) string
}

// Cluster is one target's nodes and pods, with the pods that were just sent there and are not yet seen.
type Cluster struct {
	target Source
	logger klog.Logger

	mu       sync.Mutex
	cache    schedulercache.Cache
	snapshot *schedulercache.Snapshot
	filters  framework.Framework
	madeUp   *corev1.Node // of a target whose nodes are not watched; nil otherwise
	changes  int64        // of the cache, to tell an answer that still holds

	questions *lru.Cache // of pods that are alike, by their key
	spare     []verdict  // memory of the last question that was dropped, for the next
	displaced displaced
	cancel    context.CancelFunc
	listener  Listener
}

// remembered is how many kinds of pods a target's dry run keeps the answers for, each with some bytes per node.
const remembered = 64

// Fit is a node that takes the pod.
type Fit struct {
	// Node of the target. Its scheduler may choose another one; what it chose replaces this one as soon as it is seen.
	Node string
	// FreeShare of the target's room, of the scarcest resource that the pod asks for, that the pod would leave; 0 to 1.
	FreeShare float64
}

// New prepares the dry run of a target and registers with its watches, which must not have been started.
func New(ctx context.Context, t Source) (*Cluster, error) {
	metrics.Register() // first: the cache starts a goroutine that writes them
	ctx, cancel := context.WithCancel(ctx)
	c := &Cluster{
		target:   t,
		logger:   logr.Discard(), // the cache tells of each delegate that its target put on another node than we assumed
		cache:    schedulercache.New(ctx, nil, false, false),
		snapshot: schedulercache.NewEmptySnapshot(),
		changes:  1, // not yet in any answer

		displaced: newDisplaced(),
		cancel:    cancel,
	}
	c.questions = lru.NewWithEvictionFunc(remembered, func(_ lru.Key, dropped any) { c.spare = dropped.(*question).verdicts })
	var err error
	if c.filters, err = newFilters(ctx, t.Client(), c.snapshot); err != nil {
		cancel()
		return nil, fmt.Errorf("preparing the dry run of target %s: %w", t.Name(), err)
	}
	if err := c.watch(); err != nil {
		cancel()
		return nil, fmt.Errorf("watching target %s for its dry run: %w", t.Name(), err)
	}
	return c, nil
}

// Close ends the dry run's own goroutines.
func (c *Cluster) Close() { c.cancel() }

// Fit finds the node with the most room left among those that take the pod. When there is none, the error is a *Misfit.
func (c *Cluster) Fit(ctx context.Context, pod *corev1.Pod) (Fit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.fit(ctx, newQuestion(pod))
}

// FitAlike is Fit for one of many pods that make the same delegate but for its name. It makes the delegate of the first
// with this key only, and looks again only at nodes that have changed since. What make returns as an error is kept too.
func (c *Cluster) FitAlike(ctx context.Context, key any, make func() (*corev1.Pod, error)) (Fit, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.questions.Get(key); ok {
		return c.fit(ctx, known.(*question))
	}
	q := &question{}
	if pod, err := make(); err != nil {
		q.refused = err
	} else {
		q = newQuestion(pod)
		q.verdicts, c.spare = c.spare[:0], nil
	}
	c.questions.Add(key, q)
	return c.fit(ctx, q)
}

// Assume takes room for a delegate on a node before the target knows of it, so that the next pod sees less.
func (c *Cluster) Assume(delegate *corev1.Pod, node string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	pod := cached(delegate, node)
	if known, err := c.cache.GetPod(pod); err == nil && known != nil {
		return nil // adopted: it is there already
	}
	c.changes++
	c.displaced.assumed[pod.UID] = pod
	return c.cache.AssumePod(c.logger, pod)
}

// Forget gives back what Assume took, unless the target has confirmed the delegate meanwhile: then its own end will.
func (c *Cluster) Forget(delegate *corev1.Pod) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(cached(delegate, ""))
}

func (c *Cluster) forget(pod *corev1.Pod) {
	if assumed, err := c.cache.IsAssumedPod(pod); err != nil || !assumed {
		return
	}
	c.changes++
	delete(c.displaced.assumed, pod.UID)
	if known, err := c.cache.GetPod(pod); err == nil {
		_ = c.cache.ForgetPod(c.logger, known) // fails only for a pod that is not assumed
	}
}

// refreshMadeUp follows a change of the declared room, of the quotas, or of the target's nodeSelector.
func (c *Cluster) refreshMadeUp() {
	if c.target.Nodes() != nil {
		return
	}
	node := c.target.UsableNodes()[0]
	switch {
	case c.madeUp == nil:
		c.changes++
		c.cache.AddNode(c.logger, node)
	case !equality.Semantic.DeepEqual(c.madeUp.Status.Allocatable, node.Status.Allocatable) ||
		!equality.Semantic.DeepEqual(c.madeUp.Labels, node.Labels):
		c.changes++
		c.cache.UpdateNode(c.logger, c.madeUp, node)
	}
	c.madeUp = node
}
