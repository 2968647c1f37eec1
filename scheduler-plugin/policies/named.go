package policies

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"

	"github.com/spillway-dev/spillway/pkg/placement"
)

// Named returns a policy by its name: the namespace's, else the cluster's. An error says that there is none, or why it
// cannot be used.
func (s *Store) Named(namespace, name string) (*placement.Policy, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, key := range []types.NamespacedName{{Namespace: namespace, Name: name}, {Name: name}} {
		if found, ok := s.known[key]; ok {
			return found.policy, found.err
		}
	}
	return nil, fmt.Errorf("there is neither a PlacementPolicy %s in namespace %s nor a ClusterPlacementPolicy of that name: "+
		"kubectl get placementpolicies,clusterplacementpolicies -A shows all", name, namespace)
}
