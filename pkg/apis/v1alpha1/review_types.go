package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// PlacementReview asks where a pod of its namespace would go now, and why, without anything being done. The controller
// answers once, in the status, and deletes the review after five minutes.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Pod",type=string,JSONPath=`.spec.podName`
// +kubebuilder:printcolumn:name="Winner",type=string,JSONPath=`.status.winner`
// +kubebuilder:printcolumn:name="Answer",type=string,JSONPath=`.status.conditions[?(@.type=="Answered")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type PlacementReview struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   PlacementReviewSpec   `json:"spec"`
	Status PlacementReviewStatus `json:"status,omitempty"`
}

// PlacementReviewList is a list of PlacementReviews.
//
// +kubebuilder:object:root=true
type PlacementReviewList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []PlacementReview `json:"items"`
}

// PlacementReviewSpec is the question: about a pod that exists, or about one that might be made.
//
// +kubebuilder:validation:XValidation:rule="has(self.podName) != has(self.template)",message="a review is about either podName or template: set exactly one of them"
type PlacementReviewSpec struct {
	// PodName of a pod of the review's namespace. One that has been placed is looked at as if it were placed anew.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	PodName string `json:"podName,omitempty"`
	// Template of a pod that has not been submitted: metadata and spec, as in a Deployment. It is looked at as if the
	// namespace's admission had elected it, if it has the annotation.
	// +kubebuilder:pruning:PreserveUnknownFields
	Template *runtime.RawExtension `json:"template,omitempty"`
	// WhatIf changes what is true now.
	WhatIf *WhatIf `json:"whatIf,omitempty"`
}

// WhatIf is what a review supposes.
type WhatIf struct {
	// TargetsDown are taken for unreachable; "local" is all local nodes.
	// +kubebuilder:validation:MaxItems=100
	// +listType=set
	TargetsDown []string `json:"targetsDown,omitempty"`
	// Weights instead of the policy's.
	Weights *Weights `json:"weights,omitempty"`
	// Policy instead of the pod's: a PlacementPolicy of the namespace, else a ClusterPlacementPolicy.
	// +kubebuilder:validation:MaxLength=253
	Policy string `json:"policy,omitempty"`
}

// PlacementReviewStatus is the answer.
type PlacementReviewStatus struct {
	// Conditions: Answered, with a reason; False when the question cannot be answered, with a message to act on.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// ObservedGeneration is the spec's generation that this status is of.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// Winner is the place that would take the pod: a Target's name, or "local". Empty when none would.
	Winner string `json:"winner,omitempty"`
	// Supposed is what the answer takes for granted, in words.
	Supposed []string `json:"supposed,omitempty"`
	// Placement has the form of the annotation spillway.dev/placement: every place, with its scores or its refusal.
	// +kubebuilder:pruning:PreserveUnknownFields
	Placement *runtime.RawExtension `json:"placement,omitempty"`
}

// ConditionAnswered is the condition type of a review.
const ConditionAnswered = "Answered"
