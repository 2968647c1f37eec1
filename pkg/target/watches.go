package target

import (
	"context"
	"fmt"
	"sync"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
)

const indexSourceUID = "source-uid"

// watches are the only ones that Spillway keeps on a target: its pods always; its nodes, or its quotas, where its
// capacity is read from them.
type watches struct {
	factory informers.SharedInformerFactory
	pods    cache.SharedIndexInformer
	nodes   cache.SharedIndexInformer // nil unless capacity comes from nodes
	quotas  cache.SharedIndexInformer // nil unless capacity comes from quotas
}

// newWatches chooses what to watch by the rights that each way of knowing the capacity needs.
func newWatches(client kubernetes.Interface, object *v1alpha1.Target, sourceCluster string) (*watches, error) {
	spec := object.Spec
	mine := owner{sourceCluster: sourceCluster, target: object.Name}
	options := []informers.SharedInformerOption{informers.WithTransform(trim(mine))}
	if spec.Capacity.From == v1alpha1.CapacityQuota && spec.Namespaces.Mapping != v1alpha1.MappingFixed {
		return nil, &KubeconfigError{ReasonCapacityInvalid,
			"capacity from Quota needs namespaces.mapping: Fixed, because a quota is of one namespace: set it, or use capacity.from: Nodes or Static"}
	}
	if spec.Namespaces.Mapping == v1alpha1.MappingFixed && spec.Capacity.From != v1alpha1.CapacityNodes {
		options = append(options, informers.WithNamespace(spec.Namespaces.Name))
	}
	if spec.Capacity.From == v1alpha1.CapacityStatic {
		options = append(options, informers.WithTweakListOptions(func(o *metav1.ListOptions) {
			o.LabelSelector = v1alpha1.LabelSourceCluster + "=" + sourceCluster
		}))
	}
	w := &watches{factory: informers.NewSharedInformerFactoryWithOptions(client, 0, options...)}
	w.pods = w.factory.Core().V1().Pods().Informer()
	if err := w.pods.AddIndexers(cache.Indexers{indexSourceUID: bySourceUID(mine)}); err != nil {
		return nil, fmt.Errorf("indexing delegates by source: %w", err)
	}
	switch spec.Capacity.From {
	case v1alpha1.CapacityQuota:
		w.quotas = w.factory.Core().V1().ResourceQuotas().Informer()
	case v1alpha1.CapacityStatic:
	default:
		w.nodes = w.factory.Core().V1().Nodes().Informer()
	}
	return w, nil
}

func (w *watches) run(ctx context.Context, wg *sync.WaitGroup) {
	w.factory.Start(ctx.Done())
	wg.Go(func() {
		<-ctx.Done()
		w.factory.Shutdown()
	})
}

func (w *watches) synced() bool {
	for _, i := range []cache.SharedIndexInformer{w.pods, w.nodes, w.quotas} {
		if i != nil && !i.HasSynced() {
			return false
		}
	}
	return true
}

// Pods is the informer of the target's pods: everybody's where capacity comes from nodes or quotas, else this source's
// delegates. Others' pods are trimmed to what scheduling looks at.
func (t *Target) Pods() cache.SharedIndexInformer { return t.watches.pods }

// Nodes is the informer of the target's nodes; nil where they are not watched.
func (t *Target) Nodes() cache.SharedIndexInformer { return t.watches.nodes }

// Quotas is the informer of the ResourceQuotas; nil where they are not watched.
func (t *Target) Quotas() cache.SharedIndexInformer { return t.watches.quotas }

// DelegateOf returns the delegate of the source pod of this UID, or nil. It must not be changed.
func (t *Target) DelegateOf(uid types.UID) *corev1.Pod {
	found, err := t.watches.pods.GetIndexer().ByIndex(indexSourceUID, string(uid))
	if err != nil || len(found) == 0 {
		return nil
	}
	return found[0].(*corev1.Pod)
}

// DelegateUIDs are the source UIDs of all delegates there.
func (t *Target) DelegateUIDs() []types.UID {
	var uids []types.UID
	for _, uid := range t.watches.pods.GetIndexer().ListIndexFuncValues(indexSourceUID) {
		uids = append(uids, types.UID(uid))
	}
	return uids
}

// IsDelegate tells whether pod is a delegate that this source sent by this Target.
func (t *Target) IsDelegate(pod *corev1.Pod) bool {
	return owner{sourceCluster: t.sourceCluster, target: t.name}.of(pod)
}

// owner is whose delegates are whose: several sources may share a cluster, and so may several Targets of one source.
type owner struct{ sourceCluster, target string }

func (o owner) of(pod *corev1.Pod) bool {
	return pod.Labels[v1alpha1.LabelSourceCluster] == o.sourceCluster && pod.Labels[v1alpha1.LabelTarget] == o.target &&
		pod.Labels[v1alpha1.LabelSourceUID] != ""
}

func bySourceUID(mine owner) cache.IndexFunc {
	return func(obj any) ([]string, error) {
		pod, ok := obj.(*corev1.Pod)
		if !ok || !mine.of(pod) {
			return nil, nil
		}
		return []string{pod.Labels[v1alpha1.LabelSourceUID]}, nil
	}
}

// trim drops what nobody reads, before it is cached: a large target costs memory by its pods.
func trim(mine owner) cache.TransformFunc {
	return func(obj any) (any, error) {
		switch o := obj.(type) {
		case *corev1.Pod:
			o.ManagedFields = nil
			if !mine.of(o) {
				trimStranger(o)
			}
		case *corev1.Node:
			o.ManagedFields = nil
			o.Annotations = nil
			o.Status.Images = nil
		}
		return obj, nil
	}
}

// trimStranger keeps of somebody else's pod what the in-tree filter plugins look at.
func trimStranger(pod *corev1.Pod) {
	pod.Annotations, pod.OwnerReferences, pod.Finalizers = nil, nil, nil
	pod.Spec.Volumes, pod.Spec.EphemeralContainers, pod.Spec.Tolerations = nil, nil, nil
	for _, list := range [][]corev1.Container{pod.Spec.Containers, pod.Spec.InitContainers} {
		for i, c := range list {
			list[i] = corev1.Container{Name: c.Name, Resources: c.Resources, Ports: c.Ports, RestartPolicy: c.RestartPolicy}
		}
	}
	pod.Status = corev1.PodStatus{Phase: pod.Status.Phase}
}
