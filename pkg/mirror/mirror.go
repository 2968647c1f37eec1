// Package mirror keeps a source pod and its delegate telling the same story. Changes of elected pods in the source and of
// delegates in the targets come in; out go the delegate's status to the source pod, the source pod's changes and its deletion
// to the delegate, the end of the source pod once its delegate is gone, and the collection of delegates whose source is gone.
//
// It remembers nothing that matters: after a restart it finds delegates by the UID they carry and goes on.
package mirror

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	coreinformers "k8s.io/client-go/informers/core/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/events"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrllog "sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/target"
)

const (
	indexUID  = "uid"
	indexNode = "node"
	// workers mostly wait for an API server, so there are more of them than cores.
	workers = 32
	// retryBase and retryMax bound the pause after a failed call, such as to a target that does not answer.
	retryBase = 100 * time.Millisecond
	retryMax  = 30 * time.Second
)

// Follower ships what a pod references, and stops when told.
type Follower interface {
	Ensure(ctx context.Context, t *target.Target, namespace string, pod *corev1.Pod) error
	Release(ctx context.Context, t *target.Target, namespace string, uid types.UID)
}

// Outcomes hears how delegates end that nobody here asked to end.
type Outcomes interface {
	// DelegateLost is called when the target has deleted or lost the delegate of a source pod; more than once, perhaps.
	DelegateLost(t *target.Target, source types.UID)
	// DelegateEnded is called when a delegate has ended by itself; more than once, perhaps.
	DelegateEnded(t *target.Target, source types.UID)
}

// Options of the mirror.
type Options struct {
	Client   kubernetes.Interface // the source's
	Registry *target.Registry
	Follow   Follower
	Outcomes Outcomes
	Recorder events.EventRecorder
	Clock    clock.PassiveClock
	NodeIP   string // of the virtual nodes
}

// Mirror is the one loop over all pairs of source pod and delegate, keyed by the source pod's UID: a pod that is deleted
// and made anew under its name is another pod.
type Mirror struct {
	Options
	pods  cache.SharedIndexInformer
	queue workqueue.TypedRateLimitingInterface[types.UID]

	mu       sync.Mutex
	departed map[types.UID]*corev1.Pod // sources seen deleted, until their delegates are gone
	last     map[types.UID]*corev1.Pod // delegates that have ended and are gone, by their sources: their last state
	patched  map[types.UID]patch       // the last status write of each pod, to not repeat it while its echo is on the way
	followed map[types.UID]bool        // pods whose references are kept in sync
	strays   map[types.UID]*corev1.Pod // pods that are on a virtual node by mistake, and are to be told so or are being deleted
	orphans  map[types.UID]time.Time   // delegates without source, by their own UID: since when
	asked    map[types.UID]int64       // the grace with which each pod, source or delegate, was asked to end
	sent     map[sending]attempt       // the last change of each kind that was sent to a delegate
}

// patch is one status write: what was written over which version, and when.
type patch struct {
	version string
	body    string
	at      time.Time
}

// echoAfter is how long the echo of a status write is waited for, where the next write depends on it.
const (
	echoAfter = 5 * time.Second
	echoPause = 100 * time.Millisecond
)

// New returns a mirror; it must be added to the registry as a listener before the first target.
func New(o Options) (*Mirror, error) {
	m := &Mirror{
		Options: o,
		pods: coreinformers.NewFilteredPodInformer(o.Client, corev1.NamespaceAll, 0,
			cache.Indexers{indexUID: byUID, indexNode: byNode},
			func(lo *metav1.ListOptions) { lo.LabelSelector = v1alpha1.LabelElected + "=" + v1alpha1.ElectedTrue }),
		queue: workqueue.NewTypedRateLimitingQueueWithConfig(
			workqueue.NewTypedItemExponentialFailureRateLimiter[types.UID](retryBase, retryMax),
			workqueue.TypedRateLimitingQueueConfig[types.UID]{Name: "mirror"}),
		departed: map[types.UID]*corev1.Pod{},
		last:     map[types.UID]*corev1.Pod{},
		patched:  map[types.UID]patch{},
		followed: map[types.UID]bool{},
		strays:   map[types.UID]*corev1.Pod{},
		asked:    map[types.UID]int64{},
		orphans:  map[types.UID]time.Time{},
		sent:     map[sending]attempt{},
	}
	if err := m.pods.SetTransform(trim); err != nil {
		return nil, fmt.Errorf("preparing the watch of elected pods: %w", err)
	}
	_, err := m.pods.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(obj any) { m.queue.Add(obj.(*corev1.Pod).UID) },
		UpdateFunc: func(_, obj any) { m.queue.Add(obj.(*corev1.Pod).UID) },
		DeleteFunc: m.sourceDeleted,
	})
	return m, err
}

var _ target.Listener = (*Mirror)(nil)

// TargetAdded watches the delegates of a target.
func (m *Mirror) TargetAdded(t *target.Target) {
	enqueue := func(obj any) {
		if pod, ok := target.Untomb(obj).(*corev1.Pod); ok && t.IsDelegate(pod) {
			m.queue.Add(types.UID(pod.Labels[v1alpha1.LabelSourceUID]))
		}
	}
	_, _ = t.Pods().AddEventHandler(cache.ResourceEventHandlerFuncs{ // fails only on a stopped informer
		AddFunc:    enqueue,
		UpdateFunc: func(_, obj any) { enqueue(obj) },
		DeleteFunc: func(obj any) {
			if pod, ok := target.Untomb(obj).(*corev1.Pod); ok && t.IsDelegate(pod) {
				m.delegateDeleted(t, pod)
			}
		},
	})
}

// TargetRemoved forgets whose references were followed there: if the target is connected anew, that begins anew.
func (m *Mirror) TargetRemoved(t *target.Target) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, uid := range t.DelegateUIDs() {
		delete(m.followed, uid)
	}
}

// Start watches the source's pods, without working yet.
func (m *Mirror) Start(ctx context.Context) bool {
	go m.pods.RunWithContext(ctx)
	return cache.WaitForCacheSync(ctx.Done(), m.pods.HasSynced)
}

// Run works until the context ends. Start must have returned.
func (m *Mirror) Run(ctx context.Context) {
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() { wait.UntilWithContext(ctx, m.work, time.Second) })
	}
	<-ctx.Done()
	m.queue.ShutDown()
	wg.Wait()
}

// Pods is the watch of elected pods, those that have ended included. It is Start that runs it.
func (m *Mirror) Pods() cache.SharedIndexInformer { return m.pods }

// OnNode returns the elected pods bound to a node. None may be changed.
func (m *Mirror) OnNode(node string) []*corev1.Pod {
	found, _ := m.pods.GetIndexer().ByIndex(indexNode, node) // fails only for an unknown index
	pods := make([]*corev1.Pod, 0, len(found))
	for _, obj := range found {
		pods = append(pods, obj.(*corev1.Pod))
	}
	return pods
}

// Synced tells whether the source's elected pods have been read.
func (m *Mirror) Synced() bool { return m.pods.HasSynced() }

// Waiting returns the elected pods that are not bound and whose scheduling may have begun.
func (m *Mirror) Waiting() []types.UID {
	var waiting []types.UID
	for _, obj := range m.pods.GetStore().List() {
		if pod := obj.(*corev1.Pod); pod.Spec.NodeName == "" && len(pod.Spec.SchedulingGates) == 0 && !target.Ended(pod) {
			waiting = append(waiting, pod.UID)
		}
	}
	return waiting
}

// Waits tells whether an elected pod is there and not bound.
func (m *Mirror) Waits(uid types.UID) bool {
	pod := m.Source(uid)
	return pod != nil && pod.Spec.NodeName == ""
}

// Find returns an elected pod by name, or nil. It must not be changed.
func (m *Mirror) Find(namespace, name string) *corev1.Pod {
	obj, ok, _ := m.pods.GetStore().GetByKey(namespace + "/" + name)
	if !ok {
		return nil
	}
	return obj.(*corev1.Pod)
}

func (m *Mirror) work(ctx context.Context) {
	for {
		uid, shutdown := m.queue.Get()
		if shutdown {
			return
		}
		again, err := m.reconcile(ctx, uid)
		switch {
		case err != nil:
			ctrllog.FromContext(ctx).Error(err, "mirroring failed, trying again", "uid", uid)
			m.queue.AddRateLimited(uid)
		default:
			m.queue.Forget(uid)
			if again > 0 {
				m.queue.AddAfter(uid, again)
			}
		}
		m.queue.Done(uid)
	}
}

// sourceDeleted keeps the pod's last state: it says whether the pod is really gone or only lost its label.
func (m *Mirror) sourceDeleted(obj any) {
	pod, ok := target.Untomb(obj).(*corev1.Pod)
	if !ok {
		return
	}
	m.mu.Lock()
	m.departed[pod.UID] = pod
	delete(m.last, pod.UID)
	delete(m.patched, pod.UID)
	delete(m.asked, pod.UID)
	m.mu.Unlock()
	m.queue.Add(pod.UID)
}

// delegateDeleted ends the shipping for a delegate and looks at its source again. One that has ended is kept until its
// source is gone: it may go faster than its end is mirrored, and a Job must not count as lost what succeeded.
func (m *Mirror) delegateDeleted(t *target.Target, delegate *corev1.Pod) {
	uid := types.UID(delegate.Labels[v1alpha1.LabelSourceUID])
	m.mu.Lock()
	followed := m.followed[uid]
	if delete(m.last, uid); target.Ended(delegate) && m.Source(uid) != nil {
		m.last[uid] = delegate
	}
	delete(m.followed, uid)
	delete(m.asked, delegate.UID)
	delete(m.orphans, delegate.UID)
	for _, what := range subresources {
		delete(m.sent, sending{delegate.UID, what})
	}
	m.mu.Unlock()
	if followed {
		m.Follow.Release(context.Background(), t, delegate.Namespace, uid) // schedules; it calls nobody
	}
	m.queue.Add(uid)
}

// Source returns an elected pod by its UID, or nil. It must not be changed.
func (m *Mirror) Source(uid types.UID) *corev1.Pod {
	found, _ := m.pods.GetIndexer().ByIndex(indexUID, string(uid)) // fails only for an unknown index
	if len(found) == 0 {
		return nil
	}
	return found[0].(*corev1.Pod)
}

func byUID(obj any) ([]string, error) { return []string{string(obj.(*corev1.Pod).UID)}, nil }

func byNode(obj any) ([]string, error) {
	if node := obj.(*corev1.Pod).Spec.NodeName; node != "" {
		return []string{node}, nil
	}
	return nil, nil
}

func trim(obj any) (any, error) {
	if pod, ok := obj.(*corev1.Pod); ok {
		pod.ManagedFields = nil
	}
	return obj, nil
}
