package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// GroupVersion is the group and version of every kind in this package.
var GroupVersion = schema.GroupVersion{Group: "spillway.dev", Version: "v1alpha1"}

// AddToScheme makes a scheme know the kinds of this package.
func AddToScheme(s *runtime.Scheme) error {
	s.AddKnownTypes(GroupVersion,
		&Target{}, &TargetList{},
		&PlacementPolicy{}, &PlacementPolicyList{},
		&ClusterPlacementPolicy{}, &ClusterPlacementPolicyList{},
		&PlacementReview{}, &PlacementReviewList{},
	)
	metav1.AddToGroupVersion(s, GroupVersion)
	return nil
}
