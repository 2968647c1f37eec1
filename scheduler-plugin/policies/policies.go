// Package policies finds the placement policy of a pod. PlacementPolicies and ClusterPlacementPolicies come in as they
// change; each is compiled once, and its status says whether it can be used and whether it lets pods burst. Out comes the compiled policy of a pod: the
// one its annotation names, else the first of its namespace that selects it, else the first cluster policy that does,
// else the cluster policy "default", else the built-in one.
package policies

import (
	"fmt"
	"maps"
	"slices"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"github.com/spillway-dev/spillway/pkg/apis/v1alpha1"
	"github.com/spillway-dev/spillway/pkg/placement"
)

// Store holds the compiled policies. It is safe for use by many goroutines.
type Store struct {
	mu      sync.RWMutex
	known   map[types.NamespacedName]compiled // a cluster policy has no namespace
	builtIn *placement.Policy
	deleted []func()
}

type compiled struct {
	policy *placement.Policy
	err    error
}

// NewStore returns a store with the built-in policy only.
func NewStore() *Store {
	return &Store{known: map[types.NamespacedName]compiled{}, builtIn: placement.BuiltIn()}
}

// For returns the policy of a pod. An error names the policy that cannot be used and why. A broken policy is never passed
// over for the next one: that might allow what its author meant to forbid.
func (s *Store) For(pod *corev1.Pod) (*placement.Policy, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if name, ok := pod.Annotations[v1alpha1.AnnotationPolicy]; ok {
		return s.named(types.NamespacedName{Namespace: pod.Namespace, Name: name})
	}
	if found, ok := s.firstSelecting(pod.Namespace, pod); ok {
		return found.policy, found.err
	}
	if found, ok := s.firstSelecting("", pod); ok {
		return found.policy, found.err
	}
	if found, ok := s.known[types.NamespacedName{Name: v1alpha1.DefaultPolicyName}]; ok {
		return found.policy, found.err
	}
	return s.builtIn, nil
}

func (s *Store) named(key types.NamespacedName) (*placement.Policy, error) {
	found, ok := s.known[key]
	if !ok {
		return nil, fmt.Errorf("PlacementPolicy %s, which the pod's annotation %s names, does not exist: create it or correct the annotation",
			key, v1alpha1.AnnotationPolicy)
	}
	return found.policy, found.err
}

// firstSelecting goes by name, so that the choice is the same every time.
func (s *Store) firstSelecting(namespace string, pod *corev1.Pod) (compiled, bool) {
	for _, key := range slices.SortedFunc(maps.Keys(s.known), byName) {
		if key.Namespace != namespace || (namespace == "" && key.Name == v1alpha1.DefaultPolicyName) {
			continue
		}
		if c := s.known[key]; c.err != nil || c.policy.PodSelector.Matches(labels.Set(pod.Labels)) {
			return c, true
		}
	}
	return compiled{}, false
}

// Set compiles a policy and keeps it, and returns it or why it cannot be used.
func (s *Store) Set(key types.NamespacedName, spec v1alpha1.PlacementPolicySpec) (*placement.Policy, error) {
	policy, err := placement.Compile(displayName(key), spec)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.known[key] = compiled{policy: policy, err: err}
	return policy, err
}

// OnDelete adds a function that is called when a policy has been forgotten: pods that waited for what it allows are placed
// by another now. All are added before the first policy.
func (s *Store) OnDelete(do func()) { s.deleted = append(s.deleted, do) }

// Delete forgets a policy.
func (s *Store) Delete(key types.NamespacedName) {
	s.mu.Lock()
	_, known := s.known[key]
	delete(s.known, key)
	s.mu.Unlock()
	if !known {
		return
	}
	for _, do := range s.deleted {
		do()
	}
}

func displayName(key types.NamespacedName) string {
	if key.Namespace == "" {
		return key.Name
	}
	return key.String()
}

func byName(a, b types.NamespacedName) int {
	switch {
	case a.Name < b.Name:
		return -1
	case a.Name > b.Name:
		return 1
	}
	return 0
}
