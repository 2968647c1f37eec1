// Package v1alpha1 is Spillway's API, group spillway.dev: what a platform team writes to describe the clusters their pods
// may burst to (Target) and how to choose between them (PlacementPolicy, ClusterPlacementPolicy), what a user asks about a
// choice (PlacementReview), and every label and annotation that users or Spillway put on other objects (labels.go). It imports no client; every other package imports it.
//
// Money, grams and watts are resource.Quantity, never floats, so that "20m" is exact and readable.
//
// +kubebuilder:object:generate=true
// +groupName=spillway.dev
package v1alpha1
