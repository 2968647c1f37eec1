package usage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/client-go/rest"
	stats "k8s.io/kubelet/pkg/apis/stats/v1alpha1"
)

const (
	// nodesAtOnce are asked: a target's API server connects to each of them.
	nodesAtOnce = 8
	// maxAnswer of a target is read: a hostile one must not fill our memory. A busy node's summary has 500 KB.
	maxAnswer = 16 << 20
)

// askNodes asks the kubelet of each node that has delegates, once. The figures of the others are returned with the error
// of those that fail.
func askNodes(ctx context.Context, place Place, onlyCPUAndMemory bool) ([]stats.PodStats, error) {
	var (
		mu     sync.Mutex
		found  []stats.PodStats
		failed []error
		group  errgroup.Group
	)
	group.SetLimit(nodesAtOnce)
	for _, node := range nodesOf(place.Pods) {
		group.Go(func() error {
			pods, err := askNode(ctx, place, node, onlyCPUAndMemory)
			mu.Lock()
			defer mu.Unlock()
			found = append(found, pods...)
			if err != nil {
				failed = append(failed, err)
			}
			return nil
		})
	}
	_ = group.Wait() // its functions collect their errors themselves
	err := errors.Join(failed...)
	if errors.Is(err, errRefused) { // of every node alike
		err = errRefused
	}
	return found, err
}

func askNode(ctx context.Context, place Place, node string, onlyCPUAndMemory bool) ([]stats.PodStats, error) {
	request := place.Client.Get().AbsPath("/api/v1/nodes", node, "proxy/stats/summary")
	if onlyCPUAndMemory {
		request.Param("only_cpu_and_memory", "true")
	}
	var summary stats.Summary
	err := ask(ctx, request, &summary)
	switch {
	case apierrors.IsForbidden(err):
		return nil, errRefused
	case apierrors.IsInternalError(err) && !onlyCPUAndMemory:
		return askNode(ctx, place, node, true) // a kubelet that does not find a disk would else tell nothing at all
	case err != nil:
		return nil, fmt.Errorf(textNode, node, err)
	}
	return ours(place.Pods, summary.Pods), nil
}

// ask reads an answer in JSON, of bounded length.
func ask(ctx context.Context, request *rest.Request, into any) error {
	body, err := request.SetHeader("Accept", "application/json").Stream(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	limited := &io.LimitedReader{R: body, N: maxAnswer}
	err = json.NewDecoder(limited).Decode(into)
	if err != nil && limited.N == 0 {
		err = errTooLong
	}
	if err != nil {
		return fmt.Errorf(textAnswer, err)
	}
	return nil
}

// nodesOf are the nodes on which delegates run.
func nodesOf(pods []Pod) []string {
	nodes := sets.New[string]()
	for _, pod := range pods {
		if pod.Delegate.Spec.NodeName != "" {
			nodes.Insert(pod.Delegate.Spec.NodeName)
		}
	}
	return sets.List(nodes)
}

// ours are the figures of delegates, under their source pods' names. A pod that only has a delegate's name is not one, and
// containers that the source pod does not have are left out: the target could else add what it likes to our metrics.
func ours(pods []Pod, figures []stats.PodStats) []stats.PodStats {
	byUID := map[string]Pod{}
	for _, pod := range pods {
		byUID[string(pod.Delegate.UID)] = pod
	}
	var found []stats.PodStats
	for _, figure := range figures {
		pod, ok := byUID[figure.PodRef.UID]
		if !ok {
			continue
		}
		delete(byUID, figure.PodRef.UID) // a second one would be a second series of the same name
		figure.PodRef = reference(pod.Source)
		names := containerNames(pod.Source)
		figure.Containers = slices.DeleteFunc(figure.Containers, func(c stats.ContainerStats) bool {
			known := names.Has(c.Name)
			names.Delete(c.Name)
			return !known
		})
		found = append(found, figure)
	}
	return found
}

func reference(pod *corev1.Pod) stats.PodReference {
	return stats.PodReference{Namespace: pod.Namespace, Name: pod.Name, UID: string(pod.UID)}
}

func containerNames(pod *corev1.Pod) sets.Set[string] {
	names := sets.New[string]()
	for _, c := range slices.Concat(pod.Spec.InitContainers, pod.Spec.Containers) {
		names.Insert(c.Name)
	}
	for _, c := range pod.Spec.EphemeralContainers {
		names.Insert(c.Name)
	}
	return names
}

func uids(pods []Pod) sets.Set[types.UID] {
	of := sets.New[types.UID]()
	for _, pod := range pods {
		of.Insert(pod.Source.UID)
	}
	return of
}
