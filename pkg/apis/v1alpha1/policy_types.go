package v1alpha1

import (
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// PlacementPolicy says how the pods of its namespace are placed.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=pp
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Valid",type=string,JSONPath=`.status.conditions[?(@.type=="Valid")].status`
// +kubebuilder:printcolumn:name="Effective",type=string,JSONPath=`.status.conditions[?(@.type=="Effective")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type PlacementPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   PlacementPolicySpec   `json:"spec"`
	Status PlacementPolicyStatus `json:"status,omitempty"`
}

// PlacementPolicyList is a list of PlacementPolicies.
//
// +kubebuilder:object:root=true
type PlacementPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []PlacementPolicy `json:"items"`
}

// ClusterPlacementPolicy says how pods are placed that no policy of their namespace selects. The one called "default"
// is used for pods that no other ClusterPlacementPolicy selects.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,shortName=cpp
// +kubebuilder:printcolumn:name="Mode",type=string,JSONPath=`.spec.mode`
// +kubebuilder:printcolumn:name="Valid",type=string,JSONPath=`.status.conditions[?(@.type=="Valid")].status`
// +kubebuilder:printcolumn:name="Effective",type=string,JSONPath=`.status.conditions[?(@.type=="Effective")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type ClusterPlacementPolicy struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   PlacementPolicySpec   `json:"spec"`
	Status PlacementPolicyStatus `json:"status,omitempty"`
}

// ClusterPlacementPolicyList is a list of ClusterPlacementPolicies.
//
// +kubebuilder:object:root=true
type ClusterPlacementPolicyList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ClusterPlacementPolicy `json:"items"`
}

// DefaultPolicyName is the ClusterPlacementPolicy that stands in where no other selects a pod.
const DefaultPolicyName = "default"

// PlacementPolicySpec is how to choose a place.
//
// +kubebuilder:validation:XValidation:rule="!has(self.preemption) || self.preemption != 'BeforeBurst' || !has(self.mode) || self.mode == 'LocalFirst'",message="preemption: BeforeBurst goes with mode: LocalFirst, because the other modes do not put local nodes first"
type PlacementPolicySpec struct {
	// PodSelector of the pods that the policy is for; all pods when empty.
	PodSelector *metav1.LabelSelector `json:"podSelector,omitempty"`
	// Mode. LocalFirst: local nodes while they fit, then the best target. Any: the best place. RemoteOnly: never local.
	// +kubebuilder:validation:Enum=LocalFirst;Any;RemoteOnly
	// +kubebuilder:default=LocalFirst
	Mode PlacementMode `json:"mode,omitempty"`
	// Weights of what makes a place good; at least one is positive.
	// +kubebuilder:default={cost: 1, carbon: 1, capacity: 1}
	Weights *Weights `json:"weights,omitempty"`
	// Limits are hard: a place over one of them is not used.
	Limits *Limits `json:"limits,omitempty"`
	// TargetSelector selects targets by the labels of their virtual nodes; all when empty.
	TargetSelector *metav1.LabelSelector `json:"targetSelector,omitempty"`
	// Overflow is an ordered list of tiers: a later one is used only when nothing in an earlier one fits. Targets in no
	// tier come last.
	// +kubebuilder:validation:MaxItems=16
	Overflow []OverflowTier `json:"overflow,omitempty"`
	// TolerancePercent is the difference in cost or carbon, in percent, under which two places count as equal. It is also
	// by how much another place must be better, all weights together, before the next pod of a Deployment, Job or
	// StatefulSet leaves the place where its last ones went.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=5
	TolerancePercent *int32 `json:"tolerancePercent,omitempty"`
	// UnknownSignals says what becomes of a place whose price or carbon intensity has a weight and is unknown, or stale.
	// Worst: it counts as the worst that is known. Exclude: the place is not used; that holds for local nodes too.
	// +kubebuilder:validation:Enum=Worst;Exclude
	// +kubebuilder:default=Worst
	UnknownSignals UnknownSignals `json:"unknownSignals,omitempty"`
	// Preemption says when a pod of a priority above 0 may evict pods of lower priority from local nodes, in mode
	// LocalFirst. AfterBurst: only when no target takes it. BeforeBurst: before a target is considered.
	// +kubebuilder:validation:Enum=AfterBurst;BeforeBurst
	// +kubebuilder:default=AfterBurst
	Preemption PreemptionOrder `json:"preemption,omitempty"`
}

// PlacementMode says which places take part.
type PlacementMode string

// The modes.
const (
	ModeLocalFirst PlacementMode = "LocalFirst"
	ModeAny        PlacementMode = "Any"
	ModeRemoteOnly PlacementMode = "RemoteOnly"
)

// UnknownSignals says what a signal that is unknown means.
type UnknownSignals string

// What becomes of a place with an unknown signal.
const (
	UnknownWorst   UnknownSignals = "Worst"
	UnknownExclude UnknownSignals = "Exclude"
)

// PreemptionOrder says whether a pod bursts or preempts first.
type PreemptionOrder string

// The orders.
const (
	PreemptAfterBurst  PreemptionOrder = "AfterBurst"
	PreemptBeforeBurst PreemptionOrder = "BeforeBurst"
)

// Weights of cost, carbon and capacity, relative to each other.
//
// +kubebuilder:validation:XValidation:rule="self.cost + self.carbon + self.capacity > 0",message="at least one of the weights cost, carbon and capacity must be positive, or no place is better than another"
type Weights struct {
	// Cost favours places where an hour of the pod costs less.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=0
	Cost int32 `json:"cost"`
	// Carbon favours places where an hour of the pod emits less.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=0
	Carbon int32 `json:"carbon"`
	// Capacity favours places with more room left; of those with less than 30 % the fullest, so that the others keep
	// whole nodes for large pods.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=100
	// +kubebuilder:default=0
	Capacity int32 `json:"capacity"`
}

// Limits are hard bounds on a place.
//
// +kubebuilder:validation:XValidation:rule="has(self.pricePerHour) == has(self.currency)",message="limits.pricePerHour and limits.currency go together"
type Limits struct {
	// PricePerHour of the pod, in Currency.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="a limit is never negative"
	PricePerHour *resource.Quantity `json:"pricePerHour,omitempty"`
	// Currency of PricePerHour, as an ISO 4217 code.
	// +kubebuilder:validation:Pattern=`^[A-Z]{3}$`
	Currency string `json:"currency,omitempty"`
	// GramsPerHour of CO2e that the pod may cause.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="a limit is never negative"
	GramsPerHour *resource.Quantity `json:"gramsPerHour,omitempty"`
	// GramsPerKWh of CO2e of the place's electricity.
	// +kubebuilder:validation:XValidation:rule="quantity(string(self)).compareTo(quantity('0')) >= 0",message="a limit is never negative"
	GramsPerKWh *resource.Quantity `json:"gramsPerKWh,omitempty"`
}

// OverflowTier is a group of targets that are tried together.
type OverflowTier struct {
	// TargetSelector by the labels of the targets' virtual nodes.
	TargetSelector metav1.LabelSelector `json:"targetSelector"`
}

// PlacementPolicyStatus says whether a policy can be used.
type PlacementPolicyStatus struct {
	// Conditions: Valid and Effective, each with a reason and a message to act on.
	// +listType=map
	// +listMapKey=type
	Conditions []metav1.Condition `json:"conditions,omitempty"`
	// ObservedGeneration is the spec's generation that this status is of.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
}

// The condition types of a policy.
const (
	// ConditionValid: the policy can be read.
	ConditionValid = "Valid"
	// ConditionEffective: among the targets of now there is one that the policy does not exclude for every pod.
	ConditionEffective = "Effective"
)
